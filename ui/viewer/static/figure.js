// What is seen as one figure: panes with titles, scale and caption, as PNG.
import { make } from "./controls.js";

const GAP = 12, LINE = 20, RAMP = 140, FINE = 2; // CSS pixels; image pixels per CSS pixel of a PNG
const FONT = "13px Helvetica, Arial, sans-serif";

const wrapped = (c, text, wide) => {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (c.measureText(longer).width > wide && lines.at(-1)) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
};

// Panes in the rows that they stand in on the screen.
const rowsOf = (panes) => {
  const rows = new Map();
  for (const pane of panes) {
    const top = Math.round(pane.figure.getBoundingClientRect().top);
    rows.set(top, [...(rows.get(top) ?? []), pane]);
  }
  return [...rows.values()];
};

const ramp = (colours) => {
  const canvas = make("canvas", { width: 256, height: 1 }), c = canvas.getContext("2d"), shades = c.createLinearGradient(0, 0, 256, 0);
  const stops = colours.match(/#[0-9a-f]{6}|rgb\([^)]*\)/gi) ?? ["#000", "#fff"];
  stops.forEach((colour, n) => shades.addColorStop(n / Math.max(1, stops.length - 1), colour));
  c.fillStyle = shades;
  c.fillRect(0, 0, 256, 1);
  return canvas;
};

// {wide, high, images: [canvas, x, y, w, h], texts: [text, x, y]}, in CSS pixels from the upper left.
const layout = (viewer) => {
  const c = make("canvas").getContext("2d"), images = [], texts = [];
  c.font = FONT;
  let top = 0, wide = 0;
  for (const row of rowsOf(viewer.panes.filter((pane) => pane.canvas.clientWidth))) {
    const titles = row.map((pane) => wrapped(c, pane.title, pane.canvas.clientWidth));
    const above = Math.max(...titles.map((t) => t.length)) * LINE + GAP;
    let left = GAP;
    row.forEach(({ canvas }, i) => {
      titles[i].forEach((line, n) => texts.push([line, left, top + LINE * (n + 1)]));
      images.push([canvas, left, top + above, canvas.clientWidth, canvas.clientHeight]);
      left += canvas.clientWidth + GAP;
    });
    wide = Math.max(wide, left);
    top += above + Math.max(...row.map(({ canvas }) => canvas.clientHeight)) + GAP;
  }
  top += LINE - GAP;
  for (const [low, colours, end, note = ""] of viewer.scale ?? []) {
    const x = 2 * GAP + c.measureText(low).width;
    const after = x + RAMP + GAP, told = wrapped(c, `${end} ${note}`, Math.max(2 * RAMP, wide - after - GAP));
    texts.push([low, GAP, top], ...told.map((line, n) => [line, after, top + n * LINE]));
    images.push([ramp(colours), x, top - 11, RAMP, 12]);
    top += told.length * LINE;
    wide = Math.max(wide, ...told.map((line) => after + c.measureText(line).width + GAP));
  }
  for (const line of wrapped(c, viewer.scene.caption(), wide - 2 * GAP)) {
    texts.push([line, GAP, top]);
    top += LINE;
  }
  return { wide, high: top, images, texts };
};

const png = ({ wide, high, images, texts }) => {
  const canvas = make("canvas", { width: FINE * wide, height: FINE * high }), c = canvas.getContext("2d");
  c.scale(FINE, FINE);
  c.fillStyle = "#fff";
  c.fillRect(0, 0, wide, high);
  c.imageSmoothingEnabled = false;
  for (const image of images) c.drawImage(...image);
  Object.assign(c, { fillStyle: "#111", font: FONT });
  for (const text of texts) c.fillText(...text);
  return new Promise((done) => canvas.toBlob(done));
};

export const save = async (viewer) => {
  const blob = await png(layout(viewer));
  const name = viewer.scene.caption().replace(/[^\w.-]+/g, "-").slice(0, 80);
  const link = make("a", { href: URL.createObjectURL(blob), download: `${name}.png` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
