// One canvas on a view: wheel, drag, pinch, keys; drawn at most once a frame.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STILL = 4; // CSS pixels that a click may move
const DOUBLE = 260; // milliseconds in which a second click makes it a double one

export class Pane {
  // `scene` draws and answers: layers, over, hover, pick, grab, key.
  constructor(canvas, view, scene, key) {
    Object.assign(this, { canvas, view, scene, key, frames: 0, fingers: new Map() });
    this.context = canvas.getContext("2d", { alpha: false });
    view.panes.add(this);
    this.sizes = new ResizeObserver(() => this.fit());
    this.sizes.observe(canvas);
    const on = (kind, f, how) => canvas.addEventListener(kind, f.bind(this), how);
    on("wheel", this.wheel, { passive: false });
    on("pointerdown", this.down);
    on("pointermove", this.moved);
    on("pointerup", this.up);
    on("pointercancel", (e) => { this.fingers.delete(e.pointerId); this.grabbed = null; });
    on("pointerleave", () => { if (!this.fingers.size) this.hover(null); });
    on("keydown", this.pressed);
  }
  close() {
    this.view.panes.delete(this);
    this.sizes.disconnect();
  }
  fit() { // 0 wide in a hidden tab: nothing is drawn then
    const { canvas } = this;
    const [w, h] = [canvas.clientWidth, canvas.clientHeight].map((v) => Math.round(v * devicePixelRatio));
    if (w && (w !== canvas.width || h !== canvas.height)) Object.assign(canvas, { width: w, height: h });
    this.ask();
  }
  ask() {
    if (this.due) return;
    this.due = requestAnimationFrame(() => { this.due = 0; this.draw(); });
  }
  // Image pixel under a pointer, and image pixels per CSS pixel.
  at({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect(), k = 1 / this.view.scale(box.width, box.height);
    return [
      this.view.x + (clientX - box.left - box.width / 2) * k,
      this.view.y + (clientY - box.top - box.height / 2) * k, k,
    ];
  }
  draw() {
    const { context: c, canvas, view } = this;
    if (!canvas.clientWidth) return;
    const z = view.scale(canvas.width, canvas.height);
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.globalAlpha = 1;
    c.fillStyle = "#2a2a2a";
    c.fillRect(0, 0, canvas.width, canvas.height);
    c.setTransform(z, 0, 0, z, canvas.width / 2 - view.x * z, canvas.height / 2 - view.y * z);
    c.imageSmoothingEnabled = false;
    for (const { source, rect, alpha = 1, clip } of this.scene.layers(this)) {
      c.globalAlpha = alpha;
      if (clip) { c.save(); c.beginPath(); c.rect(...clip); c.clip(); }
      c.drawImage(source, ...rect);
      if (clip) c.restore();
    }
    c.globalAlpha = 1;
    this.scene.over(this, c, z / devicePixelRatio);
    this.crossHair(c, z / devicePixelRatio);
    canvas.classList.toggle("zoomed", view.zoom > 1); // a finger then moves the image, not the page
    this.frames += 1;
  }
  crossHair(c, z) {
    if (!this.view.cross) return;
    const [x, y] = this.view.cross, { width, height } = this.view, gap = 6 / z;
    for (const [colour, wide] of [["#000a", 3], ["#fffd", 1]]) {
      c.strokeStyle = colour;
      c.lineWidth = wide / z;
      for (const line of [[0, y, x - gap, y], [x + gap, y, width, y], [x, 0, x, y - gap], [x, y + gap, x, height]]) {
        c.beginPath(); c.moveTo(line[0], line[1]); c.lineTo(line[2], line[3]); c.stroke();
      }
    }
  }
  inside([x, y]) { return x >= 0 && y >= 0 && x < this.view.width && y < this.view.height; }
  hover(place) {
    this.view.cross = place && this.inside(place) ? place.slice(0, 2) : null;
    this.view.ask();
    this.scene.hover(this, this.view.cross);
  }
  wheel(event) {
    const { view } = this;
    if (event.deltaY > 0 && view.zoom <= view.least * 1.001) return; // all is seen: the page scrolls
    event.preventDefault();
    const [x, y] = this.at(event);
    view.zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), x, y);
  }
  down(event) {
    if (event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, event);
    this.still = this.fingers.size === 1;
    this.began = event;
    this.grabbed = this.still && !event.shiftKey ? this.scene.grab(this, this.at(event)) : null;
  }
  moved(event) {
    const before = this.fingers.get(event.pointerId), place = this.at(event), k = place[2];
    if (!before) return this.hover(place);
    const far = Math.hypot(event.clientX - this.began.clientX, event.clientY - this.began.clientY);
    if (far > STILL) this.still = false;
    if (this.fingers.size === 2) {
      this.grabbed = null;
      const other = [...this.fingers.values()].find((f) => f.pointerId !== event.pointerId);
      const away = (f) => Math.max(1, Math.hypot(f.clientX - other.clientX, f.clientY - other.clientY));
      this.view.zoomBy(away(event) / away(before), ...this.at(other));
    } else if (this.grabbed) this.grabbed.drag(place);
    else if (!this.still) this.view.move((before.clientX - event.clientX) * k, (before.clientY - event.clientY) * k);
    this.fingers.set(event.pointerId, event);
  }
  up(event) {
    if (!this.fingers.delete(event.pointerId)) return;
    const { grabbed, still } = this, place = this.at(event);
    this.grabbed = null;
    if (grabbed) return grabbed.end?.(place);
    if (!still || !this.inside(place)) return;
    this.hover(place); // a finger has no other way to point
    clearTimeout(this.waiting);
    if (this.waiting && performance.now() - this.clicked < DOUBLE) {
      this.waiting = 0;
      return this.view.reset();
    }
    this.clicked = performance.now();
    const pick = () => { this.waiting = 0; this.scene.pick(this, place.slice(0, 2)); };
    // Where there is something to reset, a click waits to see whether it becomes a double one.
    this.waiting = setTimeout(pick, this.view.zoom === 1 ? 0 : DOUBLE);
  }
  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { view } = this, way = ARROWS[event.key], step = this.scene.step;
    if (this.scene.key(this, event)) { /* the scene's own */ }
    else if (way && (event.shiftKey || view.zoom === 1)) {
      const [x, y] = view.cross ?? [view.x, view.y];
      view.point((Math.floor(x / step) + way[0] + 0.5) * step, (Math.floor(y / step) + way[1] + 0.5) * step);
      this.scene.hover(this, view.cross);
    } else if (way) view.move(way[0] * view.span[0] * 0.1, way[1] * view.span[1] * 0.1);
    else if (event.key === "+" || event.key === "=") view.zoomBy(1.25, ...(view.cross ?? []));
    else if (event.key === "-") view.zoomBy(0.8, ...(view.cross ?? []));
    else if (event.key === "0") view.reset();
    else if (event.key === "Enter") this.scene.pick(this, view.cross ?? [view.x, view.y]);
    else return;
    event.preventDefault();
  }
}

// A square outline that is seen on any image; (x, y, side) in image pixels.
export const box = (c, z, [x, y, w, h], colour, { dashed = false, wide = 2 } = {}) => {
  for (const [stroke, width] of [["#000c", wide + 2], [colour, wide]]) {
    c.strokeStyle = stroke;
    c.lineWidth = width / z;
    c.setLineDash(dashed && stroke === colour ? [6 / z, 4 / z] : []);
    c.strokeRect(x, y, w, h);
  }
  c.setLineDash([]);
};

// A word beside a place, on a dark ground.
export const tag = (c, z, text, x, y) => {
  c.font = `600 ${12 / z}px sans-serif`;
  const wide = c.measureText(text).width;
  c.fillStyle = "#000c";
  c.fillRect(x, y - 14 / z, wide + 8 / z, 17 / z);
  c.fillStyle = "#fff";
  c.fillText(text, x + 4 / z, y - 1 / z);
};
