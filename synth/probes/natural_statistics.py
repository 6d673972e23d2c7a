"""Takes a network and natural pictures; leaves what they are like to it, for the distances that a comparison tells."""

from __future__ import annotations

from typing import Any

import torch

from synth import data
from synth.core.network import Network
from synth.metrics.naturalness import SUFFIX, measure_statistics
from synth.record.record import Record, versions


class NaturalStatistics:
    """Measures `images` (a folder, a glob, a list) and writes NETWORK.naturals.safetensors into the run folder.

    ``naturals=FILE`` gives that to a comparison; beside the weights in the package it is found unasked.
    """

    def __init__(self, network: Network, images: Any) -> None:
        self.network = network
        self.pictures = data.pictures(images)

    def run(self, record: Record) -> dict[str, Any]:
        """Writes the file; the findings tell how far the pictures themselves lie apart."""
        network = self.network
        known = measure_statistics(network, self.pictures)
        name = f"{network.name}{SUFFIX}"
        known.save(record.folder / name)
        far = known.distances(network, self.pictures)
        low, middle, high = far.quantile(torch.tensor([0.05, 0.5, 0.95])).tolist()
        return {
            "status": "done",
            "network": {"name": network.name, "sha256": network.sha256},
            "device": str(network.device),
            "versions": versions(),
            "items": [],
            "findings": {
                "pictures": known.pictures, "layers": len(known.layers), "units": len(known.mean), "file": name,
                "distance_5_percent": round(low, 4), "distance_median": round(middle, 4),
                "distance_95_percent": round(high, 4),
            },
        }  # fmt: skip
