// Small controls with names, from a list of what they are; what is chosen stands in the address.
import { read, write } from "./address.js";

const make = (kind, properties = {}, ...children) => {
  const found = Object.assign(document.createElement(kind), properties);
  found.append(...children);
  return found;
};
export { make };

const field = (spec, value) => {
  if (spec.type === "select") {
    const list = make("select");
    for (const [name, label] of spec.options) list.append(make("option", { value: name, textContent: label }));
    list.value = value;
    return list;
  }
  const { type, min, max, step } = spec;
  const found = make("input", { type });
  for (const [name, given] of Object.entries({ min, max, step })) if (given !== undefined) found[name] = given;
  if (type === "checkbox") found.checked = value; else found.value = value;
  return found;
};

export class Controls {
  // `page` names the viewer in the address, `changed(name)` hears of every change.
  constructor(place, page, changed) {
    Object.assign(this, { place, page, changed, look: {}, rows: new Map() });
  }
  // Show these controls; one that is there already stays as it is.
  show(specs) {
    this.specs = specs;
    const wanted = JSON.stringify(specs.map(({ act, ...rest }) => rest));
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    const focused = this.place.contains(document.activeElement) ? document.activeElement.name : null;
    this.place.replaceChildren(...specs.map((spec) => this.row(spec)));
    if (focused) this.place.querySelector(`[name="${focused}"]`)?.focus();
  }
  row(spec) {
    if (spec.type === "button") {
      const button = make("button", { type: "button", name: spec.name, textContent: spec.label, title: spec.title ?? "" });
      if (spec.pressed !== undefined) button.setAttribute("aria-pressed", spec.pressed);
      button.disabled = Boolean(spec.disabled);
      button.addEventListener("click", () => this.specs.find((s) => s.name === spec.name)?.act());
      return button;
    }
    const input = field(spec, this.get(spec));
    input.name = spec.name;
    input.setAttribute("aria-label", spec.label);
    input.addEventListener("input", () => {
      this.set(spec.name, input.type === "checkbox" ? input.checked : input.type === "range" ? +input.value : input.value);
    });
    const label = make("label", { title: spec.title ?? "" });
    if (spec.type === "checkbox") label.append(input, ` ${spec.label}`);
    else label.append(`${spec.label} `, input);
    return label;
  }
  // What is chosen: here, or in the address, or by default; only what can be chosen counts.
  get(spec) {
    if (!(spec.name in this.look)) {
      const given = read(`${this.page}.${spec.name}`);
      let value = spec.value;
      if (given !== null && spec.type === "checkbox") value = given === "1";
      else if (given !== null && spec.type === "range") value = Math.min(spec.max, Math.max(spec.min, +given || 0));
      else if (given !== null) value = given;
      this.look[spec.name] = value;
    }
    const value = this.look[spec.name];
    return spec.type !== "select" || spec.options.some(([name]) => name === value) ? value : spec.value;
  }
  value(name) {
    const spec = this.specs?.find((s) => s.name === name);
    return spec ? this.get(spec) : this.look[name];
  }
  set(name, value) {
    const spec = this.specs.find((s) => s.name === name);
    this.look[name] = value;
    const plain = typeof value === "boolean" ? (value ? "1" : "0") : String(value);
    if (!spec?.passing) write({ [`${this.page}.${name}`]: value === spec?.value ? null : plain });
    this.changed(name);
  }
}
