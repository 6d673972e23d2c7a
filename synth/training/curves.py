"""Learning curves: the numbers of each epoch as ``steps.jsonl`` and as a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from synth.record.atomic import write_atomically
from synth.record.plots import INK, png_of, style

TRAIN, PLAIN, TEST, OTHER = "#7a869a", "#1d4ed8", "#c2410c", "#0f766e"


def write_rows(path: Path, rows: Sequence[Mapping[str, float | int]]) -> None:
    """Writes ``steps.jsonl``, one object a line, replacing what is there.

    After a resume the file then holds exactly the epochs of the checkpoint.
    """
    write_atomically(path, "".join(json.dumps(dict(row)) + "\n" for row in rows).encode())


def draw_curves(
    path: Path, rows: Sequence[Mapping[str, float | int]], panels: Mapping[str, Sequence[str]]
) -> None:
    """Draws numbers over epochs.

    Args:
        path: where the PNG is written.
        rows: one an epoch; ``step`` is the epoch.
        panels: the names of the numbers in each panel, by its title. Names that begin with
            ``train_`` are grey, with ``train_plain_`` blue, the first other one has the strong
            colour. Where all numbers of a panel lie in [0, 1] and it is not a loss, it is drawn in
            per cent. An epoch that lacks a number is left out.
    """
    figure = Figure(figsize=(5.2 * len(panels), 3.6), dpi=150, layout="constrained")
    for place, (title, names) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), place)
        present = [name for name in names if any(name in row for row in rows)]
        share = (
            all(0 <= row[name] <= 1 for row in rows for name in present if name in row)
            and "loss" not in title.lower()
        )
        _panel(axes, rows, present, 100.0 if share else 1.0)
        axes.set_title(
            title + (" (%)" if share else ""), loc="left", fontsize=11, color=INK, fontweight="bold"
        )
    write_atomically(path, png_of(figure))


def _panel(
    axes: Axes, rows: Sequence[Mapping[str, float | int]], names: Sequence[str], factor: float
) -> None:
    strong = [name for name in names if not name.startswith("train_")]
    for name in names:
        measured = [row for row in rows if name in row]
        epochs, values = [row["step"] for row in measured], [factor * row[name] for row in measured]
        colour = PLAIN if name.startswith("train_plain_") else TRAIN
        if name in strong:
            colour = TEST if name == strong[0] else OTHER
        label = f"{name.replace('_', ' ')}  {values[-1]:.3g}"
        axes.plot(
            epochs, values, color=colour, linewidth=1.8, label=label, marker="o", markersize=2.5
        )
    axes.set_xlabel("epoch", color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    style(axes, "y")
    if names:
        axes.legend(frameon=False, fontsize=9, labelcolor=INK)
