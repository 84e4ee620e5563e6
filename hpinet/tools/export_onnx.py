"""HPINet as an ONNX file for images of one size, checked before it is written."""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hpinet.errors import UserError, first_line
from hpinet.imaging.files import write_bytes
from hpinet.modeling.hpinet import HPINet

TOLERANCE = 1e-4
"""By which a result may be off, of [0, 1], or a match less similar than the best."""


def export_onnx(model: nn.Module, size: tuple[int, int], path: str | Path) -> float:
    """Write a network as ONNX: from ``lr`` (1, 3, h, w) in [0, 1] to ``sr`` (1, 3, sh, sw).

    The file chooses matches itself. Before it is written, onnxruntime runs it on an image that it
    was not traced with. Where two patches are nearly as similar, another runtime may choose the
    other one: its choice must be as similar up to `TOLERANCE`, and its result that of the network
    with these matches.

    Args:
        model: An `HPINet`, with Global Pixel Access or without.
        size: LR height and width in pixels.
        path: The file.

    Returns:
        The largest difference from the network's result.

    Raises:
        UserError: If it is another network, packages are missing, or the file's results are off;
            nothing is written then.
        OSError: If it cannot be written.
    """
    if not isinstance(model, HPINet):
        raise UserError(f"only an HPINet can be exported, not {type(model).__name__}")
    if min(size) < 1:
        raise UserError(f"the size must be at least 1 pixel a side, not {size[0]}x{size[1]}")
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 - torch's exporter needs it
    except ImportError as error:
        raise UserError(
            f"export needs packages that are not installed ({error.name}): "
            f"pip install onnx onnxruntime onnxscript"
        ) from None
    model = model.eval().cpu()
    data = _traced(WithMatches(model).eval(), _image(size, 0))
    off = _difference(model, onnxruntime.InferenceSession(data), _image(size, 1))
    if not off <= TOLERANCE:
        raise UserError(
            f"the exported network is off by {off:.2g} on an image that it was not traced with "
            f"(limit {TOLERANCE:g}): nothing was written"
        )
    graph = onnx.load_model_from_string(data)
    del graph.graph.output[1:]  # the matches served the check
    write_bytes(path, graph.SerializeToString())
    return off


class WithMatches(nn.Module):
    """The SR image (1, 3, sh, sw) and each block's matches (N,), which the check needs."""

    def __init__(self, model: HPINet) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(1, 3, h, w) to the SR image and the matches."""
        sr, matches = self.model(x, return_matches=True)
        return (sr, *(block.index[0] for block in matches.blocks if block is not None))


def _traced(network: nn.Module, x: Tensor) -> bytes:
    """The network as ONNX, with its matches as further outputs."""
    names = ["sr", *(f"matches_{i}" for i in range(1, len(network(x))))]
    file = io.BytesIO()
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network, (x,), input_names=["lr"], output_names=names, dynamo=True, verbose=False
            )
        assert program is not None
        file.write(program.model_proto.SerializeToString())
    except Exception as error:
        raise UserError(
            f"PyTorch's exporter failed ({first_line(error)}): nothing was written"
        ) from error
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
    return file.getvalue()


@torch.no_grad()
def _difference(model: HPINet, session: Any, x: Tensor) -> float:
    """How far the exported network is off; infinite where a match is less similar than the best."""
    sr, *chosen = (torch.from_numpy(one) for one in session.run(None, {"lr": x.numpy()}))
    _, matches = model(x, return_matches=True)
    for number, index in enumerate(chosen):
        matches = matches.with_block(number, index[None])
    trace = model.trace(x, matches)
    for block, features, index in zip(model.blocks, trace.inputs, chosen, strict=False):
        best = block(features, None, True)[1]
        if best.matrix is not None:
            taken = best.matrix[0].gather(1, index[:, None])[:, 0]
            if (best.similarity[0] - taken > TOLERANCE).any():
                return float("inf")
    return float((trace.sr - sr).abs().max())


def _image(size: tuple[int, int], seed: int) -> Tensor:
    """Noise with structure: waves of several lengths, so that patches differ clearly."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = torch.arange(size[0])[:, None], torch.arange(size[1])
    image = torch.rand(1, 3, *size, generator=generator) * 0.3
    for _ in range(6):
        a, b, phase = torch.rand(3, generator=generator) * torch.tensor([1.0, 1.0, 6.3])
        image += 0.1 * (1 + torch.sin(a * rows + b * columns + phase))
    return image.clamp(0, 1)
