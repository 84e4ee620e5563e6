"""How Global Pixel Access decides: the most similar other patch (Eq. 8), and the gradient of that.

In training the choice is random, by the Gumbel-softmax trick: a hard choice forward, the gradient
of a soft one backward (straight-through).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

# Similarities held at once. 40 MB in float32: from 32 MB on glibc returns each at once.
_MATRIX_BUDGET = 10 << 20


def similarity(tokens: Tensor, rows: slice = slice(None)) -> Tensor:
    """Similarity of patches, s_ij = L(X_i)^T L(X_j) / sqrt(C) of Eq. 8, with s_ii = -inf.

    The factor 1 / sqrt(C) is the released network's. It changes no argmax, but it decides how much
    the Gumbel noise of training counts beside the similarities.

    Args:
        tokens: (B, N, C), L(X_i): the mean over each patch's pixels, layer-normalised.
        rows: The patches i to compare with all N; all of them by default.

    Returns:
        (B, R, N) for R patches i.
    """
    scores = tokens[:, rows] * tokens.shape[-1] ** -0.5 @ tokens.transpose(1, 2)
    numbers = torch.arange(tokens.shape[1], device=tokens.device)
    return scores.masked_fill_(numbers[rows, None] == numbers, -torch.inf)  # Eq. 8 has j != i


def best_matches(tokens: Tensor, budget: int = _MATRIX_BUDGET) -> tuple[Tensor, Tensor]:
    """Most similar other patch of each patch (Eq. 8), in bands of the N x N similarities.

    Args:
        tokens: (B, N, C) pooled and normalised patches, as in `similarity`.
        budget: Similarities held at once, over the whole batch.

    Returns:
        Index (B, N) int64 and similarity (B, N). A lone patch matches itself, similarity NaN.
    """
    b, n, _ = tokens.shape
    if n == 1:
        return tokens.new_zeros(b, 1, dtype=torch.long), tokens.new_full((b, 1), torch.nan)
    tokens = tokens.detach()  # an argmax has no gradient
    band = max(1, budget // (b * n))  # patches i whose similarities to all N are held
    best = [similarity(tokens, slice(i, i + band)).max(-1) for i in range(0, n, band)]
    return torch.cat([one.indices for one in best], 1), torch.cat([one.values for one in best], 1)


def gumbel_matches(scores: Tensor, seeds: Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
    """A random match by the Gumbel-max trick, and the soft choice whose gradient replaces its own.

    With g_ij drawn from Gumbel(0, 1), argmax_j (s_ij + g_ij) is j with probability
    softmax_j(s_ij). The soft choice is softmax_j((s_ij + g_ij) / tau) at temperature tau = 1
    (Jang et al. 2016).

    Args:
        scores: (B, N, N) similarities, -inf on the diagonal. N at least 2.
        seeds: One seed an image, so that its draws do not depend on the rest of the batch; the
            global generator by default.

    Returns:
        Index (B, N) int64 of the hard choice, and the soft one, (B, N, N) probabilities.
    """
    if seeds is None:
        draws = torch.empty_like(scores).exponential_()
    else:  # drawn on the CPU, so that a seed gives the same numbers on every device
        generators = (torch.Generator().manual_seed(seed) for seed in seeds)
        shape = scores.shape[1:]
        draws = torch.stack([torch.empty(shape).exponential_(generator=g) for g in generators])
    noise = -draws.to(scores).log()  # -log of an Exp(1) draw is a Gumbel(0, 1) draw
    soft = torch.softmax(scores + noise, -1)  # the diagonal stays -inf, probability 0
    return soft.argmax(-1), soft


class _StraightThrough(torch.autograd.Function):
    """Y = H X forward, for the hard choice H = one_hot(index); the gradient as if H were soft S.

    The plain formula is Y = (H - detach(S) + S) X with X (N, L * C) and H, S (M, N): a product that
    only selects M rows of X. Here the rows are gathered, which also gives dLoss/dX = H^T G for
    G = dLoss/dY, (M, L * C). What is left is how the loss answers to each choice,
    dLoss/dS = G X^T, (M, N).
    """

    @staticmethod
    def forward(ctx: Any, matched: Tensor, soft: Tensor, patches: Tensor) -> Tensor:
        ctx.save_for_backward(patches)
        ctx.soft_dtype = soft.dtype
        return matched.view_as(matched)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, Tensor, None]:
        (patches,) = ctx.saved_tensors
        # (B, M, L * C) @ (B, L * C, N) -> (B, M, N)
        to_soft = grads[0].flatten(2) @ patches.flatten(2).transpose(1, 2)
        return grads[0], to_soft.to(ctx.soft_dtype), None


def straight_through(matched: Tensor, soft: Tensor, patches: Tensor) -> Tensor:
    """Matched patches whose gradient also reaches the choice (Gumbel-softmax, straight-through).

    Args:
        matched: (B, M, L, C), the hard choice, gathered from the patches.
        soft: (B, M, N) probabilities of `gumbel_matches`; they only take the gradient.
        patches: (B, N, L, C), all patches; they take no gradient here.

    Returns:
        ``matched``; gradients equal those of ``(one_hot - soft.detach() + soft) @ patches``.
    """
    straight: Tensor = _StraightThrough.apply(matched, soft, patches)
    return straight
