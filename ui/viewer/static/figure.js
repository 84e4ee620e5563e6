// What is seen as one PNG for a paper: panes with titles, scale and caption, twice as fine as the screen.
import { make } from "./controls.js";

const GAP = 12, LINE = 20;

const wrapped = (c, text, wide) => {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (c.measureText(longer).width > wide && lines.at(-1)) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
};

export const drawn = (viewer) => {
  const panes = viewer.panes.filter((pane) => pane.canvas.clientWidth);
  const sizes = panes.map(({ canvas }) => [canvas.clientWidth, canvas.clientHeight]);
  const wide = sizes.reduce((all, [w]) => all + w + GAP, GAP), high = Math.max(...sizes.map(([, h]) => h));
  const canvas = make("canvas"), c = canvas.getContext("2d");
  c.font = "13px sans-serif";
  const titles = panes.map((pane, i) => wrapped(c, pane.title, sizes[i][0]));
  const above = Math.max(...titles.map((t) => t.length)) * LINE + GAP;
  const caption = wrapped(c, viewer.scene.caption(), wide - 2 * GAP), scale = viewer.scale ?? [];
  canvas.width = 2 * wide;
  canvas.height = 2 * (above + high + GAP + (scale.length + caption.length + 1) * LINE);
  c.scale(2, 2);
  c.fillStyle = "#fff";
  c.fillRect(0, 0, wide, canvas.height);
  c.imageSmoothingEnabled = false;
  c.font = "13px sans-serif";
  let left = GAP;
  panes.forEach((pane, i) => {
    c.fillStyle = "#111";
    titles[i].forEach((line, n) => c.fillText(line, left, LINE * (n + 1)));
    c.drawImage(pane.canvas, left, above, ...sizes[i]);
    left += sizes[i][0] + GAP;
  });
  let top = above + high + LINE;
  for (const [low, colours, end, note = ""] of scale) {
    c.fillStyle = "#111";
    c.fillText(low, GAP, top);
    const x = 2 * GAP + c.measureText(low).width, ramp = c.createLinearGradient(x, 0, x + 140, 0);
    const stops = colours.match(/#[0-9a-f]{6}|rgb\([^)]*\)/gi) ?? ["#000", "#fff"];
    stops.forEach((colour, n) => ramp.addColorStop(n / Math.max(1, stops.length - 1), colour));
    c.fillStyle = ramp;
    c.fillRect(x, top - 11, 140, 12);
    c.fillStyle = "#111";
    c.fillText(`${end} ${note}`, x + 140 + GAP, top);
    top += LINE;
  }
  caption.forEach((line, n) => c.fillText(line, GAP, top + n * LINE));
  return canvas;
};

export const save = (viewer) =>
  drawn(viewer).toBlob((blob) => {
    const link = make("a", { href: URL.createObjectURL(blob), download: `${viewer.scene.caption().replace(/[^\w.-]+/g, "-").slice(0, 80)}.png` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
