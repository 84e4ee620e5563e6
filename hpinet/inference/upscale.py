"""Image in, image out: super-resolution by a network, and the bicubic baseline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from hpinet.imaging.images import Picture, PictureError, check_rgb, from_uint8, to_uint8
from hpinet.imaging.value_range import check_value_range
from hpinet.modeling.matches import Matches

from .memory_errors import is_out_of_memory
from .precision import half_precision


def upscale(
    model: nn.Module,
    picture: Picture | Tensor,
    *,
    matches: Matches | None = None,
    precision: str = "fp32",
) -> Picture:
    """Super-resolve a whole image.

    The network processes the image in one piece: in tiles a patch could not attend to patches of
    other tiles. An `HPINet` computes in chunks what does not fit into memory at once; the result is
    the same. Alpha is enlarged bicubically.

    Args:
        model: any network from (B, 3, H, W) to (B, 3, sH, sW), RGB in [0, 1]; it runs where its
            parameters are, in evaluation mode.
        picture: what `read_picture` returned, or (B, 3, H, W) floats in [0, 1].
        matches: for HPINet: matches to use instead of those that the network finds.
        precision: one of `hpinet.inference.precision.PRECISIONS`.

    Returns:
        The result on the CPU, rgb (B, 3, sH, sW) float32 clamped to [0, 1], with the alpha
        enlarged and the notes kept.

    Raises:
        PictureError: unfit pixels, too little memory, or a result that is not finite.
        ValueError: an unknown precision.
    """
    if isinstance(picture, Tensor):
        picture = Picture(picture)
    rgb = check_rgb(picture.rgb)
    check_value_range(rgb)
    parameter = next(model.parameters(), torch.zeros(()))
    x = rgb.to(parameter.device, parameter.dtype)
    extra: dict[str, Any] = {} if matches is None else {"matches": matches}
    # The gradient mode is one thread's, so it is set here. Not inference mode, as autograd refuses
    # the tensors made in it.
    with torch.no_grad(), half_precision(x.device, precision), _evaluating(model):
        with _memory_errors(rgb):
            sr = model(x, **extra).float()
        lowest, highest = sr.aminmax()
        if not bool(torch.isfinite(lowest) & torch.isfinite(highest)):
            raise PictureError("The network's result is not finite: its weights are damaged.")
        sr = sr.clamp_(0, 1).cpu()
    alpha = picture.alpha
    if alpha is not None:
        alpha = _resize_planes(alpha, (sr.shape[-2], sr.shape[-1]))
    return replace(picture, rgb=sr, alpha=alpha)


@overload
def bicubic(picture: Picture, scale: int) -> Picture: ...
@overload
def bicubic(picture: Tensor, scale: int) -> Tensor: ...


def bicubic(picture: Picture | Tensor, scale: int) -> Picture | Tensor:
    """Enlarge by Pillow's bicubic (a = -1/2) on 8-bit pixels: the baseline of every comparison.

    Args:
        picture: a Picture, or (B, 3, H, W) floats in [0, 1].
        scale: how many times larger, from 1 up.

    Returns:
        The same kind, `scale` times as high and wide, in [0, 1] in steps of 1/255.

    Raises:
        PictureError: unfit pixels, or a scale below 1.
    """
    if scale < 1:
        raise PictureError(f"scale must be 1 or more, not {scale}.")
    rgb = picture if isinstance(picture, Tensor) else picture.rgb
    check_value_range(check_rgb(rgb))
    size = (check_rgb(rgb).shape[-2] * scale, rgb.shape[-1] * scale)
    enlarged = torch.cat([_resize_rgb(one[None], size) for one in rgb])
    if isinstance(picture, Tensor):
        return enlarged
    alpha = None if picture.alpha is None else _resize_planes(picture.alpha, size)
    return replace(picture, rgb=enlarged, alpha=alpha)


def _resize_rgb(rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (1, 3, H, W) to (height, width) by Pillow's bicubic."""
    image = Image.fromarray(to_uint8(rgb))
    return from_uint8(np.asarray(image.resize(size[::-1], Image.Resampling.BICUBIC)))


def _resize_planes(alpha: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (B, 1, H, W) as `_resize_rgb` does colours."""
    planes = [_resize_rgb(plane[None].expand(1, 3, -1, -1), size)[:, :1] for plane in alpha]
    return torch.cat(planes)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards each module is in the mode that it was in."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:  # not model.train(), as parts of it may have been in eval mode
            module.training = True


@contextmanager
def _memory_errors(rgb: Tensor) -> Iterator[None]:
    """Make a `PictureError` of running out of memory, for which PyTorch has no class of its own."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise PictureError(
            f"There is not enough memory for an image of {rgb.shape[-1]}x{rgb.shape[-2]} pixels: "
            "crop or shrink it, or take a smaller model."
        ) from error
