"""Cost of the patches of every unit of five layers, beside bare forward passes, and its memory.

Mini AlexNet, the layers conv1 to conv5, over the validation pictures of Tiny ImageNet. A bare pass
gives logits for batches of the same pictures that lie in memory already; the probe reads and
decodes them too, in a thread of its own. Passes are interleaved, and timed by the clock and by the
processor's time of the main thread, which is that of the clock where a core is free for decoding.
The memory is how much the largest resident set of the process grows from a pass over 500 pictures
to one over all.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

import synth
from synth.core.network import Network
from synth.probes.patches import Patches
from synth.probes.probe import BATCH
from synth.probes.strongest import Strongest
from synth.record import progress
from synth.record.memory_record import MemoryRecord

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
LAYERS = ["conv1", "conv2", "conv3", "conv4", "conv5"]
K = 8
FEW = 500
ROUNDS = 5


def rows() -> list[tuple[str, str]]:
    """Throughput beside bare passes, and memory, as rows of a table."""
    network = synth.network("mini_alexnet")
    with tempfile.TemporaryDirectory() as folder, progress.silenced():
        with tarfile.open(SHARED / "data" / "tiny_imagenet_100_val.tar") as archive:
            archive.extractall(folder, filter="data")
        paths = sorted(Path(folder).rglob("*.JPEG"))
        part = Path(folder) / "part"
        part.mkdir()
        for path in paths[:FEW]:
            shutil.copy(path, part)
        whole = os.path.commonpath(paths)
        _pass(network, str(part))
        few = _largest()
        _pass(network, whole)
        grown = _largest() - few
        probe = Patches(network, whole, LAYERS)
        batches = [batch.images for batch in probe.pictures.batches(network.size, BATCH)]

        def bare() -> None:
            with torch.inference_mode():
                for images in batches:
                    network(images.to(network.device))

        times = _interleaved(bare, lambda: _pass(network, whole))
    (plain, plain_own), (ours, own) = (
        map(statistics.median, zip(*side, strict=True)) for side in times
    )
    units = sum(network.layers[layer][0] for layer in LAYERS)
    return [
        (
            f"patches of {units} units of {len(LAYERS)} layers, {len(paths)} pictures of 64 px",
            f"{len(paths) / ours:.0f} pictures a second, {plain / ours:.2f} of the bare forward "
            f"pass's {len(paths) / plain:.0f}; by processor time {plain_own / own:.2f}",
        ),
        (
            f"patches, memory for {len(paths)} pictures beyond that for {FEW}",
            f"{grown / 1024:.1f} MiB, of {few / 1024:.0f}",
        ),
    ]


def _pass(network: Network, images: str) -> None:
    probe = Patches(network, images, LAYERS, k=K)
    probe.scan(MemoryRecord(), LAYERS, {"strongest": Strongest(network, LAYERS, K)})


def _largest() -> int:
    """The largest resident set so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _interleaved(*sides: Callable[[], None]) -> list[list[tuple[float, float]]]:
    """Seconds of each side by the clock and of this thread, of `ROUNDS` rounds."""
    times: list[list[tuple[float, float]]] = [[] for _ in sides]
    for _ in range(ROUNDS):
        for seconds, side in zip(times, sides, strict=True):
            start, own = time.perf_counter(), time.thread_time()
            side()
            seconds.append((time.perf_counter() - start, time.thread_time() - own))
    return times
