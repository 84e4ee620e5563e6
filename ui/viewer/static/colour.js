// Numbers to colours: tables of 256, percentiles, square root.
const STOPS = {
  inferno: "000004 040312 0b0724 150b37 210c4a 2f0a5b 3d0965 4a0c6b 57106e 64156e 71196e 7d1e6d 8a226a 972766 a32c61 b0315b bc3754 c73e4c d24644 db503b e45a31 eb6628 f1731d f68013 f98e09 fb9d07 fcac11 fbbc21 f9cb35 f5db4c f2ea69 f3f68a fcffa4",
  viridis: "440154 470d60 48186a 482374 472d7b 453781 424086 3e4989 3b528b 375b8d 33638d 2f6b8e 2c728e 297a8e 26828e 23898e 21918c 1f988b 1fa088 22a785 28ae80 32b67a 3fbc73 4ec36b 5ec962 70cf57 84d44b 98d83e addc30 c2df23 d8e219 ece51b fde725",
  grey: "000000 ffffff",
  signed: "053061 2065ab 4393c3 90c4dd d1e5f0 f7f6f6 fddbc7 f3a481 d6604d b1182b 67001f",
};
const tables = {};

// [r, g, b] of a share from 0 to 1.
const mixed = (stops, share) => {
  const at = share * (stops.length - 1), k = Math.min(stops.length - 2, Math.floor(at));
  return [16, 8, 0].map((shift) => {
    const [a, b] = [stops[k], stops[k + 1]].map((v) => (v >> shift) & 255);
    return Math.round(a + (b - a) * (at - k));
  });
};

export const table = (name) =>
  (tables[name] ??= Uint32Array.from({ length: 256 }, (_, i) => {
    const [r, g, b] = mixed(STOPS[name].split(" ").map((s) => parseInt(s, 16)), i / 255);
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  }));

export const gradient = (name) => `linear-gradient(90deg,${STOPS[name].split(" ").map((s) => "#" + s)})`;

// Sizes in ascending order, sorted once per map: a percentile or a rank is then one look.
const orders = new WeakMap();
const order = (data) => {
  if (!orders.has(data)) orders.set(data, Float32Array.from(data, Math.abs).sort());
  return orders.get(data);
};

// Linearly interpolated, as numpy's.
export const percentile = (data, p) => {
  const all = order(data), at = (p / 100) * (all.length - 1), k = Math.floor(at);
  return all[k] + (all[Math.min(k + 1, all.length - 1)] - all[k]) * (at - k);
};

// 1 for the largest.
export const rank = (data, value) => {
  const all = order(data);
  let low = 0, high = all.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (all[middle] > Math.abs(value)) high = middle; else low = middle + 1;
  }
  return all.length - low + 1;
};

// The end of one scale for several maps; a map with a single bright pixel has a percentile of 0.
export const limit = (maps, p) =>
  Math.max(...maps.map((m) => percentile(m, p))) || Math.max(...maps.map((m) => percentile(m, 100))) || 1;

export const sum = (data) => data.reduce((a, b) => a + b, 0);

export class Layer {
  constructor(width, height) {
    this.canvas = new OffscreenCanvas(width, height);
    this.context = this.canvas.getContext("2d");
    this.image = this.context.createImageData(width, height);
    this.words = new Uint32Array(this.image.data.buffer);
    this.bytes = this.image.data;
  }
  done() {
    this.context.putImageData(this.image, 0, 0);
    return this.canvas;
  }
  // Values from 0 to `end` through a table.
  scalar(data, { colours, end, root }) {
    const colour = table(colours), { words } = this;
    for (let i = 0; i < data.length; i++) {
      const share = Math.min(1, Math.max(0, data[i] / end));
      words[i] = colour[Math.round(255 * (root ? Math.sqrt(share) : share))];
    }
    return this.done();
  }
  // Values from -end to end, darkened where `grey` is dark: less so the stronger the overlay.
  signed(data, { end, root, strength = 1, grey = null }) {
    const colour = table("signed"), { words } = this;
    for (let i = 0; i < data.length; i++) {
      const share = Math.min(1, Math.abs(data[i]) / end), size = root ? Math.sqrt(share) : share;
      const word = colour[Math.round(127.5 + 127.5 * Math.sign(data[i]) * size)];
      const dim = grey ? strength + (1 - strength) * (grey[i] / 255) : 1;
      words[i] = ((255 << 24) | (((word >> 16) & 255) * dim) << 16 | (((word >> 8) & 255) * dim) << 8 | ((word & 255) * dim)) >>> 0;
    }
    return this.done();
  }
}

// Brightness of RGBA bytes, 0 to 255.
export const luma = (pixels) => {
  const out = new Float32Array(pixels.length / 4);
  for (let i = 0; i < out.length; i++)
    out[i] = 0.299 * pixels[4 * i] + 0.587 * pixels[4 * i + 1] + 0.114 * pixels[4 * i + 2];
  return out;
};

// The luma that PSNR-Y compares: BT.601 in studio swing, rounded to 8 bit.
export const studioLuma = (pixels) => {
  const out = new Float32Array(pixels.length / 4);
  for (let i = 0; i < out.length; i++)
    out[i] = Math.round(16 + (65.481 * pixels[4 * i] + 128.553 * pixels[4 * i + 1] + 24.966 * pixels[4 * i + 2]) / 255);
  return out;
};
