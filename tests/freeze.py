"""Record what the product computes, and compare two records: nothing may change in a refactor.

    git worktree add /tmp/before <commit> && cd /tmp/before && python tests/freeze.py record /tmp/a
    cd - && python tests/freeze.py record /tmp/b && python tests/freeze.py compare /tmp/a /tmp/b

A record holds the numbers of the commands in README and docs (their JSON and every JSON, CSV and
NPZ file they write), maps and matches of the page's examples, the answers of the page's API, and a
screenshot of every tab to look at. Both records must come from one machine: processors order sums
differently. HPINET_SHARED names the reference data (../shared by default).
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("HPINET_SHARED", ROOT.parent / "shared")).resolve()
SET5 = SHARED / "benchmarks/Set5/x4"
LR, HR = (SET5 / kind / "img_003.png" for kind in ("LR", "HR"))  # 64x64 and 256x256
BASELINE = ["--model", "S", "--model", "S:no-gpa"]
WINDOW = ["--window", "96", "96", "16"]

COMMANDS = {
    "upscale": f"hpinet upscale {LR} -o {{out}}/large.png",
    "upscale_x2": f"hpinet upscale {LR} -o {{out}}/large.png --scale 2 --no-gpa",
    "evaluate": f"hpinet evaluate --model S S:no-gpa bicubic {SHARED}/released/HPINet-M-x4.pth "
    f"--data {SET5} --lpips --json -o {{out}}",
    "benchmark": "hpinet benchmark --model S M bicubic --size 24x24 --json",
    "train": f"hpinet train --recipe quick --data {SET5}/HR -o {{out}} --steps 2 --batch 2 "
    f"--crop 96 --threads 1",
    "lam": f"lam {LR} {' '.join(WINDOW)} --steps 12 --faithfulness -o {{out}} --json",
    "lam_no_gpa": f"lam {LR} {' '.join(WINDOW)} --steps 8 --no-gpa --json",
    "lam_frozen": f"lam {LR} {' '.join(WINDOW)} --steps 8 --matches frozen --path straight --json",
    "lam_demo": f"lam {LR} {' '.join(WINDOW)} --steps 8 --quadrature riemann_demo --json",
    "saliency": f"lam {LR} {' '.join(WINDOW)} --method saliency --detector gabor --json",
    "compare": f"lam compare {LR} --hr {HR} {' '.join(WINDOW)} {' '.join(BASELINE)} "
    f"--model bicubic --steps 8 --json -o {{out}}",
    "cause": f"lam cause {LR} --hr {HR} --window 96 96 32 --passes 150 --json -o {{out}}",
    "dataset": f"lam dataset {SET5}/HR --hr --size 32 {' '.join(BASELINE)} --steps 4 --json "
    f"-o {{out}}/table.csv",
    "dataset_cause": f"lam dataset {SET5}/HR --hr --size 24 --method cause --passes 100 --json "
    f"-o {{out}}/effects.csv",
    "explore": f"lam explore {LR} -o {{out}} --json",
    "explore_folder": f"lam explore {SET5}/LR -o {{out}} --json",
    "intervene": f"lam intervene {LR} --hr {HR} --kind off --blocks 8 {' '.join(WINDOW)} --steps 4 "
    f"-o {{out}} --json",
    "intervene_random": f"lam intervene {LR} --hr {HR} --kind random --seed 3 -o {{out}} --json",
    "knockout": f"lam knockout --data {SET5} --experiments off random -o {{out}} --json",
}

NOT_NUMBERS = re.compile(
    r"second|waited|memory|version|torch|device|threads|path|sha256|file|^out$|command|created|date|machine"
    r"|images_per|passes_per|free|processor|cpu|rate"
)
TOLERANCE = 2e-6


def record(folder: Path, names: list[str]) -> None:
    """Write a record: a JSON file a case, arrays beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = {**dict.fromkeys(COMMANDS, _command), "examples": _examples, "api": _api}
    for name, run in cases.items():
        if names and name not in names:
            continue
        arrays: dict[str, np.ndarray] = {}
        values = run(name, folder / name, arrays)
        (folder / f"{name}.json").write_text(json.dumps(values, indent=1, default=str))
        np.savez_compressed(folder / f"{name}.npz", **arrays)
        print(f"{name}: {sum(1 for _ in _flat(values))} values, {len(arrays)} arrays", flush=True)


def _command(name: str, out: Path, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    words = COMMANDS[name].format(out=out).split()
    env = os.environ | {
        "PYTHONPATH": str(ROOT),
        "HPINET_LPIPS_BACKBONE": str(SHARED / "lpips/alexnet_features.safetensors"),
    }
    done = subprocess.run(
        [sys.executable, "-m", *words],
        capture_output=True,
        text=True,
        cwd=out,
        env=env,
        check=False,
    )
    if done.returncode != 0:
        print(f"{name} failed: {done.stderr[-800:]}", file=sys.stderr)
    values: dict[str, Any] = {"exit": done.returncode}
    if done.stdout.lstrip().startswith("{"):
        values["stdout"] = json.loads(done.stdout)
    return values | _written(out, arrays)


def _written(out: Path, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for path in sorted(p for p in out.rglob("*") if p.is_file()):
        name = str(path.relative_to(out))
        if path.suffix == ".json":
            values[name] = json.loads(path.read_text())
        elif path.suffix == ".csv":
            with path.open(newline="") as file:
                values[name] = [{k: _number(v) for k, v in r.items()} for r in csv.DictReader(file)]
        elif path.suffix == ".npz":
            arrays |= {f"{name}:{k}": v for k, v in np.load(path).items()}
        elif path.name in ("large.png", "sr.png"):
            arrays[name] = np.asarray(Image.open(path))
        elif path.suffix == ".safetensors":
            from safetensors.numpy import load_file

            arrays |= {f"{name}:{k}": v for k, v in load_file(path).items()}
    return values


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _examples(_: str, __: Path, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """SR, matches and maps of the page's five examples by the bundled S and its baseline."""
    import torch

    from hpinet import load_model
    from hpinet.imaging.resize import matlab_imresize
    from lam import LocalAttribution, Window
    from ui.state.examples import EXAMPLES

    models = {"S": load_model("S"), "no_gpa": load_model("S", gpa=False)}
    values: dict[str, Any] = {}
    for example in EXAMPLES:
        small = matlab_imresize(example.pixels(), 1 / 4)
        lr = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
        window = Window(*example.window)
        for key, model in models.items():
            with torch.no_grad():
                sr, matches = model(lr, return_matches=True)
            result = LocalAttribution(model).attribute(lr, window=window, n_steps=4)
            name = f"{example.name} {key}"
            arrays[f"{name} sr"] = sr.numpy()
            arrays[f"{name} map"] = np.asarray(result.attribution)
            for i, block in enumerate(matches.blocks):
                if block is not None:
                    arrays[f"{name} match {i}"] = block.index.numpy()
            values[name] = result.summary()
    return values


def _api(_: str, folder: Path, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The page's API on one image, and a screenshot of every tab."""
    from gradio_client import Client, handle_file

    from app import launch_options
    from ui.compute.runtime import Runtime
    from ui.layout import build
    from ui.networks.model_catalogue import Catalogue

    runtime = Runtime(Catalogue(None))
    demo = build(runtime).queue()
    _app, url, _share = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    try:
        client = Client(url, verbose=False)
        answers = {
            "super_resolve": client.predict(handle_file(str(HR)), api_name="/super_resolve"),
            "attribute": client.predict(96, 96, 16, 8, api_name="/attribute"),
            "compare_networks": client.predict(
                ["network", "twin", "bicubic"], 96, 96, 16, 8, api_name="/compare_networks"
            ),
            "matches": client.predict(2, 100, 100, api_name="/matches"),
            "intervene": client.predict("off", api_name="/intervene"),
            "force_match": client.predict(1, 3, 7, api_name="/force_match"),
        }
        _screenshots(url, folder)
    finally:
        demo.close()
        runtime.close()
    values: dict[str, Any] = {}
    for name, answer in answers.items():
        items = answer if isinstance(answer, tuple) else (answer,)
        values[name] = [v for v in items if isinstance(v, dict | list)]
        files = [v for v in items if isinstance(v, str) and v.endswith(".png")]
        arrays |= {f"{name} {i}": np.asarray(Image.open(f)) for i, f in enumerate(files)}
    return values


def _screenshots(url: str, folder: Path) -> None:
    from playwright.sync_api import sync_playwright

    folder.mkdir(exist_ok=True)
    with sync_playwright() as running:
        path = os.environ.get("HPINET_CHROMIUM", "/usr/bin/chromium")
        browser = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for width, height in ((1400, 900), (390, 844)):
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(url)
            for number in range(page.locator('[role="tab"]:visible').count()):
                page.locator('[role="tab"]:visible').nth(number).click()
                page.wait_for_timeout(6000)
                page.screenshot(path=str(folder / f"{number} {width}.png"))
            page.close()
        browser.close()


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not NOT_NUMBERS.search(str(key).rpartition("/")[2]) or str(key).endswith(
                (".json", ".csv")
            ):
                yield from _flat(inner, f"{name}/{key}")
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from _flat(inner, f"{name}/{i}")
    else:
        yield name, value


def compare(before: Path, after: Path) -> int:
    """Print what differs between two records; return the number of cases that differ."""
    wrong = 0
    for file in sorted(before.glob("*.json")):
        other = after / file.name
        if not other.is_file():
            print(f"{file.stem}: MISSING")
            wrong += 1
            continue
        old, new = (dict(_flat(json.loads(p.read_text()))) for p in (file, other))
        arrays = [np.load(p.with_suffix(".npz")) for p in (file, other)]
        lines = [*_values(old, new), *_arrays(*arrays)]
        print(f"{file.stem}: {'same' if not lines else 'DIFFERENT'}")
        print("".join(f"    {line}\n" for line in lines[:12]), end="")
        wrong += bool(lines)
    return wrong


def _values(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        if name not in new or name not in old:
            yield f"{name}: only {'before' if name in old else 'after'}"
            continue
        a, b = old[name], new[name]
        numbers = all(isinstance(v, int | float) for v in (a, b))
        near = math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) if numbers else a == b
        if not near:
            yield f"{name}: {a!r} before, {b!r} after"


def _arrays(old: Any, new: Any) -> Iterator[str]:
    for name in sorted(set(old) | set(new)):
        if name not in new or name not in old:
            yield f"{name}: only {'before' if name in old else 'after'}"
        elif old[name].shape != new[name].shape:
            yield f"{name}: shape {old[name].shape} before, {new[name].shape} after"
        elif old[name].size and old[name].dtype.kind in "fiub":
            a, b = (x[name].astype(np.float64) for x in (old, new))
            off = float(np.abs(a - b).max()) / max(1.0, float(np.abs(a).max()))
            if off > TOLERANCE:
                yield f"{name}: differs by {off:.2e} of its largest"


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT)]
    what, *rest = sys.argv[1:] or [""]
    if what == "record":
        record(Path(rest[0]).resolve(), rest[1:])
    elif what == "compare":
        sys.exit(compare(*map(Path, rest)) > 0)
    else:
        sys.exit(__doc__)
