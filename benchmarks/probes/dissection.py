"""Dissection: memory against the number of pictures, speed against bare passes, thresholds.

SqueezeNet's last fire layer on CamVid, one thread. Both passes of a dissection, decoding and label
maps included, are set beside two bare forward passes over the same decoded pictures.
"""

from __future__ import annotations

import os
import resource
import tarfile
import tempfile
import time
from pathlib import Path

import torch

import synth
from synth.core.network import Network
from synth.data.collection import Collection
from synth.probes.dissection import Dissection
from synth.record.memory_record import MemoryRecord

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
LAYER = "features.12"
COUNTS = (45, 90, 180)


def rows() -> list[tuple[str, str]]:
    """Memory, throughput and thresholds, as rows of a table."""
    weights = SHARED / "weights" / "squeezenet1_1.fp16.safetensors"
    network = synth.network("squeezenet1_1", weights=weights)
    table: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as name, tarfile.open(SHARED / "data/camvid_180.tar") as tar:
        tar.extractall(name, filter="data")
        folder = Path(name, "camvid_180")
        files = sorted((folder / "images").iterdir())
        dissections = []  # all before the bare passes, whose activations would count as memory
        for count in COUNTS:
            part = folder / f"images_{count}"
            part.mkdir()
            for file in files[:count]:
                (part / file.name).symlink_to(file)
            probe = Dissection(
                network, part, folder / "labels", SHARED / "data/camvid_concepts.tsv", LAYER
            )
            start = time.process_time()
            (layer,), _ = probe.dissected(MemoryRecord())
            spent = time.process_time() - start
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            dissections.append((count, probe.pictures, probe.grid, layer, spent, memory))
        for count, pictures, grid, layer, spent, memory in dissections:
            bare, exact = _bare(network, pictures, probe.quantile)
            error = ((layer.thresholds - exact) / exact)[exact > 0].abs().max()
            detectors = sum(concept >= 0 for concept in layer.concept_of(0.04))
            chance = sum(concept >= 0 for concept in layer.concept_of(0.04, chance=True))
            table.append(
                (
                    f"{count} pictures, grid {grid[0]} x {grid[1]}",
                    f"{2 * bare / spent:.2f} of bare throughput over both passes; at most "
                    f"{memory:,.0f} MiB in the process; thresholds within {100 * error:.3f} % of "
                    f"the exact quantile; {detectors} detectors, {chance} by chance",
                )
            )
    return table


def _bare(network: Network, pictures: Collection, quantile: float) -> tuple[float, torch.Tensor]:
    """Processor seconds of a pass over decoded pictures, and the exact quantiles."""
    parts = list(pictures.batches(network.size, 32))
    values, spent = [], 0.0
    for part in parts:
        start = time.process_time()
        with torch.inference_mode():
            values.append(network.read(part.images, [LAYER])[LAYER])
        spent += time.process_time() - start
    every = torch.cat(values).transpose(0, 1).flatten(1)
    place = round((1 - quantile) * every.shape[1])
    return spent, every.kthvalue(place, 1).values
