"""Looks: theme, style sheet, and small pieces of HTML."""

from __future__ import annotations

import html
from pathlib import Path

import gradio as gr
import numpy as np

# The semi-bold face that gradio 6 ships holds hardly any Latin letters: name the sound ones only.
THEME = gr.themes.Default(
    primary_hue="orange",
    secondary_hue="slate",
    neutral_hue="slate",
    spacing_size="sm",
    radius_size="sm",
    font=[gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)), "sans-serif"],
)

JS = Path(__file__).with_name("accessible.js").read_text("utf-8")
"""Runs in the browser when the page opens."""

CSS = """
.gradio-container { max-width: 1640px !important; padding: 10px 18px !important; }
#title { padding: 0 2px; }
#title h1 { font-size: 1.25rem; font-weight: 700; margin: 0; display: inline; }
#title span { color: var(--body-text-color-subdued); margin-left: .7em; }
#side { max-width: 300px; }
#legend, #lam-status { margin-top: -4px; }
.words { padding: 2px 4px; }
.words p { margin: .2em 0; line-height: 1.4; }
.hint, .hint p { color: var(--body-text-color-subdued); font-size: .92rem; }
.prose table.scores { border: none; border-collapse: collapse; width: 100%;
  font-variant-numeric: tabular-nums; }
.prose table.scores th, .prose table.scores td { border: none; padding: 6px 10px;
  text-align: right; white-space: nowrap; border-bottom: 1px solid var(--border-color-primary); }
#scores table, #scores tr { border: none !important; }
table.scores th { font-weight: 700; }
.prose table.scores th:first-child, .prose table.scores td:first-child { text-align: left;
  white-space: normal; }
table.scores tr.ours td { font-weight: 700; }
.status { padding: 2px 4px; }
.status .bar { height: 6px; border-radius: 3px; margin-top: 5px; overflow: hidden;
  background: var(--border-color-primary); }
.status .bar i { display: block; height: 100%; background: var(--primary-500); }
.unseen { display: none !important; }
.tight > .html-container { padding: 0 !important; }
.prompt { padding: 4px 8px; min-height: 1.6em; border-left: 4px solid transparent; }
.prompt.warn { border-left-color: var(--primary-500); font-weight: 700; }
.legends { display: flex; flex-wrap: wrap; column-gap: 24px; }
.legend i.swatch { width: 18px; height: 14px; box-sizing: border-box; }
.prose table.bars, .prose table.bars tr, .prose table.bars td,
.prose table.listing, .prose table.listing tr { border: none !important; }
table.listing { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.prose table.listing th, .prose table.listing td { border: none; padding: 2px 6px;
  border-bottom: 1px solid var(--border-color-primary); text-align: right; font-weight: 400; }
.prose table.listing th:first-child { text-align: left; }
.prose table.listing thead th { font-weight: 700; }
.titled label[data-testid="block-label"] { font-size: .76rem; }
.titled label[data-testid="block-label"] > span { display: none; }
table.bars { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
table.bars td { padding: 2px 6px; border: none; white-space: nowrap; }
table.bars td:nth-child(2) { width: 100%; }
table.bars .bar { height: 10px; border-radius: 2px; overflow: hidden;
  background: var(--border-color-primary); }
table.bars .bar i { display: block; height: 100%; background: var(--primary-500); }
.legend { display: flex; gap: 8px; align-items: center; font-size: .92rem; padding: 2px 4px;
  color: var(--body-text-color-subdued); flex-wrap: wrap; }
.legend i { display: inline-block; width: 150px; height: 12px; border-radius: 2px; }
#steps input[type=number], #strength input[type=number] { width: 56px; }
.pick img { cursor: crosshair; }
#examples .grid-container { gap: 4px; padding: 26px 4px 4px;
  grid-template-columns: repeat(3, 1fr); grid-auto-rows: auto; align-content: start; }
#examples .gallery-item { height: auto; }
.titled .image-container { padding-top: 30px; box-sizing: border-box; }
#examples .thumbnail-item { width: 100%; height: auto; aspect-ratio: 1; }
#examples .caption-label { font-size: .75rem; padding: 0 4px; left: 0; right: auto; }
.gradio-container main { padding-top: 0 !important; }
.gradio-container > .main { padding-top: 2px !important; }
table.scores th[scope=row] { font-weight: 400; }
table.scores tr.ours th { font-weight: 700; }
table.scores th small { display: block; font-weight: 400; font-size: .72rem; white-space: normal;
  color: var(--body-text-color-subdued); line-height: 1.15; }
#scores p { margin: .3em 4px; }
.strip { display: flex; gap: 10px; align-items: flex-start; }
.strip figure { flex: 1 1 0; max-width: 196px; min-width: 90px; margin: 0; }
.strip img { width: 100%; display: block; image-rendering: pixelated; border-radius: 3px; }
.strip .coming { aspect-ratio: 1; display: grid; place-items: center; border-radius: 3px;
  background: var(--background-fill-secondary); }
.strip figcaption { font-size: .85rem; line-height: 1.2; padding-top: 3px; }
.strip figcaption b { float: right; font-weight: 400; color: var(--body-text-color-subdued); }
#strip .hint { margin-top: 4px; }
#about-figures h4 { margin: .2em 0 .35em; font-weight: 700; }
#about-figures section { margin-bottom: 12px; }
#about-figures .strip figure { max-width: 150px; }
#about-figures .strip img { image-rendering: auto; }
#about-figures p { margin: .3em 0; }
table.facts { border-collapse: collapse; width: 100%; }
table.facts th, table.facts td { text-align: left; padding: 5px 8px; font-weight: 400;
  border: none; border-bottom: 1px solid var(--border-color-primary); }
table.facts td { font-weight: 700; overflow-wrap: anywhere; }
#fourth-column:not(:has(#fourth-map)) { display: none; }
@media (min-width: 1001px) { /* four maps in a row, where both ways without GPA are shown */
  #lam-row:has(#fourth-map) > * { min-width: 150px !important; }
  #lam-row:has(#fourth-map) .words p { font-size: .82rem; line-height: 1.3; }
  #lam-row:has(#fourth-map) button { padding-inline: 6px; white-space: nowrap; }
  #lam-row:has(#fourth-map) .titled:not(#lam-picture) { height: 228px !important; }
}
@media (max-width: 1000px) {
  .strip { flex-wrap: wrap; }
  .strip figure { flex-basis: 150px; }
  #side { max-width: none; flex-direction: row; flex-wrap: wrap; }
  #side > * { flex: 1 1 240px !important; min-width: 240px; }
  #examples, #examples .grid-wrap { height: auto !important; }
  #examples .grid-container { grid-template-columns: repeat(5, 1fr); }
  #side > .form { flex-basis: 100% !important; flex-direction: row; }
  #side > .form > * { flex: 1 1 240px; }
}
"""


def status_bar(text: str, progress: float | None = None) -> str:
    """A line of text over a progress bar (0 to 1), or without one."""
    line = f"<div>{html.escape(text)}</div>"
    if progress is None:
        return f'<div class="status" role="status">{line}</div>'
    percent = round(100 * float(np.clip(progress, 0, 1)))
    return (
        f'<div class="status" role="status">{line}<div class="bar" role="progressbar" '
        f'aria-valuenow="{percent}" aria-valuemin="0" aria-valuemax="100">'
        f'<i style="width:{percent}%"></i></div></div>'
    )


def table(header: list[str], rows: list[list[str]], ours: int) -> str:
    """A table of scores whose row ``ours`` stands out."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = ""
    for number, row in enumerate(rows):
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
        body += f'<tr class="ours">{cells}</tr>' if number == ours else f"<tr>{cells}</tr>"
    return f'<table class="scores"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def bars(text: str, shares: list[tuple[str, float]]) -> str:
    """A sentence, and shares (0 to 1) under it as bars with their names and numbers."""
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td><div class='bar'><i style='width:{100 * share:.0f}%'>"
        f"</i></div></td><td>{share:.0%}</td></tr>"
        for name, share in shares
    )
    return f'<div class="words"><p>{html.escape(text)}</p><table class="bars">{rows}</table></div>'


def prompt(text: str, warn: bool = False) -> str:
    """A line that says what the page waits for; framed where something is out of the ordinary."""
    kind = "prompt warn" if warn else "prompt"
    return f'<div class="{kind}" role="status" aria-live="polite">{html.escape(text)}</div>'


def listing(header: list[str], rows: list[list[str]]) -> str:
    """A small table of names and figures."""
    head = "".join(f"<th scope='col'>{html.escape(cell)}</th>" for cell in header)
    body = ""
    for name, *cells in rows:
        figures = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        body += f"<tr><th scope='row'>{html.escape(name)}</th>{figures}</tr>"
    return f'<table class="listing"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
