"""Figures of a dissection: detectors by concept, and channels with what they fire on."""

from __future__ import annotations

import math
from collections import Counter

import torch
from matplotlib.figure import Figure as Plot
from matplotlib.ticker import MaxNLocator
from PIL import Image
from torch import Tensor
from torch.nn import functional

from synth import data
from synth.core.network import Network
from synth.data.concepts import ConceptSet
from synth.data.sheet import joined, plain, sized
from synth.probes.detectors import LayerDissection
from synth.probes.patches import synthetic_images
from synth.probes.probe import FOLDER
from synth.probes.strongest import LayerPatches
from synth.record.plots import INK, save_plot, style
from synth.record.record import Record
from synth.record.result import Figure

TILE = 144  # pixels of a picture on a sheet
MOST = 40  # concepts of a panel
DARK = 0.3  # what is left of the light where a channel does not fire
OUTLINE = (1.0, 0.85, 0.1)
SHADES = ("#1d4ed8", "#c2410c", "#0f766e", "#7c3aed", "#b45309", "#be185d")
CHANCE = "#b8c0cc"


def histogram(record: Record, each: LayerDissection, concepts: ConceptSet, least: float) -> Figure:
    """A panel a category: how many channels detect each concept, and at the chance level."""
    own = Counter(each.concept_of(least))
    other = Counter(each.concept_of(least, chance=True))
    panels = []
    for place, category in enumerate(concepts.categories):
        members = [n for n in range(len(concepts.concepts)) if int(concepts.category[n]) == place]
        members = [n for n in members if own[n] or other[n]]
        members.sort(key=lambda n: (-own[n], -other[n], concepts.concepts[n].name))
        panels.append((category, members[:MOST]))
    widths = [max(2.5, len(members)) for _, members in panels]
    plot = Plot(
        figsize=(max(6.0, 0.32 * sum(widths) + 1.4 * len(panels)), 3.6),
        dpi=140,
        layout="constrained",
    )
    grid = plot.subplots(1, len(panels), squeeze=False, sharey=True, width_ratios=widths)[0]
    highest = max(
        [
            1,
            *(own[n] for _, members in panels for n in members),
            *(other[n] for _, members in panels for n in members),
        ]
    )
    for place, (axes, (category, members)) in enumerate(zip(grid, panels, strict=True)):
        style(axes, "y", 8)
        at = range(len(members))
        axes.bar(
            [x - 0.2 for x in at],
            [own[n] for n in members],
            0.42,
            color=SHADES[place % len(SHADES)],
        )
        axes.bar([x + 0.2 for x in at], [other[n] for n in members], 0.3, color=CHANCE)
        names = [plain(concepts.concepts[n].name, 22) for n in members]
        axes.set_xticks(list(at), names, rotation=60, ha="right", rotation_mode="anchor")
        axes.set_ylim(0, highest * 1.08)
        unique = sum(own[n] > 0 for n in members)
        axes.set_title(
            f"{plain(category, 22)}: {unique}", loc="left", fontsize=9, color=INK, weight="bold"
        )
        if not members:
            axes.text(
                0.5, 0.5, "none", transform=axes.transAxes, ha="center", color=INK, fontsize=8
            )
    grid[0].yaxis.set_major_locator(MaxNLocator(integer=True))
    grid[0].set_ylabel("channels", color=INK, fontsize=8)
    detectors = sum(count for concept, count in own.items() if concept >= 0)
    by_chance = sum(count for concept, count in other.items() if concept >= 0)
    caption = (
        f"{each.layer}: the channels that detect each concept (IoU > {least:g}), {detectors} of "
        f"{len(each.iou)}; over each category its unique detectors. Grey: with the label maps of "
        f"other pictures, {by_chance}, the chance level."
    )
    return save_plot(record, plot, f"detectors_{each.layer.replace('/', '_')}", caption)


def sheet(
    record: Record,
    number: int,
    network: Network,
    each: LayerDissection,
    concepts: ConceptSet,
    patches: LayerPatches,
    steps: int,
    seed: int,
) -> Figure:
    """A row a channel: its synthetic picture, and its strongest pictures, lit where it fires."""
    synthetic = synthetic_images(network, each.layer, patches.units, steps, seed) if steps else None
    parts: list[tuple[Image.Image, str]] = []
    concept = each.iou.argmax(1).tolist()
    slots = patches.top.values.shape[1]
    for row, channel in enumerate(patches.units):
        name = concepts.concepts[concept[channel]].name
        label = f"{channel} {name} {float(each.iou[channel].max()):.2f}"
        if synthetic is not None:
            parts.append((_tile(patches.cropped(synthetic[row].cpu(), None)), label))
        pictures = _lit(network, each, patches, channel)
        for slot in range(slots):
            first = slot == 0 and synthetic is None
            picture = pictures[slot] if slot < len(pictures) else torch.ones(3, *network.size)
            parts.append((_tile(picture), label if first else ""))
    beside = "its synthetic picture, then " if synthetic is not None else ""
    caption = (
        f"{each.layer}: a channel a row, with its concept and IoU: {beside}the pictures that it "
        "responds to most, lit where it fires. Channels of one concept are side by side."
    )
    image = data.from_image(joined(parts, slots + (synthetic is not None)))
    units = [f"{each.layer}:{channel}" for channel in patches.units]
    return Figure(record.picture(number, image, {}, FOLDER), caption, units)


def _lit(
    network: Network, each: LayerDissection, patches: LayerPatches, channel: int
) -> list[Tensor]:
    """The strongest pictures of a channel, dark where it does not fire, with the border drawn."""
    slots = [slot for slot in range(patches.top.values.shape[1]) if patches.fires(channel, slot)]
    if not slots:
        return []
    images = torch.stack([patches.image(channel, slot) for slot in slots])
    with torch.inference_mode():
        values = network.read(images.to(network.device), [each.layer])[each.layer][:, channel]
    maps = values.reshape(len(slots), 1, *(values.shape[1:] if values.ndim == 3 else (1, 1)))
    large = functional.interpolate(maps.cpu(), images.shape[2:], mode="bilinear")
    fires = (large > each.thresholds[channel]).float()
    width = 1 + 2 * max(1, math.ceil(min(network.size) / 150))
    wide = functional.max_pool2d(fires, width, 1, width // 2)
    shown = images * torch.where(fires > 0, 1.0, DARK)
    outline = torch.tensor(OUTLINE)[:, None, None]
    return [*torch.where((wide > fires), outline, shown)]


def _tile(image: Tensor) -> Image.Image:
    return sized(data.to_image(image), TILE, TILE)
