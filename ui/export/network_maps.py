"""The comparison of many networks as files: the table, the figure, and everything in one ZIP."""

from __future__ import annotations

import shlex
from dataclasses import replace

import gradio as gr

from hpinet.errors import UserError
from hpinet.imaging.files import file_name
from hpinet.imaging.images import to_uint8
from hpinet.networks.files import network_digest
from hpinet.networks.open import WITHOUT_GPA
from lam.batch.comparison import ordered
from lam.report import Files, comparison_files, encoded
from ui.compute.maps.attribution import explained
from ui.compute.maps.network_maps import NetworkMaps
from ui.compute.runtime import Runtime
from ui.networks.network import SWITCHED_OFF
from ui.state.options import MOST_STEPS
from ui.state.session import Session
from ui.tabs.maps.network_maps import NetworkMapsPage

from . import saving


def connect(runtime: Runtime, session: gr.State, page: NetworkMapsPage) -> None:
    """Connect the buttons of *Many networks*, and the endpoint ``/export_networks``."""
    for button, kind in ((page.csv, "csv"), (page.png, "png"), (page.zip, "zip")):

        def make(session: Session, kind: str = kind) -> saving.Made:
            record = session.networks
            if record is None or not any(map(record.done, record.chosen)):
                raise UserError("There is nothing to save yet: compute the maps first.")
            files = archive(NetworkMaps(runtime, record, session.uploaded))
            if kind == "zip":
                return record, encoded("export.zip", files)
            return record, encoded(f"compare.{kind}", files[f"compare.{kind}"])

        saving.connect(
            runtime,
            session,
            button,
            page.file,
            make,
            "export_networks",
            "The maps of many networks as one ZIP, with the command that computes them again."
            if kind == "zip"
            else "",
            kind,
        )


def archive(work: NetworkMaps) -> Files:
    """The files by name: those of `comparison_files`, the pixels, and the command."""
    record, window = work.record, work.record.inner_window
    done = [c for c in work.chosen if work.record.done(c.kind)]
    networks = [work.network(c) for c in done]
    answers = [
        replace(record.found[c.kind], weights_sha256=network_digest(explained(*n)))
        for c, n in zip(done, networks, strict=True)
    ]
    found = ordered(answers)  # as the command does
    lr_name, lr_bytes = saving.lossless(record.crop)
    words = ["python", "-m", "lam", "compare", lr_name, *saving.window_arguments(window)]
    for network, way in networks:
        off = WITHOUT_GPA if way == SWITCHED_OFF else ""
        words += ["--model", saving.model_name(network.info, way) + off]
    words += ["--steps", str(record.how.steps), "--matches", record.how.matches]
    files: Files = {lr_name: lr_bytes}
    hr = record.study.original(record.region, record.network.scale)
    if hr is not None:
        files["hr.png"] = to_uint8(hr)
        words += ["--hr", "hr.png"]
    if any(one.tried for one in found):
        words += ["--mend", str(MOST_STEPS)]
    about = {
        "how_to_repeat": saving.HOW_TO_REPEAT,
        "command": shlex.join([*words, "-o", "again"]),
        "image": record.study.name,
        "window": [window.left, window.top, window.size],
        "window_in_the_whole_image": [record.window.left, record.window.top, record.window.size],
        "region": dict(zip(("left", "top", "height", "width"), record.region, strict=True)),
        "networks": {
            one.label: {**one.result.params, "folder": file_name(one.label)} for one in found
        },
    }
    if not record.whole:
        about["psnr"] = "Of the image super-resolved whole; the command sees the attributed part."
    for network, _ in networks:
        files |= saving.weights(network.info)
    return {**files, **comparison_files(found, record.crop, window, about)}
