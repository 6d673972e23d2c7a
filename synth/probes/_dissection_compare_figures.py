"""Figures of dissections side by side: detectors, accuracy, and concepts of channels over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure as Plot
from matplotlib.ticker import MaxNLocator

from synth.data.concepts import ConceptSet
from synth.data.sheet import plain
from synth.probes._dissection_figures import CHANCE, SHADES
from synth.record.plots import INK, save_plot, style
from synth.record.record import Record
from synth.record.result import Figure, Json

Rows = Sequence[Mapping[str, Json]]
EMPTY = "#f3f4f6"  # a channel without a concept
# of the most frequent concepts; the others are grey
PALETTE = (
    "#1d4ed8",
    "#c2410c",
    "#0f766e",
    "#7c3aed",
    "#eab308",
    "#be185d",
    "#22c55e",
    "#0ea5e9",
    "#78350f",
    "#f472b6",
    "#a3e635",
    "#111827",
    "#c4b5fd",
    "#fb923c",
)


def unique_detectors(record: Record, rows: Rows, categories: Sequence[str]) -> Figure:
    """A bar a network and layer, in parts by category, and the chance level."""
    plot = Plot(figsize=(max(6.0, 1.6 + 0.55 * len(rows)), 4.2), dpi=140, layout="constrained")
    axes = plot.subplots()
    style(axes, "y", 8)
    below = np.zeros(len(rows))
    for place, category in enumerate(categories):
        counts = np.array([float(str(row[f"unique_{category}"])) for row in rows])
        shade = SHADES[place % len(SHADES)]
        axes.bar(range(len(rows)), counts, 0.6, bottom=below, color=shade, label=plain(category))
        below += counts
    for place, row in enumerate(rows):
        height = float(str(row["chance_unique"]))
        label = "chance level" if not place else None
        axes.hlines(height, place - 0.42, place + 0.42, color="black", linewidth=2, label=label)
    names = [f"{plain(str(row['network']), 24)}\n{plain(str(row['layer']), 24)}" for row in rows]
    axes.set_xticks(range(len(rows)), names, rotation=60, ha="right", rotation_mode="anchor")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("unique detectors", color=INK, fontsize=9)
    plot.legend(loc="outside upper left", ncols=6, frameon=False, fontsize=8)
    caption = (
        "How many concepts have a channel that detects them, by category. Black line: with the "
        "label maps of other pictures, the chance level."
    )
    return save_plot(record, plot, "unique_detectors", caption)


def accuracy(record: Record, points: Sequence[tuple[str, float, int, int]]) -> Figure:
    """Accuracy against unique detectors: a point a network, in grey at the chance level."""
    plot = Plot(figsize=(5.6, 4.2), dpi=140, layout="constrained")
    axes = plot.subplots()
    style(axes, labelsize=8)
    for name, share, unique, chance in points:
        axes.scatter([chance], [share], color=CHANCE, s=28)
        axes.scatter([unique], [share], color=SHADES[0], s=36)
        offset = {"xytext": (5, 4), "textcoords": "offset points"}
        axes.annotate(plain(name, 24), (unique, share), color=INK, fontsize=7, **offset)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("unique detectors over all layers", color=INK, fontsize=9)
    axes.set_ylabel("accuracy", color=INK, fontsize=9)
    caption = (
        "Accuracy against unique detectors, a point a network. Grey: the chance level of the "
        "detectors."
    )
    return save_plot(record, plot, "accuracy", caption)


def channels(
    record: Record,
    layer: str,
    names: Sequence[str],
    own: Sequence[Sequence[int]],
    concepts: ConceptSet,
    changed: Sequence[float],
    chance: Sequence[float],
) -> Figure:
    """Each channel's concept in each network of a series: rows are channels, columns networks."""
    order = sorted(range(len(own[0])), key=lambda channel: [row[channel] for row in own[::-1]])
    shades = {-1: to_rgb(EMPTY)} | {
        concept: to_rgb(PALETTE[place]) if place < len(PALETTE) else to_rgb(CHANCE)
        for place, concept in enumerate(_frequent(own))
    }
    image = np.array([[shades[row[channel]] for row in own] for channel in order])
    width = max(5.0, 2.4 + 0.6 * len(names))
    plot = Plot(figsize=(width, 6.4), dpi=140, layout="constrained")
    upper, lower = plot.subplots(2, 1, height_ratios=(1, 2.6), sharex=True)
    style(upper, "y", 8)
    at = np.arange(1, len(names))
    upper.plot(at, changed, color=SHADES[0], marker="o", label="label maps")
    upper.plot(at, chance, color="black", linestyle=":", marker=".", label="chance level")
    upper.set_ylim(0, 1)
    upper.set_ylabel("share that changed", color=INK, fontsize=8)
    upper.legend(frameon=False, fontsize=7)
    lower.imshow(image, aspect="auto", interpolation="nearest")
    lower.set_xticks(range(len(names)), [plain(name, 20) for name in names])
    lower.tick_params(axis="x", rotation=45, length=0, labelsize=8, colors=INK)
    lower.set_yticks([])
    lower.spines[:].set_visible(False)
    lower.set_ylabel(f"{len(order)} channels", color=INK, fontsize=8)
    frequent = _frequent(own)[: len(PALETTE)]
    for concept in frequent:
        lower.scatter(
            [],
            [],
            marker="s",
            color=shades[concept],
            label=plain(concepts.concepts[concept].name, 22),
        )
    if len(shades) > len(PALETTE) + 1:
        lower.scatter([], [], marker="s", color=CHANCE, label="another")
    lower.scatter([], [], marker="s", color=EMPTY, label="none")
    lower.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=7)
    caption = (
        f"{layer}: the concept of each channel, a row a channel, in the order of the last column; "
        "above, the share of channels whose concept is another than in the column before, and "
        "the same with the label maps of other pictures, the chance level."
    )
    return save_plot(record, plot, f"channels_{layer.replace('/', '_')}", caption)


def _frequent(own: Sequence[Sequence[int]]) -> list[int]:
    """The concepts of any channel in any network, the most frequent first."""
    counts: dict[int, int] = {}
    for row in own:
        for concept in row:
            if concept >= 0:
                counts[concept] = counts.get(concept, 0) + 1
    return sorted(counts, key=lambda concept: (-counts[concept], concept))
