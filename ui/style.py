"""Looks: theme, style sheet, and small pieces of HTML."""

from __future__ import annotations

import html

import gradio as gr
import numpy as np

from lam.figures import heatmap

# The semi-bold face that gradio 6 ships holds hardly any Latin letters: name the sound ones only.
THEME = gr.themes.Default(
    primary_hue="orange",
    secondary_hue="slate",
    neutral_hue="slate",
    spacing_size="sm",
    radius_size="sm",
    font=[gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)), "sans-serif"],
)

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
@media (max-width: 1000px) {
  #side { max-width: none; flex-direction: row; flex-wrap: wrap; }
  #side > * { flex: 1 1 240px !important; min-width: 240px; }
  #examples, #examples .grid-wrap { height: auto !important; }
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


def legend(limit: float | None, root: bool) -> str:
    """The colour scale of the maps, from 0 to a limit in units of the detector."""
    stops = heatmap(np.linspace(0, 1, 9)[None], vmax=1, root=root)[0]
    gradient = ",".join(f"rgb({r},{g},{b})" for r, g, b in stops.tolist())
    end = "" if limit is None else f"{limit:.2g} or more"
    kind = "colour by square root, which lifts faint pixels" if root else "linear colours"
    return (
        f'<div class="legend"><span>importance of a pixel: 0</span>'
        f'<i style="background:linear-gradient(90deg,{gradient})"></i>'
        f"<span>{end} (one scale for both maps; {kind})</span></div>"
    )


def table(header: list[str], rows: list[list[str]], ours: int) -> str:
    """A table of scores whose row ``ours`` stands out."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = ""
    for number, row in enumerate(rows):
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
        body += f'<tr class="ours">{cells}</tr>' if number == ours else f"<tr>{cells}</tr>"
    return f'<table class="scores"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
