"""The figures of a duel: success against passes, and transfer from network to network."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Plot
from matplotlib.ticker import NullLocator

from synth.jobs._trials import Trials
from synth.metrics.intervals import wilson
from synth.record.plots import INK, save_plot, style
from synth.record.record import Record
from synth.record.result import Figure

ACROSS = 4  # panels side by side
SHADES = ("#c2410c", "#0f766e", "#1d4ed8", "#7c3aed", "#b45309", "#be185d", "#4d7c0f", "#0e7490")
QUIET = "#b8c0cc"  # the curves of the other contenders


def draw(record: Record, rows: Sequence[Trials], budgets: Sequence[int]) -> list[Figure]:
    """The figures of finished trials: one of success a network, one of transfer.

    Args:
        record: the run folder.
        rows: of each contender and network.
        budgets: in ascending order.
    """
    networks = list(dict.fromkeys(row.network for row in rows))
    figures = [
        _success(record, number, [row for row in rows if row.network == network], budgets)
        for number, network in enumerate(networks)
    ]
    if len(networks) > 1:
        figures.append(_transfer(record, rows, networks))
    return figures


def _success(record: Record, number: int, rows: Sequence[Trials], budgets: Sequence[int]) -> Figure:
    """A panel a contender: the share of its trials that had succeeded after so many passes."""
    plot, panels = _panels(len(rows), 1.9)
    curves = [_curve(row.passes, budgets[-1]) for row in rows]
    for place, (axes, row) in enumerate(zip(panels, rows, strict=True)):
        for other, (x, shares, _, _) in enumerate(curves):
            if other != place and rows[other].criterion == row.criterion:
                axes.step(x, shares, where="post", color=QUIET, linewidth=0.9)
        x, shares, low, high = curves[place]
        colour = SHADES[place % len(SHADES)]
        axes.fill_between(x, low, high, step="post", color=colour, alpha=0.18, linewidth=0)
        axes.step(x, shares, where="post", color=colour, linewidth=2.2)
        for budget in budgets:
            axes.axvline(budget, color=INK, linewidth=0.8, linestyle=":")
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlim(1, budgets[-1] * 1.15)
        axes.set_ylim(-3, 103)
        axes.set_title(_spaced(row.contender), loc="left", fontsize=9, color=INK, weight="bold")
        axes.set_xlabel(f"passes · {row.criterion}", fontsize=7.5, color=INK)
    for axes in panels[::ACROSS]:
        axes.set_ylabel("success (%)", fontsize=8, color=INK)
    caption = (
        f"Success on {rows[0].network} after so many network passes (a forward counts 1, a "
        "backward 2), with Wilson's 95 % interval. Grey: the other contenders of the same "
        "criterion; dotted: the budgets."
    )
    return save_plot(record, plot, f"success_{number}", caption)


def _curve(
    passes: Sequence[float], last: int
) -> tuple[list[float], list[float], list[float], list[float]]:
    """Passes, and from each on the share of successes and the ends of its interval, in percent."""
    x = [1.0, *sorted({count for count in passes if math.isfinite(count)}), float(last)]
    hits = [sum(count <= limit for count in passes) for limit in x]
    counted = max(1, len(passes))
    ends = [wilson(count, counted) for count in hits]
    shares = [100 * count / counted for count in hits]
    return x, shares, [100 * low for low, _ in ends], [100 * high for _, high in ends]


def _transfer(record: Record, rows: Sequence[Trials], networks: Sequence[str]) -> Figure:
    """A matrix a contender: the network that was searched, and the one that reads the images."""
    contenders = list(dict.fromkeys(row.contender for row in rows))
    by_pair = {(row.contender, row.network): row for row in rows}
    plot, panels = _panels(len(contenders), 1.0 + 0.4 * len(networks))
    for axes, contender in zip(panels, contenders, strict=True):
        axes.grid(visible=False)
        for down, searched in enumerate(networks):
            row = by_pair.get((contender, searched))
            for across, reader in enumerate(networks):
                hits = row.transfers.get(reader, []) if row else []
                _cell(axes, down, across, hits, searched == reader)
        axes.set_xlim(-0.5, len(networks) - 0.5)
        axes.set_ylim(len(networks) - 0.5, -0.5)
        axes.set_xticks(range(len(networks)), networks, fontsize=7)
        axes.set_yticks(range(len(networks)), networks, fontsize=7, rotation=90, va="center")
        axes.set_title(_spaced(contender), loc="left", fontsize=9, color=INK, weight="bold")
        axes.spines["bottom"].set_visible(False)
    caption = (
        "Transfer: of the images that succeed on the network of the row, how many have the target "
        "class on top in the network of the column too."
    )
    return save_plot(record, plot, "transfer", caption)


def _cell(axes: Axes, down: int, across: int, hits: Sequence[bool], own: bool) -> None:
    share = sum(hits) / len(hits) if hits else 0.0
    colour = "#eef0f3" if own or not hits else (0.06, 0.46, 0.43, 0.1 + 0.8 * share)
    axes.fill(
        [across - 0.47, across + 0.47, across + 0.47, across - 0.47],
        [down - 0.45, down - 0.45, down + 0.45, down + 0.45],
        color=colour,
        linewidth=0,
    )
    text = "searched" if own else f"{sum(hits)} of {len(hits)}" if hits else "no image"
    bright = share > 0.5 and not own
    axes.text(
        across, down, text, ha="center", va="center", fontsize=8, color="white" if bright else INK
    )


def _panels(count: int, height: float) -> tuple[Plot, list[Axes]]:
    """A plot with `count` panels, each `height` inches high."""
    across = min(ACROSS, count)
    down = -(-count // across)
    plot = Plot(figsize=(max(4.0, 2.0 * across), height * down), dpi=150, layout="constrained")
    panels = [plot.add_subplot(down, across, place + 1) for place in range(count)]
    for axes in panels:
        style(axes, labelsize=8)
    return plot, panels


def _spaced(name: str) -> str:
    return name.replace("_", " ")
