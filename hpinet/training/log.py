"""What a run tells while it trains: a progress bar, `log.csv`, and TensorBoard's event files."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from tqdm import tqdm

from .state import TrainingError


class Progress:
    """The bar on the terminal, and the figures of the steps since the last row of the log.

    Args:
        done: Steps done before.
        steps: Steps in all; None where the clock ends the run.
        show: Whether to draw the bar.
    """

    def __init__(self, done: int, steps: int | None, show: bool) -> None:
        self.bar = tqdm(total=steps, initial=done, unit="step", disable=not show, mininterval=5)
        self.loss: float | None = None
        self._since_row()

    def _since_row(self) -> None:
        self._images, self._waited, self._start = 0, 0.0, time.perf_counter()

    def update(self, loss: float, lr: float, images: int, waited: float, left: float) -> None:
        """Take in one step.

        Args:
            loss: Its loss.
            lr: Its learning rate.
            images: Crops of it, over all processes.
            waited: Seconds for which it waited for them.
            left: Seconds that the clock leaves to the run; infinite where it is counted in steps.
        """
        self.loss = loss if self.loss is None else self.loss + 0.02 * (loss - self.loss)
        self._images += images
        self._waited += waited
        figures = {"loss": f"{self.loss:.4f}", "lr": f"{lr:.1e}", "img/s": f"{self._speed():.1f}"}
        if left < float("inf"):  # else the bar itself knows
            figures["left"] = tqdm.format_interval(int(max(0.0, left)))
        self.bar.set_postfix(figures, refresh=False)
        self.bar.update()

    def _speed(self) -> float:
        return self._images / max(time.perf_counter() - self._start, 1e-9)

    def row(self) -> dict[str, float | None]:
        """The figures since the last call: mean loss, images a second, share of time waited."""
        seconds = max(time.perf_counter() - self._start, 1e-9)
        row = {
            "loss": self.loss,
            "images_per_s": round(self._speed(), 2),
            "waited_share": round(self._waited / seconds, 5),
        }
        self._since_row()
        return row


def add_row(path: Path, row: dict[str, Any]) -> None:
    """Append one row to a CSV file; a file that is there already keeps its columns."""
    columns = list(row)
    if path.exists():
        with path.open(newline="") as file:
            columns = next(csv.reader(file), columns)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow(row)


def start_tensorboard(accelerator: Accelerator) -> None:
    """Let ``accelerator.log`` write event files into its logging folder.

    Raises:
        TrainingError: If TensorBoard is not installed.
    """
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        raise TrainingError(
            "TensorBoard is not installed: `pip install tensorboard`, or leave out --tensorboard "
            "(log.csv holds the same figures)"
        ) from None
    accelerator.init_trackers("tensorboard")
