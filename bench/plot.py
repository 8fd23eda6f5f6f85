"""The numbers as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PANELS = {
    "wall": "wall time (s)",
    "cpu_ms": "CPU per video (ms)",
    "peak_rss": "peak memory (MB)",
    "queries": "status queries per job",
}


def plot(contest: list[dict[str, Any]], growth: list[dict[str, Any]], path: Path) -> bool:
    """Draw each contest, and the cost by size of the batch; False where matplotlib is not installed."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        return False
    scenes = list(dict.fromkeys((row["scene"], row["latency"]) for row in contest))
    figure, axes = pyplot.subplots(len(scenes) + 1, len(PANELS), figsize=(16, 3.6 * (len(scenes) + 1)))
    for row, (scene, latency) in zip(axes, scenes, strict=False):
        rows = [each for each in contest if (each["scene"], each["latency"]) == (scene, latency)]
        for axis, (name, title) in zip(row, PANELS.items(), strict=True):
            bars = axis.bar([each["contender"] for each in rows], [each[name] for each in rows], color="#4477aa")
            axis.bar_label(bars, fmt="{:,.3g}" if name != "peak_rss" else "{:,.0f}")
            axis.margins(y=0.12)
            axis.tick_params(axis="x", labelsize=8)
            axis.set_title(f"{scene}, jobs of {latency:g} s: {title}", fontsize=9)
    sizes = [str(each["jobs"]) for each in growth]
    for axis, (name, title) in zip(axes[-1], PANELS.items(), strict=True):
        axis.plot(sizes, [each[name] for each in growth], marker="o", color="#4477aa")
        axis.margins(y=0.15)
        axis.set_ylim(bottom=0)
        axis.set_title(f"ours: {title} by prompts", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    return True
