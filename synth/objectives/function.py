"""Any function of activations as an objective."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from synth.core import BoundObjective, Objective, Readout, Target
from synth.core.network import Network
from synth.errors import InputError


class Function(Objective):
    """The value of a function of the network's activations.

    Args:
        function: maps activations by the name of their layer, each float32 [r, ...], to scores
            [r], differentiable and independent of each other; for example
            ``lambda activations: activations["conv3"][:, 7].mean((1, 2))``. A call in `bind` finds
            out which layers it reads, so it must always read the same.
        name: of the item.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: in `bind`, for a layer that the network lacks, or scores of another shape.
    """

    def __init__(
        self,
        function: Callable[[Mapping[str, Tensor]], Tensor],
        name: str | None = None,
        weight: float = 1.0,
    ) -> None:
        self.function = function
        self.name = getattr(function, "__name__", "function") if name is None else name
        self.weight = weight

    def bind(self, network: Network) -> BoundObjective:
        return _BoundFunction(self, network)


class _BoundFunction(BoundObjective):
    def __init__(self, objective: Function, network: Network) -> None:
        self.function = objective.function
        self.items = [Target(objective.name.strip("<>"))]
        activations = _Recorder(network)
        scores = self.function(activations)
        if not isinstance(scores, Tensor) or scores.shape != (2,):
            form = (
                f"[{', '.join(map(str, scores.shape))}]"
                if isinstance(scores, Tensor)
                else (f"a {type(scores).__name__}")
            )
            raise InputError(
                f"objective: the function gave {form} for 2 images; it has to give a score for "
                "each image, such as activations[LAYER][:, 7].mean((1, 2))."
            )
        if not activations.names:
            raise InputError(
                "objective: the function reads no activation; write activations[LAYER] in it."
            )
        self.layers = tuple(activations.names)

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        return {"function": self.function(readout.activations)[:, None]}


class _Recorder(Mapping[str, Tensor]):
    """Activations of two grey images, which notes the names of the layers that are read."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.names: list[str] = []
        self.images = torch.full((2, 3, *network.size), 0.5, device=network.device)

    def __getitem__(self, name: str) -> Tensor:
        layer = self.network.layer(name)
        if layer not in self.names:
            self.names.append(layer)
        with torch.no_grad():
            return self.network.read(self.images, [layer])[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self.network.layers)

    def __len__(self) -> int:
        return len(self.network.layers)
