"""First-layer filters beside the pictures that maximise them, and the sum of channel responses.

The pictures are found by gradient ascent through the network. At a fixed distance from grey, as the
probe searches, theory demands the filter itself; how far other ascents come from it is given beside
that: pixels that are only kept in [0, 1], the Fourier basis, and that with the random transforms
that units of deeper layers are searched with. Patches are of the validation pictures of Tiny
ImageNet, and of 500 samples of ImageNet.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from pathlib import Path

import torch
from torch import Tensor

import synth
from synth.core import Encoding, Transform
from synth.core.network import Network
from synth.encodings.fourier import Fourier
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.networks.kernels import channel_responses, kernels, pixel_kernels
from synth.networks.receptive_field import receptive_fields
from synth.objectives.scores import Neuron
from synth.probes.filters import correlation
from synth.probes.strongest import cropped
from synth.record import progress
from synth.searches.gradient import Gradient
from synth.transforms.affine import Chain, Jitter, Rotate, Scale

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))


def rows() -> list[tuple[str, str]]:
    """Correlations and differences as rows of a table."""
    network = synth.network("mini_alexnet")
    weights = SHARED / "weights" / "squeezenet1_1.fp16.safetensors"
    larger = synth.network("squeezenet1_1", weights=weights)
    table = []
    with tempfile.TemporaryDirectory() as folder, progress.silenced():
        for name in ("tiny_imagenet_100_val", "imagenet_samples_500"):
            with tarfile.open(SHARED / "data" / f"{name}.tar") as archive:
                archive.extractall(folder, filter="data")
        own = synth.probe("filters", network=network, images=f"{folder}/tiny_imagenet_100")
        other = synth.probe("filters", network=larger, images=f"{folder}/imagenet_samples_500")
        for reader, result in ((network, own), (larger, other)):
            name = f"{reader.name}, {len(result.items)} filters of the first layer:"
            for kind, words in (
                ("maximising", "pictures at a fixed distance from grey that maximise them"),
                ("patch", "strongest patches"),
            ):
                values = result.tensors[f"correlation_{kind}"]
                table.append((f"{name} correlation with the {words}", _summary(values)))
        jitter = Chain([Jitter(0.1), Scale(0.8, 1.2), Rotate(15.0)])
        for words, encoding, transform in (
            ("pixels in [0, 1]", Pixels(start="mean"), None),
            ("the Fourier basis", Fourier(), None),
            ("the Fourier basis under random transforms", Fourier(), jitter),
        ):
            values = _of_ascent(network, encoding, transform)
            table.append((f"{network.name}, by ascent on {words} instead", _summary(values)))
    errors = [_error(network, layer) for layer in ("conv1", "conv3", "conv5")]
    table.append(
        (
            f"{network.name}, sum of the channels' responses beside conv1, conv3 and conv5",
            f"differs by {max(errors):.1e} of the largest activation at most",
        )
    )
    return table


def _of_ascent(network: Network, encoding: Encoding, transform: Transform | None) -> Tensor:
    """Correlations of conv1's filters with pictures of an ascent of 256 steps of Adam."""
    filters = pixel_kernels(network, "conv1")
    assert filters is not None
    units = list(range(len(filters)))
    search = Gradient(256)
    experiment = Experiment(network, encoding, Neuron("conv1", units), search, transform)
    field = receptive_fields(network)["conv1"]
    images = [cropped(image, field) for image in experiment.search().images]
    return correlation(filters, torch.stack(images))


def _error(network: Network, layer: str) -> float:
    """The largest difference of a sum of responses, over all units, for a picture of noise."""
    images = torch.rand(1, 3, *network.size, generator=torch.Generator().manual_seed(0))
    images = images.to(network.device)
    with torch.inference_mode():
        own = network.read(images, [layer])[layer]
    sums = [
        channel_responses(network, layer, unit, images).total
        for unit in range(len(kernels(network, layer)))
    ]
    return float((torch.stack(sums, 1) - own).abs().max() / own.abs().max())


def _summary(values: Tensor) -> str:
    sizes = values[values.isfinite()].abs()
    return f"median |r| {float(sizes.quantile(0.5)):.3f}, lowest {float(sizes.min()):.3f}"
