"""Plots of runs and trainings: the style of their axes, and their PNG."""

from __future__ import annotations

import io
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Plot

from synth.record.record import Record
from synth.record.result import Figure

FOLDER = "figures"  # of a run folder
INK, RULE = "#1f2933", "#e4e7eb"


def style(
    axes: Axes, grid: Literal["both", "x", "y"] = "both", labelsize: float | str = "medium"
) -> None:
    """Draws axes as a quiet grid over a baseline.

    Args:
        axes: to draw.
        grid: the direction whose ticks have lines.
        labelsize: of the ticks' labels, in points or as matplotlib names sizes.
    """
    axes.grid(axis=grid, color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.tick_params(length=0, colors=INK, labelsize=labelsize)


def png_of(plot: Plot) -> bytes:
    """A plot as a PNG, on white."""
    FigureCanvasAgg(plot)  # without a window, whatever matplotlib is set to
    buffer = io.BytesIO()
    plot.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()


def save_plot(record: Record, plot: Plot, name: str, caption: str) -> Figure:
    """Saves a plot as a figure of a run.

    Args:
        record: of the run.
        plot: to save.
        name: of its file, without ending.
        caption: what it shows.
    """
    file = f"{FOLDER}/{name}.png"
    record.keep(file, png_of(plot))
    return Figure(file, caption)
