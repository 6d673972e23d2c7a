"""Takes pictures and a network; gives how far each lies from natural pictures in what the network's layers hold.

The distance is a diagonal Mahalanobis distance: with f_u the mean of unit u over the places of a picture, m_u and s_u
its mean and standard deviation over natural pictures, and U_l the units of layer l,

    d = sqrt(mean_l mean_{u in U_l} ((f_u - m_u) / s_u)^2) / c,

where c makes the mean over the natural pictures 1. A unit that never varies counts nothing, every layer counts alike.
All layers are looked at because no one is enough: noise leaves the last ones nearly silent, and so closer to the mean
than pictures are, while pictures climbed by gradients look usual to the first ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from synth import data
from synth.core.network import OUTPUT, Network, over_places
from synth.errors import InputError
from synth.networks import reading, weights_io
from synth.networks.bundled import BOX
from synth.record.atomic import write_atomically

SUFFIX = ".naturals.safetensors"
FEWEST = 10  # pictures; a deviation from fewer means nothing


@dataclass(frozen=True)
class NaturalStatistics:
    """What natural pictures are like to one network: `mean` and `deviation` of each unit, [units], layer by layer.

    `scale` is their mean distance before it is divided by itself, `pictures` how many there were, `sha256` that of
    the network's weights.
    """

    layers: tuple[str, ...]
    mean: Tensor
    deviation: Tensor
    scale: float
    pictures: int
    sha256: str

    def distances(self, network: Network, images: reading.Source) -> Tensor:
        """The distance of each picture [n, 3, h, w] in [0, 1] from natural ones, [n]: they have about 1."""
        return self._raw(network, _features(network, images, self.layers)) / self.scale

    def _raw(self, network: Network, features: Tensor) -> Tensor:
        varies = self.deviation > 0
        away = (features.cpu() - self.mean) / torch.where(varies, self.deviation, 1.0)
        parts = (away.square() * varies).split(
            [network.layers[name][0] for name in self.layers], dim=1
        )
        return torch.stack([part.mean(1) for part in parts]).mean(0).sqrt()

    def save(self, path: Path) -> None:
        """Writes them as safetensors, all but the tensors in its metadata."""
        about = {"layers": json.dumps(self.layers), "scale": repr(self.scale), "pictures": str(self.pictures),
                 "sha256": self.sha256}  # fmt: skip
        write_atomically(path, save({"mean": self.mean, "deviation": self.deviation}, about))


def load_or_fit(network: Network, source: str | None = None) -> NaturalStatistics | None:
    """The natural pictures of `source`, a folder or a file of statistics; else those that came with the network.

    None where there is no source and none came with the weights that `network` has.
    """
    if source is not None:
        path = Path(source).expanduser()
        if path.suffix != ".safetensors":
            return measure_statistics(network, data.pictures(source, "naturals"))
        found = _read(path)
        if found.sha256 != network.sha256:
            raise InputError(
                f"naturals={source}: measured with other weights than those of {network.name}; make it anew with "
                "synth recipe=natural_statistics, or name a folder of pictures."
            )
        return found
    path = BOX / f"{network.name}{SUFFIX}"
    found = _read(path) if path.is_file() else None
    return found if found is not None and found.sha256 == network.sha256 else None


def measure_statistics(network: Network, pictures: Sequence[data.Picture]) -> NaturalStatistics:
    """What `pictures` are like to `network`, each at its size."""
    if len(pictures) < FEWEST:
        raise InputError(
            f"naturals: {len(pictures)} pictures tell no deviation; name {FEWEST} or more."
        )
    layers = _layers(network)
    features = _features(network, pictures, layers).cpu()
    deviation, mean = torch.std_mean(features, dim=0)
    deviation = torch.where(deviation > 1e-6 * mean.abs().clamp_min(1e-6), deviation, 0.0)
    known = NaturalStatistics(layers, mean, deviation, 1.0, len(pictures), network.sha256)
    scale = float(known._raw(network, features).mean())
    return NaturalStatistics(layers, mean, deviation, scale, len(pictures), network.sha256)


def _layers(network: Network) -> tuple[str, ...]:
    """Every ReLU, or, in a network that has none as a layer, every layer with weights but the last."""
    parts = {name: network.module.get_submodule(name) for name in network.layers if name != OUTPUT}
    found = [name for name, part in parts.items() if isinstance(part, nn.ReLU)]
    if not found:
        found = [name for name, part in parts.items() if isinstance(part, nn.Conv2d | nn.Linear)][
            :-1
        ]
    if not found:
        raise InputError(
            f"naturals: {network.name} has no hidden layer in which pictures could be compared."
        )
    return tuple(found)


def _features(network: Network, images: reading.Source, layers: Sequence[str]) -> Tensor:
    """Spatial means of all units of `layers`, concatenated: [n, units]."""
    means = reading.activations(network, images, layers, size=network.size, reduce=over_places)
    return torch.cat([means[name] for name in layers], dim=1)


def _read(path: Path) -> NaturalStatistics:
    return _kept(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=8)
def _kept(path: Path, _changed: int) -> NaturalStatistics:
    state, about = weights_io.read(path, "naturals")
    try:
        return NaturalStatistics(
            tuple(json.loads(about["layers"])), state["mean"], state["deviation"], float(about["scale"]),
            int(about["pictures"]), about["sha256"],
        )  # fmt: skip
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"naturals={path}: holds no statistics of natural pictures; give a file written by "
            "synth recipe=natural_statistics, or a folder of pictures."
        ) from error
