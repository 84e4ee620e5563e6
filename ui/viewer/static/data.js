// Numbers and images by address: each is fetched and decoded once, whoever asks.
const LIMIT = 128 * 2 ** 20; // bytes, decoded
const kept = new Map();
let held = 0;
export const counts = { fetched: 0 };

const remember = (address, make) => {
  let entry = kept.get(address);
  kept.delete(address); // it becomes the newest
  if (!entry) {
    entry = { bytes: 0 };
    entry.promise = make().then(
      ([value, bytes]) => {
        if (kept.get(address) === entry) held += entry.bytes = bytes;
        while (held > LIMIT && kept.size > 1) {
          const [oldest, { bytes: freed }] = kept.entries().next().value;
          kept.delete(oldest);
          held -= freed;
        }
        return value;
      },
      (error) => {
        if (kept.get(address) === entry) kept.delete(address); // it may be asked for again
        throw error;
      },
    );
  }
  kept.set(address, entry);
  return entry.promise;
};

const get = async (address, key) => {
  counts.fetched += 1;
  const root = window.gradio_config.root.replace(/\/$/, "");
  const answer = await fetch(root + address, { headers: { "x-viewer-key": key } });
  if (answer.status === 404) throw new Error("the server no longer keeps it: choose the image again");
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return answer;
};

const halves = (buffer) => {
  if (typeof Float16Array !== "undefined") return Float32Array.from(new Float16Array(buffer));
  const bits = new Uint16Array(buffer), out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const e = (bits[i] >> 10) & 31, m = bits[i] & 1023, s = bits[i] >> 15 ? -1 : 1;
    out[i] = s * (e === 0 ? m * 2 ** -24 : e === 31 ? (m ? NaN : Infinity) : (1 + m / 1024) * 2 ** (e - 15));
  }
  return out;
};

const TYPES = {
  float16: [2, halves], int16: [2, (b) => new Int16Array(b)], uint16: [2, (b) => new Uint16Array(b)],
  uint8: [1, (b) => new Uint8Array(b)],
};

// {name: {shape, data}} of a pack; floating point arrives in units of its largest value.
export const arrays = (pack, key) =>
  remember(pack.address, async () => {
    const buffer = await (await get(pack.address, key)).arrayBuffer(), out = {};
    for (const { name, type, shape, start, unit } of pack.arrays) {
      const [bytes, decode] = TYPES[type], size = shape.reduce((a, b) => a * b, 1);
      const data = decode(buffer.slice(start, start + bytes * size));
      if (unit !== 1) for (let i = 0; i < data.length; i++) data[i] *= unit;
      out[name] = { shape, data };
    }
    return [out, 2 * buffer.byteLength];
  });

// An image with its bitmap, and its bytes (RGBA) once somebody reads them.
export class Raster {
  constructor(bitmap) {
    Object.assign(this, { bitmap, width: bitmap.width, height: bitmap.height });
  }
  get pixels() {
    if (!this.bytes) {
      const canvas = new OffscreenCanvas(this.width, this.height), context = canvas.getContext("2d");
      context.drawImage(this.bitmap, 0, 0);
      this.bytes = context.getImageData(0, 0, this.width, this.height).data;
    }
    return this.bytes;
  }
  at(x, y) {
    const i = 4 * (Math.floor(y) * this.width + Math.floor(x));
    return [...this.pixels.subarray(i, i + 3)];
  }
}

export const image = (address, key) =>
  remember(address, async () => {
    const blob = await (await get(address, key)).blob();
    const found = new Raster(await createImageBitmap(blob, { colorSpaceConversion: "none" }));
    return [found, 8 * found.width * found.height];
  });
