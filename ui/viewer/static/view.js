// What the panes of a page look at: one place, zoom and cross-hair for all of them.
const DEEPEST = 24; // CSS pixels that an image pixel may take, at the least

export class View {
  constructor() {
    this.panes = new Set();
    this.cross = null;
    this.shape(1, 1);
  }
  // An image of so many pixels; `home` (x, y, width, height) is what a reset shows.
  shape(width, height, home = [0, 0, width, height]) {
    const same = JSON.stringify([width, height, home]);
    if (same === this.same) return;
    Object.assign(this, { same, width, height, home });
    this.reset();
  }
  reset() {
    const [x, y, w, h] = this.home;
    Object.assign(this, { x: x + w / 2, y: y + h / 2, zoom: 1 });
    this.changed();
  }
  get least() { return Math.min(1, this.home[2] / this.width, this.home[3] / this.height); }
  get most() { return Math.max(8, (Math.max(this.home[2], this.home[3]) * DEEPEST) / 300); }
  get span() { return [this.home[2] / this.zoom, this.home[3] / this.zoom]; }
  // Screen pixels per image pixel on a canvas of this size.
  scale(width, height) { return Math.min(width / this.home[2], height / this.home[3]) * this.zoom; }
  changed() {
    const [w, h] = this.span;
    const inside = (at, span, all) =>
      span >= all ? all / 2 : Math.min(Math.max(at, span / 2), all - span / 2);
    this.x = inside(this.x, w, this.width);
    this.y = inside(this.y, h, this.height);
    this.ask();
  }
  ask() { for (const pane of this.panes) pane.ask(); }
  // (x, y) stays where it is.
  zoomBy(factor, x = this.x, y = this.y) {
    const zoom = Math.min(Math.max(this.zoom * factor, this.least), this.most), k = 1 - this.zoom / zoom;
    this.x += (x - this.x) * k;
    this.y += (y - this.y) * k;
    this.zoom = zoom;
    this.changed();
  }
  move(x, y) { this.x += x; this.y += y; this.changed(); }
  // The cross-hair, moved by keys: the view follows it.
  point(x, y) {
    this.cross = [Math.min(Math.max(x, 0), this.width - 0.5), Math.min(Math.max(y, 0), this.height - 0.5)];
    const [w, h] = this.span;
    this.x += Math.max(0, this.cross[0] - this.x - w / 2) + Math.min(0, this.cross[0] - this.x + w / 2);
    this.y += Math.max(0, this.cross[1] - this.y - h / 2) + Math.min(0, this.cross[1] - this.y + h / 2);
    this.changed();
  }
}
