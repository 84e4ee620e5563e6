// Puts a viewer into an element of the page; one call for each component.
import { listen, shown } from "./address.js";
import { Controls, make } from "./controls.js";
import { counts } from "./data.js";
import { save } from "./figure.js";
import { Compare } from "./compare.js";
import { Maps } from "./maps.js";
import { Matches } from "./matches.js";
import { Networks } from "./networks.js";
import { Pane } from "./pane.js";
import { figure, sentences } from "./text.js";
import { View } from "./view.js";

const SCENES = { compare: Compare, maps: Maps, matches: Matches, networks: Networks };
const KEYS = "plus and minus zoom, arrows move, 0 shows all, Enter picks";

class Viewer {
  constructor(element, props, trigger) {
    const host = element.querySelector(".viewer");
    Object.assign(this, { host, props, trigger, panes: [], view: new View(), wanted: 0, value: null, counts });
    this.$ = (selector) => host.querySelector(selector);
    this.name = element.closest("[id]:not([id^=html-])")?.id ?? element.id; // the name it has in Python
    host.viewer = this;
  }
  say(text) { this.$(".read").textContent = text || "\u00a0"; }
  message(text) {
    Object.assign(this.$(".message"), { textContent: text, hidden: !text });
  }
  // Only the newest value counts, and what it needs is loaded before anything old goes away.
  async update() {
    const value = this.props.value, mine = ++this.wanted;
    if (!value?.kind) return;
    this.host.setAttribute("aria-busy", "true");
    try {
      if (!this.scene) {
        this.scene = new SCENES[value.kind](this);
        this.host.dataset.kind = value.kind;
        this.controls = new Controls(this.$(".bar"), this.name, (name) => this.chosen(name));
      }
      const data = await this.scene.load(value);
      if (mine !== this.wanted) return;
      this.value = value;
      this.message("");
      this.view.shape(...value.size, value.home ?? undefined);
      this.scene.step = value.scale;
      this.scene.show(value, data);
      this.refresh();
      this.host.dataset.shown = value.stamp ?? "";
      if (value.address) shown(value.address);
    } catch (error) {
      if (mine === this.wanted) this.message(`This cannot be shown: ${error.message}.`);
    } finally {
      if (mine === this.wanted) this.host.setAttribute("aria-busy", "false");
    }
  }
  chosen(name) {
    this.scene.chosen(name);
    this.refresh();
  }
  // After new numbers or another choice: panes, controls, colours, table.
  refresh() {
    if (!this.value) return;
    this.controls.show(this.scene.controls());
    this.arrange(this.scene.panes());
    this.scene.paint();
    this.view.ask();
    this.scene.hover(null, this.view.cross);
    this.table(this.scene.table());
  }
  arrange(wanted) {
    const place = this.$(".panes"), old = new Map(this.panes.map((pane) => [pane.key, pane]));
    const shape = Math.min(2.2, Math.max(0.45, this.view.home[2] / this.view.home[3]));
    place.style.setProperty("--n", wanted.length);
    place.style.setProperty("--shape", shape);
    this.panes = wanted.map(({ key, title, words = [], stale = "", view = this.view }) => {
      const pane = old.get(key) ?? this.pane(key, view);
      old.delete(key);
      pane.title = title;
      pane.figure.querySelector("figcaption").textContent = title;
      pane.canvas.setAttribute("aria-label", `${title}: ${KEYS}`);
      pane.figure.classList.toggle("dimmed", Boolean(stale));
      pane.figure.querySelector(".belongs").textContent = stale;
      sentences(pane.figure.querySelector(".words"), words);
      return pane;
    });
    for (const pane of old.values()) { pane.close(); pane.figure.remove(); }
    this.panes.forEach((pane, i) => {
      if (place.children[i] !== pane.figure) place.insertBefore(pane.figure, place.children[i] ?? null);
    });
  }
  pane(key, view) {
    const canvas = make("canvas", { tabIndex: 0 });
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-roledescription", "zoomable image");
    const figure = make("figure", {}, make("figcaption"), canvas, make("p", { className: "belongs" }), make("div", { className: "words" }));
    figure.dataset.pane = key;
    return Object.assign(new Pane(canvas, view, this.scene, key), { figure });
  }
  table([head, rows]) {
    const table = this.$(".numbers table"), top = make("tr"), body = make("tbody");
    for (const name of head) top.append(make("th", { scope: "col", textContent: name }));
    for (const [name, ...cells] of rows) {
      const row = make("tr", {}, make("th", { scope: "row", textContent: name }));
      for (const cell of cells) row.append(make("td", { textContent: typeof cell === "number" ? figure(cell) : cell }));
      body.append(row);
    }
    table.replaceChildren(make("thead", {}, top), body);
  }
  legend(lines) {
    this.$(".legend").replaceChildren(...lines.map(([low, colours, high, note = ""]) => {
      const swatch = make("i");
      swatch.style.background = colours;
      return make("span", {}, make("span", { textContent: low }), swatch, make("span", { textContent: `${high} ${note}` }));
    }));
    this.scale = lines;
  }
  save() {
    save(this).catch((error) => this.message(`This figure cannot be saved: ${error.message}.`));
  }
}

export const mount = (element, props, trigger, watch) => {
  const viewer = new Viewer(element, props, trigger);
  watch("value", () => viewer.update());
  listen(() => {
    if (!viewer.controls) return;
    Object.assign(viewer.controls, { look: {}, wanted: "" });
    viewer.refresh();
  });
  viewer.update();
};
