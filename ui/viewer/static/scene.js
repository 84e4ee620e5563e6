// What all scenes have in common: a scene knows what its panes show and what a visitor may do there.
import { box } from "./pane.js";

export class Scene {
  constructor(viewer) {
    this.viewer = viewer;
    this.step = 1; // image pixels that an arrow key moves the cross-hair by
  }
  get value() { return this.viewer.value; }
  look(name) { return this.viewer.controls.value(name); }
  load() {} // what a value needs, as a promise
  show() {} // the value and what was loaded
  chosen() {} // a control was used
  controls() { return []; }
  panes() { return []; } // {key, title, words, view}
  paint() {} // colours, before the panes are drawn
  layers() { return []; } // {source, rect, alpha, clip} of a pane, from below
  over() {} // lines over a pane's image
  hover() {} // the cross-hair moved to a place, or null
  pick() {} // a place was chosen
  grab() { return null; } // a drag begins: {drag, end} where it is not to move the view
  key() { return false; } // a key was pressed: whether that meant something here
  table() { return [[], []]; }
  window(c, z) {
    const { window: [left, top, side] } = this.value;
    box(c, z, [left, top, side, side], "#ffb000");
  }
  figureButtons() {
    return [{ name: "figure", type: "button", label: "Save figure", title: "What is seen, with titles, scale and caption, as PNG", act: () => this.viewer.save() }];
  }
}
