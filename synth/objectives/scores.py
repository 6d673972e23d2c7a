"""What a network says of a picture, as a score: a class, a neuron, a channel, a direction.

Each is unbound (names) until `bind` resolves it against a network. Layer names mean the output of that
layer; the layer after it that is a ReLU has a name of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from synth.core import BoundObjective, Objective, Readout, Rows, Target
from synth.core.network import OUTPUT, Network
from synth.errors import InputError, nearest

SCORES = ("logit", "log_probability", "probability", "margin")
Names = str | int | Sequence[str | int]


def score_of(scores: Tensor, score: str) -> Tensor:
    """Scores before the softmax [n, classes] as one of the MEASURES."""
    if score == "margin":
        first, second = scores.topk(2, dim=1).values.split(1, dim=1)
        return scores - torch.where(scores == first, second, first)
    if score == "log_probability":
        return functional.log_softmax(scores, dim=1)
    return functional.softmax(scores, dim=1) if score == "probability" else scores


def lead(scores: Tensor, index: Tensor) -> Tensor:
    """By how much the class `index` [n, 1] is ahead of all others in `scores` [n, classes]: [n, 1]."""
    return scores.gather(1, index) - scores.scatter(1, index, -torch.inf).amax(1, keepdim=True)


class ClassScore(Objective):
    """How strongly the network sees the target class, by one of four `score`s.

    ``logit``: the score before the softmax, S_c (Simonyan et al. 2014: the probability can rise by pushing
    the other classes down, the score cannot). ``log_probability``: minus the cross-entropy
    L = -sum_k 1{y=k} log y_k. ``probability``: the confidence. ``margin``: S_c - max_{k != c} S_k, above 0 exactly
    where the class is predicted (Carlini & Wagner 2017). `target` is a class by name, synset or index, a
    list of them (an item each), ``all``, or ``random`` (each item draws its own).
    """

    def __init__(self, target: Names, score: str = "logit", weight: float = 1.0) -> None:
        if score not in SCORES:
            raise InputError(f"objective score={score}: no such score.{nearest(score, SCORES)}")
        self.names, self.score, self.weight = target, score, weight

    def bind(self, network: Network) -> BoundObjective:
        return _BoundClass(self.names, self.score, network)


class _BoundClass(BoundObjective):
    layers = (OUTPUT,)

    def __init__(self, names: Names, score: str, network: Network) -> None:
        self.score, self.classes = score, network.classes
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
        if self.index is None:  # random: from what the item is, so it is the same in every step
            return (rows.identity >> 8) % len(self.classes)
        return self.index.expand(len(rows)) if len(self.index) == 1 else self.index[rows.item]


class Neuron(Objective):
    """The activation of single units of a layer: of a spatial layer at one place, its middle unless `at` says (y, x).

    `unit` is a number or a list (an item each).
    """

    def __init__(
        self,
        layer: str,
        unit: int | Sequence[int],
        at: Sequence[int] | None = None,
        weight: float = 1.0,
    ) -> None:
        self.layer, self.units, self.place, self.weight = layer, _listed(unit), at, weight

    def bind(self, network: Network) -> BoundObjective:
        shape = network.layers[network.layer(self.layer)]
        _check_units(self.units, self.layer, shape)
        if len(shape) == 1:
            return _BoundUnits(self.layer, self.units, network, None, self.layer)
        place = tuple(self.place) if self.place is not None else (shape[1] // 2, shape[2] // 2)
        if len(place) != 2 or not (0 <= place[0] < shape[1] and 0 <= place[1] < shape[2]):
            raise InputError(
                f"at={list(place)}: {self.layer} is {shape[1]}x{shape[2]}; write [y, x] inside it."
            )
        return _BoundUnits(
            self.layer, self.units, network, place, f"{self.layer}@{place[0]},{place[1]}"
        )


class Channel(Objective):
    """The mean activation of whole channels of a spatial layer. `unit` is a number or a list (an item each)."""

    def __init__(self, layer: str, unit: int | Sequence[int], weight: float = 1.0) -> None:
        self.layer, self.units, self.weight = layer, _listed(unit), weight

    def bind(self, network: Network) -> BoundObjective:
        shape = network.layers[network.layer(self.layer)]
        _check_units(self.units, self.layer, shape)
        return _BoundUnits(self.layer, self.units, network, None, self.layer)


class _BoundUnits(BoundObjective):
    def __init__(
        self,
        layer: str,
        units: list[int],
        network: Network,
        place: tuple[int, ...] | None,
        name: str,
    ) -> None:
        self.layers, self.layer, self.place, self.shape = (
            (layer,),
            layer,
            place,
            network.layers[layer],
        )
        self.index = torch.tensor(units, device=network.device)
        self.items = [Target(f"{name}:{unit}") for unit in units]

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        values = readout.activations[self.layer]
        rows = readout.rows
        index = self.index.expand(len(rows)) if len(self.index) == 1 else self.index[rows.item]
        values = values[torch.arange(len(rows), device=values.device), index]
        if self.place is not None:
            # in a picture of another size than the network's own, the same place in the picture
            row, column = (
                int((self.place[i] + 0.5) * values.shape[i + 1] / self.shape[i + 1]) for i in (0, 1)
            )
            values = values[:, row, column]
        return {
            "activation": values.flatten(1).mean(1, keepdim=True)
            if values.ndim > 1
            else values[:, None]
        }


class Direction(Objective):
    """A direction in a layer's space: dot product times the cosine to a power (lucid's ``direction``).

    `vector` has one number a channel; at `cosine` 0 it is the plain dot product. Over a spatial layer the
    score is the mean over places.
    """

    def __init__(
        self, layer: str, vector: Sequence[float], cosine: float = 1.0, weight: float = 1.0
    ) -> None:
        self.layer, self.vector, self.power, self.weight = layer, list(vector), cosine, weight

    def bind(self, network: Network) -> BoundObjective:
        shape = network.layers[network.layer(self.layer)]
        if len(self.vector) != shape[0]:
            raise InputError(
                f"vector: {len(self.vector)} numbers, but {self.layer} has {shape[0]} channels."
            )
        if not any(self.vector):
            raise InputError("vector: all zeros point nowhere.")
        return _BoundDirection(self, network)


class _BoundDirection(BoundObjective):
    def __init__(self, direction: Direction, network: Network) -> None:
        self.layers, self.layer, self.power = (direction.layer,), direction.layer, direction.power
        self.vector = torch.tensor(direction.vector, dtype=torch.float32, device=network.device)
        self.items = [Target(f"{direction.layer}:direction")]

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        values = (
            readout.activations[self.layer].flatten(2)
            if readout.activations[self.layer].ndim > 2
            else readout.activations[self.layer][..., None]
        )
        dot = torch.einsum("ncp,c->np", values, self.vector)
        if self.power:
            lengths = (values.square().sum(1) + 1e-12).sqrt() * self.vector.norm()
            dot = dot * (dot / lengths).clamp_min(0.1) ** self.power
        return {"direction": dot.mean(1, keepdim=True)}


def _listed(unit: int | Sequence[int]) -> list[int]:
    units = [unit] if isinstance(unit, int) else list(unit)
    if not units:
        raise InputError("unit=[]: name at least one unit.")
    return units


def _check_units(units: Sequence[int], layer: str, shape: tuple[int, ...]) -> None:
    for unit in units:
        if not 0 <= unit < shape[0]:
            raise InputError(f"unit={unit}: {layer} has units 0 to {shape[0] - 1}.")
