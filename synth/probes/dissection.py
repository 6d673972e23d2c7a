"""Network dissection: the concept that each channel detects, from pictures with labels of pixels.

Bau, Zhou, Khosla, Oliva & Torralba 2017, "Network dissection": a channel fires where its activation
is among its highest 0.5 %, and it detects the concept whose pixels overlap with these most.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from synth.core.network import Network
from synth.core.randomness import key_of
from synth.data.concepts import ConceptSet
from synth.data.generated_concepts import write_concepts
from synth.errors import InputError, check_least
from synth.networks.receptive_field import receptive_fields
from synth.networks.style_layers import unit_layer
from synth.probes import _dissection_figures as figures
from synth.probes.detectors import (
    LayerDissection,
    Overlaps,
    Quantiles,
    shown_channels,
    summary,
)
from synth.probes.probe import Measurement, Probe, Tally, by_layer
from synth.probes.strongest import LayerPatches, Strongest
from synth.record.record import Record
from synth.record.result import Json

log = logging.getLogger(__name__)

LARGEST_GRID = 112
GENERATED = "concepts"  # folder of the pictures that are made, in the run folder


class Dissection(Probe):
    """The concept of each channel, and how many concepts a layer has detectors of.

    Two passes: thresholds of channels, then overlaps. The activation of a channel is scaled up to
    the grid by bilinear interpolation; a label is that at the centre of a cell. IoU is one ratio
    over all pictures with a label of the concept's category; of a concept that covers the share s
    of all cells it is at most `quantile` / s, so large concepts need a larger `quantile`. `chance`
    is what the label maps of other pictures give: they have the layout in common, so that it is
    more than zero.

    Tensors ``dissection``: of each layer ``iou`` and ``chance`` [channels, concepts],
    ``thresholds`` [channels], and ``concept`` int64 [channels], -1 for none, in the order of the
    finding `concepts`.

    Args:
        network: the network.
        images: folder of pictures, or of Broden; None for generated ones.
        labels: folder of label maps, named as the pictures; None in Broden's layout.
        concepts: table of the labels' values: value, name, category, ignore.
        layers: a layer or a list of layers; None for the network's `unit_layer`.
        quantile: share of its places at which a channel fires, from above 0 to below 1.
        threshold: IoU above which it detects a concept.
        grid: rows and columns of the grid; None for `LARGEST_GRID` or the network's size, if less.
        per_picture: the mean of the IoU of pictures that have the concept, in place of one ratio.
        k: pictures of each channel on the sheets.
        shown: channels of a layer on the sheets, those of the highest IoU.
        steps: of the ascent to each one's synthetic picture; 0 for none.
        seed: of label maps that are exchanged, of generated pictures and of the ascent.
        pictures: how many are generated, without `images`.

    Raises:
        InputError: for pictures, label maps or a layer that is not there, or a number out of range.
    """

    def __init__(
        self,
        network: Network,
        images: str | Path | None = None,
        labels: str | Path | None = None,
        concepts: str | Path | None = None,
        layers: str | Sequence[str] | None = None,
        quantile: float = 0.005,
        threshold: float = 0.04,
        grid: int | None = None,
        per_picture: bool = False,
        k: int = 4,
        shown: int = 16,
        steps: int = 0,
        seed: int = 0,
        pictures: int = 300,
    ) -> None:
        super().__init__(network, None, unit_layer(network) if layers is None else layers)
        if not self.layers:
            raise InputError("layers=[]: name at least one layer.")
        self.layers = list(dict.fromkeys(self.layers))
        if not 0 < quantile < 1:
            raise InputError(f"quantile={quantile}: write a share between 0 and 1; 0.005 is usual.")
        if not 0 <= threshold < 1:
            raise InputError(
                f"threshold={threshold}: write an IoU from 0 to below 1; 0.04 is usual."
            )
        check_least(1, k=k, shown=shown, pictures=pictures)
        check_least(0, steps=steps)
        if grid is not None:
            check_least(1, grid=grid)
        self.set = None if images is None else ConceptSet(images, labels, concepts)
        if images is None and (labels is not None or concepts is not None):
            raise InputError("images: labels= and concepts= are of pictures; write images=FOLDER.")
        sides = [min(side, LARGEST_GRID) if grid is None else grid for side in network.size]
        self.grid = (sides[0], sides[1])
        self.quantile, self.threshold, self.per_picture = quantile, threshold, per_picture
        self.k, self.shown, self.steps, self.seed = k, shown, steps, seed
        self.made = pictures
        self.collection = None if self.set is None else self.set.collection

    def dissected(
        self, record: Record, k: int = 0
    ) -> tuple[list[LayerDissection], Strongest | None]:
        """Both passes: what each layer's channels detect, and with `k` their strongest pictures."""
        concepts = self.concept_set(record)
        network, device = self.network, self.network.device
        quantiles = Quantiles({layer: network.layers[layer] for layer in self.layers}, device)
        tallies: dict[str, Tally] = {"quantiles": quantiles}
        strongest = Strongest(network, self.layers, min(k, len(concepts.collection))) if k else None
        if strongest is not None:
            tallies["strongest"] = strongest
        self.scan(record, self.layers, tallies, "thresholds")
        limits = {layer: quantiles.threshold(layer, self.quantile) for layer in self.layers}
        own = range(len(concepts.collection))
        orders = [own, _exchanged(len(own), self.seed)]
        sums = Overlaps(concepts, network.size, self.grid, limits, orders, self.per_picture)
        self.scan(record, self.layers, {"sums": sums}, "overlaps")
        self.counts, self.cells = sums.pictures, sums.cells
        overlaps = {layer: sums.iou(layer).cpu() for layer in self.layers}
        return [
            LayerDissection(
                layer,
                *overlaps[layer],
                limits[layer].cpu(),
                quantiles.never(layer).cpu(),
            )
            for layer in self.layers
        ], strongest

    def concept_set(self, record: Record) -> ConceptSet:
        """The pictures and their label maps; where none are named, they are made."""
        if self.set is None:
            folder = record.folder / GENERATED
            if not (folder / "concepts.tsv").is_file():
                write_concepts(folder, self.made, seed=self.seed)
            self.set = ConceptSet(folder / "images", folder / "labels")
            self.collection = self.set.collection
        return self.set

    def measure(self, record: Record) -> Measurement:
        layers, strongest = self.dissected(record, self.k)
        assert self.set is not None
        assert strongest is not None
        result = Measurement()
        rows = [summary(each, self.set, self.threshold) for each in layers]
        result.findings = {
            "pictures": len(self.set.collection),
            "grid": f"{self.grid[0]} x {self.grid[1]}",
            "dissection": rows,
            "concepts": self._concept_table(),
        }
        fields = receptive_fields(self.network)
        for each in layers:
            name = each.layer
            silent = int(each.silent.sum())
            if silent:
                log.warning("%s: %d of its channels never fire", name, silent)
            result.figures.append(figures.histogram(record, each, self.set, self.threshold))
        for each in layers:
            name = each.layer
            channels = shown_channels(each, self.threshold, self.shown)
            patches = LayerPatches(
                self.network,
                self.set.collection,
                name,
                strongest.tops[name],
                fields[name],
                channels,
            )
            if channels:
                figure = figures.sheet(
                    record,
                    len(result.figures),
                    self.network,
                    each,
                    self.set,
                    patches,
                    self.steps,
                    self.seed,
                )
                result.figures.append(figure)
        record.tensors("dissection", by_layer({each.layer: self._tensors(each) for each in layers}))
        return result

    def _concept_table(self) -> list[Json]:
        assert self.set is not None
        total = self.grid[0] * self.grid[1] * max(1, len(self.set.collection))
        for concept, count in zip(self.set.concepts, self.counts, strict=True):
            if not count:
                log.warning("%s (%s) occurs in no picture", concept.name, concept.category)
        return [
            {
                "concept": concept.name,
                "category": concept.category,
                "pictures": count,
                "share_of_cells": round(cells / total, 5),
            }
            for concept, count, cells in zip(
                self.set.concepts, self.counts, self.cells, strict=True
            )
        ]

    def _tensors(self, each: LayerDissection) -> dict[str, Tensor]:
        return {
            "iou": each.iou,
            "chance": each.chance,
            "thresholds": each.thresholds,
            "concept": torch.tensor(each.concept_of(self.threshold), dtype=torch.int64),
        }


def _exchanged(count: int, seed: int) -> list[int]:
    """For each picture another one, at random; of a single picture itself."""
    draws = torch.Generator().manual_seed(key_of(f"dissection {seed}"))
    order = torch.randperm(count, generator=draws).tolist()
    other = [0] * count
    for place, number in enumerate(order):
        other[number] = order[(place + 1) % count]
    return other
