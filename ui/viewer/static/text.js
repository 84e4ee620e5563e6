// Numbers and sentences in elements of the page.
import { make } from "./controls.js";

// Three significant digits, without an exponent where that can be read.
export const figure = (value) => (Math.abs(value) >= 1e-3 || value === 0 ? +value.toPrecision(3) + "" : value.toExponential(1));

// Paragraphs with **bold** words.
export const sentences = (place, texts) => {
  const wanted = JSON.stringify(texts);
  if (place.dataset.texts === wanted) return;
  place.dataset.texts = wanted;
  place.replaceChildren(...texts.map((text) =>
    make("p", {}, ...text.split("**").map((part, i) => (i % 2 ? make("b", { textContent: part }) : part)))));
};
