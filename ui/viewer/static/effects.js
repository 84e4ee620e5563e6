// Causal effects beside attribution: what each block does to the window, and a scatter of both.
import { gradient, limit, rank, sum, table } from "./colour.js";
import { make } from "./controls.js";
import { figure } from "./text.js";

const WIDE = 400, HIGH = 280, EDGE = 26; // of a scatter, in its own pixels
const SIDE = 5; // of a block's point

export class Effects {
  constructor(scene) { Object.assign(this, { scene, ready: false, plots: [] }); }
  // Blocks of every map that has effects; those inside the window have none and stay NaN.
  show(maps, numbers, [, , height, width]) {
    for (const map of maps) {
      if (!map.effect) continue;
      const { data: estimate, shape: [rows, columns] } = numbers[`estimate_${map.name}`], { block } = map.effect;
      const looked = new Float32Array(rows * columns);
      map.importance.data.forEach((v, i) => { looked[this.block(i % width, Math.floor(i / width), block, columns)] += v; });
      const outside = (values) => values.map((v, i) => (Number.isNaN(estimate[i]) ? 0 : v));
      const known = outside(numbers[`effect_${map.name}`].data);
      Object.assign(map.effect, {
        columns, estimate, known, looked: outside(looked), error: numbers[`error_${map.name}`].data,
        pixels: Float32Array.from({ length: width * height }, (_, i) => known[this.block(i % width, Math.floor(i / width), block, columns)]),
      });
    }
    this.ready = maps.some((map) => map.effect);
    this.signed = maps.find((map) => map.effect)?.effect.signed ?? true;
  }
  get name() { return this.signed ? "causal effect" : "unsigned change"; }
  get on() { return this.ready && this.scene.look("view") === "effect"; }
  block(x, y, block, columns) { return Math.floor(y / block) * columns + Math.floor(x / block); }
  paint(map, how) {
    if (!map.effect) return void (map.alpha = 0);
    if (map.effect.signed) return map.layer.signed(map.effect.pixels, { ...how, grey: this.scene.crop });
    map.alpha = how.strength;
    return map.layer.scalar(map.effect.pixels, how);
  }
  // One scale for all maps.
  end(percent) { return limit(this.scene.maps.filter((m) => m.effect).map((m) => m.effect.pixels), percent); }
  legend(end, note) {
    const { unit } = this.scene.maps.find((m) => m.effect).effect;
    if (this.signed) return [`harms: -${figure(end)} ${unit}`, gradient("signed"), `+${figure(end)} ${unit}: helps the window's PSNR`, note];
    return ["replacing the block changes the window by 0", gradient(this.scene.look("colours")), `${figure(end)} ${unit} or more, unsigned`, note];
  }
  // What a block does to the window, in words.
  said({ effect }, x, y) {
    if (!effect) return "";
    const { estimate, known, looked, error, unit, tolerance, block, columns, signed } = effect, i = this.block(x, y, block, columns);
    if (Number.isNaN(estimate[i])) return "inside the window";
    const size = figure(Math.abs(estimate[i])), sure = Number.isNaN(error[i]) ? "" : ` ± ${figure(error[i])}`;
    const does = signed ? (estimate[i] < 0 ? "this block takes" : "this block adds") : "replacing this block changes the window by";
    const looks = `rank ${rank(looked, looked[i])} by attribution`, kind = signed ? "effect" : "change";
    if (!known[i]) return `this block has no ${kind} (${size}${sure} ${unit}, below ${tolerance}); ${looks}`;
    return `${does} ${size}${sure} ${unit}; ${looks}, ${rank(known, known[i])} by ${kind}`;
  }
  // A scatter under every map: attribution to the right, effect upwards.
  scatters() {
    const place = this.scene.viewer.$(".extra"), maps = this.scene.maps.filter((m) => m.effect);
    place.classList.toggle("scatters", this.on);
    if (!this.on) return;
    place.hidden = false;
    const panes = this.scene.viewer.panes.length;
    place.style.setProperty("--n", panes);
    if (this.plots.length !== maps.length || !this.plots[0]?.isConnected) {
      this.plots = maps.map(() => make("canvas", { width: WIDE, height: HIGH }));
      for (const [i, plot] of this.plots.entries()) {
        plot.setAttribute("role", "img");
        plot.addEventListener("pointermove", (event) => this.point(i, event));
      }
      place.replaceChildren(make("p", { className: "words" }), ...this.plots);
    }
    place.firstChild.textContent = `Every block outside the window: to the right by its importance (attribution), upwards by ${this.signed ? "what it adds to the window's PSNR, red where it helps, blue where it harms" : "how much its replacement changes the window"}. Point at one to see where it lies.`;
    this.plots.forEach((plot, i) => this.draw(plot, maps[i]));
  }
  // Where blocks lie in a scatter, in its pixels.
  places({ effect }) {
    const root = this.scene.look("root") ? Math.sqrt : (v) => v, { known, looked, estimate } = effect;
    const across = Math.max(...this.scene.maps.map((m) => Math.max(0, ...(m.effect?.looked ?? [])) / (sum(m.effect?.looked ?? []) || 1))) || 1;
    const up = Math.max(...this.scene.maps.map((m) => Math.max(0, ...(m.effect?.known ?? []).map(Math.abs)))) || 1;
    const all = sum(looked) || 1, middle = this.signed ? HIGH / 2 : HIGH - EDGE, tall = middle - EDGE;
    const at = Array.from(known, (v, i) => Number.isNaN(estimate[i]) ? null : [
      EDGE + root(looked[i] / all / across) * (WIDE - 2 * EDGE), middle - Math.sign(v) * root(Math.abs(v) / up) * tall]);
    return { at, across, up, middle };
  }
  draw(canvas, map) {
    const c = canvas.getContext("2d"), { at, across, up, middle } = this.places(map), { effect } = map;
    c.fillStyle = "#1b1b1b"; c.fillRect(0, 0, WIDE, HIGH);
    c.strokeStyle = "#888"; c.lineWidth = 1;
    c.beginPath(); c.moveTo(EDGE, middle); c.lineTo(WIDE - EDGE, middle); c.moveTo(EDGE, EDGE); c.lineTo(EDGE, HIGH - EDGE); c.stroke();
    at.forEach((place, i) => {
      if (!place) return;
      c.fillStyle = effect.known[i] > 0 ? (effect.signed ? "#f0795f" : "#f0e442") : effect.known[i] < 0 ? "#5aaee0" : "#aaa";
      c.fillRect(place[0] - SIDE / 2, place[1] - SIDE / 2, SIDE, SIDE);
    });
    c.fillStyle = "#ddd"; c.font = "14px sans-serif";
    c.fillText(`+${figure(up)} ${effect.unit}`.replace(/^\+/, effect.signed ? "+" : ""), EDGE + 4, EDGE - 8);
    if (effect.signed) c.fillText(`-${figure(up)} ${effect.unit}`, EDGE + 4, HIGH - 8);
    const right = `${figure(100 * across)}% of the importance`;
    c.fillText(right, WIDE - 6 - c.measureText(right).width, middle + (this.signed ? 18 : 20));
    const { cross } = this.scene.viewer.view, here = cross && at[this.under(map, cross)];
    if (here) { c.strokeStyle = "#fff"; c.lineWidth = 2; c.beginPath(); c.arc(...here, 7, 0, 7); c.stroke(); }
    canvas.setAttribute("aria-label", `${map.title}: attribution against effect of every block. ${effect.words.join(" ").replaceAll("**", "")}`);
  }
  // The block under a place of the image.
  under({ effect }, place) {
    const [x, y] = this.scene.cell(place), [left, top, height, width] = this.scene.region();
    if (x < left || y < top || x >= left + width || y >= top + height) return -1;
    return this.block(x - left, y - top, effect.block, effect.columns);
  }
  // The cross-hair goes to the block of the point nearest to a pointer.
  point(i, { offsetX, offsetY }) {
    const map = this.scene.maps.filter((m) => m.effect)[i], { block, columns } = map.effect, { scale } = this.scene.value;
    const k = WIDE / this.plots[i].clientWidth, [left, top] = this.scene.region();
    let best = -1, least = Infinity;
    this.places(map).at.forEach((place, n) => {
      const far = place ? (place[0] - k * offsetX) ** 2 + (place[1] - k * offsetY) ** 2 : Infinity;
      if (far < least) [best, least] = [n, far];
    });
    if (best < 0) return;
    const { view } = this.scene.viewer;
    view.point((left + (best % columns + 0.5) * block) * scale, (top + (Math.floor(best / columns) + 0.5) * block) * scale);
    this.scene.hover(null, view.cross);
  }
  table() {
    const maps = this.scene.maps.filter((m) => m.effect);
    return [["Map", ...maps[0].effect.figures.map(([name]) => name)], maps.map((m) => [m.title, ...m.effect.figures.map(([, v]) => v ?? "none")])];
  }
}
