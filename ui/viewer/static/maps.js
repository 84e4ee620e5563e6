// Receptive field: attribution maps over the LR image, the window, and pixels to be blurred.
import { Layer, gradient, limit, luma, percentile, rank, sum } from "./colour.js";
import { arrays, image } from "./data.js";
import { read } from "./address.js";
import { Effects } from "./effects.js";
import { Film } from "./film.js";
import { figure } from "./text.js";
import { box, tag } from "./pane.js";
import { Scene } from "./scene.js";

const VIEWS = [["importance", "importance"], ["signed", "signed"], ["areas", "areas of interest"]];
const PLAIN = { view: "importance", colours: "inferno", root: true, strength: 0.6, end: 99.5, last: "bicubic", brush: "0" };
const AREA = { 1: [170, 170, 170], 2: [240, 228, 66] }, TINT = 0.45;

export class Maps extends Scene {
  constructor(viewer) {
    super(viewer);
    this.painted = new Set();
    this.film = new Film(this);
    this.effects = new Effects(this);
    this.maps = [];
  }
  look(name) { return super.look(name) ?? PLAIN[name]; }
  async load(value) {
    const [sr, lr, numbers] = await Promise.all([
      image(value.image, value.key), image(value.lr, value.key), value.pack && arrays(value.pack, value.key),
    ]);
    return { sr, lr, numbers };
  }
  show(value, { sr, lr, numbers }) {
    this.now = value;
    if (this.lr !== lr) {
      this.grey = luma(lr.pixels);
      this.greyLayer = new Layer(lr.width, lr.height);
      this.painted.clear();
    }
    Object.assign(this, { sr, lr });
    const before = this.maps.length && !this.effects.ready;
    this.maps = numbers ? value.maps.map((map) => ({
      ...map, importance: numbers[`importance_${map.name}`], signed: numbers[`signed_${map.name}`],
      areas: numbers[`areas_${map.name}`],
    })) : [];
    this.crop = this.inRegion(this.grey);
    const had = this.effects.ready;
    this.effects.show(this.maps, numbers, this.region());
    // Effects that were asked for are what is to be seen first.
    if (this.effects.ready && !had && (before || !read(`${this.viewer.name}.view`))) this.viewer.controls.look.view = "effect";
    this.film.show(value);
  }
  // The attributed part of values of the whole LR image.
  inRegion(values) {
    const [left, top, height, width] = this.region(), out = new Float32Array(height * width);
    for (let y = 0; y < height; y++)
      out.set(values.subarray((top + y) * this.lr.width + left, (top + y) * this.lr.width + left + width), y * width);
    return out;
  }
  // What the maps are of, which may be another window than the one that is chosen.
  get of() { return this.now.of ?? this.now; }
  // (left, top, height, width) of the maps in LR pixels.
  region() { return this.of.region; }
  controls() {
    const { effects } = this, views = effects.ready ? [["effect", effects.name], ...VIEWS] : VIEWS;
    const view = this.look("view"), scalar = view !== "areas", has = this.maps.length > 0;
    return [
      { name: "view", type: "select", label: "Maps show", options: views, value: views[0][0] },
      ...(view === "importance" || (effects.on && !effects.signed) ? [{ name: "colours", type: "select", label: "Colours", options: [["inferno", "inferno"], ["viridis", "viridis"], ["grey", "grey"]], value: "inferno" }] : []),
      ...(scalar ? [{ name: "root", type: "checkbox", label: "square root", value: true, title: "Lifts faint pixels" }] : []),
      { name: "strength", type: "range", label: "Overlay", min: 0, max: 1, step: 0.05, value: 0.6, title: "0: image alone, 1: map alone" },
      ...(scalar ? [{ name: "end", type: "range", label: "Scale ends at percentile", min: 90, max: 100, step: 0.1, value: 99.5 }] : []),
      ...(effects.on ? [] : [{ name: "last", type: "select", label: "Last map", options: [["bicubic", "bicubic"], ["difference", "difference"]], value: "bicubic" }]),
      { name: "brush", type: "select", label: "Brush", options: [["0", "off"], ["1", "1 LR pixel"], ["3", "3x3"], ["5", "5x5"], ["9", "9x9"]], value: "0", title: "Paint LR pixels on any pane to see what blurring them does to the window" },
      { name: "clear", type: "button", label: "Clear painting", disabled: !this.painted.size, act: () => { this.painted.clear(); this.viewer.refresh(); } },
      ...(has && !effects.on ? this.film.controls() : []),
      ...this.figureButtons(),
    ];
  }
  chosen(name) {
    if (this.effects.on) Object.assign(this.film, { on: false, playing: false });
    this.film.chosen(name);
  }
  panes() {
    const first = { key: "image", title: "The image: click the detail to explain" };
    const maps = this.maps.map((map) => ({ key: `map-${map.name}`, title: map.title, words: (this.effects.on && map.effect?.words) || map.words, stale: this.now.stale }));
    if (this.differs()) maps[maps.length - 1] = { ...maps.at(-1), ...this.differenceWords() };
    return [first, ...maps];
  }
  differs() { return !this.effects.on && this.look("last") === "difference" && this.maps.length > 2; }
  differenceWords() {
    const [a, b] = this.maps, moved = this.moved();
    if (!moved) return { title: "Difference", words: ["One of the maps is zero everywhere: there is nothing to compare."] };
    return {
      title: `Difference to: ${b.title}`,
      words: [`**${Math.round(100 * moved.share)}% of the importance lies elsewhere** in “${a.title}” than in “${b.title}”. Red: more of it in the first, blue: less.`],
    };
  }
  // Where the first map has more or less of its importance than the second.
  moved() {
    const [a, b] = this.maps.map((map) => this.shown(map)), [all, other] = [sum(a), sum(b)];
    if (!all || !other) return null;
    const values = a.map((v, i) => v / all - b[i] / other);
    return { values, share: values.reduce((t, v) => t + Math.abs(v), 0) / 2 };
  }
  // A map's importance now: on the film as far as it has come.
  shown(map) { return this.film.importance(map) ?? map.importance.data; }
  paint() {
    const [, , height, width] = this.region(), strength = this.look("strength"), root = this.look("root");
    this.greyLayer.scalar(this.film.blurred(this.grey, this.lr) ?? this.grey, { colours: "grey", end: 255 });
    const { on } = this.effects, view = this.look("view");
    const end = on ? this.effects.end(this.look("end")) : this.maps.length ? limit(this.maps.map((m) => m.importance.data), this.look("end")) : 1;
    this.end = end;
    this.maps.forEach((map, i) => {
      map.layer = this.layerOf(map.name, width, height);
      map.alpha = 1;
      if (on) this.effects.paint(map, { end, root, strength, colours: this.look("colours") });
      else if (this.differs() && i === this.maps.length - 1) {
        const moved = this.moved();
        this.share = moved ? percentile(moved.values, 99.5) || 1e-9 : 1;
        map.layer.signed(moved?.values ?? new Float32Array(width * height), { end: this.share, strength, grey: this.crop });
      } else if (view === "signed") {
        map.layer.signed(this.film.signed(map) ?? map.signed.data, { end, root, strength, grey: this.crop });
      } else if (view === "areas" && map.areas) this.areas(map);
      else {
        map.layer.scalar(this.shown(map), { colours: this.look("colours"), end, root });
        map.alpha = strength;
      }
    });
    this.viewer.legend(this.legendLines(view, end));
    this.film.paint();
    this.effects.scatters();
  }
  layerOf(name, width, height) {
    this.layersKept ??= {};
    const found = this.layersKept[name];
    if (found?.canvas.width === width && found.canvas.height === height) return found;
    return (this.layersKept[name] = new Layer(width, height));
  }
  areas({ layer, areas }) {
    const { bytes } = layer;
    for (let i = 0; i < this.crop.length; i++) {
      const colour = AREA[areas.data[i]], grey = this.crop[i];
      for (let k = 0; k < 3; k++) bytes[4 * i + k] = colour ? (1 - TINT) * grey + TINT * colour[k] : 0.5 * grey;
      bytes[4 * i + 3] = 255;
    }
    layer.done();
  }
  legendLines(view, end) {
    if (!this.maps.length) return [];
    const note = `one scale for all maps, ends at percentile ${this.look("end")}${this.look("root") ? ", by square root" : ""}`, lines = [];
    if (this.effects.on) lines.push(this.effects.legend(end, note));
    if (view === "importance") lines.push(["importance of a pixel: 0", gradient(this.look("colours")), `${figure(end)} or more`, note]);
    if (view === "signed") lines.push([`takes away -${figure(end)}`, gradient("signed"), `+${figure(end)} adds to the detail`, note]);
    if (view === "areas") lines.push(["grey: up to 95% of the importance", "linear-gradient(90deg,#aaaaaa,#f0e442)", "yellow: the densest half of it", "blue box: the smallest square with 20%"]);
    if (this.differs()) lines.push([`less -${figure(100 * this.share)}`, gradient("signed"), `+${figure(100 * this.share)} more`, "% of each map's importance, a pixel"]);
    return lines;
  }
  layers(pane) {
    const { scale } = this.value, [w, h] = this.value.size, whole = [0, 0, w, h];
    if (pane.key === "image" && !this.film.on) return [{ source: this.sr.bitmap, rect: whole }];
    if (pane.key === "image") return [{ source: this.film.colour(this.lr), rect: whole }];
    const map = this.maps.find((m) => `map-${m.name}` === pane.key);
    const base = { source: this.greyLayer.canvas, rect: whole };
    if (!map?.layer) return [base];
    const [left, top, height, width] = this.region().map((v) => v * scale);
    return [base, { source: map.layer.canvas, rect: [left, top, width, height], alpha: map.alpha }];
  }
  over(pane, c, z) {
    const { scale } = this.value, about = pane.key === "image" && !this.film.on ? this.now : this.of;
    const [left, top, height, width] = about.region, at = about.window;
    if (height * scale < this.value.size[1] || width * scale < this.value.size[0])
      box(c, z, [left, top, width, height].map((v) => v * scale), "#fff", { dashed: true, wide: 1 });
    const map = this.maps.find((m) => `map-${m.name}` === pane.key);
    if (map?.box && this.look("view") === "areas") {
      const [x, y, w, h] = map.box;
      box(c, z, [(left + x) * scale, (top + y) * scale, w * scale, h * scale], "#56b4e9", { wide: 3 });
    }
    this.film.over(pane, c, z);
    c.fillStyle = "#00e5ff66";
    for (const cell of this.painted) {
      const [x, y] = [cell % this.lr.width, Math.floor(cell / this.lr.width)];
      c.fillRect(x * scale, y * scale, scale, scale);
    }
    if (this.painted.size && pane.key !== "image") tag(c, z, `${this.painted.size} painted`, 0, 18 / z);
    box(c, z, [at[0], at[1], at[2], at[2]], "#ffb000");
  }
  // LR pixel under a place.
  cell([x, y]) { return [Math.floor(x / this.value.scale), Math.floor(y / this.value.scale)]; }
  hover(pane, place) {
    if (this.effects.on) this.effects.scatters();
    if (!place || !this.lr) return this.viewer.say(this.maps.length ? `Point at a ${this.effects.on ? "block for its effect" : "pixel for its importance"} and rank in every map.` : "");
    const [x, y] = this.cell(place), [left, top, height, width] = this.region();
    const words = [`LR (${x}, ${y}) · SR (${Math.floor(place[0])}, ${Math.floor(place[1])})`];
    const inside = x >= left && y >= top && x < left + width && y < top + height;
    if (!inside) words.push("outside of what was attributed");
    else for (const map of this.maps) {
      if (this.effects.on) {
        words.push(`${map.short}: ${this.effects.said(map, x - left, y - top)}`);
        continue;
      }
      const i = (y - top) * width + x - left;
      words.push(`${map.short}: ${figure(map.importance.data[i])}, rank ${rank(map.importance.data, map.importance.data[i])} of ${width * height}`);
    }
    this.viewer.say(words.join("  |  "));
  }
  pick(pane, place) {
    const [x, y] = place.map(Math.floor);
    if (pane.key === "image" && this.look("brush") === "0") return this.viewer.trigger("select", { x, y });
    this.painted.clear();
    this.dab(place);
    this.ask();
  }
  // Paint a square of the brush's size around a place.
  dab(place) {
    const side = Math.max(1, +this.look("brush")), [x, y] = this.cell(place), half = (side - 1) / 2;
    for (let v = y - half; v <= y + half; v++)
      for (let u = x - half; u <= x + half; u++)
        if (u >= 0 && v >= 0 && u < this.lr.width && v < this.lr.height) this.painted.add(v * this.lr.width + u);
    this.viewer.view.ask();
  }
  grab(pane, place) {
    if (this.look("brush") === "0") return null;
    this.dab(place);
    return { drag: (now) => this.dab(now), end: () => this.ask() };
  }
  ask() {
    this.viewer.refresh();
    if (this.maps.length) this.viewer.trigger("submit", { cells: [...this.painted] });
  }
  key(pane, event) {
    if (event.key === " " && this.film.ready && !this.effects.on) this.film.toggle();
    else return false;
    return true;
  }
  table() {
    if (this.effects.on) return this.effects.table();
    const rows = this.maps.map((map) => [map.title, ...[50, 99, 100].map((p) => percentile(map.importance.data, p)), map.di ?? ""]);
    return [["Map", "median importance", "99th percentile", "largest", "diffusion index"], rows];
  }
  caption() {
    const { name, network } = this.value, [left, top, size] = this.of.window;
    return `${name}, ${network}: ${this.effects.on ? this.effects.name : "attribution"} of the window of ${size}x${size} SR pixels at (${left}, ${top})`;
  }
}
