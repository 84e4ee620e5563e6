// LAM's path as a film: the image sharpens, the maps grow, matches switch; drawn from the kept steps.
import { arrays } from "./data.js";
import { Layer } from "./colour.js";
import { make } from "./controls.js";
import { box } from "./pane.js";

const KERNEL = 4, SIGMA = 1.2; // of lam.GaussianBlurPath: half the kernel's side, and alpha = 0
const SECONDS = 4; // of the whole film

// Blur of values (h, w) by a Gaussian, mirrored at the border without repeating it.
const blur = (values, width, height, sigma) => {
  if (sigma < 1e-3) return values;
  const weights = Array.from({ length: 2 * KERNEL + 1 }, (_, i) => Math.exp(-((i - KERNEL) ** 2) / (2 * sigma * sigma)));
  const all = weights.reduce((a, b) => a + b), once = new Float32Array(values.length), out = new Float32Array(values.length);
  const mirror = (at, length) => {
    for (;;) {
      if (length === 1) return 0;
      if (at < 0) at = -at; else if (at >= length) at = 2 * length - 2 - at; else return at;
    }
  };
  const columns = Array.from({ length: width }, (_, x) => weights.map((_, k) => mirror(x + k - KERNEL, width)));
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      let t = 0;
      for (let k = 0; k < weights.length; k++) t += weights[k] * values[y * width + columns[x][k]];
      once[y * width + x] = t / all;
    }
  for (let y = 0; y < height; y++) {
    const rows = weights.map((_, k) => mirror(y + k - KERNEL, height) * width);
    for (let x = 0; x < width; x++) {
      let t = 0;
      for (let k = 0; k < weights.length; k++) t += weights[k] * once[rows[k] + x];
      out[y * width + x] = t / all;
    }
  }
  return out;
};

export class Film {
  constructor(scene) {
    Object.assign(this, { scene, on: false, alpha: 1, reels: {} });
  }
  get ready() { return Object.keys(this.value?.film ?? {}).length > 0; }
  show(value) {
    const same = JSON.stringify(this.value?.film) === JSON.stringify(value.film);
    this.value = value;
    if (same) return;
    Object.assign(this, { reels: {}, on: false, playing: false, alpha: 1, matches: null });
  }
  controls() {
    if (!this.ready) return [];
    const open = { name: "film", type: "button", label: this.on ? "Leave the path" : "The path as a film", pressed: this.on, title: "From blurred to sharp: the map grows, matches switch (space bar)", act: () => this.open(!this.on) };
    if (!this.on) return [open];
    const blocks = (this.matches ?? []).map((_, b) => [String(b), `block ${b + 1}`]);
    return [open,
      { name: "play", type: "button", label: this.playing ? "Pause" : "Play", act: () => this.toggle() },
      { name: "alpha", type: "range", label: "Position on the path", min: 0, max: 1, step: 0.01, value: 1, passing: true },
      ...(blocks.length ? [{ name: "filmblock", type: "select", label: "Switched matches of", options: blocks, value: "0", passing: true }] : []),
    ];
  }
  async open(on) {
    if (on) await this.load();
    this.on = on;
    this.playing = false;
    this.scene.viewer.refresh();
  }
  // Steps of every map: running sums of what they contribute, and matches at each.
  async load() {
    const { film, key } = this.value;
    for (const [name, { pack, alphas, curve, patches }] of Object.entries(film)) {
      if (this.reels[name]) continue;
      const numbers = await arrays(pack, key), { shape: [steps, channels, h, w], data } = numbers.steps;
      const sums = [], one = channels * h * w;
      for (let k = 0; k < steps; k++) {
        const total = k ? Float32Array.from(sums[k - 1]) : new Float32Array(one);
        for (let i = 0; i < one; i++) total[i] += data[k * one + i];
        sums.push(total);
      }
      this.reels[name] = { sums, alphas, curve, size: h * w, channels };
      if (patches.length) this.matches = patches.map((side, b) => ({ side, origins: numbers[`origins_${b}`].data, index: numbers[`index_${b}`] }));
    }
  }
  toggle() {
    if (!this.on) return this.open(true).then(() => this.toggle());
    this.playing = !this.playing;
    if (this.playing && this.alpha >= 1) this.alpha = 0;
    let last = performance.now();
    const tick = (now) => {
      if (!this.playing || !this.on) return;
      this.alpha = Math.min(1, this.alpha + (now - last) / (1000 * SECONDS));
      last = now;
      if (this.alpha >= 1) this.playing = false;
      this.moved();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    this.scene.viewer.refresh();
  }
  moved() {
    const { viewer } = this.scene;
    const slider = viewer.$('[name="alpha"]');
    if (slider) slider.value = this.alpha;
    viewer.controls.look.alpha = this.alpha;
    if (this.playing) { this.scene.paint(); viewer.view.ask(); } else viewer.refresh();
  }
  chosen(name) {
    if (name === "alpha") this.alpha = +this.scene.look("alpha");
  }
  frame(reel) {
    let k = -1;
    while (k + 1 < reel.alphas.length && reel.alphas[k + 1] <= this.alpha) k++;
    return this.alpha >= 1 ? reel.alphas.length - 1 : k;
  }
  importance(map) {
    const reel = this.on && this.reels[map.name];
    if (!reel) return null;
    const k = this.frame(reel), out = new Float32Array(reel.size);
    if (k >= 0) for (let c = 0; c < reel.channels; c++)
      for (let i = 0; i < reel.size; i++) out[i] += Math.abs(reel.sums[k][c * reel.size + i]);
    return out;
  }
  signed(map) {
    const reel = this.on && this.reels[map.name];
    if (!reel) return null;
    const k = this.frame(reel), out = new Float32Array(reel.size);
    if (k >= 0) for (let c = 0; c < reel.channels; c++)
      for (let i = 0; i < reel.size; i++) out[i] += reel.sums[k][c * reel.size + i];
    return out;
  }
  get sigma() { return SIGMA * (1 - this.alpha); }
  blurred(values, { width, height }) { return this.on ? blur(values, width, height, this.sigma) : null; }
  // The LR image at this place of the path.
  colour(raster) {
    if (this.coloured !== `${this.alpha}` || this.of !== raster) {
      const { width, height, pixels } = raster;
      if (this.of !== raster) {
        this.layer = new Layer(width, height);
        this.channels = [0, 1, 2].map((k) => Float32Array.from({ length: width * height }, (_, i) => pixels[4 * i + k]));
      }
      Object.assign(this, { coloured: `${this.alpha}`, of: raster });
      const found = this.channels.map((values) => blur(values, width, height, this.sigma));
      for (let i = 0; i < width * height; i++) {
        for (let k = 0; k < 3; k++) this.layer.bytes[4 * i + k] = found[k][i];
        this.layer.bytes[4 * i + 3] = 255;
      }
      this.layer.done();
    }
    return this.layer.canvas;
  }
  // Patches of a block whose match is another than on the sharp image.
  switched(block) {
    const found = this.matches?.[block], reel = this.reels[Object.keys(this.value.film)[0]];
    if (!found || !reel) return [];
    const { index } = found, [steps, n] = index.shape, k = Math.max(0, this.frame(reel));
    return Array.from({ length: n }, (_, i) => i).filter((i) => index.data[k * n + i] !== index.data[(steps - 1) * n + i]);
  }
  over(pane, c, z) {
    if (!this.on || pane.key !== "image" || !this.matches) return;
    const block = +this.scene.look("filmblock") || 0, { side, origins } = this.matches[block], { scale } = this.value;
    const [left, top] = this.scene.region();
    for (const i of this.switched(block))
      box(c, z, [(left + origins[2 * i + 1]) * scale, (top + origins[2 * i]) * scale, side * scale, side * scale], "#56b4e9", { dashed: true });
  }
  // The detector along the path, and how many matches differ in every block.
  paint() {
    const place = this.scene.viewer.$(".extra");
    place.hidden = !this.on;
    if (!this.on) return;
    const reel = Object.values(this.reels)[0];
    if (!reel) return;
    if (!this.plot?.isConnected) {
      this.plot = make("canvas", { width: 640, height: 150, className: "plot" });
      this.plot.setAttribute("role", "img");
      this.told = make("p", { className: "words" });
      place.replaceChildren(this.plot, this.told);
    }
    this.draw(this.plot.getContext("2d"), reel);
    const shares = (this.matches ?? []).map((m, b) => `block ${b + 1}: ${Math.round((100 * this.switched(b).length) / m.index.shape[1])}%`);
    this.told.textContent = `At ${this.alpha.toFixed(2)} of the path (0 blurred, 1 sharp). ` +
      (shares.length ? `Patches that attend to another patch than on the sharp image — ${shares.join(", ")}.` : "This network has no matches that could switch.");
    this.plot.setAttribute("aria-label", `The strength of the window's detail along the path, now at ${this.alpha.toFixed(2)}`);
  }
  draw(c, { curve }) {
    const values = curve.map(([, v]) => v), { width: w, height: h } = c.canvas;
    const low = Math.min(...values), high = Math.max(...values, low + 1e-9);
    const at = (a, v) => [30 + a * (w - 40), h - 24 - ((v - low) / (high - low)) * (h - 44)];
    c.fillStyle = "#1b1b1b"; c.fillRect(0, 0, w, h);
    c.fillStyle = "#ddd"; c.font = "13px sans-serif";
    c.fillText("the window's detail", 34, 15); c.fillText("blurred", 30, h - 6); c.fillText("sharp", w - 44, h - 6);
    c.strokeStyle = "#ffb000"; c.lineWidth = 2; c.beginPath();
    curve.forEach(([a, v], i) => c[i ? "lineTo" : "moveTo"](...at(a, v)));
    c.stroke();
    c.strokeStyle = "#fff"; c.lineWidth = 1; c.beginPath();
    c.moveTo(...at(this.alpha, low)); c.lineTo(...at(this.alpha, high)); c.stroke();
  }
}
