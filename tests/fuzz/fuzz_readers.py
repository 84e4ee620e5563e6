"""Readers of images and weights against mutated files: ``python tests/fuzz/fuzz_readers.py``.

Not a test of the suite. Small sound files are cut, and their bytes flipped, repeated, left out and
replaced by extreme numbers. Each reader must return something sound or refuse with one sentence, a
`UserError`, within time and memory. What does otherwise is written to ``--out`` with its traceback.
Every trial follows from ``--seed`` and its number.
"""

from __future__ import annotations

import argparse
import io
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save

from hpinet import HPINet, HPINetConfig, UserError, read_picture
from hpinet.checkpoints.loading import save_checkpoint
from hpinet.checkpoints.reading import Limits, plan_checkpoint, read_tensors

sys.path.insert(0, str(Path(__file__).parents[1]))
from helpers.image_files import chunk, grey_profile, matrix_profile, png_file, profile_chunk

MEMORY = 6 * 2**30
"""Bytes of address space that the fuzzer may take."""
SECONDS = 20
"""Time that one file may take."""


def image_seeds() -> dict[str, bytes]:
    """Sound image files of every format and kind that has code of its own."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (24, 18, 3), dtype=np.uint8))
    rgba = Image.fromarray(rng.integers(0, 256, (24, 18, 4), dtype=np.uint8))
    deep = Image.fromarray(rng.integers(0, 65536, (24, 18), dtype=np.uint16))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8769] = 6, "Maker", {0xA001: 2}
    profile = matrix_profile(((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), 2.2)
    variants = {
        "a.png": (rgba, {"exif": exif, "icc_profile": profile}),
        "p.png": (rgb.quantize(16), {"transparency": b"\x00\x80"}),
        "d.png": (deep, {"icc_profile": grey_profile(1.8)}),
        "a.jpg": (rgb, {"exif": exif, "icc_profile": profile}),
        "p.jpg": (rgb, {"progressive": True}),
        "c.jpg": (rgb.convert("CMYK"), {}),
        "a.tif": (rgb, {}),
        "z.tif": (rgb, {"compression": "tiff_lzw", "dpi": (300, 300)}),
        "j.tif": (rgb, {"compression": "jpeg"}),
        "d.tif": (deep, {"compression": "tiff_adobe_deflate"}),
        "f.tif": (rgb.convert("F").point(lambda v: v / 255), {}),
        "a.gif": (rgb, {"save_all": True, "append_images": [rgb, rgb]}),
        "t.gif": (rgba, {}),
        "a.webp": (rgba, {"lossless": True, "exif": exif, "icc_profile": profile}),
        "v.webp": (rgb, {"save_all": True, "append_images": [rgb]}),
        "a.bmp": (rgb, {}),
        "p.bmp": (rgb.quantize(16), {}),
    }
    found = {}
    for name, (image, options) in variants.items():
        file = io.BytesIO()
        kind = {"jpg": "JPEG", "tif": "TIFF"}.get(name[2:], name[2:])
        image.save(file, kind, **options)
        found[name] = file.getvalue()
    key = chunk(b"tRNS", bytes(6))
    row = rng.integers(0, 256, 18 * 6, dtype=np.uint8).tobytes()
    extra = [profile_chunk(profile), chunk(b"gAMA", (50000).to_bytes(4, "big")), key]
    found["k.png"] = png_file([row] * 4, 18, 16, 2, extra)
    found["g.png"] = png_file([bytes(9)] * 4, 18, 4, 0, [chunk(b"tRNS", b"\0\1")])
    return found


def weight_seeds(folder: Path) -> dict[str, bytes]:
    """Sound files of weights in every container."""
    torch.manual_seed(0)
    model = HPINet(HPINetConfig(dim=4, qk_dim=2, ffn_dim=4, patch_sizes=(6,), scale=2))
    save_checkpoint(model, folder / "seed")
    state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    found = {"a.safetensors": (folder / "seed").read_bytes()}
    found["b.safetensors"] = save({"x": torch.ones(3, 4), "y": torch.ones(2, dtype=torch.bfloat16)})
    for name, new in (("a.pth", True), ("o.pth", False)):
        file = io.BytesIO()
        content = {"params_ema": {f"module.{k}": v for k, v in state.items()}, "step": 3}
        torch.save(content, file, _use_new_zipfile_serialization=new)
        found[name] = file.getvalue()
    return found


def mutated(data: bytes, others: list[bytes], rng: np.random.Generator) -> bytes:
    """A sound file after one to eight changes, more often near its start, where headers are."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        if not changed:
            break
        size = len(changed)
        reach = min(size, int(rng.choice([32, 128, 512, size])))
        place = int(rng.integers(0, reach))
        length = int(rng.choice([1, 2, 4, 8, 64]))
        kind = int(rng.integers(0, 7))
        if kind == 0:
            changed[place] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            changed[place : place + length] = rng.integers(0, 256, length, dtype=np.uint8).tobytes()
        elif kind == 2:
            extreme = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**16 - 1, 2**15, 255, 128]
            order = "big" if rng.integers(2) else "little"
            changed[place : place + 4] = int(rng.choice(extreme)).to_bytes(4, order)
        elif kind == 3:
            del changed[place : place + length]
        elif kind == 4:
            changed[place:place] = changed[place : place + length]
        elif kind == 5 and rng.integers(4) == 0:
            del changed[int(rng.integers(0, size)) :]
        elif kind == 6:
            other = others[int(rng.integers(0, len(others)))]
            start = int(rng.integers(0, len(other)))
            changed[place : place + length] = other[start : start + length]
    return bytes(changed)


def read_image_file(path: Path) -> None:
    """Read an image as commands and the page do, and look at the result."""
    picture = read_picture(path, max_pixels=2_000_000)
    for plane in (picture.rgb, picture.alpha):
        if plane is not None and not bool(((plane >= 0) & (plane <= 1)).all()):
            raise AssertionError("pixels outside of [0, 1]")
    if any(len(note) > 300 for note in picture.notes):
        raise AssertionError("a note without end")


def read_weight_file(path: Path) -> None:
    """Read weights as commands do."""
    limits = Limits(header_bytes=10**6, tensors=10_000, numbers=10**7)
    plan_checkpoint(path, limits)
    read_tensors(path, limits)


def check(read: Callable[[Path], None], path: Path) -> str | None:
    """What went wrong when a file was read, as a traceback; None if nothing did."""
    began = time.perf_counter()
    try:
        read(path)
    except UserError as error:
        text = str(error)
        if "\n" in text or len(text) > 400:
            return f"not one sentence: {text[:200]!r}"
    except Exception:
        return traceback.format_exc()
    took = time.perf_counter() - began
    return f"took {took:.1f} s" if took > SECONDS else None


def main() -> int:
    """Run for so many minutes; the exit code is 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("fuzz-findings"))
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError("hangs")))
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        images, weights = image_seeds(), weight_seeds(folder)
        seeds = [*images.items(), *weights.items()]
        contents = [data for _, data in seeds]
        end, trial = time.monotonic() + 60 * options.minutes, 0
        while time.monotonic() < end:
            rng = np.random.default_rng((options.seed, trial))
            name, data = seeds[trial % len(seeds)]
            path = folder / name
            path.write_bytes(mutated(data, contents, rng))
            # Written down first: what ends the process leaves its file behind.
            (options.out.parent / f"{options.out.name}.last").write_bytes(path.read_bytes())
            signal.alarm(2 * SECONDS)
            trouble = check(read_image_file if name in images else read_weight_file, path)
            signal.alarm(0)
            if trouble:
                last = trouble.strip().splitlines()[-1]
                found[f"{name}: {last}"] += 1
                if found[f"{name}: {last}"] == 1:
                    options.out.mkdir(parents=True, exist_ok=True)
                    kept = options.out / f"{trial}-{name}"
                    kept.write_bytes(path.read_bytes())
                    kept.with_name(kept.name + ".txt").write_text(trouble)
            trial += 1
    print(f"{trial} files, {sum(found.values())} findings")
    for what, count in found.most_common():
        print(f"{count:6}  {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
