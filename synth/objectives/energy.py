"""How strongly a layer responds as a whole, half its squared activation: what a dream climbs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from synth.core import BoundObjective, Objective, Readout, Target
from synth.core.network import Network
from synth.errors import InputError


class Energy(Objective):
    """E = 1/2 mean_i x_i^2 over the activations x of `layer`, or of one channel of it.

    Its gradient at the layer is the activation itself, x / N of N activations: whatever the network sees in a
    picture, it is to see more of (google/deepdream, ``dream.ipynb``, which sets the gradient to x). The mean
    in place of the sum keeps E comparable between layers, octaves and sizes, so that in a mixture of several terms
    `weight` is each layer's share for each of its activations; a normalised step does not see the difference.

    `layer` is a name, or a list of names (an item each: one picture dreamed at every layer); `unit` None for the
    whole layer, a channel, or a list (an item each, or one for each layer). A name means what leaves the ReLU behind
    that layer, with 0 as the least value, unless `rectified` is False.
    """

    def __init__(
        self,
        layer: str | Sequence[str],
        unit: int | Sequence[int] | None = None,
        rectified: bool = True,
        weight: float = 1.0,
    ) -> None:
        self.layers, self.rectified, self.weight = layers_of(layer), rectified, weight
        self.units = None if unit is None else [unit] if isinstance(unit, int) else list(unit)
        if self.units == []:
            raise InputError("unit=[]: name at least one channel, or null for the whole layer.")
        if (
            self.units
            and min(len(self.units), len(self.layers)) > 1
            and len(self.units) != len(self.layers)
        ):
            raise InputError(
                f"unit={self.units}: {len(self.units)} channels and {len(self.layers)} layers; "
                "name one for all, or one for each."
            )

    def bind(self, network: Network) -> BoundObjective:
        return _BoundEnergy(self, network)


class _BoundEnergy(BoundObjective):
    def __init__(self, energy: Energy, network: Network) -> None:
        units = energy.units or [None]
        count = max(len(energy.layers), len(units))
        self.rectified = energy.rectified
        names = [tapped(network, name, energy.rectified) for name in energy.layers] * (
            count // len(energy.layers)
        )
        self.parts = list(zip(names, units * (count // len(units)), strict=True))
        for name, unit in self.parts:
            if unit is not None and not 0 <= unit < network.layers[name][0]:
                raise InputError(
                    f"unit={unit}: {name} has units 0 to {network.layers[name][0] - 1}."
                )
        self.layers = tuple(dict.fromkeys(names))
        self.items = [
            Target(name if unit is None else f"{name}:{unit}") for name, unit in self.parts
        ]

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        values = [self._energy(readout.activations[name], unit) for name, unit in self.parts]
        return {"energy": own_column(values, readout.rows.item)}

    def _energy(self, values: Tensor, unit: int | None) -> Tensor:
        values = values if unit is None else values[:, unit : unit + 1]
        values = (values.clamp_min(0) if self.rectified else values).flatten(1)
        return torch.linalg.vecdot(values, values) / (2 * values.shape[1])


def layers_of(layer: str | Sequence[str]) -> list[str]:
    """`layer` as a list of names; InputError where it is empty."""
    layers = [layer] if isinstance(layer, str) else list(layer)
    if not layers:
        raise InputError("layer=[]: name at least one layer.")
    return layers


def tapped(network: Network, name: str, rectified: bool) -> str:
    """The layer of `network` that is read where a user says `name`."""
    return network.rectified(name) if rectified else network.layer(name)


def own_column(values: Sequence[Tensor], item: Tensor) -> Tensor:
    """The value of each row's own item, [r, 1], from the values [r] of all items, or of one for all."""
    if len(values) == 1:
        return values[0][:, None]
    return torch.stack(list(values), dim=1).gather(1, item[:, None])
