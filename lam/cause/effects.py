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
from lam.attribution.inspection import check_repeatable, takes_matches, unwrapped
from lam.attribution.memory_plan import batch_size
from lam.attribution.results import last
from lam.attribution.target import Target
from lam.window import Window

from .interventions import Interventions, Job, check_block
from .quadtree import Sampling, share_out
from .results import DECIBEL, GREY_LEVELS, BlockMap, CausalEffectResult, blocks_inside
from .sampling import Array, Mask, Tally
from .window_quality import WindowQuality, check_original

TOLERANCE = {DECIBEL: 0.01, GREY_LEVELS: 0.05}
"""Effects below it count as zero: the authors' 0.01 dB, and a twentieth of a grey level."""

MATCHES = ("live", "frozen", "own", "split")
"""`lam.MATCHES`, and ``split``: live and frozen side by side, on the same interventions."""


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
            matches: One of `MATCHES`.
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
        asked = _Asked(self.forward_func, lr, hr, window, matches, slack)
        check_block(block, asked.image)
        batch = batch_size(internal_batch_size, asked.image)
        normal = asked.prepare(hr)
        scale = asked.params["scale"]
        interventions = Interventions(
            asked.image, block, max(1, round(scale)), replacement, patches, seed,
            paired=protocol == "adaptive",
        )  # fmt: skip
        size = (int(asked.image.shape[-2]), int(asked.image.shape[-1]))
        kept = blocks_inside(window, size, block, scale)
        if kept.all():
            raise UserError(
                f"the window of {window.size} pixels covers every block of the image: "
                f"take a smaller one, for there is nothing outside whose effect could be asked"
            )
        params = {
            **asked.params,
            "method": "causal_effect",
            "block": block,
            "replacement": replacement,
            "patches": None if patches is None else str(patches),
            "seed": seed,
            "matches": matches,
            "sampling": asdict(plan),
        }
        return _Measurement(asked, interventions, plan, kept, normal, unit, batch, params).results()


class _Asked:
    """The window's quality as a function of LR images, under one rule for matches or two."""

    def __init__(
        self,
        forward_func: Callable[..., Any],
        lr: Tensor,
        hr: Tensor | None,
        window: Window,
        matches: str,
        slack: float,
    ) -> None:
        if matches not in MATCHES:
            raise UserError(f"matches must be one of {', '.join(MATCHES)}, not {matches!r}")
        if matches == "split" and not takes_matches(unwrapped(forward_func)):
            raise UserError(
                "this network has no matches, so its effects cannot be split into content and "
                "matches: leave matches out"
            )
        self._window, self.quality = window, WindowQuality()
        rules = ("live", "frozen") if matches == "split" else (matches,)
        self.targets = [
            Target(forward_func, lr, window, self.quality, rule, slack) for rule in rules
        ]
        self.image, self.params = self.targets[0].image, self.targets[0].params
        if hr is not None and "sr_size" in self.params:  # before the first, costly pass
            check_original(hr, tuple(self.params["sr_size"]))

    @torch.no_grad()
    def prepare(self, hr: Tensor | None) -> float | None:
        """Super-resolve the untouched image; the window's PSNR, None without an original.

        Raises:
            UserError: If the original does not fit, or the network is random.
        """
        first = self.targets[0]
        check_repeatable(
            lambda image: first.network(image)[0].float().mean(), self.image, first.forward_func
        )
        first.evaluate()
        normal = None
        if hr is not None:
            original = check_original(hr, tuple(self.params["sr_size"]))
            normal = self.quality.compare_with(original, self._window)
        self.params["detector"] = self.quality.describe()
        return normal

    @torch.no_grad()
    def changes(self, images: Tensor, normal: float | None) -> Array:
        """How much worse, or how different, the window is: (B, quantities).

        One quantity, or three: with live matches, with frozen ones, and their difference.
        """
        values = np.stack([target(images).numpy() for target in self.targets], 1)
        found = values if normal is None else normal - values
        if len(self.targets) == 1:
            return np.asarray(found)
        return np.column_stack([found, found[:, 0] - found[:, 1]])


class _Measurement:
    """One run: makes the plan's interventions, tallies them and says what is known so far."""

    def __init__(
        self,
        asked: _Asked,
        interventions: Interventions,
        sampling: Sampling,
        kept: Mask,
        normal: float | None,
        unit: str,
        batch: int,
        params: dict[str, Any],
    ) -> None:
        self._asked, self._interventions, self._sampling = asked, interventions, sampling
        self._kept, self._normal, self._unit = kept, normal, unit
        self._batch, self._params = batch, params
        self._tally = Tally(interventions.shape, 3 if len(asked.targets) > 1 else 1)
        self._plan = sampling.plan(self._tally, kept, interventions.repeats)
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
            found = self._asked.changes(images, self._normal)
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
            values[:, self._kept] = np.nan
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
