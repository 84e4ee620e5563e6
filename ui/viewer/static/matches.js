// Matched patches: who attends to whom in every block, under the cursor.
import { Layer, limit } from "./colour.js";
import { read, write } from "./address.js";
import { make } from "./controls.js";
import { arrays, image } from "./data.js";
import { sentences } from "./text.js";
import { box, tag } from "./pane.js";
import { Scene } from "./scene.js";
import { View } from "./view.js";

// Okabe and Ito's colours; a block's number stands beside its colour.
const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#ffffff"];
const SHOWN = [["one", "this block"], ["all", "all blocks (Fig. 8)"], ["graph", "every match of this block"], ["hubs", "how many chose each patch"]];
const MOST_ARROWS = 150; // of those who chose a patch: more would hide the image

export class Matches extends Scene {
  constructor(viewer) {
    super(viewer);
    this.square = new View(); // of the matrix
    this.blocks = [];
  }
  async load(value) {
    const [sr, numbers] = await Promise.all([image(value.image, value.key), value.pack && arrays(value.pack, value.key)]);
    return { sr, numbers };
  }
  show(value, { sr, numbers }) {
    this.sr = sr;
    if (this.numbers !== numbers) {
      this.numbers = numbers;
      this.blocks = value.patches.map((side, b) => this.block(numbers, side, b));
      this.matrices = {};
      this.from = null;
    }
    if (this.subject !== value.subject) {
      const given = this.subject ? null : read("matches.at")?.split(",").map(Number).filter(Number.isFinite);
      this.place = given?.length === 2 ? given : value.place.map((v) => v / value.scale);
    }
    this.subject = value.subject;
    this.forcing = null;
    if (value.matrices && this.from !== value.matrices.address) this.fetchMatrices(value);
  }
  async fetchMatrices(value) {
    this.from = value.matrices.address;
    this.matrices = await arrays(value.matrices, value.key).catch(() => ({}));
    if (this.value === value) this.viewer.refresh();
  }
  block(numbers, side, b) {
    const [origins, index, similarity, runners, values] =
      ["origins", "index", "similarity", "runners", "values"].map((name) => numbers[`${name}_${b}`]);
    const count = index.data.length, choosers = Array.from({ length: count }, () => []);
    index.data.forEach((to, i) => choosers[to].push(i));
    const rows = [...new Set(origins.data.filter((_, i) => i % 2 === 0))].sort((a, c) => a - c);
    const columns = [...new Set(origins.data.filter((_, i) => i % 2))].sort((a, c) => a - c);
    return { side, count, origins: origins.data, index: index.data, similarity: similarity.data, runners, values, choosers, rows, columns };
  }
  get number() { return Math.min(this.blocks.length, Math.max(1, +this.look("block") || 1)); }
  get here() { return this.blocks[this.number - 1]; }
  get patch() { return this.here ? this.under(this.here, this.place) : -1; }
  // The patch whose centre is nearest to a place in LR pixels.
  under({ origins, count, side }, [x, y]) {
    let best = 0, least = Infinity;
    for (let i = 0; i < count; i++) {
      const far = (origins[2 * i + 1] + side / 2 - x) ** 2 + (origins[2 * i] + side / 2 - y) ** 2;
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }
  controls() {
    if (!this.blocks.length) return [];
    const { change } = this.value;
    return [
      { name: "block", type: "select", label: "Block", options: this.blocks.map((b, i) => [String(i + 1), `${i + 1} (patches of ${b.side})`]), value: "1" },
      { name: "show", type: "select", label: "Show", options: SHOWN, value: "one" },
      ...(this.value.changes ? [
        { name: "force", type: "button", label: this.forcing === null ? "Force a match…" : "Cancel", pressed: this.forcing !== null, title: "f: choose the patch that this one shall attend to", act: () => this.force() },
        { name: "reset", type: "button", label: "Reset", disabled: change.kind === "none", act: () => this.viewer.trigger("apply", { kind: "none" }) }] : []),
      ...this.figureButtons(),
    ];
  }
  force() {
    this.forcing = this.forcing === null ? this.patch : null;
    this.viewer.refresh();
  }
  // Where it is looked at, for what the server is asked to do there.
  get at() {
    const [x, y] = this.place.map((v) => Math.floor(v * this.step));
    return this.here ? { block: this.number, patch: this.patch, x, y } : null;
  }
  panes() {
    if (!this.blocks.length) return [{ key: "image", title: this.value.title }];
    const found = [{ key: "image", title: this.forcing === null ? "Patch (white) and its match (orange); blue: who chose this patch" : `Click the patch that ${this.name(this.forcing)} shall attend to` }];
    const { count } = this.here;
    if (this.matrix()) {
      this.square.shape(count, count);
      found.push({ key: "matrix", title: `Similarity of all ${count} patches: row attends to column (click a row)`, view: this.square });
    }
    return found;
  }
  matrix() { return this.matrices?.[`matrix_${this.number - 1}`]; }
  paint() {
    const found = this.matrix();
    this.viewer.legend([]);
    if (!found || this.painted === found) { this.side(); return; }
    this.painted = found;
    const n = found.shape[0], known = found.data.filter((v) => Number.isFinite(v));
    const low = Math.min(...sample(known)), end = limit([known.map((v) => v - low)], 99.5);
    this.matrixLayer = new Layer(n, n);
    this.matrixLayer.scalar(found.data.map((v) => (Number.isFinite(v) ? v - low : 0)), { colours: "viridis", end });
    this.side();
  }
  layers(pane) {
    if (pane.key === "matrix") return [{ source: this.matrixLayer.canvas, rect: [0, 0, this.here.count, this.here.count] }];
    return [{ source: this.sr.bitmap, rect: [0, 0, ...this.value.size] }];
  }
  rect({ origins, side }, i) {
    const s = this.value.scale;
    return [origins[2 * i + 1] * s, origins[2 * i] * s, side * s, side * s];
  }
  middle(block, i) {
    const [x, y, side] = this.rect(block, i);
    return [x + side / 2, y + side / 2];
  }
  arrow(c, z, from, to, colour, wide = 2) {
    const [[x, y], [u, v]] = [from, to], a = Math.atan2(v - y, u - x), h = 9 / z;
    for (const [stroke, width] of [["#000a", wide + 2], [colour, wide]]) {
      c.strokeStyle = stroke;
      c.lineWidth = width / z;
      c.beginPath(); c.moveTo(x, y); c.lineTo(u, v);
      for (const s of [-0.45, 0.45]) { c.moveTo(u, v); c.lineTo(u - h * Math.cos(a + s), v - h * Math.sin(a + s)); }
      c.stroke();
    }
  }
  over(pane, c, z) {
    if (pane.key === "matrix") return this.cell(c, z);
    const block = this.here;
    this.window(c, z);
    if (!block) return;
    const { patch } = this, show = this.look("show"), match = block.index[patch];
    if (show === "hubs") this.hubs(c, block);
    if (show === "graph") for (let i = 0; i < block.count; i++) this.thin(c, z, this.middle(block, i), this.middle(block, block.index[i]));
    if (show === "all") return this.everyBlock(c, z);
    const choosers = block.choosers[patch];
    c.lineWidth = 1.5 / z;
    c.strokeStyle = "#56b4e9";
    for (const i of choosers) c.strokeRect(...this.rect(block, i));
    if (choosers.length <= MOST_ARROWS)
      for (const i of choosers) if (i !== patch) this.thin(c, z, this.middle(block, i), this.middle(block, patch));
    const { runners } = block, k = runners.shape[1];
    for (let r = 0; r < k; r++) box(c, z, this.rect(block, runners.data[patch * k + r]), "#cc79a7", { dashed: true, wide: 1 });
    if (match !== patch) this.arrow(c, z, this.middle(block, patch), this.middle(block, match), "#ffb000", 2.5);
    box(c, z, this.rect(block, match), "#ffb000", { dashed: true });
    box(c, z, this.rect(block, patch), "#ffffff");
    if (this.forcing !== null) {
      box(c, z, this.rect(block, this.forcing), "#00e5ff", { wide: 3 });
      tag(c, z, "this patch", ...this.rect(block, this.forcing));
    }
  }
  thin(c, z, [x, y], [u, v]) {
    c.lineWidth = 1.2 / z;
    c.strokeStyle = "#56b4e9";
    c.beginPath(); c.moveTo(x, y); c.lineTo(u, v); c.stroke();
  }
  hubs(c, block) {
    const most = Math.max(...block.choosers.map((l) => l.length));
    c.fillStyle = "#f0e442";
    block.choosers.forEach((list, i) => {
      if (!list.length) return;
      c.globalAlpha = 0.1 + (0.6 * list.length) / most;
      c.fillRect(...this.rect(block, i));
    });
    c.globalAlpha = 1;
  }
  everyBlock(c, z) {
    this.blocks.forEach((block, b) => {
      const patch = this.under(block, this.place), match = block.index[patch], colour = COLOURS[b % COLOURS.length];
      box(c, z, this.rect(block, patch), colour);
      box(c, z, this.rect(block, match), colour, { dashed: true });
      tag(c, z, String(b + 1), ...this.rect(block, match));
    });
  }
  cell(c, z) {
    const { patch, here } = this, n = here.count;
    box(c, z, [0, patch, n, 1], "#ffffff", { wide: 1 });
    box(c, z, [here.index[patch], patch, 1, 1], "#ffb000", { wide: 2 });
  }
  hover(pane, place) {
    if (!this.blocks.length) return this.viewer.say(this.value.title);
    if (pane?.key === "matrix") {
      if (!place) return;
      const [column, row] = place.map(Math.floor);
      return this.viewer.say(`${this.name(row)} and ${this.name(column)}: similarity ${this.matrix().data[row * this.here.count + column]?.toFixed(3)}`);
    }
    if (place && !this.held) this.look_at([place[0] / this.step, place[1] / this.step]);
    const [x, y] = this.place.map((v) => Math.floor(v));
    this.viewer.say(`LR (${x}, ${y}) · SR (${Math.floor(this.place[0] * this.step)}, ${Math.floor(this.place[1] * this.step)})  |  ${this.held ? "Held: click to let go." : "The patch follows the pointer; a click holds it."} Arrow keys walk patches, digits choose blocks.`);
  }
  look_at(place) {
    const before = this.patch;
    this.place = place;
    if (this.patch === before && this.look("show") !== "all") return;
    this.side();
    this.viewer.view.ask();
    this.square.ask();
  }
  // The numbers of the matrix, as of the sentences: row and column of the image.
  name(i) {
    const { origins, rows, columns } = this.here;
    return `row ${rows.indexOf(origins[2 * i]) + 1}, column ${columns.indexOf(origins[2 * i + 1]) + 1}`;
  }
  hold() {
    this.held = true;
    write({ "matches.at": this.place.map((v) => Math.round(10 * v) / 10).join(",") });
  }
  to(i) {
    const { origins, side } = this.here;
    this.look_at([origins[2 * i + 1] + side / 2, origins[2 * i] + side / 2]);
  }
  pick(pane, place) {
    if (!this.blocks.length) return;
    if (pane.key === "matrix") { this.held = true; this.to(Math.min(this.here.count - 1, Math.floor(place[1]))); return this.viewer.refresh(); }
    if (this.forcing !== null) {
      const target = this.under(this.here, place.map((v) => v / this.step)), query = this.forcing;
      this.forcing = null;
      this.viewer.trigger("apply", { force: [query, target], block: this.number });
      return this.viewer.refresh();
    }
    this.held = false;
    this.hover(pane, place);
    this.hold();
    this.hover(pane, place);
  }
  key(pane, event) {
    const walk = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!this.blocks.length) return false;
    if (walk && !event.shiftKey) this.walk(walk);
    else if (/^[1-9]$/.test(event.key) && +event.key <= this.blocks.length) { this.viewer.controls.set("block", event.key); this.viewer.controls.wanted = ""; this.viewer.refresh(); }
    else if (event.key === "f" && this.value.changes) this.force();
    else if (event.key === "Escape") { this.forcing = null; this.held = false; this.viewer.refresh(); }
    else return false;
    return true;
  }
  walk([down, across]) {
    const { origins, rows, columns, count } = this.here, { patch } = this;
    const next = (list, at, by) => list[Math.min(list.length - 1, Math.max(0, list.indexOf(at) + by))];
    const [top, left] = [next(rows, origins[2 * patch], down), next(columns, origins[2 * patch + 1], across)];
    for (let i = 0; i < count; i++)
      if (origins[2 * i] === top && origins[2 * i + 1] === left) { this.to(i); this.hold(); this.hover(null, null); return; }
  }
  // Sentences, runners-up, crops of every block, and what was forced.
  side() {
    const place = this.viewer.$(".extra");
    place.classList.add("side");
    if (!this.blocks.length) return place.replaceChildren();
    if (!this.crops?.isConnected) {
      this.crops = make("canvas", { className: "crops" });
      this.crops.setAttribute("role", "img");
      this.told = make("div", { className: "words" });
      this.list = make("div");
      this.runnersTable = make("table");
      place.replaceChildren(this.told, this.runnersTable, this.crops, this.list);
    }
    const { here, patch, value } = this, match = here.index[patch], similarity = here.similarity[patch];
    const chose = here.choosers[patch].length;
    sentences(this.told, [
      `**Block ${this.number}** · ${here.count} patches of ${here.side}x${here.side} LR pixels. The patch at ${this.name(patch)} ` +
        (match === patch ? "attends to itself." : `attends to the one at **${this.name(match)}**${Number.isFinite(similarity) ? `, similarity ${similarity.toFixed(2)}` : ""}.`) +
        ` ${chose} ${chose === 1 ? "patch attends" : "patches attend"} to it.`,
      value.hubs[this.number - 1],
      ...(value.change.told ? [`**Changed**: ${value.change.told}.`] : []),
    ]);
    this.runnersUp(here, patch);
    this.drawCrops();
    this.forced();
  }
  runnersUp(here, patch) {
    const k = here.runners.shape[1], rows = [make("tr", {}, ...["", "Patch", "Similarity"].map((t) => make("th", { scope: "col", textContent: t })))];
    const line = (name, i, value) => make("tr", {}, make("th", { scope: "row", textContent: name }), make("td", { textContent: this.name(i) }), make("td", { textContent: Number.isFinite(value) ? value.toFixed(3) : "none" }));
    rows.push(line("match", here.index[patch], here.similarity[patch]));
    for (let r = 0; r < k; r++) rows.push(line(`no. ${r + 2}`, here.runners.data[patch * k + r], here.values.data[patch * k + r]));
    this.runnersTable.replaceChildren(make("tbody", {}, ...rows));
  }
  drawCrops() {
    const side = 56, c = this.crops.getContext("2d"), wide = this.blocks.length * (side + 6);
    const ratio = devicePixelRatio;
    if (this.crops.width !== wide * ratio) Object.assign(this.crops, { width: wide * ratio, height: (2 * side + 22) * ratio });
    this.crops.style.width = `${wide}px`;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, wide, 2 * side + 22);
    c.imageSmoothingEnabled = false;
    this.blocks.forEach((block, b) => {
      const patch = this.under(block, this.place), x = b * (side + 6);
      c.font = `${b + 1 === this.number ? 700 : 400} 12px sans-serif`;
      c.fillStyle = getComputedStyle(this.crops).color;
      c.fillText(`${b + 1}`, x + 2, 12);
      [patch, block.index[patch]].forEach((i, n) => c.drawImage(this.sr.bitmap, ...this.rect(block, i), x, 16 + n * (side + 4), side, side));
    });
    this.crops.setAttribute("aria-label", "In every block, the patch (above) and its match (below)");
  }
  forced() {
    const { change } = this.value, items = (change.pairs ?? []).map(([, , text], n) => {
      const undo = make("button", { type: "button", textContent: "undo", onclick: () => this.viewer.trigger("apply", { undo: n }) });
      undo.setAttribute("aria-label", `undo: ${text}`);
      return make("li", {}, `${text} `, undo);
    });
    this.list.replaceChildren(...(items.length ? [make("p", { textContent: "Forced so far:" }), make("ol", {}, ...items)] : []));
  }
  table() {
    return [["Block", "patch side", "patches", "hub's share", "evenness", "choose each other", "mean distance", "by chance"], this.value.statistics ?? []];
  }
  caption() { return `${this.value.name}, ${this.value.network}: block ${this.number}, patch at ${this.here ? this.name(this.patch) : "none"}`; }
}

// At most 60,000 of the values, for Math.min's arguments.
const sample = (values) => (values.length <= 60000 ? values : values.filter((_, i) => i % Math.ceil(values.length / 60000) === 0));
