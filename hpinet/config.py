"""Configurations of HPINet: the paper's S, M and L, and its ablations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from hpinet.errors import UserError

SCALES = (2, 3, 4)
"""Up-scaling factors of the paper's Table 1."""


@dataclass(frozen=True)
class HPINetConfig:
    """Everything that decides the shapes of an HPINet's tensors.

    Attributes:
        dim: Channels C of every feature map.
        qk_dim: Channels d of query and key (Eq. 6), fewer than ``dim``: a score needs fewer
            channels than a value.
        ffn_dim: Hidden channels of the feed-forward network.
        patch_sizes: Patch size P of each block, in LR pixels. Growing sizes are the paper's
            Cascaded Patch Division (CPD); one size throughout is its ablation.
        overlap: Pixels that neighbouring patches share; they are averaged. The released networks
            were trained with 2 (it reproduces the tables); 0 is the paper's Eq. 4-5.
        scale: Up-scaling factor: 2, 3 or 4.
        gpa: Whether a block's first attention attends to the matched patch (Global Pixel Access,
            Eq. 9). Without, it is self-attention like the other two, with as many parameters: the
            paper's "w/o GPA".
        ipsa: ``"attention"`` is the paper's; ``"depthwise"`` replaces the two self-attentions by
            depth-wise convolutions of as many parameters (Table 4, "w/o IPSA").
        conv: Whether a block ends in its 3x3 convolution (Table 4, "w/o 3x3 conv", if not).

    Raises:
        ValueError: If a value cannot make a network.
    """

    dim: int = 56
    qk_dim: int = 32
    ffn_dim: int = 100
    patch_sizes: tuple[int, ...] = (12, 16, 20, 24, 12, 16, 20, 24)
    overlap: int = 2
    scale: int = 4
    gpa: bool = True
    ipsa: Literal["attention", "depthwise"] = "attention"
    conv: bool = True

    def __post_init__(self) -> None:
        for name in ("dim", "qk_dim", "ffn_dim"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.scale not in SCALES:
            raise UserError(f"scale must be one of {SCALES}, not {self.scale}")
        if not self.patch_sizes:
            raise UserError("patch_sizes must name at least one block")
        if not 0 <= 2 * self.overlap < min(self.patch_sizes):
            raise UserError(
                f"overlap must be at least 0 and under half the smallest patch "
                f"({min(self.patch_sizes)}), not {self.overlap}"
            )
        if self.ipsa not in ("attention", "depthwise"):
            raise UserError(f"ipsa must be 'attention' or 'depthwise', not {self.ipsa!r}")

    @property
    def blocks(self) -> int:
        """Number K of blocks."""
        return len(self.patch_sizes)

    @property
    def depthwise_kernel(self) -> int:
        """Odd kernel size k of a depth-wise convolution with as many weights as a self-attention.

        A self-attention holds C (2 d + C) weights, a depth-wise convolution C k^2, so k is the odd
        number nearest to sqrt(2 d + C). The paper keeps the budget "similar" without naming k.
        """
        side = float(2 * self.qk_dim + self.dim) ** 0.5
        return 2 * round((side - 1) / 2) + 1

    def with_scale(self, scale: int) -> HPINetConfig:
        """The same network for another up-scaling factor."""
        return replace(self, scale=scale)

    def without_gpa(self) -> HPINetConfig:
        """The twin without Global Pixel Access, of as many parameters (Table 2, models 1 and 2)."""
        return replace(self, gpa=False)


_NO_CASCADE = (18,) * 8  # the paper's ablation: "fixed as 18 to maintain similar Multi-Adds"

S = HPINetConfig(dim=40, qk_dim=24, ffn_dim=72)
M = HPINetConfig(dim=56, qk_dim=32, ffn_dim=100)
# The released L has 10 blocks and one more patch size; so built it has the paper's 1.44M.
L = HPINetConfig(dim=64, qk_dim=36, ffn_dim=128, patch_sizes=(12, 14, 16, 20, 24) * 2)

VARIANTS: dict[str, HPINetConfig] = {
    "S": S,
    "M": M,
    "L": L,
    # Table 2, models 1 to 4 (M is model 4).
    "M-no-cpd-no-gpa": replace(M, patch_sizes=_NO_CASCADE, gpa=False),
    "M-no-gpa": replace(M, gpa=False),
    "M-no-cpd": replace(M, patch_sizes=_NO_CASCADE),
    # Table 4.
    "M-no-ipsa": replace(M, ipsa="depthwise"),
    "M-no-conv": replace(M, conv=False),
    # Eq. 4-5 to the letter: patches do not overlap, but for the last one, flush with the border.
    "M-no-overlap": replace(M, overlap=0),
    # The twins that `gpa=False` loads.
    "S-no-gpa": replace(S, gpa=False),
    "L-no-gpa": replace(L, gpa=False),
}
"""The networks that have a name. Scale is 4 unless `HPINetConfig.with_scale` says otherwise."""


def get_config(name: str, scale: int = 4) -> HPINetConfig:
    """The named variant at a scale.

    Args:
        name: A key of `VARIANTS`.
        scale: 2, 3 or 4, SR pixels per LR pixel.

    Raises:
        ValueError: If no variant has that name or the scale is not 2, 3 or 4.
    """
    if name not in VARIANTS:
        raise UserError(f"no variant is named {name!r}; there are {', '.join(VARIANTS)}")
    return VARIANTS[name].with_scale(scale)
