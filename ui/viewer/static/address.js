// What is looked at stands in the address, so that a reload, Back and a link show the same.
const now = () => new URL(window.location.href);

export const read = (name) => now().searchParams.get(name);

// Put values into the address, null to take one out; `step` makes it a place to come back to.
export const write = (values, step = false) => {
  const url = now(), before = url.search;
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === "") url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  if (url.search === before) return false;
  history[step ? "pushState" : "replaceState"](history.state, "", url);
  return true;
};

export const all = () => Object.fromEntries(now().searchParams);
