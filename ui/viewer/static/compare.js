// Contenders of one image: under a slider, side by side, their difference, or flickering.
import { Layer, gradient, percentile, studioLuma } from "./colour.js";
import { image } from "./data.js";
import { figure } from "./text.js";
import { tag } from "./pane.js";
import { Scene } from "./scene.js";

const MODES = [["slider", "slider"], ["side", "side by side"], ["difference", "difference"], ["flicker", "flicker"]];
const HANDLE = 16; // CSS pixels around the slider's line that take hold of it
const SLOW = 700; // milliseconds of one image while flickering

export class Compare extends Scene {
  constructor(viewer) {
    super(viewer);
    Object.assign(this, { split: 0.5, second: false, lumas: new WeakMap(), differences: new WeakMap() });
  }
  async load(value) {
    const found = await Promise.all(value.contenders.map((c) => c.image && image(c.image, value.key)));
    return value.contenders.map((c, i) => ({ ...c, raster: found[i] }));
  }
  show(value, contenders) { this.contenders = contenders; }
  get ready() { return this.contenders.filter((c) => c.raster); }
  named(name, fallback) {
    const key = this.look(name);
    return this.ready.find((c) => c.name === key) ?? this.ready.find((c) => c.name === fallback) ?? this.ready[0];
  }
  get a() { return this.named("a", this.value.first[0]); }
  get b() { return this.named("b", this.value.first[1]); }
  controls() {
    const all = this.contenders.map((c) => [c.name, c.raster ? c.label : `${c.label} (not computed yet)`]);
    const [first, second] = this.value.first, plain = this.value.mode ?? "slider", mode = this.look("mode") ?? plain;
    return [
      { name: "mode", type: "select", label: "Compare by", options: MODES, value: plain },
      ...(mode === "side" ? [] : [
        { name: "a", type: "select", label: mode === "slider" ? "Left" : "First", options: all, value: first },
        { name: "b", type: "select", label: mode === "slider" ? "Right" : "Second", options: all, value: second }]),
      ...(mode === "flicker" ? [{ name: "still", type: "checkbox", label: "hold", value: false, title: "The space bar shows the other one" }] : []),
      ...(this.value.saves && mode !== "side" ? ["a", "b"].map((side) => ({
        name: `save-${side}`, type: "button", label: `Save ${short(this[side].label)} (PNG)`,
        act: () => this.viewer.trigger("download", { contender: this[side].name }) })) : []),
      ...this.figureButtons(),
    ];
  }
  chosen(name) {
    if (name !== "a" && name !== "b") return;
    const wanted = this.contenders.find((c) => c.name === this.look(name));
    if (wanted && !wanted.raster) {
      this.viewer.message(`${wanted.label} is being computed…`);
      this.viewer.trigger("input", { contender: wanted.name });
    }
  }
  get mode() { return this.look("mode"); }
  panes() {
    const { a, b, mode } = this;
    clearInterval(this.ticking);
    if (mode === "flicker" && !this.look("still")) {
      this.ticking = setInterval(() => { this.second = !this.second; this.retitle(); this.viewer.view.ask(); }, SLOW);
    }
    if (mode === "side") return this.ready.map((c) => ({ key: c.name, title: c.label }));
    if (mode === "difference") {
      const { mean } = this.difference(a, b);
      return [{ key: "a", title: a.label }, { key: "b", title: b.label },
        { key: "difference", title: `Difference in brightness: ${mean.toFixed(1)} of 255 levels on average` }];
    }
    return [{ key: mode, title: this.title() }];
  }
  title() {
    const { a, b } = this;
    if (this.mode === "slider") return `Left: ${a.label} — right: ${b.label} (drag the line; click to move the window)`;
    return `Now: ${(this.second ? b : a).label} (${this.second ? "second" : "first"}; the space bar changes)`;
  }
  retitle() {
    const pane = this.viewer.panes.find((p) => p.key === "flicker");
    if (pane) pane.figure.querySelector("figcaption").textContent = pane.title = this.title();
  }
  luma(raster) {
    if (!this.lumas.has(raster)) this.lumas.set(raster, studioLuma(raster.pixels));
    return this.lumas.get(raster);
  }
  difference(a, b) {
    const of = this.differences.get(a.raster) ?? new WeakMap();
    this.differences.set(a.raster, of);
    if (!of.has(b.raster)) {
      const [one, other] = [this.luma(a.raster), this.luma(b.raster)], values = one.map((v, i) => Math.abs(v - other[i]));
      of.set(b.raster, { values, mean: values.reduce((x, y) => x + y, 0) / values.length });
    }
    return of.get(b.raster);
  }
  paint() {
    if (this.mode !== "difference") return this.viewer.legend([]);
    const { values } = this.difference(this.a, this.b), [w, h] = this.value.size;
    if (this.layer?.canvas.width !== w || this.layer.canvas.height !== h) this.layer = new Layer(w, h);
    const end = Math.max(1, percentile(values, 99.5));
    this.layer.scalar(values, { colours: "viridis", end });
    this.viewer.legend([["difference in brightness: 0", gradient("viridis"), `${figure(end)} or more of 255 levels`]]);
  }
  layers(pane) {
    const [w, h] = this.value.size, rect = [0, 0, w, h], of = (c) => ({ source: c.raster.bitmap, rect });
    if (pane.key === "difference") return [{ source: this.layer.canvas, rect }];
    if (pane.key === "slider") return [of(this.b), { ...of(this.a), clip: [-w, -h, w + this.line(pane), 3 * h] }];
    if (pane.key === "flicker") return [of(this.second ? this.b : this.a)];
    return [of(pane.key === "a" ? this.a : pane.key === "b" ? this.b : this.ready.find((c) => c.name === pane.key) ?? this.a)];
  }
  // The slider's line in image pixels: it keeps its place on the screen.
  line(pane) {
    const { view, canvas } = pane;
    return view.x + ((this.split - 0.5) * canvas.clientWidth) / view.scale(canvas.clientWidth, canvas.clientHeight);
  }
  over(pane, c, z) {
    this.window(c, z);
    if (pane.key !== "slider") return;
    const x = this.line(pane), { view, canvas } = pane, high = canvas.clientHeight / z;
    for (const [colour, wide] of [["#000b", 4], ["#fff", 2]]) {
      c.strokeStyle = colour;
      c.lineWidth = wide / z;
      c.beginPath(); c.moveTo(x, view.y - high / 2); c.lineTo(x, view.y + high / 2); c.stroke();
    }
    c.fillStyle = "#fff"; c.strokeStyle = "#000b"; c.lineWidth = 2 / z;
    c.beginPath(); c.arc(x, view.y, 9 / z, 0, 7); c.fill(); c.stroke();
    tag(c, z, "◀ ▶", x - 18 / z, view.y + 28 / z);
  }
  grab(pane, [x, , k]) {
    if (pane.key !== "slider" || Math.abs(x - this.line(pane)) > HANDLE * k) return null;
    return { drag: (place) => this.slide(pane, place[0]) };
  }
  slide(pane, x) {
    const { view, canvas } = pane;
    this.split = Math.min(1, Math.max(0, 0.5 + ((x - view.x) * view.scale(canvas.clientWidth, canvas.clientHeight)) / canvas.clientWidth));
    pane.ask();
  }
  key(pane, event) {
    if (event.key === " " && this.mode === "flicker") { this.second = !this.second; this.retitle(); this.viewer.view.ask(); }
    else if ((event.key === "[" || event.key === "]") && this.mode === "slider") {
      this.split = Math.min(1, Math.max(0, this.split + (event.key === "]" ? 0.05 : -0.05)));
      pane.ask();
    } else return false;
    return true;
  }
  hover(pane, place) {
    if (!place) return this.viewer.say("Point at a pixel for its colours. Wheel or pinch zooms, drag moves, a double click shows all; [ and ] move the slider.");
    const [x, y] = place.map(Math.floor), { scale } = this.value;
    const shown = this.mode === "side" ? this.ready : [this.a, this.b];
    const words = shown.map((c) => `${c.label}: ${c.raster.at(x, y).join(", ")}`);
    this.viewer.say([`SR (${x}, ${y}) · LR (${Math.floor(x / scale)}, ${Math.floor(y / scale)})`, ...words].join("  |  "));
  }
  pick(pane, [x, y]) {
    if (this.value.picks) this.viewer.trigger("select", { x: Math.floor(x), y: Math.floor(y) });
  }
  table() {
    const original = this.ready.find((c) => c.name === "original");
    const rows = this.ready.map((c) => [c.label, original ? this.difference(c, original).mean : "unknown"]);
    return [["Contender", "mean difference to the original in brightness, of 255"], rows];
  }
  caption() {
    const { name, network, window: [left, top, size] } = this.value;
    return `${name}, ${network}; window of ${size}x${size} SR pixels at (${left}, ${top})`;
  }
}

const short = (label) => (label.length > 24 ? `${label.slice(0, 22)}…` : label);
