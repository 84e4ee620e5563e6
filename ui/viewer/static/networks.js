// Many networks: what each made of the window, and the LR pixels it made it from, on one scale.
import { Layer, gradient, limit, luma, rank, sum } from "./colour.js";
import { arrays, image } from "./data.js";
import { figure } from "./text.js";
import { box } from "./pane.js";
import { Scene } from "./scene.js";
import { View } from "./view.js";

const COLUMNS = [ // name, title, digits, how many times as much is shown, unit
  ["diffusion_index", "diffusion index", 2, 1, ""], ["area_50", "50% area", 1, 100, "%"], ["area_80", "80% area", 1, 100, "%"],
  ["area_95", "95% area", 1, 100, "%"], ["mean_distance", "distance (LR px)", 1, 1, ""], ["psnr", "window PSNR-Y (dB)", 2, 1, ""],
  ["relative_residual", "unexplained", 1, 100, "%"], ["steps", "steps", 0, 1, ""],
];
const MARGIN = 0.5; // of the window, shown around it
const PLAIN = { sort: "diffusion_index", colours: "inferno", root: true, strength: 0.6, end: 99.5 };

export class Networks extends Scene {
  constructor(viewer) {
    super(viewer);
    this.close = new View(); // at the window, while the maps show all
    this.all = [];
    viewer.$(".numbers").open = true;
  }
  look(name) { return super.look(name) ?? PLAIN[name]; }
  async load(value) {
    const [lr, numbers, ...sr] = await Promise.all([
      image(value.lr, value.key), value.pack && arrays(value.pack, value.key),
      ...value.networks.map((n) => n.image && image(n.image, value.key)),
    ]);
    return { lr, numbers, sr };
  }
  show(value, { lr, numbers, sr }) {
    if (this.lr !== lr) {
      this.grey = new Layer(lr.width, lr.height);
      this.grey.scalar(luma(lr.pixels), { colours: "grey", end: 255 });
    }
    this.lr = lr;
    this.all = value.networks.map((one, i) => ({ ...one, sr: sr[i], map: this.shares(numbers?.[one.name]) }));
    const [left, top, size] = value.window, [width, height] = value.size, side = Math.min(size * (1 + 2 * MARGIN), width, height);
    const inside = (at, all) => Math.min(Math.max(0, at - size * MARGIN), all - side);
    this.close.shape(width, height, [inside(left, width), inside(top, height), side, side]);
  }
  // Shares of the map's own sum: networks' detectors differ in size.
  shares(map) {
    const all = map && sum(map.data);
    return all ? map.data.map((v) => v / all) : null;
  }
  get sorted() {
    const by = this.look("sort"), size = (one) => (one.numbers?.[by] == null ? -1 : Math.abs(one.numbers[by]));
    return by === "given" ? this.all : [...this.all].sort((a, b) => size(b) - size(a));
  }
  controls() {
    return [
      { name: "sort", type: "select", label: "Sorted by", options: [...COLUMNS.slice(0, -1).map(([n, title]) => [n, title]), ["given", "as chosen"]], value: PLAIN.sort },
      { name: "colours", type: "select", label: "Colours", options: [["inferno", "inferno"], ["viridis", "viridis"], ["grey", "grey"]], value: "inferno" },
      { name: "root", type: "checkbox", label: "square root", value: true, title: "Lifts faint pixels" },
      { name: "strength", type: "range", label: "Overlay", min: 0, max: 1, step: 0.05, value: 0.6, title: "0: image alone, 1: map alone" },
      { name: "end", type: "range", label: "Scale ends at percentile", min: 90, max: 100, step: 0.1, value: 99.5 },
      ...this.figureButtons(),
    ];
  }
  panes() {
    return this.sorted.flatMap((one) => [
      { key: `sr ${one.name}`, title: "its window", view: this.close },
      { key: `map ${one.name}`, title: this.title(one), words: one.said.map((s, i) => (one.loud && i ? `**${s}**` : s)) },
    ]);
  }
  title({ label, numbers }) {
    const [di, psnr] = ["diffusion_index", "psnr"].map((name) => numbers && this.cell(COLUMNS.find(([n]) => n === name), numbers));
    return [label, di && `DI ${di}`, psnr && psnr !== "none" && `${psnr} dB`].filter(Boolean).join(", ");
  }
  cell([name, , digits, times, unit], numbers) {
    const value = numbers?.[name];
    return value == null ? "none" : `${(times * value).toFixed(digits).replace(/^-(?=[0.]+$)/, "")}${unit}`;
  }
  paint() {
    const [, , height, width] = this.value.region, known = this.all.filter((one) => one.map);
    this.end = known.length ? limit(known.map((one) => one.map), this.look("end")) : 1;
    for (const one of known) {
      one.layer = new Layer(width, height);
      one.layer.scalar(one.map, { colours: this.look("colours"), end: this.end, root: this.look("root") });
    }
    const note = `one scale for all, ends at percentile ${this.look("end")}${this.look("root") ? ", by square root" : ""}`;
    this.viewer.legend(known.length ? [["share of the importance, a pixel: 0", gradient(this.look("colours")), `${figure(100 * this.end)}% or more,`, note]] : []);
    this.close.ask();
  }
  of(pane) { return this.all.find((one) => pane.key.endsWith(` ${one.name}`)); }
  layers(pane) {
    const one = this.of(pane), { scale, size: [w, h] } = this.value, base = { source: this.grey.canvas, rect: [0, 0, w, h] };
    if (pane.view === this.close) return one?.sr ? [{ source: one.sr.bitmap, rect: [0, 0, w, h] }] : [];
    const [left, top, height, width] = this.value.region.map((v) => v * scale);
    return one?.layer ? [base, { source: one.layer.canvas, rect: [left, top, width, height], alpha: this.look("strength") }] : [base];
  }
  over(pane, c, z) {
    const { scale, size, region } = this.value, [left, top, height, width] = region.map((v) => v * scale);
    if (pane.view !== this.close && (height < size[1] || width < size[0])) box(c, z, [left, top, width, height], "#fff", { dashed: true, wide: 1 });
    this.window(c, z);
  }
  hover(pane, place) {
    if (pane) for (const view of [this.close, this.viewer.view]) { view.cross = place; view.ask(); }
    if (!place || !this.lr) return this.viewer.say(this.all.some((o) => o.map) ? "Point at a pixel for its share and rank in every map; click for another window." : "");
    const [u, v] = place.map((p) => Math.floor(p / this.value.scale)), [left, top, height, width] = this.value.region;
    const told = [`LR (${u}, ${v})`], x = u - left, y = v - top;
    if (x >= 0 && y >= 0 && x < width && y < height)
      for (const one of this.sorted) {
        const share = one.map?.[y * width + x];
        if (one.map) told.push(`${one.label}: ${figure(100 * share)}%, rank ${rank(one.map, share)} of ${one.map.length}`);
      }
    this.viewer.say(told.join(" · "));
  }
  pick(pane, [x, y]) { this.viewer.trigger("select", { x: Math.floor(x), y: Math.floor(y) }); }
  table() {
    const rows = this.sorted.map((one) => [one.label, ...COLUMNS.map((column) => this.cell(column, one.numbers))]);
    return [["Network", ...COLUMNS.map(([, title]) => title)], rows];
  }
  caption() {
    const { name, window: [left, top, size] } = this.value;
    return `${name}: the window of ${size}x${size} SR pixels at (${left}, ${top}) by ${this.all.length} networks, and the LR pixels that each made it from`;
  }
}
