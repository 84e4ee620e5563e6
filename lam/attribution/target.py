"""The target of an attribution: the detector on a window, as a function of the LR image."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hpinet.errors import UserError
from hpinet.imaging.value_range import INPUT_SLACK, check_value_range
from hpinet.networks.adapt import warn_of_range
from hpinet.networks.adapted_network import AdaptedNetwork
from hpinet.networks.bicubic import Bicubic
from hpinet.networks.files import network_digest
from lam.window import Window

from .detectors import Detector, describe_detector, detect, get_detector
from .inspection import arguments_of, check_repeatable, unwrapped
from .matching_network import Choice, MatchingNetwork
from .results import MethodResult


class Target:
    """One image, network, window and detector: the detector as a function of the LR image.

    Where the network can, only what the detector reads is computed.

    Args:
        forward_func: A network, or any function, from (B, 3, h, w) RGB in [0, 1] to (B, 3, sh, sw).
        inputs: The LR image, (1, 3, h, w) or (3, h, w).
        window: What is asked about, in SR pixels.
        detector: A key of `lam.DETECTORS`, or a function.
        matches: One of `lam.MATCHES`.
        slack: How far the image's numbers may lie outside [0, 1].

    Attributes:
        image: (1, 3, h, w) on the network's device.
        forward_func: The network as it was given, unwrapped.
        network: The network under its rule for matches.
        params: What reproduces the target, as plain values that fit into JSON. The SR image's
            size is added when it is known.

    Raises:
        ValueError: If the image, the window or an option does not fit.
    """

    def __init__(
        self,
        forward_func: Callable[..., Any],
        inputs: Tensor,
        window: Window,
        detector: str | Detector = "gradient",
        matches: str = "live",
        slack: float = INPUT_SLACK,
    ) -> None:
        self.forward_func = forward_func = unwrapped(forward_func)
        self.image = check_image(inputs, forward_func)
        check_value_range(self.image, slack=slack)
        if isinstance(forward_func, nn.Module):
            warn_of_range(forward_func)
        self.params: dict[str, Any] = {
            "window": asdict(window),
            "detector": describe_detector(detector),
            "matches": matches,
            "lr_size": list(self.image.shape[-2:]),
            "lr_sha256": hashlib.sha256(self.image.cpu().numpy().tobytes()).hexdigest(),
            "network": _describe(forward_func),
            "torch": str(torch.__version__),
        }
        self._window, self._detector = window, get_detector(detector)[1]
        can_crop = "region" in arguments_of(forward_func)
        scale = _known_scale(forward_func, can_crop)
        if scale is not None:  # known before the first, costly pass
            self._know_size(*(side * scale for side in self.image.shape[-2:]))
        self.network = MatchingNetwork(forward_func, self.image, matches)
        halo = getattr(self._detector, "halo", None)
        if scale is not None and can_crop and halo is not None:
            self._crop_to(halo)

    def __call__(self, images: Tensor) -> Tensor:
        """The detector (B,) on what becomes of LR images (B, 3, h, w)."""
        return self.observe(images)[0]

    def observe(self, images: Tensor) -> tuple[Tensor, list[Choice]]:
        """The detector (B,), and the matches of each image, empty unless they may switch."""
        sr, choices = self.network(images)
        if "sr_size" not in self.params:
            self._know_size(int(sr.shape[-2]), int(sr.shape[-1]))
        return detect(self._detector, sr, self._window), choices

    def observe_with(self, images: Tensor, choices: Sequence[Choice]) -> Tensor:
        """The detector (B,) under given matches, one choice an image."""
        return detect(self._detector, self.network.with_choices(images, choices), self._window)

    def check_repeatable(self) -> None:
        """Refuse a network that gives different numbers for the same image.

        Raises:
            ValueError: If so; the message gives two of them.
        """
        with torch.inference_mode(False), torch.no_grad():
            check_repeatable(self, self.image, self.forward_func)

    def evaluate(self) -> float:
        """The detector on the image itself."""
        with torch.no_grad():
            return float(self(self.image))

    def gradient(self, images: Tensor) -> tuple[Tensor, list[Choice], Tensor]:
        """The detector (B,), the matches, and the gradient (B, 3, h, w), which may be not finite.

        Raises:
            ValueError: If the detector cannot be differentiated.
        """
        # Callers may be in threads or modes where gradients are off.
        with torch.inference_mode(False), torch.enable_grad():
            images = images.clone().requires_grad_()
            values, choices = self.observe(images)
            check_differentiable(values)
            (gradients,) = torch.autograd.grad(values.sum(), images)
        return values.detach(), choices, gradients

    def result(
        self, attribution: NDArray[Any], end: float, seconds: float, progress: float
    ) -> MethodResult:
        """A map (3, h, w) as a result, with what is not finite counted and set to 0."""
        finite = np.isfinite(attribution)
        return MethodResult(
            attribution=np.where(finite, attribution, 0).astype(np.float32),
            detector_end=end,
            non_finite=int((~finite).sum()),
            seconds=seconds,
            progress=progress,
            params=dict(self.params),
        )

    def _know_size(self, height: int, width: int) -> None:
        self._window.check_inside(height, width)
        scale = width / self.image.shape[-1]
        self.params.update(sr_size=[height, width], scale=scale)

    def _crop_to(self, halo: int) -> None:
        """Have the network compute no more than the detector reads.

        Region: the window (left, top, size) and ``halo`` pixels on each side, cut at the borders of
        the SR image. The window is then counted from the region's corner.
        """
        height, width = self.params["sr_size"]
        window = self._window
        top, left = max(0, window.top - halo), max(0, window.left - halo)
        bottom = min(height, window.top + window.size + halo)
        right = min(width, window.left + window.size + halo)
        self.network.region = (top, left, bottom - top, right - left)
        self._window = Window(window.left - left, window.top - top, window.size)


def check_differentiable(values: Tensor) -> None:
    """Make sure that a detector's values have a gradient.

    Raises:
        ValueError: If not.
    """
    if not values.requires_grad:
        raise UserError(
            "the detector's value has no gradient with respect to the image: "
            "compute it with torch from what the detector is given"
        )


def check_image(inputs: Tensor, forward_func: Any) -> Tensor:
    """One image as (1, 3, h, w) of float32 at least, on the network's device; always a copy.

    Raises:
        UserError: If it is no such image.
    """
    if not isinstance(inputs, torch.Tensor):
        raise UserError(
            f"the image must be a tensor of shape (1, 3, h, w), not {type(inputs).__name__}"
        )
    image = inputs[None] if inputs.ndim == 3 else inputs
    if image.ndim != 4 or image.shape[:2] != (1, 3) or 0 in image.shape:
        raise UserError(f"expected one RGB image of shape (1, 3, h, w), got {tuple(inputs.shape)}")
    if not image.dtype.is_floating_point:
        raise UserError(f"the image must be floats in [0, 1], not {image.dtype}: divide by 255")
    if not torch.isfinite(image).all():
        raise UserError("the image holds values that are not finite")
    parameter = None
    if isinstance(forward_func, nn.Module):
        parameter = next(forward_func.parameters(), None)
    # A tensor made in inference mode could not take part in a backward pass: clone outside of it.
    with torch.inference_mode(False):
        # Paths and detectors are computed in float32 at least, whatever the network computes in.
        image = image.detach().to(torch.promote_types(image.dtype, torch.float32), copy=True)
        return image.to(image.device if parameter is None else parameter.device)


def _describe(forward_func: Any) -> dict[str, Any]:
    if isinstance(forward_func, AdaptedNetwork):
        return {**forward_func.describe(), "weights_sha256": network_digest(forward_func)}
    described: dict[str, Any] = {"class": type(forward_func).__name__}
    config = getattr(forward_func, "config", None)
    if is_dataclass(config) and not isinstance(config, type):
        described["config"] = asdict(config)
    return described


def _known_scale(forward_func: Any, can_crop: bool) -> int | None:
    """SR pixels per LR pixel where it is certain: others call other things their scale."""
    scale = getattr(forward_func, "scale", None)
    certain = can_crop or isinstance(forward_func, AdaptedNetwork | Bicubic)
    return scale if certain and isinstance(scale, int) else None
