"""Work in a checkout of the repository, in a process of its own: `checkouts` starts it.

The process begins in the checkout's folder, from which `hpinet` and `lam` come, so only names are
used here that every commit offers. Its one argument is a JSON object (see `prepared`). It writes a
line of JSON when it is ready; then it does the work once for every line that it reads, and writes
the seconds that it took.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch


def prepared(wanted: dict[str, Any]) -> Callable[[], float]:
    """The work, to be done again and again; each time it returns a number of its result.

    Args:
        wanted: ``work`` (``"forward"``, ``"training"`` or ``"attribution"``), ``variant``,
            ``scale``, ``size`` (LR height and width), ``batch`` and ``steps`` (of a map).

    Returns:
        A function. Its number is the mean of the SR image, the loss, or the integral of the map:
        equal numbers say that checkouts compute the same.
    """
    from hpinet import HPINet, get_config

    torch.manual_seed(0)
    model = HPINet(get_config(wanted["variant"], wanted["scale"]))
    noise = torch.Generator().manual_seed(0)
    lr = torch.rand(wanted["batch"], 3, *wanted["size"], generator=noise)
    if wanted["work"] == "training":
        return _training(model.train(), lr)
    model = model.eval().requires_grad_(False)
    if wanted["work"] == "attribution":
        return _attribution(model, lr[:1], wanted["steps"])

    def forward() -> float:
        with torch.no_grad():
            return float(model(lr).double().mean())

    return forward


def _training(model: Any, lr: torch.Tensor) -> Callable[[], float]:
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    target = torch.full((len(lr), 3, *(side * model.scale for side in lr.shape[2:])), 0.5)

    def step() -> float:
        loss = (model(lr, seeds=list(range(0, 256 * len(lr), 256))) - target).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return float(loss.detach())

    return step


def _attribution(model: Any, lr: torch.Tensor, steps: int) -> Callable[[], float]:
    from lam import LocalAttribution, Window

    size = 16
    top, left = ((side * model.scale - size) // 2 for side in lr.shape[2:])
    window = Window(left, top, size)

    def attribute() -> float:
        return float(LocalAttribution(model).attribute(lr, window, n_steps=steps).integral)

    return attribute


def peak_of_process() -> int | None:
    """Bytes of resident memory at the peak, libraries included; None where it cannot be told."""
    if not sys.platform.startswith("linux"):
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Serve one caller: see the top of this file."""
    wanted = json.loads(sys.argv[1])
    torch.set_num_threads(wanted["threads"])
    work = prepared(wanted)
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        start, cpu = time.perf_counter(), time.process_time()
        result = work()
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
        told = {"seconds": seconds, "cpu_seconds": cpu_seconds, "result": result}
        print(json.dumps({**told, "peak_memory": peak_of_process()}), flush=True)


if __name__ == "__main__":
    main()
