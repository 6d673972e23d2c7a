"""Energy of a layer: half the mean squared activation, the objective of DeepDream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from synth.core import BoundObjective, Objective, Readout, Target
from synth.core.network import Network
from synth.errors import InputError
from synth.networks.style_layers import dream_layer
from synth.objectives._layers import layer_names, resolve_layer, select_item


class Energy(Objective):
    """E = 1/2 mean_i x_i^2 over the activations x of `layer`, or of one channel of it.

    Its gradient at the layer is the activation itself, x / N for N activations: whatever is active
    is amplified (google/deepdream, ``dream.ipynb``, which sets the gradient to x). The mean in
    place of the sum keeps E comparable between layers, octaves and sizes, so that in a weighted sum
    `weight` is each layer's share for each of its activations; under a normalised step the two are
    the same.

    Args:
        layer: a layer, or a list of layers (an item each: one image dreamed at every layer). By
            default the network's `dream_layer`.
        unit: None for the whole layer, a channel, or a list of channels (an item each, or one for
            each layer).
        rectified: read the layer behind the normalisation and ReLU that follow `layer`, with 0 as
            the least value; False for the output of `layer` itself.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: for an empty list, or lists of different lengths; in `bind`, for a layer or a
            channel that the network lacks.
    """

    def __init__(
        self,
        layer: str | Sequence[str] | None = None,
        unit: int | Sequence[int] | None = None,
        rectified: bool = True,
        weight: float = 1.0,
    ) -> None:
        self.layers = layer_names(layer)
        self.units = None if unit is None else [unit] if isinstance(unit, int) else list(unit)
        self.rectified = rectified
        self.weight = weight
        if self.units is None:
            return
        if not self.units:
            raise InputError("unit=[]: name at least one channel, or null for the whole layer.")
        several = self.layers is not None and min(len(self.units), len(self.layers)) > 1
        if several and len(self.units) != len(self.layers):
            raise InputError(
                f"unit={self.units}: {len(self.units)} channels and {len(self.layers)} layers; "
                "name one for all, or one for each."
            )

    def bind(self, network: Network) -> BoundObjective:
        return _BoundEnergy(self, network)


class _BoundEnergy(BoundObjective):
    def __init__(self, energy: Energy, network: Network) -> None:
        units = energy.units or [None]
        layers = [dream_layer(network)] if energy.layers is None else energy.layers
        count = max(len(layers), len(units))
        names = [resolve_layer(network, name, energy.rectified) for name in layers]
        names = names * (count // len(names))
        self.rectified = energy.rectified
        self.parts = list(zip(names, units * (count // len(units)), strict=True))
        for name, unit in self.parts:
            channels = network.layers[name][0]
            if unit is not None and not 0 <= unit < channels:
                raise InputError(f"unit={unit}: {name} has units 0 to {channels - 1}.")
        self.layers = tuple(dict.fromkeys(names))
        self.items = [
            Target(name if unit is None else f"{name}:{unit}") for name, unit in self.parts
        ]

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        activations = readout.activations
        values = [
            self._energy(activations[name], unit) if name in activations else None
            for name, unit in self.parts
        ]
        return {"energy": select_item(values, readout.rows.item)}

    def layers_of(self, item: int) -> tuple[str, ...]:
        return (self.parts[item if len(self.parts) > 1 else 0][0],)

    def _energy(self, values: Tensor, unit: int | None) -> Tensor:
        """The energy [r] of activations [r, c, ...]."""
        values = values if unit is None else values[:, unit : unit + 1]
        values = (values.clamp_min(0) if self.rectified else values).flatten(1)
        return torch.linalg.vecdot(values, values) / (2 * values.shape[1])
