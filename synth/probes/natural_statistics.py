"""Mean and standard deviation of every unit over natural pictures, for distances from them."""

from __future__ import annotations

import torch

from synth import data
from synth.core.network import Network
from synth.metrics.naturalness import SUFFIX, fit
from synth.probes.probe import Measurement, Probe
from synth.record.record import Record

QUANTILES = (0.05, 0.5, 0.95)


class MeasureNaturalStatistics(Probe):
    """Writes NETWORK.naturals.safetensors into the run folder.

    A comparison takes the file as ``naturals=FILE``; beside the bundled weights it is the default.
    The findings have quantiles of the distances of the pictures themselves.

    Args:
        network: the network.
        images: a folder, glob or list of natural pictures, 10 or more.

    Raises:
        InputError: where the pictures cannot be read.
    """

    needs_pictures = True

    def __init__(self, network: Network, images: data.Sources) -> None:
        super().__init__(network, images)
        self.images = images

    def measure(self, record: Record) -> Measurement:
        pictures = data.pictures(self.images)
        statistics = fit(self.network, pictures)
        name = f"{self.network.name}{SUFFIX}"
        statistics.save(record.folder / name)
        distances = statistics.distances(self.network, pictures)
        low, middle, high = distances.quantile(torch.tensor(QUANTILES)).tolist()
        return Measurement(
            findings={
                "pictures": statistics.pictures,
                "layers": len(statistics.layers),
                "units": len(statistics.mean),
                "file": name,
                "distance_5_percent": round(low, 4),
                "distance_median": round(middle, 4),
                "distance_95_percent": round(high, 4),
            }
        )
