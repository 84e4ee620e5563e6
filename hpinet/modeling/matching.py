"""How Global Pixel Access decides: the most similar other patch (Eq. 8), and the gradient of that.

In training the choice is random, by the Gumbel-softmax trick: a hard choice forward, the gradient
of a soft one backward (straight-through).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .direct_access import recorded

_MATRIX_BUDGET = 1 << 24  # similarity entries held at once: 64 MB in float32


def similarity(tokens: Tensor, rows: slice = slice(None), out: Tensor | None = None) -> Tensor:
    """Similarity of patches, s_ij = L(X_i)^T L(X_j) / sqrt(C) of Eq. 8, with s_ii = -inf.

    The factor 1 / sqrt(C) is the released network's. It changes no argmax, but it decides how much
    the Gumbel noise of training counts beside the similarities.

    Args:
        tokens: (B, N, C), L(X_i): the mean over each patch's pixels, layer-normalised.
        rows: The patches i to compare with all N; all of them by default.
        out: (B, R, N), where to write them if no gradient is needed.

    Returns:
        (B, R, N) for R patches i.
    """
    # (B, R, C) @ (B, C, N) -> (B, R, N)
    scaled = tokens[:, rows] * tokens.shape[-1] ** -0.5
    scores = torch.bmm(scaled, tokens.transpose(1, 2), out=out)
    # Eq. 8 has j != i. Row r of the result is patch rows.start + r, so i = j lies on the diagonal
    # that starts at column rows.start.
    if recorded(tokens):  # a graph cannot always hold what writes into a part of its input
        count, first = scores.shape[1:], rows.start or 0
        itself = torch.ones(count, dtype=torch.bool, device=scores.device).triu(first).tril(first)
        return scores.masked_fill(itself, -torch.inf)
    scores.diagonal(rows.start or 0, 1, 2).fill_(-torch.inf)
    return scores


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
    if recorded(tokens):
        value, index = similarity(tokens).max(-1)
        return index, value
    band = min(n, max(1, budget // (b * n)))  # patches i whose similarities to all N are held
    # One buffer for all bands: allocated anew for each, with the results between them, the heap
    # grew with every band.
    buffer = tokens.new_empty(b, band, n)
    index, value = tokens.new_empty(b, n, dtype=torch.long), tokens.new_empty(b, n)
    for first in range(0, n, band):
        rows = slice(first, min(n, first + band))
        scores = similarity(tokens, rows, buffer[:, : rows.stop - first])  # (B, R, N)
        torch.max(scores, -1, out=(value[:, rows], index[:, rows]))
    return index, value


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


def take(patches: Tensor, index: Tensor) -> Tensor:
    """The matched patches, without the one-hot (M, N) matrix times (N, L * C).

    Args:
        patches: (B, N, L, C) for L = P * P pixels.
        index: (B, M) patch numbers, or (1, M) for the whole batch.

    Returns:
        (B, M, L, C); no image takes patches of another.
    """
    b, n, length, c = patches.shape
    # Patch j of image k is row k * N + j of the (B * N, L * C) matrix.
    offset = torch.arange(b, device=patches.device)[:, None] * n
    flat = (index.to(patches.device) + offset).flatten()
    return patches.reshape(b * n, length * c).index_select(0, flat).view(b, -1, length, c)


class _StraightThrough(torch.autograd.Function):
    """Y = H X forward, for the hard choice H = one_hot(index); the gradient as if H were soft S.

    The plain formula is Y = (H - detach(S) + S) X with X (N, L * C) and H, S (M, N), M = N for all
    patches: a product that only selects M rows of X. Here the rows are gathered. With
    G = dLoss/dY, (M, L * C),

        dLoss/dX = H^T G   adds each row of G to the row of X that was taken,
        dLoss/dS = G X^T   (M, N), how the loss answers to each choice; the only product left.
    """

    @staticmethod
    def forward(ctx: Any, patches: Tensor, soft: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(patches, index)
        ctx.soft_dtype = soft.dtype
        return take(patches, index)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        patches, index = ctx.saved_tensors
        b, n, length, c = patches.shape
        offset = torch.arange(b, device=grad.device)[:, None] * n  # as in `take`
        flat = grad.reshape(-1, length * c)  # (B * M, L * C)
        # H^T G, (B * N, L * C): a patch that several attend to collects the sum of their gradients.
        to_patches = flat.new_zeros(b * n, length * c)
        to_patches.index_add_(0, (index + offset).flatten(), flat)
        # G X^T, (B, M, L * C) @ (B, L * C, N) -> (B, M, N)
        to_soft = flat.view(b, -1, length * c) @ patches.reshape(b, n, -1).transpose(1, 2)
        return to_patches.view_as(patches), to_soft.to(ctx.soft_dtype), None


def take_straight_through(patches: Tensor, soft: Tensor, index: Tensor) -> Tensor:
    """Matched patches whose gradient also reaches the choice (Gumbel-softmax, straight-through).

    Args:
        patches: (B, N, L, C).
        soft: (B, M, N) probabilities of `gumbel_matches`; they only take the gradient.
        index: (B, M) the hard choice.

    Returns:
        (B, M, L, C); gradients equal those of ``(one_hot - soft.detach() + soft) @ patches``.
    """
    return _StraightThrough.apply(patches, soft, index)
