"""The distance of images from natural pictures, in the activations of a network.

A diagonal Mahalanobis distance: with f_u the spatial mean of unit u of an image, m_u and s_u its
mean and standard deviation over natural pictures, and U_l the units of layer l,

    d = sqrt(mean_l mean_{u in U_l} ((f_u - m_u) / s_u)^2) / c,

where c makes the mean over the natural pictures 1. Units that never vary are left out, and every
layer has the same weight. All layers are needed: noise leaves the last layers nearly inactive, and
so closer to the mean than natural pictures are, while images optimised by gradients look usual to
the first layers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from synth import data
from synth.core.network import Network, over_places
from synth.errors import InputError
from synth.files import path_of
from synth.networks import reading, weights_io
from synth.networks.bundled import BOX
from synth.record.atomic import write_atomically

SUFFIX = ".naturals.safetensors"
MIN_PICTURES = 10  # a standard deviation of fewer means nothing


@dataclass(frozen=True)
class NaturalStatistics:
    """Statistics of natural pictures in one network.

    Attributes:
        layers: whose units are compared.
        mean: [units], of each unit's spatial mean, layer after layer.
        deviation: [units], its standard deviation.
        scale: mean distance of the natural pictures before it is divided by itself.
        pictures: how many there were.
        sha256: of the network's weights.
    """

    layers: tuple[str, ...]
    mean: Tensor
    deviation: Tensor
    scale: float
    pictures: int
    sha256: str

    def distances(self, network: Network, images: reading.Source) -> Tensor:
        """The distance of each image from natural pictures, [n]; natural pictures have about 1."""
        return self.unscaled(network, _features(network, images, self.layers)) / self.scale

    def unscaled(self, network: Network, features: Tensor) -> Tensor:
        """The distances [n], not divided by `scale`, of features [n, units]."""
        varies = self.deviation > 0
        deviations = (features.cpu() - self.mean) / torch.where(varies, self.deviation, 1.0)
        widths = [network.layers[name][0] for name in self.layers]
        parts = (deviations.square() * varies).split(widths, dim=1)
        return torch.stack([part.mean(1) for part in parts]).mean(0).sqrt()

    def save(self, path: Path) -> None:
        """Writes a safetensors file, the numbers in its metadata."""
        about = {
            "layers": json.dumps(self.layers),
            "scale": repr(self.scale),
            "pictures": str(self.pictures),
            "sha256": self.sha256,
        }
        write_atomically(path, save({"mean": self.mean, "deviation": self.deviation}, about))


def load_or_fit(network: Network, source: str | None = None) -> NaturalStatistics | None:
    """Statistics of natural pictures for `network`.

    Args:
        network: whose activations are compared.
        source: a folder of pictures to measure, or a file of statistics; by default the file that
            is bundled with the network's weights.

    Returns:
        The statistics; None where there is no source and nothing is bundled with these weights.

    Raises:
        InputError: where the file belongs to other weights, or is no such file.
    """
    if source is None:
        path = BOX / f"{network.name}{SUFFIX}"
        statistics = _read(path) if path.is_file() else None
        same = statistics is not None and statistics.sha256 == network.sha256
        return statistics if same else None
    path = path_of(source, "naturals")
    if path.suffix != ".safetensors":
        return fit(network, data.pictures(source, "naturals"))
    statistics = _read(path)
    if statistics.sha256 != network.sha256:
        raise InputError(
            f"naturals={source}: measured with other weights than those of {network.name}; make it "
            "anew with synth recipe=natural_statistics, or name a folder of pictures."
        )
    return statistics


def fit(network: Network, pictures: Sequence[data.Picture]) -> NaturalStatistics:
    """The statistics of `pictures`, each at the network's size.

    Raises:
        InputError: where there are fewer than `MIN_PICTURES`.
    """
    if len(pictures) < MIN_PICTURES:
        raise InputError(
            f"naturals: {len(pictures)} pictures give no standard deviation; "
            f"name {MIN_PICTURES} or more."
        )
    layers = _layers(network)
    features = _features(network, pictures, layers).cpu()
    if not bool(features.isfinite().all()):
        raise InputError(
            f"naturals: the activations of {network.name} are NaN or infinite for these pictures; "
            "its weights are damaged."
        )
    deviation, mean = torch.std_mean(features, dim=0)
    deviation = torch.where(deviation > 1e-6 * mean.abs().clamp_min(1e-6), deviation, 0.0)
    unscaled = NaturalStatistics(layers, mean, deviation, 1.0, len(pictures), network.sha256)
    return replace(unscaled, scale=float(unscaled.unscaled(network, features).mean()))


def _layers(network: Network) -> tuple[str, ...]:
    """Every ReLU; in a network without ReLU modules, every layer with weights but the last."""
    modules = dict(network.module.named_modules())
    parts = {name: modules[name] for name in network.layers if name in modules}
    layers = [name for name, part in parts.items() if isinstance(part, nn.ReLU)]
    if not layers:
        layers = [name for name, part in parts.items() if isinstance(part, nn.Conv2d | nn.Linear)]
        layers = layers[:-1]
    if not layers:
        raise InputError(
            f"naturals: {network.name} has no hidden layer in which pictures could be compared."
        )
    return tuple(layers)


def _features(network: Network, images: reading.Source, layers: Sequence[str]) -> Tensor:
    """Spatial means of all units of `layers`, concatenated: [n, units]."""
    means = reading.activations(network, images, layers, size=network.size, reduce=over_places)
    return torch.cat([means[name] for name in layers], dim=1)


def _read(path: Path) -> NaturalStatistics:
    return _load(path, weights_io.modified(path))


@lru_cache(maxsize=8)
def _load(path: Path, _modified: int) -> NaturalStatistics:
    tensors, about = weights_io.read(path, "naturals")
    try:
        return NaturalStatistics(
            layers=tuple(json.loads(about["layers"])),
            mean=tensors["mean"],
            deviation=tensors["deviation"],
            scale=float(about["scale"]),
            pictures=int(about["pictures"]),
            sha256=about["sha256"],
        )
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"naturals={path}: holds no statistics of natural pictures; give a file written by "
            "synth recipe=natural_statistics, or a folder of pictures."
        ) from error
