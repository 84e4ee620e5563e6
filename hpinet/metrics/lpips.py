"""LPIPS (Zhang et al. 2018), the perceptual distance of the paper's Table 2."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hpinet.errors import UserError, WeightsError
from hpinet.imaging.images import from_uint8
from hpinet.networks.files import read_weights

from .backbone import BACKBONE_VARIABLE, find_backbone
from .psnr_ssim import Pixels, check_sizes, eight_bit

LPIPS_MIN_SIZE = 31
"""Pixels a side: of less AlexNet's last pooling has nothing left."""


class Lpips:
    """LPIPS v0.1 with AlexNet (Zhang et al. 2018): perceptual distance, 0 for equal images.

    The network is loaded when it is first used. The backbone comes from the file that the
    environment variable HPINET_LPIPS_BACKBONE names (torchvision's AlexNet, `features.*` tensors,
    .safetensors or .pth), else from where `hpinet.metrics.backbone` or torchvision keeps it.
    Nothing is fetched here.

    Args:
        backbone: The backbone's file, instead of the environment variable.
    """

    def __init__(self, backbone: str | Path | None = None) -> None:
        self._backbone = backbone or find_backbone()
        self._network: Any = None
        self._reason: str | None = None
        self._lock = threading.Lock()

    @property
    def available(self) -> bool:
        """Whether distances can be computed."""
        return self.reason == ""

    @property
    def reason(self) -> str:
        """Why no distances can be computed, in a sentence; empty if they can."""
        with self._lock:
            if self._reason is None:
                self._network, self._reason = self._load()
            return self._reason

    def __call__(self, sr: Pixels, hr: Pixels) -> float:
        """Distance between two images, rounded to 8 bit, without border crop; 0 or more.

        Args:
            sr: uint8 (H, W, 3), or floats (1, 3, H, W) in [0, 1].
            hr: The original, of the same size.

        Raises:
            ValueError: not available, different sizes, or smaller than 31 pixels a side.
        """
        if not self.available:
            raise UserError(self.reason)
        a, b = eight_bit(sr), eight_bit(hr)
        check_sizes(a, b)
        if min(a.shape[:2]) < LPIPS_MIN_SIZE:
            raise UserError(
                f"An image of {a.shape[1]}x{a.shape[0]} pixels is too small for LPIPS: "
                f"at least {LPIPS_MIN_SIZE} a side are needed."
            )
        with torch.inference_mode():
            return float(self._network(from_uint8(a), from_uint8(b), normalize=True))

    def _load(self) -> tuple[Any, str]:
        try:
            import lpips
        except ImportError as error:
            return None, f"LPIPS needs the package lpips ({error})."
        # Building the network draws random numbers: the caller's random state stays as it was.
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")  # lpips calls torchvision in its old ways
            try:
                if self._backbone is None:
                    raise UserError(
                        "LPIPS needs AlexNet's weights, which are not on this machine: fetch them "
                        "once by `python -m hpinet download lpips`, or set "
                        f"{BACKBONE_VARIABLE} to a file of them."
                    )
                path = Path(self._backbone)
                tensors = _read_backbone(path)
                network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
                _load_backbone(network.net, tensors, path.name)
            except UserError as error:
                return None, str(error)
        return network.eval().requires_grad_(False), ""


def _load_backbone(net: torch.nn.Module, given: dict[str, Tensor], name_of_file: str) -> None:
    """Fill lpips' AlexNet slices, which number layers as torchvision's `features` does.

    Raises:
        ValueError: the tensors are those of another network.
    """
    state = {}
    for name, tensor in net.state_dict().items():  # "slice2.3.weight" is "features.3.weight"
        key = "features." + name.split(".", 1)[1]
        found = given.get(key)
        if found is None or found.shape != tensor.shape:
            what = "nothing" if found is None else f"shape {tuple(found.shape)}"
            raise UserError(
                f"{BACKBONE_VARIABLE} names {name_of_file}, which is not torchvision's AlexNet: "
                f"{key} should have shape {tuple(tensor.shape)}, found {what}."
            )
        state[name] = found
    net.load_state_dict(state)


def _read_backbone(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UserError(f"{BACKBONE_VARIABLE} names {path}, which is not a file.")
    try:
        return read_weights(path).tensors
    except WeightsError as error:
        raise UserError(
            f"{BACKBONE_VARIABLE} names {path.name}, which holds no weights: {error}."
        ) from None
