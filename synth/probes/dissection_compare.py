"""Network dissection side by side: of several networks, or of one network over its training.

Bau, Zhou, Khosla, Oliva & Torralba 2017, "Network dissection": unique detectors by category across
layers and architectures, over training, and what a channel becomes by fine-tuning.
"""

from __future__ import annotations

import copy
import glob
import logging
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from synth import data
from synth.core.network import Network
from synth.core.prediction import predictions
from synth.data.class_folders import read_class_folders
from synth.data.sheet import joined, sized
from synth.errors import InputError
from synth.networks import reading, weights_io
from synth.networks.metadata import classifier_metadata
from synth.networks.receptive_field import receptive_fields
from synth.probes import _dissection_compare_figures as figures
from synth.probes.detectors import LayerDissection, summary
from synth.probes.dissection import Dissection
from synth.probes.probe import FOLDER, Measurement, Probe
from synth.probes.strongest import LayerPatches, Strongest
from synth.record.memory_record import MemoryRecord
from synth.record.record import Record
from synth.record.result import Figure, Json

log = logging.getLogger(__name__)

TILE = 112  # pixels of a patch on a sheet
FIELDS = ("iou", "chance", "thresholds", "silent")


class DissectionCompare(Probe):
    """Unique detectors of networks, and each channel's concept over a series of weights.

    Weights files make a series: states of one network in their order, before and after fine-tuning
    or over a training. Before a single file comes `network` as it is.

    Tensors ``dissection_compare``: ``NETWORK.LAYER.iou`` and ``chance`` [channels, concepts],
    ``thresholds`` [channels], ``silent`` bool [channels].

    Args:
        network: the first network, of which the weights are.
        networks: further ones, by any name.
        weights: files of weights, names or patterns of them, such as checkpoints/*.safetensors.
        layers: a layer or a list of layers of all networks, or these by a network's name; None for
            each network's `unit_layer`.
        validation: class folders on which the accuracy is measured; None for that in the file.
        k: patches on either side of a channel that changed.
        shown: of these channels, how many a layer.
        images, labels, concepts, quantile, threshold, grid, per_picture, seed, pictures: as for
            `synth.probes.dissection.Dissection`.

    Raises:
        InputError: for a single network, weights of another one, or a layer that one lacks.
    """

    def __init__(
        self,
        network: Network,
        networks: Mapping[str, Network | None] | None = None,
        weights: str | Sequence[str] | None = None,
        images: str | Path | None = None,
        labels: str | Path | None = None,
        concepts: str | Path | None = None,
        layers: str | Sequence[str] | Mapping[str, str | Sequence[str]] | None = None,
        validation: str | Path | None = None,
        quantile: float = 0.005,
        threshold: float = 0.04,
        grid: int | None = None,
        per_picture: bool = False,
        k: int = 4,
        shown: int = 8,
        seed: int = 0,
        pictures: int = 300,
    ) -> None:
        super().__init__(network)
        files = _files(weights)
        others = {name: entry for name, entry in (networks or {}).items() if entry is not None}
        states = [(name, _with_weights(network, name, path)) for name, path in files]
        series: dict[str, Network] = {}
        if len(files) < 2:  # before fine-tuning, or no series
            series[_free(network.name, [*others, *dict(states)])] = network
        series |= dict(states)
        for name in others:
            if name in series:
                raise InputError(
                    f"networks.{name}: a file of weights= has this name; write another."
                )
        self.networks = {**series, **others}
        if len(self.networks) < 2:
            raise InputError(
                "networks={}: a single network; write +network@networks.NAME=NAME or "
                "weights=[FILE, FILE]."
            )
        self.series = list(series)
        self.recorded = {name: _accuracy(path) for name, path in files}
        self.validation, self.k, self.shown = validation, k, shown
        self.dissections: dict[str, Dissection] = {}
        for name, entry in self.networks.items():
            chosen = layers
            if isinstance(layers, Mapping):
                chosen = layers.get(name, layers.get(network.name) if name in series else None)
            try:
                self.dissections[name] = Dissection(
                    entry,
                    images,
                    labels,
                    concepts,
                    layers=chosen,  # type: ignore[arg-type]
                    quantile=quantile,
                    threshold=threshold,
                    grid=grid,
                    per_picture=per_picture,
                    k=k,
                    shown=shown,
                    seed=seed,
                    pictures=pictures,
                )
            except InputError as error:
                raise InputError(f"{name}: {error}") from error
        if isinstance(layers, Mapping):
            for name in layers.keys() - {*self.networks, network.name}:
                raise InputError(f"layers.{name}: no network has this name.")
        self.threshold, self.seed = threshold, seed

    def measure(self, record: Record) -> Measurement:
        first = self.dissections[next(iter(self.networks))]
        concepts = first.concept_set(record)
        self.collection = concepts.collection
        layers = self._dissected(record, first)
        rows: list[dict[str, Json]] = [
            {"network": name, **summary(each, concepts, self.threshold)}
            for name, own in layers.items()
            for each in own
        ]
        result = Measurement()
        result.findings = {"pictures": len(concepts.collection), "detectors": rows}
        result.figures.append(figures.unique_detectors(record, rows, concepts.categories))
        points = self._points(layers)
        if points:
            names = ("network", "accuracy", "unique_detectors", "chance_unique")
            result.findings["accuracy"] = [dict(zip(names, row, strict=True)) for row in points]
            result.figures.append(figures.accuracy(record, points))
        if len(self.series) > 1:
            self._follow(record, layers, result)
        tensors = {
            f"{name}.{each.layer}.{field}": getattr(each, field)
            for name, own in layers.items()
            for each in own
            for field in FIELDS
        }
        record.tensors("dissection_compare", tensors)
        return result

    def _dissected(self, record: Record, first: Dissection) -> dict[str, list[LayerDissection]]:
        """The dissection of every network; those of an earlier attempt are taken over."""
        done: dict[str, Tensor] = {}
        checkpoint = record.resume()
        if checkpoint is not None:
            done, about = checkpoint
            if about.get("digest") != self.pictures.digest:
                raise InputError(
                    f"folder={record.folder}: its run was begun with other pictures; name another "
                    "folder."
                )
        layers: dict[str, list[LayerDissection]] = {}
        for name, probe in self.dissections.items():
            probe.set, probe.collection = first.set, first.collection
            keys = [f"{name}.{layer}" for layer in probe.layers]
            if all(f"{key}.{field}" in done for key in keys for field in FIELDS):
                layers[name] = [
                    LayerDissection(layer, *(done[f"{key}.{field}"] for field in FIELDS))
                    for layer, key in zip(probe.layers, keys, strict=True)
                ]
                continue
            log.info("%s", name)
            layers[name], _ = probe.dissected(MemoryRecord())
            for each in layers[name]:
                for field in FIELDS:
                    done[f"{name}.{each.layer}.{field}"] = getattr(each, field)
                if silent := int(each.silent.sum()):
                    log.warning("%s, %s: %d of its channels never fire", name, each.layer, silent)
            record.checkpoint(dict(done), {"digest": self.pictures.digest})
        return layers

    # -- accuracy --------------------------------------------------------------------------------

    def _points(
        self, layers: Mapping[str, Sequence[LayerDissection]]
    ) -> list[tuple[str, float, int, int]]:
        """Of each network whose accuracy is known: it, unique detectors, and these by chance."""
        points = []
        for name, network in self.networks.items():
            share = self._measured(network) if self.validation else self.recorded.get(name)
            if share is not None:
                own, other = (
                    {n for each in layers[name] for n in each.concept_of(self.threshold, chance)}
                    for chance in (False, True)
                )
                points.append((name, round(share, 4), len(own - {-1}), len(other - {-1})))
        return points

    def _measured(self, network: Network) -> float:
        part = read_class_folders(
            Path(str(self.validation)), max(network.size), list(network.classes), "validation"
        )
        labels = predictions(reading.logits(network, part.pictures, size=network.size)).cpu()
        return float((labels == part.labels).float().mean())

    # -- a series of weights ---------------------------------------------------------------------

    def _follow(
        self,
        record: Record,
        layers: Mapping[str, Sequence[LayerDissection]],
        result: Measurement,
    ) -> None:
        """How the concepts of channels change from each state of the network to the next."""
        concepts = self.dissections[self.series[0]].set
        assert concepts is not None
        names = ["none", *(concept.name for concept in concepts.concepts)]
        steps: list[Json] = []
        changes: list[Json] = []
        ends: list[Strongest] = []  # the strongest pictures of the first and of the last state
        for place, first in enumerate(layers[self.series[0]]):
            states = [layers[name][place] for name in self.series]
            own = [each.concept_of(self.threshold) for each in states]
            other = [each.concept_of(self.threshold, chance=True) for each in states]
            changed, chance = _changed(own), _changed(other)
            steps += [
                {
                    "layer": first.layer,
                    "before": self.series[step],
                    "after": self.series[step + 1],
                    "changed": round(share, 4),
                    "chance_changed": round(chance[step], 4),
                }
                for step, share in enumerate(changed)
            ]
            result.figures.append(
                figures.channels(record, first.layer, self.series, own, concepts, changed, chance)
            )
            moved = [n for n, (a, b) in enumerate(zip(own[0], own[-1], strict=True)) if a != b]
            changes += [
                {
                    "layer": first.layer,
                    "channel": n,
                    "before": names[own[0][n] + 1],
                    "after": names[own[-1][n] + 1],
                    "iou_before": round(float(states[0].iou[n].max()), 4),
                    "iou_after": round(float(states[-1].iou[n].max()), 4),
                }
                for n in moved
            ]
            both = [n for n in moved if own[0][n] >= 0 and own[-1][n] >= 0]
            both += [n for n in moved if n not in both]
            if both:
                labels = {n: (names[own[0][n] + 1], names[own[-1][n] + 1]) for n in both}
                number = len(result.figures)
                if not ends:
                    ends = [self._strongest(name) for name in (self.series[0], self.series[-1])]
                result.figures.append(
                    self._sheet(record, number, first.layer, ends, both[: self.shown], labels)
                )
        result.findings |= {"steps": steps, "changes": changes}

    def _strongest(self, name: str) -> Strongest:
        """The strongest pictures of every channel of a network, in one pass."""
        probe = self.dissections[name]
        strongest = Strongest(probe.network, probe.layers, min(self.k, len(self.pictures)))
        probe.scan(MemoryRecord(), probe.layers, {"strongest": strongest}, f"patches {name}")
        return strongest

    def _sheet(
        self,
        record: Record,
        number: int,
        layer: str,
        ends: Sequence[Strongest],
        channels: Sequence[int],
        labels: Mapping[int, tuple[str, str]],
    ) -> Figure:
        """A row a channel: its strongest patches before, and after."""
        k = ends[0].count
        sides = []
        for name, strongest in zip((self.series[0], self.series[-1]), ends, strict=True):
            network = self.networks[name]
            field = receptive_fields(network)[layer]
            top = strongest.tops[layer]
            sides.append(LayerPatches(network, self.pictures, layer, top, field, list(channels)))
        parts = []
        for channel in channels:
            for side, (patches, concept) in enumerate(zip(sides, labels[channel], strict=True)):
                for slot in range(k):
                    fires = patches.fires(channel, slot)
                    image = patches.patch(channel, slot) if fires else torch.ones(3, *patches.size)
                    title = f"{channel}: {concept}" if not side else f"then {concept}"
                    tile = sized(data.to_image(image), TILE, TILE)
                    parts.append((tile, title if slot == 0 else ""))
        caption = (
            f"{layer}: channels whose concept changed, a row a channel: the patches that it "
            f"responds to most in {self.series[0]}, then in {self.series[-1]}."
        )
        image = data.from_image(joined(parts, 2 * k))
        return Figure(record.picture(number, image, {}, FOLDER), caption)


def _files(weights: str | Sequence[str] | None) -> list[tuple[str, Path]]:
    """Weights files by name, in the order of the words, those of a pattern sorted."""
    words = [weights] if isinstance(weights, str) else list(weights or ())
    paths: list[Path] = []
    for word in words:
        matching = sorted(glob.glob(word)) if glob.has_magic(word) else [word]
        if not matching:
            raise InputError(f"weights={word}: no file matches this pattern.")
        paths += [Path(path) for path in matching]
    stems = [path.stem for path in paths]
    names = [
        path.stem if stems.count(path.stem) == 1 else f"{path.parent.name}_{path.stem}"
        for path in paths
    ]
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise InputError(f"weights: {double} is there twice; name each file once.")
    for path in paths:
        if not path.is_file():
            raise InputError(f"weights={path}: no such file.")
    return list(zip(names, paths, strict=True))


def _with_weights(network: Network, name: str, path: Path) -> Network:
    """`network` with the weights of a file, and the normalisation that stands in it."""
    state, metadata = weights_io.read(path, "weights")
    module = copy.deepcopy(network.module)
    weights_io.fill(module, state, path, network.name, "weights")
    mean, std = network.mean.flatten().tolist(), network.scale.reciprocal().flatten().tolist()
    classes = network.classes
    if "mean" in metadata:
        about = classifier_metadata(metadata, path, "weights")
        mean, std, classes = about.mean, about.std, about.classes
    return Network(
        module,
        size=network.size,
        name=name,
        classes=classes,
        mean=mean,
        std=std,
        sha256=weights_io.sha256(path),
        device=str(network.device),
        copy=False,
    )


def _accuracy(path: Path) -> float | None:
    """The accuracy that stands in a weights file, None where there is none."""
    metadata = weights_io.read(path, "weights")[1]
    try:
        return float(metadata["accuracy"])
    except (KeyError, ValueError):
        return None


def _changed(concepts: Sequence[Sequence[int]]) -> list[float]:
    """The share of channels whose concept is another than in the state before."""
    return [
        sum(a != b for a, b in zip(before, after, strict=True)) / len(after)
        for before, after in pairwise(concepts)
    ]


def _free(name: str, others: Sequence[str]) -> str:
    return name if name not in others else f"{name} (network)"
