"""HPINet as an ONNX file for images of one size, checked before it is written."""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hpinet.errors import UserError
from hpinet.imaging.files import write_bytes
from hpinet.modeling.hpinet import HPINet
from hpinet.modeling.matching import similarity

from .fixed_size import FixedSize

TOLERANCE = 1e-4
"""By which a result may be off, of [0, 1], or a match less similar than the best."""


class ExportError(UserError):
    """A network that cannot be exported; one sentence."""


def export_onnx(model: nn.Module, size: tuple[int, int], path: str | Path) -> float:
    """Write a network as ONNX: from ``lr`` (1, 3, h, w) in [0, 1] to ``sr`` (1, 3, sh, sw).

    Matches are chosen inside. The file is run by onnxruntime on an image that it was not traced
    with and compared with the network, before it is written. Where two patches are as good as
    equally similar, another runtime may choose the other one: its choice must then be as similar
    up to `TOLERANCE`, and the result that of the network with these matches.

    Args:
        model: An `HPINet`, with Global Pixel Access or without.
        size: LR height and width.
        path: The file.

    Returns:
        The largest difference that was found.

    Raises:
        ExportError: If it is another network, packages are missing, or the file's results are off;
            nothing is written then.
        OSError: If it cannot be written.
    """
    if not isinstance(model, HPINet):
        raise ExportError(f"only an HPINet can be exported, not {type(model).__name__}")
    if min(size) < 1:
        raise ExportError(f"the size must be at least 1 pixel a side, not {size[0]}x{size[1]}")
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 - torch's exporter needs it
    except ImportError as error:
        raise ExportError(
            f"export needs packages that are not installed ({error.name}): "
            f"pip install onnx onnxruntime onnxscript"
        ) from None
    model = model.eval().cpu()
    data = _traced(FixedSize(model, size), _image(size, 0))
    off = _difference(model, onnxruntime.InferenceSession(data), _image(size, 1))
    if not off <= TOLERANCE:
        raise ExportError(
            f"the exported network is off by {off:.2g} on an image that it was not traced with "
            f"(limit {TOLERANCE:g}): nothing was written"
        )
    graph = onnx.load_model_from_string(data)
    del graph.graph.output[1:]  # the matches served the check
    write_bytes(path, graph.SerializeToString())
    return off


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
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ExportError(f"PyTorch's exporter failed ({first}): nothing was written") from error
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
    return file.getvalue()


@torch.no_grad()
def _difference(model: HPINet, session: Any, x: Tensor) -> float:
    """How far the exported network is off; infinite where it chose a match that is less similar."""
    found = [torch.from_numpy(one) for one in session.run(None, {"lr": x.numpy()})]
    sr, chosen = found[0], found[1:]
    _, matches = model(x, return_matches=True)
    for block, index in enumerate(chosen):
        matches = matches.with_block(block, index[None])
    trace = model.trace(x, matches)
    if any(not _as_similar(model, block, trace, one) for block, one in enumerate(chosen)):
        return float("inf")
    return float((trace.sr - sr).abs().max())


def _as_similar(model: HPINet, block: int, trace: Any, index: Tensor) -> bool:
    """Whether every chosen patch is as similar as the best, up to `TOLERANCE`."""
    from hpinet.modeling.block import HPIBlock
    from hpinet.modeling.patches import division

    layer, features = model.blocks[block], trace.inputs[block]
    assert isinstance(layer, HPIBlock)
    height, width = features.shape[-2:]
    cut = division(height, width, layer.patch_size, layer.overlap)
    if cut.count == 1:
        return True
    patches = cut.divide(features.permute(0, 2, 3, 1))
    scores = similarity(layer.match_norm(patches.mean(2)))[0]  # type: ignore[misc]
    taken = scores.gather(1, index[:, None])[:, 0]
    return bool((scores.max(1).values - taken <= TOLERANCE).all())


def _image(size: tuple[int, int], seed: int) -> Tensor:
    """Noise with structure: waves of several lengths, so that patches differ clearly."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = torch.arange(size[0])[:, None], torch.arange(size[1])
    image = torch.rand(1, 3, *size, generator=generator) * 0.3
    for _ in range(6):
        a, b, phase = torch.rand(3, generator=generator) * torch.tensor([1.0, 1.0, 6.3])
        image += 0.1 * (1 + torch.sin(a * rows + b * columns + phase))
    return image.clamp(0, 1)
