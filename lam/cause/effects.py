"""Causal effect maps (Hu et al. 2024): does what a network looks at help it?

The measure of "Interpreting Low-level Vision Models with Causal Effect Maps" (arXiv 2407.19789):
replace a block of the LR image by other content, many times, and see how the window's PSNR changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hpinet.errors import UserError
from hpinet.imaging.value_range import INPUT_SLACK
from hpinet.inference.memory_errors import is_out_of_memory
from lam.attribution.memory_plan import batch_size
from lam.attribution.results import last
from lam.window import Window

from .interventions import Interventions, Job, check_block
from .quadtree import Sampling, share_out
from .response import WindowResponse
from .results import DECIBEL, GREY_LEVELS, BlockMap, CausalEffectResult, blocks_inside
from .sampling import Array, Mask, Tally

TOLERANCE = {DECIBEL: 0.01, GREY_LEVELS: 0.05}
"""Effects below it count as zero: the authors' 0.01 dB, and a twentieth of a grey level."""


class CausalEffect:
    """The effect of every block of the LR image on a window's PSNR, for any SR network.

    >>> result = CausalEffect(model).effects(lr, hr, Window(left=96, top=96, size=32))
    >>> result.effect, result.standard_error, result.positive, result.negative

    Args:
        forward_func: A network, or any function, from (B, 3, h, w) RGB in [0, 1] to (B, 3, sh, sw).
            It is neither changed nor hooked.
    """

    def __init__(self, forward_func: Callable[..., Any]) -> None:
        self.forward_func = forward_func

    def effects(
        self, lr: Tensor, hr: Tensor | None, window: Window, block: int = 2, **options: Any
    ) -> CausalEffectResult:
        """The map of one window. Arguments as in `effects_progressively`.

        Raises:
            ValueError: If an image, the window or an option does not fit.
        """
        return last(self.effects_progressively(lr, hr, window, block, **options))

    def effects_progressively(
        self,
        lr: Tensor,
        hr: Tensor | None,
        window: Window,
        block: int = 2,
        *,
        protocol: str = "adaptive",
        replacement: str = "natural",
        patches: str | Path | None = None,
        seed: int = 0,
        matches: str = "live",
        tolerance: float | None = None,
        passes: int | None = None,
        internal_batch_size: int | None = None,
        slack: float = INPUT_SLACK,
        **sampling: Any,
    ) -> Iterator[CausalEffectResult]:
        """The map of one window, refined step by step.

        Yields after every batch of passes. Closing the generator ends the work and frees its
        memory: what was yielded last is the map so far. Only the tallies of the blocks and one
        batch of images are held at a time.

        Args:
            lr: The LR image, (1, 3, h, w) or (3, h, w), RGB float in [0, 1].
            hr: The original, (1, 3, sh, sw) or (3, sh, sw), RGB float in [0, 1]; None where there
                is none: then the effect is the unsigned change of the window, see
                `CausalEffectResult`.
            window: What is asked about, in SR pixels.
            block: Side of a block in LR pixels. Blocks wholly inside the window are left out.
            protocol: ``"adaptive"``: large blocks first, the same patches for all blocks, and no
                more draws for a block whose interval leaves zero or lies within the tolerance.
                ``"cem"``: the published protocol, see `lam.cause.quadtree.cem`.
            replacement: One of `lam.cause.interventions.REPLACEMENTS`. Those that are the same at
                every draw take one pass for each block, by either protocol.
            patches: A folder of images of HR resolution from which patches are cut; by default
                scikit-image's photographs.
            seed: Of the patches and draws.
            matches: One of `lam.cause.response.MATCHES`.
            tolerance: Effects below it count as zero; `TOLERANCE` by default.
            passes: The most interventions that ``"adaptive"`` makes, with natural patches.
            internal_batch_size: Passes computed at once; by default by the image's size. Halved
                when memory runs out.
            slack: How far the image's numbers may lie outside [0, 1].
            **sampling: ``confidence``, ``least``, ``most`` and ``sides`` of ``"adaptive"``, see
                `lam.cause.quadtree.Sampling`.

        Returns:
            A generator of results; the last one is the map.

        Raises:
            ValueError: At once, if an image, the window or an option does not fit.
        """
        unit = GREY_LEVELS if hr is None else DECIBEL
        limit = TOLERANCE[unit] if tolerance is None else tolerance
        plan = Sampling(protocol=protocol, tolerance=limit, passes=passes, **sampling)
        response = WindowResponse(self.forward_func, lr, hr, window, matches, slack)
        image = response.image
        check_block(block, image)
        batch_size(internal_batch_size, image)  # checked before the first, costly pass
        normal = response.prepare(hr)
        scale = response.params["scale"]
        interventions = Interventions(
            image, block, max(1, round(scale)), replacement, patches, seed,
            paired=protocol == "adaptive",
        )  # fmt: skip
        kept = blocks_inside(window, (int(image.shape[-2]), int(image.shape[-1])), block, scale)
        if kept.all():
            raise UserError(
                f"the window of {window.size} pixels covers every block of the image: "
                f"take a smaller one, for there is nothing outside whose effect could be asked"
            )
        if protocol == "adaptive":
            response.narrow()
        params = {
            **response.params,
            "method": "causal_effect",
            "block": block,
            "replacement": replacement,
            "patches": None if patches is None else str(patches),
            "seed": seed,
            "matches": matches,
            "sampling": asdict(plan),
        }
        batch = batch_size(internal_batch_size, response.computed)
        return _Measurement(
            response, interventions, plan, kept, normal, unit, batch, params
        ).results()


class _Measurement:
    """One run: makes the plan's interventions, tallies them and says what is known so far."""

    def __init__(
        self,
        response: WindowResponse,
        interventions: Interventions,
        sampling: Sampling,
        kept: Mask,
        normal: float | None,
        unit: str,
        batch: int,
        params: dict[str, Any],
    ) -> None:
        self._response, self._interventions, self._sampling = response, interventions, sampling
        self._inside, self._normal, self._unit = kept, normal, unit
        self._batch, self._params = batch, params
        self._tally = Tally(interventions.shape, response.quantities)
        self._kept = kept
        if response.box is not None:
            reached = response.box.blocks(interventions.shape, params["block"])
            self._kept = kept | ~reached
            self._tally.spread_error[:, ~reached] = 0  # the window does not depend on them
        self._plan = sampling.plan(self._tally, self._kept, interventions.repeats)
        self._large: dict[tuple[int, int, int], list[Array]] = {}
        self._passes, self._seconds, self._progress = 0, 0.0, 0.0

    def results(self) -> Iterator[CausalEffectResult]:
        """After every batch; the last one is final."""
        for jobs, later in self._plan:
            done = 0
            while done < len(jobs):
                chunk = jobs[done : done + self._batch]
                if not self._measure(chunk):
                    continue
                done += len(chunk)
                left = len(jobs) - done + later
                self._progress = max(self._progress, self._passes / (self._passes + left + 1))
                yield self._result()
        self._progress = 1.0
        yield self._result()

    def _measure(self, jobs: Sequence[Job]) -> bool:
        """Tally some interventions; False where memory ran out and fewer must be taken at once."""
        began = time.perf_counter()
        found = None
        try:
            images = self._interventions.images(jobs, self._kept)
            found = self._response.changes(images, self._normal)
        except (RuntimeError, MemoryError) as error:
            if len(jobs) == 1 or not is_out_of_memory(error):
                raise
        # The failed attempt's tensors are freed only after the except block has ended.
        self._seconds += time.perf_counter() - began
        if found is None:
            self._batch = len(jobs) // 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            return False
        for job, change in zip(jobs, found, strict=True):
            self._take(job, change)
        self._passes += len(jobs)
        return True

    def _take(self, job: Job, change: Array) -> None:
        if job.side == 1:
            self._tally.add(job.row, job.column, change)
            return
        draws = self._large.setdefault((job.row, job.column, job.side), [])
        draws.append(change)
        share_out(self._tally, job, self._kept, draws)

    def _result(self) -> CausalEffectResult:
        estimate, error = self._tally.estimate(), self._tally.standard_error()
        for values in (estimate, error):
            values[:, self._inside] = np.nan
        split = (
            [None, None]
            if len(estimate) == 1
            else [BlockMap(estimate[i], error[i]) for i in (1, 2)]
        )
        return CausalEffectResult(
            estimate=estimate[0],
            standard_error=error[0],
            draws=self._tally.draws.copy(),
            tolerance=self._sampling.tolerance,
            unit=self._unit,
            psnr=self._normal,
            block=self._params["block"],
            passes=self._passes,
            seconds=self._seconds,
            progress=self._progress,
            params=self._params,
            content=split[0],
            by_matches=split[1],
        )
