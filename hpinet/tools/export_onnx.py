"""HPINet as an ONNX file for images of one size, checked before it is written."""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hpinet.errors import UserError
from hpinet.imaging.files import write_bytes
from hpinet.modeling.attention import PatchAttention, attend
from hpinet.modeling.hpinet import HPINet
from hpinet.modeling.patches import division, pad_to_patch

TOLERANCE = 1e-4
"""By which a result may be off, of [0, 1], or a match less similar than the best."""

_NEVER = -1e9  # a similarity below all others: infinities are not every runtime's


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
    data = _traced(FixedSize(model, size), _image(size, 0))
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


class FixedSize(nn.Module):
    """An HPINet on images of one size, in operations that every runtime has.

    The network's own code computes in chunks, writes in place and takes divisions from a cache,
    which exporters get wrong without a word. Here a division is two tables of indices, and its
    aggregation two products with matrices of zeros and ones.

    Args:
        model: The network, in evaluation mode.
        size: LR height and width in pixels.
    """

    def __init__(self, model: HPINet, size: tuple[int, int]) -> None:
        super().__init__()
        self.model = model
        least = max(model.config.patch_sizes)
        padded = (max(least, size[0]), max(least, size[1]))
        self.blocks = nn.ModuleList(_Block(block, padded) for block in model.blocks)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(1, 3, h, w) to the SR image (1, 3, sh, sw) and each block's matches (N,)."""
        height, width = (side * self.model.scale for side in x.shape[-2:])
        features = self.model.encoder(pad_to_patch(x, max(self.model.config.patch_sizes)))
        matches = []
        for block in self.blocks:
            features, index = block(features)
            matches += [] if index is None else [index]
        for step, upsampler in zip(self.model.steps, self.model.upsamplers, strict=True):
            features = F.leaky_relu(F.pixel_shuffle(upsampler(features), step), 0.1)
        base = F.interpolate(x, size=(height, width), mode="bilinear", align_corners=False)
        return (base + self.model.last(features)[..., :height, :width], *matches)


class _Block(nn.Module):
    """`hpinet.modeling.block.HPIBlock` on features of one size."""

    def __init__(self, block: Any, size: tuple[int, int]) -> None:
        super().__init__()
        cut = division(*size, block.patch_size, block.overlap)
        self.block, self.count, self.side = block, cut.count, block.patch_size
        self.across, self.down = cut.per_row, cut.count // cut.per_row
        self.rows, self.columns, self.weight = cut.rows, cut.columns, cut.weight
        # (H, R * P) and (W, S * P): which rows and columns of patches fall on one of the map.
        self.lower = F.one_hot(cut.rows, size[0]).float().T.contiguous()
        self.right = F.one_hot(cut.columns, size[1]).float().T.contiguous()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """(1, C, H, W) to the same, and the matches (N,); None without Global Pixel Access."""
        p, channels = self.side, x.shape[1]
        cut = x[0].permute(1, 2, 0)[self.rows][:, self.columns]  # (R * P, S * P, C)
        patches = cut.reshape(self.down, p, self.across, p, channels).transpose(1, 2)
        patches = patches.reshape(self.count, p * p, channels)
        index = None if self.block.match_norm is None else self._best(patches)
        matched = None if index is None else patches[index]
        for attention, feed_forward in zip(
            self.block.attentions, self.block.feed_forwards, strict=True
        ):
            patches = _attended(patches, matched, attention)
            hidden = F.gelu(feed_forward.expand(feed_forward.norm(patches)))
            patches, matched = patches + feed_forward.reduce(hidden), None
        joined = patches.reshape(self.down, self.across, p, p, channels).transpose(1, 2)
        joined = joined.reshape(self.down * p, self.across * p * channels)
        summed = (self.lower @ joined).reshape(-1, self.across * p, channels)  # (H, S * P, C)
        y = (torch.matmul(self.right, summed) * self.weight).permute(2, 0, 1)[None]
        return (y if self.block.conv is None else x + self.block.conv(y)), index

    def _best(self, patches: Tensor) -> Tensor:
        """Eq. 8: (N, P * P, C) to the most similar other patch (N,); a lone patch is its own."""
        tokens = self.block.match_norm(patches.mean(1))  # (N, C)
        itself = _NEVER * torch.eye(self.count)
        return ((tokens * tokens.shape[-1] ** -0.5) @ tokens.T + itself).argmax(-1)


def _attended(patches: Tensor, matched: Tensor | None, layer: nn.Module) -> Tensor:
    """Eq. 6, 7 and 9 on (N, P * P, C)."""
    if not isinstance(layer, PatchAttention):  # the ablation with depth-wise convolutions
        mixed: Tensor = layer(patches[None], None if matched is None else matched[None])
        return mixed[0]
    z = layer.norm(patches)
    other = z if matched is None else matched
    return patches + attend(layer.query(z), layer.key(other), layer.value(other), fused=False)


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
        raise UserError(f"PyTorch's exporter failed ({first}): nothing was written") from error
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
