"""Everything about the maps in one ZIP, with the commands that compute them again."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import gradio as gr

from hpinet.errors import UserError
from hpinet.imaging.images import to_uint8
from lam import CausalEffectResult, LocalAttributionResult
from lam.figures.maps import attribution_figure
from lam.report import Files, effect_rows, encoded
from ui.compute.maps.attribution import matches_rule
from ui.compute.maps.causal import PASSES
from ui.compute.runtime import Runtime
from ui.state.options import BICUBIC, LAM, ROOT, look_of
from ui.state.record import MapsRecord, Result
from ui.state.session import Session
from ui.tabs.maps.receptive_field_layout import ReceptiveFieldPage
from ui.views.attribution import causal, map_images, maps
from ui.views.attribution.path import drawn

from . import saving


def connect(runtime: Runtime, session: gr.State, page: ReceptiveFieldPage) -> None:
    """Connect the button of *Receptive field*, and the endpoint ``/export``."""

    def make(session: Session, seen: object = None) -> saving.Made:
        if session.maps is None:
            raise UserError(_NOTHING)
        record = replace(session.maps, look=look_of(seen))
        return record, archive(record)

    saving.connect(
        runtime,
        session,
        page.export,
        page.file,
        make,
        "export",
        "The finished maps as one ZIP: PNG, NPZ and parameters.json with the commands that "
        "compute the same maps again.",
        seen=_SEEN,
    )


_LOOK = ("strength", "colours", "palette", "scale", "end")
"""What is said of the drawing."""

_SEEN = """(session) => {
  const scene = document.querySelector("#maps .viewer")?.viewer?.scene;
  const names = ["view", "colours", "root", "strength", "end", "last"];
  return [session, scene ? Object.fromEntries(names.map((name) => [name, scene.look(name)])) : {}];
}"""
"""JavaScript that says how the maps are drawn on the screen, which it tells nobody by itself."""

_ORIGINAL = "hr.png"
_NOTHING = "There is nothing to export yet: compute the maps first."


def names(record: MapsRecord) -> dict[str | None, str]:
    """What the maps are called in the ZIP, by way."""
    without = zip(record.without, ("without_gpa", "without_gpa_same_weights"), strict=False)
    return {None: "with_gpa", **dict(without), BICUBIC: "bicubic"}


def archive(record: MapsRecord) -> bytes:
    """The ZIP's bytes; a `UserError` if no map is finished."""
    done = {
        name: (way, record.results[way])
        for way, name in names(record).items()
        if way in record.results and record.results[way].finished
    }
    if not done:
        raise UserError(_NOTHING)
    lr_name, lr_bytes = saving.lossless(record.crop)
    files: Files = {
        **saving.weights(record.network),
        lr_name: lr_bytes,
        "window.png": map_images.window_pixels(record),
        "sr.png": record.sr,
    }
    commands = {}
    for name, (way, result) in done.items():
        files |= _of_map(record, name, result)
        commands[name] = command(record, way, lr_name, name)
        effects = record.effects.get(way)
        if effects is not None and effects.finished:
            files |= _of_effects(record, way, name, effects)
            commands[f"{name}_effect"] = effect_command(record, way, lr_name, f"{name}_effect")
    hr = record.study.original(record.region, record.network.scale)
    if record.causal and hr is not None:
        files[_ORIGINAL] = to_uint8(hr)
    difference, _ = map_images.draw_difference(record)
    if difference is not None:
        files["difference.png"] = difference
    files["parameters.json"] = _parameters(record, lr_name, commands)
    return encoded("export.zip", files)


def command(record: MapsRecord, way: str | None, lr_name: str, folder: str) -> list[str]:
    """The command line, in words, that computes a map again from the ZIP's pixels."""
    how = record.how
    words = ["python", "-m", "lam", lr_name, *_of_window(record, way), "--method", how.method]
    if how.method == LAM:
        words += ["--steps", str(how.steps)]
    return [*words, "--matches", matches_rule(record.network, way, how), "-o", folder]


def effect_command(record: MapsRecord, way: str | None, lr_name: str, folder: str) -> list[str]:
    """The same for the causal effects beside a map."""
    words = ["python", "-m", "lam", "cause", lr_name, *_of_window(record, way)]
    if record.study.hr is not None:
        words += ["--hr", _ORIGINAL]
    words += ["--passes", str(PASSES)]
    return [*words, "--matches", matches_rule(record.network, way, record.how), "-o", folder]


def _of_window(record: MapsRecord, way: str | None) -> list[str]:
    words = saving.window_arguments(record.inner_window)
    return words + saving.model_arguments(record.network, way)


def _of_effects(
    record: MapsRecord, way: str | None, name: str, effects: CausalEffectResult
) -> Files:
    return {
        f"{name}_effect.npz": {**effects.arrays(), "map": effects.map},
        f"{name}_blocks.csv": effect_rows(record.results[way].importance, effects),
        f"{name}_effect.png": causal.draw(record, effects, causal.limit(record)),
    }


def _of_map(record: MapsRecord, name: str, result: Result) -> Files:
    look = record.look
    files: Files = {
        f"{name}.npz": {"attribution": result.attribution, "importance": result.importance},
        f"{name}.png": attribution_figure(
            to_uint8(record.crop),
            result.attribution,
            result.importance,
            record.inner_window,
            record.network.scale,
            f"{record.study.name}, {record.network.label}: {name}",
            limit=map_images.shared_limit(record),
            root=look.colours == ROOT,
            colours=map_images.palette_of(look),
            strength=look.strength,
        ),
    }
    if isinstance(result, LocalAttributionResult):
        files[f"{name}_path.png"] = drawn(result)
    return files


def _parameters(record: MapsRecord, lr_name: str, commands: dict[str, list[str]]) -> dict[str, Any]:
    window = record.window
    return {
        "how_to_repeat": f"{saving.HOW_TO_REPEAT} Each command writes map.npz: the same map.",
        "commands": {name: shlex.join(words) for name, words in commands.items()},
        "lr": lr_name,
        "window_in_sr_pixels": [window.left, window.top, window.size],
        "drawing": {name: getattr(record.look, name) for name in _LOOK},
        **maps.numbers(record),
    }
