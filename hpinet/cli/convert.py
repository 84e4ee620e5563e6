"""``python -m hpinet convert``: a file of weights as safetensors."""

from __future__ import annotations

import argparse
from pathlib import Path

from hpinet.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `run`."""
    add = parser.add_argument
    add("file", metavar="FILE", type=Path, help="weights as torch.save wrote them (.pth, .ckpt)")
    add("-o", "--output", type=Path, metavar="OUT", help="default: FILE with .safetensors")
    add(
        "--trust", action="store_true",
        help="run the code that the file may hold (old formats, pickled arguments): only for files "
        "whose source you trust",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Convert, and print where the new file is."""
    import torch

    from hpinet.networks.files import (
        Weights,
        read_weights,
        save_checkpoint,
        state_dict_of,
        write_state_dict,
    )
    from hpinet.networks.hpinet_weights import build_hpinet, hpinet_state

    file: Path = options.file
    target: Path = options.output or file.with_suffix(".safetensors")
    if target.exists() and file.exists() and target.samefile(file):
        raise UserError(f"{target} is the input: name another file by --output")
    if options.trust and file.is_file():
        saved = torch.load(file, map_location="cpu", weights_only=False)
        weights = Weights(state_dict_of(saved, file.name))
    else:
        weights = read_weights(file)
    ours = hpinet_state(weights, file.name)
    if ours is None:
        write_state_dict(weights.tensors, target)
    else:  # with its configuration in the header
        save_checkpoint(build_hpinet(*ours, file.name), target)
    print(target)
    return 0
