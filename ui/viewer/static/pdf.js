// One page of images and words as a PDF (1.4): words stay words, pixels stay as they are.
const POINT = 0.75; // points per CSS pixel
const SIZE = 13 * POINT;
// What Helvetica's WinAnsi encoding has beyond Latin-1, and what stands in for what it lacks.
const EXTRA = { "“": 0x93, "”": 0x94, "‘": 0x91, "’": 0x92, "–": 0x96, "—": 0x97, "…": 0x85, "•": 0x95 };
const INSTEAD = { "→": "->", "←": "<-", "×": "x", "−": "-", "\u00a0": " " };

const latin = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

const words = (text) => {
  let out = "";
  for (const letter of text) {
    const code = letter.codePointAt(0);
    if (EXTRA[letter]) out += String.fromCharCode(EXTRA[letter]);
    else if (INSTEAD[letter]) out += INSTEAD[letter];
    else if ("()\\".includes(letter)) out += `\\${letter}`;
    else out += code < 256 ? letter : "?";
  }
  return `(${out})`;
};

const packed = async (bytes) =>
  new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"))).arrayBuffer());

const pixels = async (canvas) => {
  const { width, height } = canvas, found = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const rgb = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) rgb.set(found.subarray(4 * i, 4 * i + 3), 3 * i);
  return [width, height, await packed(rgb)];
};

export const pdf = async ({ wide, high, images, texts }) => {
  const parts = [latin("%PDF-1.4\n%\u00e2\u00e3\u00cf\u00d3\n")], places = [];
  let length = parts[0].length;
  const add = (...pieces) => {
    for (const piece of pieces) {
      const bytes = typeof piece === "string" ? latin(piece) : piece;
      parts.push(bytes);
      length += bytes.length;
    }
  };
  const object = (...pieces) => {
    places.push(length);
    add(`${places.length} 0 obj\n`, ...pieces, "\nendobj\n");
  };
  const stream = (about, bytes) => object(`<< ${about} /Length ${bytes.length} >>\nstream\n`, bytes, "\nendstream");
  const first = 5, [w, h] = [wide, high].map((side) => (side * POINT).toFixed(2));
  const named = images.map((_, i) => `/I${i} ${first + i} 0 R`).join(" ");
  object("<< /Type /Catalog /Pages 2 0 R >>");
  object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>");
  object(
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${w} ${h}] /Contents ${first + images.length} 0 R /Resources << /XObject << ${named} >> /Font << /F 4 0 R >> >> >>`);
  object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>");
  for (const [canvas] of images) {
    const [width, height, data] = await pixels(canvas);
    stream(`/Type /XObject /Subtype /Image /Width ${width} /Height ${height} /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /FlateDecode`, data);
  }
  const number = (value) => (value * POINT).toFixed(2);
  const drawn = images.map(([, x, y, width, height], i) =>
    `q ${number(width)} 0 0 ${number(height)} ${number(x)} ${number(high - y - height)} cm /I${i} Do Q`);
  const said = texts.map(([text, x, y]) => `BT /F ${SIZE} Tf ${number(x)} ${number(high - y)} Td ${words(text)} Tj ET`);
  stream("/Filter /FlateDecode", await packed(latin([...drawn, ...said].join("\n"))));
  const start = length, entries = places.map((at) => `${String(at).padStart(10, "0")} 00000 n \n`).join("");
  add(`xref\n0 ${places.length + 1}\n0000000000 65535 f \n${entries}trailer\n<< /Size ${places.length + 1} /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`);
  return new Blob(parts, { type: "application/pdf" });
};
