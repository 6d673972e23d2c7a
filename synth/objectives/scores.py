"""Activation objectives: a class score, a neuron, a channel, a direction in a layer.

A layer's name means the output of that layer; the ReLU behind it is a layer with its own name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from synth.core import BoundObjective, Objective, Readout, Rows, Target
from synth.core.layers import along
from synth.core.network import OUTPUT, Network
from synth.errors import InputError, nearest
from synth.networks.directions import Source, directed, directions_of
from synth.networks.style_layers import penultimate_layer, unit_layer
from synth.objectives._layers import select_index

SCORES = ("logit", "log_probability", "probability", "margin")
Names = str | int | Sequence[str | int]


def check_score(score: str, choices: Iterable[str] = SCORES) -> None:
    """Raises InputError where `score` is none of the `choices`."""
    if score not in choices:
        hint = nearest(score, choices) or f" There are {', '.join(choices)}."
        raise InputError(f"objective score={score}: no such score.{hint}")


def range_of(score: str) -> tuple[float, float]:
    """The lowest and the highest value of a score by its name, as far as there are any."""
    ranges = {
        "log_probability": (-math.inf, 0.0),
        "cross_entropy": (0.0, math.inf),
        "probability": (0.0, 1.0),
    }
    return ranges.get(score, (-math.inf, math.inf))


def check_not_random(target: Names) -> None:
    """Raises InputError for a random `target`, where every class has a column of its own."""
    if target == "random":
        raise InputError(
            "target=random: every image is scored for every target here; write their names, or all."
        )


def score_of(logits: Tensor, score: str) -> Tensor:
    """The `score`, one of `SCORES`, of every class from logits [n, classes]: [n, classes]."""
    if score == "margin":
        first, second = logits.topk(2, dim=1).values.split(1, dim=1)
        return logits - torch.where(logits == first, second, first)
    if score == "log_probability":
        return functional.log_softmax(logits, dim=1)
    return functional.softmax(logits, dim=1) if score == "probability" else logits


def margin_of(logits: Tensor, index: Tensor) -> Tensor:
    """The margin z_i - max_{j != i} z_j of the class i in `index` [n, 1]: [n, 1]."""
    return logits.gather(1, index) - logits.scatter(1, index, -torch.inf).amax(1, keepdim=True)


class ClassScore(Objective):
    """The score of the target class.

    - ``logit``: the score before the softmax, S_c (Simonyan et al. 2014: the probability can rise
      because the logits of other classes fall, the logit cannot);
    - ``log_probability``: minus the cross-entropy L = -sum_k 1{y=k} log y_k;
    - ``probability``: the softmax confidence;
    - ``margin``: S_c - max_{k != c} S_k, above 0 exactly where the class is predicted (Carlini &
      Wagner 2017).

    Args:
        target: a class by name, synset or index, a list of them (an item each), ``all``, or
            ``random`` (each item draws its own).
        score: ``logit``, ``log_probability``, ``probability`` or ``margin``.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: for an unknown score; in `bind`, for a class that the network lacks.
    """

    def __init__(self, target: Names, score: str = "logit", weight: float = 1.0) -> None:
        check_score(score)
        self.names = target
        self.score = score
        self.weight = weight

    def bind(self, network: Network) -> BoundObjective:
        return _BoundClass(self.names, self.score, network)


class _BoundClass(BoundObjective):
    layers = (OUTPUT,)

    def __init__(self, names: Names, score: str, network: Network) -> None:
        self.score = score
        self.range = range_of(score)
        self.classes = network.classes
        self.index: Tensor | None = None
        if names != "random":
            indices = network.classes.indices(names, network.name)
            self.index = torch.tensor(indices, device=network.device)
            self.items = [Target(network.classes.label(i), i) for i in indices]

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        scores = score_of(readout.activations[OUTPUT], self.score)
        return {f"class_{self.score}": scores.gather(1, self._indices(readout.rows)[:, None])}

    def target(self, rows: Rows) -> list[Target | None]:
        return [Target(self.classes.label(i), i) for i in self._indices(rows).tolist()]

    def _indices(self, rows: Rows) -> Tensor:
        if self.index is None:  # random: from the item's identity, so the same in every step
            return (rows.identity >> 8) % len(self.classes)
        return select_index(self.index, rows.item)


class Neuron(Objective):
    """The activation of a single unit; of a spatial layer, at one place.

    Args:
        layer: the layer; None for the network's `unit_layer`.
        unit: the unit (channel) of the layer, or a list of units (an item each).
        directions: vectors [k, channels] in the layer, or a file of them, whose numbers `unit` then
            gives; the activation is the projection on the vector.
        at: the place (y, x) in a spatial layer at the network's own size; by default its middle. In
            an image of another size it is the corresponding place.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: for an empty list, or directions that cannot be read; in `bind`, for a layer,
            unit or place that the network lacks, or directions of another width.
    """

    def __init__(
        self,
        layer: str | None,
        unit: int | Sequence[int],
        at: Sequence[int] | None = None,
        weight: float = 1.0,
        directions: Source | None = None,
    ) -> None:
        self.layer = layer
        self.units = _unit_list(unit)
        self.place = at
        self.weight = weight
        self.directions = None if directions is None else directions_of(directions)

    def bind(self, network: Network) -> BoundObjective:
        layer, name = _layer_of_units(network, self.layer, self.units, self.directions)
        shape = network.layers[layer]
        if len(shape) != 3:
            return _BoundUnits(layer, self.units, network, None, name, self.directions)
        place = tuple(self.place) if self.place is not None else (shape[1] // 2, shape[2] // 2)
        if len(place) != 2 or not (0 <= place[0] < shape[1] and 0 <= place[1] < shape[2]):
            raise InputError(
                f"at={list(place)}: {layer} is {shape[1]}x{shape[2]}; write [y, x] inside it."
            )
        name = f"{name}@{place[0]},{place[1]}"
        return _BoundUnits(layer, self.units, network, place, name, self.directions)


class Channel(Objective):
    """The mean activation of a channel over all places of a layer.

    Args:
        layer: the layer; None for the network's `unit_layer`.
        unit: the channel of the layer, or a list of channels (an item each).
        directions: as of `Neuron`.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: for an empty list, or directions that cannot be read; in `bind`, for a layer or
            channel that the network lacks, or directions of another width.
    """

    def __init__(
        self,
        layer: str | None,
        unit: int | Sequence[int],
        weight: float = 1.0,
        directions: Source | None = None,
    ) -> None:
        self.layer = layer
        self.units = _unit_list(unit)
        self.weight = weight
        self.directions = None if directions is None else directions_of(directions)

    def bind(self, network: Network) -> BoundObjective:
        layer, name = _layer_of_units(network, self.layer, self.units, self.directions)
        return _BoundUnits(layer, self.units, network, None, name, self.directions)


class _BoundUnits(BoundObjective):
    """Units of a layer: at `place` (y, x), or the mean over all places where it is None.

    They are its channels, or `directions` [k, channels] in it.
    """

    def __init__(
        self,
        layer: str,
        units: list[int],
        network: Network,
        place: tuple[int, ...] | None,
        name: str,
        directions: Tensor | None,
    ) -> None:
        self.layer = layer
        self.layers = (layer,)
        self.place = place
        self.directions = None if directions is None else directions.to(network.device)
        self.shape = network.layers[layer]
        self.index = torch.tensor(units, device=network.device)
        self.items = [Target(f"{name}:{unit}") for unit in units]

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        values = readout.activations[self.layer]
        if self.directions is not None:
            values = along(values, self.directions)
        index = select_index(self.index, readout.rows.item)
        values = values[torch.arange(len(values), device=values.device), index]
        if self.place is not None:
            values = self._at_place(values, self.place)
        if values.ndim == 1:
            return {"activation": values[:, None]}
        return {"activation": values.flatten(1).mean(1, keepdim=True)}

    def _at_place(self, values: Tensor, place: tuple[int, ...]) -> Tensor:
        """Maps [r, h, w] at `place`, scaled to images that are not of the network's size: [r]."""
        row, column = (
            int((place[i] + 0.5) * values.shape[i + 1] / self.shape[i + 1]) for i in (0, 1)
        )
        return values[:, row, column]


class Direction(Objective):
    """The dot product with a direction in a layer, times a power of the cosine.

    Over a spatial layer the score is the mean over places. Source: lucid's ``direction``, with its
    lower bound of 0.1 for the cosine.

    Args:
        layer: the layer; None for the network's penultimate layer.
        vector: the direction, one number for each channel.
        cosine: the power of the cosine; 0 for the plain dot product.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: in `bind`, for a layer that the network lacks, or a vector of another length or
            of zeros.
    """

    def __init__(
        self, layer: str | None, vector: Sequence[float], cosine: float = 1.0, weight: float = 1.0
    ) -> None:
        self.layer = layer
        self.vector = list(vector)
        self.power = cosine
        self.weight = weight

    def bind(self, network: Network) -> BoundObjective:
        layer = penultimate_layer(network) if self.layer is None else network.layer(self.layer)
        shape = network.layers[layer]
        if len(self.vector) != shape[0]:
            raise InputError(
                f"vector: {len(self.vector)} numbers, but {layer} has {shape[0]} channels."
            )
        if not any(self.vector):
            raise InputError("vector: all zeros point nowhere.")
        return _BoundDirection(self, layer, network)


class _BoundDirection(BoundObjective):
    def __init__(self, direction: Direction, layer: str, network: Network) -> None:
        self.layer = layer
        self.layers = (layer,)
        self.power = direction.power
        self.vector = torch.tensor(direction.vector, dtype=torch.float32, device=network.device)
        self.items = [Target(f"{layer}:direction")]

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        activations = readout.activations[self.layer]
        values = activations.flatten(2) if activations.ndim > 2 else activations[..., None]
        dot = torch.einsum("ncp,c->np", values, self.vector)
        if self.power:
            lengths = (values.square().sum(1) + 1e-12).sqrt() * self.vector.norm()
            dot = dot * (dot / lengths).clamp_min(0.1) ** self.power
        return {"direction": dot.mean(1, keepdim=True)}


def _unit_list(unit: int | Sequence[int]) -> list[int]:
    units = [unit] if isinstance(unit, int) else list(unit)
    if not units:
        raise InputError("unit=[]: name at least one unit.")
    return units


def _layer_of_units(
    network: Network, layer: str | None, units: Sequence[int], directions: Tensor | None
) -> tuple[str, str]:
    """The layer that is read, and the name of the one whose units are meant: it, or `direction`.

    Raises:
        InputError: no such layer or unit, or directions of another width.
    """
    if directions is not None:
        network, name = directed(network, layer, directions)
    else:
        layer = name = unit_layer(network) if layer is None else network.layer(layer)
    count = network.layers[name][0]
    for unit in units:
        if not 0 <= unit < count:
            raise InputError(f"unit={unit}: {name} has units 0 to {count - 1}.")
    assert layer is not None
    return layer, name
