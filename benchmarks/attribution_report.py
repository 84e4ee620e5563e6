"""The findings of ``python -m lam benchmark`` as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def format_costs(report: dict[str, Any]) -> str:
    """Lay a report of ``python -m lam benchmark --json`` out as text."""
    height, width = report["size"]
    left, top, side = report["window"]
    lines = [
        f"{report['model']} x{report['scale']}, LR {height}x{width} (HxW, {report['picture']}), "
        f"window {left} {top} {side}, on {report['device']}, {report['threads']} CPU threads, "
        f"torch {report['torch']}",
    ]
    for name, lay_out in _PARTS.items():
        if report.get(name) is not None:
            lines += lay_out(report[name])
    return "\n".join(lines)


def _accuracy(found: dict[str, Any]) -> Iterator[str]:
    yield f"accuracy: distance from a map of {found['reference_steps']} steps by the demo's sum"
    yield f"  the demo's {found['demo_steps']} steps  {100 * found['demo_error']:6.2f}%"
    for row in found["nodes"]:
        yield f"  {row['nodes']:3} nodes here    {100 * row['error']:6.2f}%"
    equal = found["equal_nodes"]
    yield f"  as accurate as the demo: {'none of these' if equal is None else f'{equal} nodes'}"
    yield f"  plain formulas' gradient differs by {found['plain_difference']:.1e}"


def _time(found: dict[str, Any]) -> Iterator[str]:
    plain = "plain formulas" if found["plain"] else "the network as it is"
    yield "time: median of the rounds (least to greatest)"
    yield f"  a step of the demo, {plain}  {_spread(found['demo_step'])} s"
    yield f"  a step here  {_spread(found['step'])} s"
    yield f"  a step, ratio  {_spread(found['step_ratio'])}"
    yield (
        f"  {found['nodes']} nodes here to {found['demo_steps']} steps of the demo, ratio  "
        f"{_spread(found['map_ratio'])}; with jumps of matches  {_spread(found['result_ratio'])}"
    )
    growing = found["progressive"]
    for name, title in (("first", "first map"), ("level", "first whole level")):
        seen = growing[name]
        yield (
            f"  {title} of {growing['steps']} steps, after {seen['steps']}: "
            f"{_spread(seen['share'], 100, 1)}% of the time, "
            f"{_spread(seen['share_of_map'], 100, 1)}% of that to the map alone, "
            f"{100 * seen['error']:.1f}% from the final map"
        )


def _attention(found: list[dict[str, Any]]) -> Iterator[str]:
    yield "attention, forward and backward: fused over unfused"
    for row in found:
        yield (
            f"  patches of {row['patch_size']}, {row['patches']} of them  {_spread(row['ratio'])}"
            f"  ({1000 * row['unfused']['median']:.1f} ms unfused)"
        )


def _memory(found: list[dict[str, Any]]) -> Iterator[str]:
    yield f"memory: {found[0]['peak_is']}"
    for row in found:
        height, width = row["size"]
        peak = "-" if row["peak"] is None else f"{row['peak'] / 2**20:.0f} MiB"
        how = f"{row['steps_at_once']} steps at once" + ", recomputed" * row["recompute"]
        yield f"  LR {height}x{width}: {peak} of {row['budget'] / 2**20:.0f} MiB, {how}"


def _spread(found: dict[str, float], factor: float = 1, digits: int = 3) -> str:
    low, middle, high = (f"{factor * found[k]:.{digits}f}" for k in ("min", "median", "max"))
    return f"{middle} ({low} to {high})"


_PARTS: dict[str, Callable[[Any], Iterator[str]]] = {
    "accuracy": _accuracy,
    "time": _time,
    "attention": _attention,
    "memory": _memory,
}
