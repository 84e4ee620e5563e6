// What is looked at stands in the address, so that a reload, Back and a link show the same.
const now = () => new URL(window.location.href);
// As ui.state.address.TABS.
const TABS = { "Super-resolve": "sr", "Receptive field": "lam", "Many networks": "networks", "Matched patches": "matches", "Your model": "model", About: "about" };
const SUBJECT = ["example", "mode", "network"]; // changes of these are places to come back to
let last = null; // what the server showed last
let turn = 0; // counts where the visitor went back to
let awaited = 0; // that turn, until the server has answered it

export const read = (name) => now().searchParams.get(name);

// Put values into the address, null to take one out; `step` makes it a place to come back to.
export const write = (values, step = false) => {
  const url = now(), before = url.search;
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === "") url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  if (url.search !== before) history[step ? "pushState" : "replaceState"](history.state, "", url);
};

// What the server shows. While a turn is awaited, nothing but its answer counts: whatever else
// arrives is of where the visitor was before.
export const shown = ({ turn: answered = null, ...values }) => {
  if (awaited && answered !== awaited) return;
  const moved = !awaited && last && SUBJECT.some((name) => name in values && last[name] !== values[name]);
  awaited = 0;
  last = { ...last, ...values };
  write(values, Boolean(moved));
};

// The tab that is open: a place to come back to, unless the address says so already.
export const tab = () => {
  const name = TABS[document.querySelector("#tabs [role=tab][aria-selected=true]")?.textContent.trim()];
  if (name && name !== (read("tab") ?? "sr") && !awaited) write({ tab: name }, true);
};

// Whoever keeps something of the address reads it again when the visitor goes back.
const listeners = new Set();
export const listen = (f) => listeners.add(f);

export const follow = (trigger, props, watch) => {
  watch("value", () => props.value && shown(props.value));
  const go = () => {
    const mine = (awaited = ++turn);
    setTimeout(() => { if (awaited === mine) awaited = 0; }, 30000); // no answer at all
    for (const f of listeners) f();
    trigger("select", { ...Object.fromEntries(now().searchParams), turn });
  };
  window.addEventListener("popstate", go);
  // Links to places of this page need no other page.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a.go");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const url = new URL(link.href), theme = read("__theme");
    if (theme) url.searchParams.set("__theme", theme);
    history.pushState(history.state, "", url);
    go();
  });
};
