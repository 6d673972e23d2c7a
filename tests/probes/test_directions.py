"""Directions of PCA, NMF and k-means against NumPy and planted ones, and what is asked of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import noisy_pictures
from torch import Tensor

from synth import data
from synth.core.network import Network
from synth.data.collection import Batch
from synth.errors import InputError
from synth.probes.activations import Activations
from synth.probes.decomposition import Covariance, Decomposition, Sample
from synth.probes.directions import Directions
from synth.probes.occlusion import Occlusion
from synth.probes.patches import Patches
from synth.probes.probe import Probe, Tally
from synth.probes.saliency import Saliency
from synth.record.folder_record import FolderRecord
from synth.record.memory_record import MemoryRecord

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures, a copy of one, and a file that is none."""
    folder = noisy_pictures(tmp_path / "pictures", 6, 0, 256)
    (folder / "03 copy.png").write_bytes((folder / "03.png").read_bytes())
    (folder / "bad.png").write_bytes(b"no picture")
    return folder


def fed(tally: Tally, values: Tensor, batch: int) -> Tally:
    """The tally with activations [n, ...] of n pictures, in batches."""
    for places in torch.arange(len(values)).split(batch):
        tally.add(Batch(places, torch.zeros(len(places), 3, 1, 1)), {"a": values[places]})
    return tally


def sample_of(values: Tensor, size: int = 5000, batch: int = 7, seed: int = 0) -> Sample:
    names = [str(number) for number in range(len(values))]
    sample = Sample("a", values.shape[1], names, size, seed, CPU)
    fed(sample, values, batch)
    return sample


def matched(found: Tensor, planted: Tensor) -> Tensor:
    """The cosine of each planted direction with the nearest of those that were found."""
    return (found @ planted.mT / planted.norm(dim=1)).amax(0)


def test_pca_is_the_singular_value_decomposition_of_all_activations() -> None:
    draws = torch.Generator().manual_seed(0)
    scales = torch.linspace(3.0, 0.1, 9)
    # far from 0, where a sum of squares would lose its digits
    values = 500 + torch.randn(23, 9, 4, 5, generator=draws) * scales.view(-1, 1, 1)
    covariance = Covariance("a", 9, CPU)
    fed(covariance, values, 5)
    parts = covariance.pca(4)
    rows = values.movedim(1, 3).reshape(-1, 9).double().numpy()
    centred = rows - rows.mean(0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    variances = singular**2 / (len(rows) - 1)
    np.testing.assert_allclose(parts.tensors["variances"], variances[:4], rtol=1e-4)
    np.testing.assert_allclose(parts.weights, variances[:4] / variances.sum(), rtol=1e-4)
    assert parts.explained == pytest.approx(variances[:4].sum() / variances.sum(), rel=1e-5)
    np.testing.assert_allclose(np.abs((parts.vectors.numpy() * axes[:4]).sum(1)), 1, atol=1e-5)
    np.testing.assert_allclose(parts.origin, rows.mean(0), rtol=1e-5)
    largest = parts.vectors.gather(1, parts.vectors.abs().argmax(1, keepdim=True))
    assert bool((largest > 0).all())
    again = Covariance("a", 9, CPU)
    again.restore(covariance.state())
    assert torch.equal(again.pca(4).vectors, parts.vectors)


def test_nmf_finds_planted_parts() -> None:
    draws = torch.Generator().manual_seed(1)
    planted = torch.zeros(3, 12)
    for part in range(3):
        planted[part, 4 * part : 4 * part + 5] = torch.tensor([1.0, 2.0, 3.0, 2.0, 1.0])[
            : 12 - 4 * part
        ]
    amounts = torch.rand(40, 3, 3, 3, generator=draws)
    amounts *= torch.rand(40, 3, 3, 3, generator=draws) < 0.5
    values = torch.einsum("njhw,jc->nchw", amounts, planted)
    parts = sample_of(values).nmf(3, 0)
    assert float(matched(parts.vectors, planted).min()) > 0.99
    assert float(parts.vectors.min()) >= 0
    assert parts.explained > 0.999
    assert parts.findings["negative_share"] == 0
    assert sum(parts.weights.tolist()) == pytest.approx(1, abs=1e-5)
    # fewer parts explain less, and what is below 0 counts as 0
    errors = [sample_of(values).nmf(k, 0).findings["reconstruction_error"] for k in (1, 2, 3)]
    assert errors == sorted(errors, reverse=True)
    assert len(set(errors)) == 3
    signed = sample_of(torch.where(values > 0, values, -1.0)).nmf(3, 0)
    assert torch.allclose(signed.vectors, parts.vectors, atol=1e-4)
    share = float((values <= 0).float().mean())
    assert signed.findings["negative_share"] == pytest.approx(share, abs=1e-4)


def test_kmeans_finds_planted_clusters() -> None:
    draws = torch.Generator().manual_seed(2)
    centres = 4 * torch.randn(3, 6, generator=draws)
    sizes = (150, 90, 60)
    values = torch.cat([centres[j].expand(size, -1) for j, size in enumerate(sizes)])
    values = values + 0.1 * torch.randn(values.shape, generator=draws)
    parts = sample_of(values[torch.randperm(300, generator=draws)]).kmeans(3, 0)
    assert torch.allclose(parts.weights, torch.tensor(sizes) / 300.0)
    assert torch.allclose(parts.tensors["centres"], centres, atol=0.1)
    ways = parts.tensors["centres"] - values.mean(0)
    assert torch.allclose(parts.vectors, ways / ways.norm(dim=1, keepdim=True), atol=1e-4)
    assert parts.findings["inertia"] == pytest.approx(6 * 0.01, rel=0.1)
    shares = [sample_of(values).kmeans(k, 0).explained for k in (2, 3, 5)]
    assert shares == sorted(shares)
    with pytest.raises(InputError, match="k=4: fewer different activations of a"):
        sample_of(centres.repeat(20, 1)).kmeans(4, 0)


def test_a_sample_is_uniform_and_the_same_in_any_batches() -> None:
    values = torch.arange(60.0 * 50).reshape(60, 50)[:, None].expand(-1, 2, -1)[..., None]
    small = sample_of(values, 400, batch=1)
    large = sample_of(values, 400, batch=60)
    assert torch.equal(small.values[:, 0].sort().values, large.values[:, 0].sort().values)
    assert len(large.values.unique(dim=0)) == 400
    assert (large.count, small.count) == (3000, 3000)
    # of 3,000 equally likely ones the mean of 400 is 1,500 +- 40
    assert float(large.values[:, 0].mean()) == pytest.approx(1500, abs=130)
    counts = torch.histc(large.values[:, 0], 10, 0, 3000)
    assert float(((counts - 40) ** 2 / 40).sum()) < 28  # chi squared, 9 degrees: .1 %
    other = sample_of(values, 400, seed=1)
    assert not torch.equal(other.values[:, 0].sort().values, large.values[:, 0].sort().values)
    assert len(sample_of(values, 9999).values) == 3000


def layer_of(network: Network, folder: Path, layer: str) -> Tensor:
    names = [f"{number:02d}.png" for number in range(6)]
    images = torch.stack([data.picture(str(folder / name)).at((16, 16)) for name in names])
    with torch.no_grad():
        return network.read(images, [layer])[layer]


@pytest.mark.parametrize(
    ("layer", "method"), [("relu2", "nmf"), ("conv2", "pca"), ("fc", "kmeans")]
)
def test_a_run_leaves_directions_that_other_probes_read(
    network: Network, folder: Path, tmp_path: Path, layer: str, method: str
) -> None:
    record = FolderRecord(tmp_path / "run")
    probe = Directions(network, str(folder), layer, method, k=3, sample=400, shown=2)
    result = probe.run(record)
    file = tmp_path / "run" / "directions.safetensors"
    values = layer_of(network, folder, layer)
    assert result.findings["activations"] == 7 * values[0, 0].numel()
    assert (result.findings["pictures"], result.findings["skipped_files"]) == (7, 1)
    assert result.findings["duplicate_pictures"] == 1
    table = result.findings["directions"]
    assert isinstance(table, list)
    assert [row["direction"] for row in table] == [0, 1, 2]
    with Image.open(tmp_path / "run" / result.figures[0].file) as sheet:
        assert sheet.width > (4 if values.ndim == 4 else 2) * 100
    # the strongest pictures are those of all projections
    top = Patches(probe.network, str(folder), "direction", k=2, steps=0)
    memory = MemoryRecord()
    top.measure(memory)
    again = Patches(network, str(folder), layer, k=2, steps=0, unit=[2], directions=file)
    other = MemoryRecord()
    again.measure(other)
    for name, tensor in other.saved_tensors["patches.safetensors"].items():
        assert torch.equal(tensor, memory.saved_tensors["patches.safetensors"][name]), name
    about = {"layer": layer, "unit": 2, "directions": file}
    image = str(folder / "00.png")
    maps = MemoryRecord()
    Activations(network, image, **about).measure(maps)
    vectors = probe.network._layers["direction"].directions
    assert vectors is not None
    expected = torch.einsum("nc...,kc->nk...", values[:1], vectors)
    activations = maps.saved_tensors["activations.safetensors"]["activations"]
    assert torch.allclose(activations, expected, atol=1e-5)
    for probe_of in (
        Occlusion(network, image, 8, 8, **about),
        Saliency(network, image, ["vanilla", "guided_backprop"], **about),
    ):
        assert [item.target for item in probe_of.run(MemoryRecord()).items] == ["direction:2"]


def test_nmf_says_what_becomes_of_negative_activations(
    network: Network, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    result = Directions(network, str(folder), "conv2", "nmf", k=2).measure(MemoryRecord())
    share = float((layer_of(network, folder, "conv2") < 0).float().mean())
    assert float(str(result.findings["negative_share"])) == pytest.approx(share, abs=0.02)
    assert "of its values are below 0 and count as 0; layer=relu2 has fewer" in caplog.text


def test_a_killed_run_finds_the_same(
    network: Network, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synth.probes.probe.CHECKPOINT_EVERY", -1.0)
    monkeypatch.setattr(Probe, "scan", partialmethod(Probe.scan, batch=3))

    def run(name: str) -> dict[str, bytes]:
        probe = Directions(network, str(folder), "relu2", "kmeans", k=2, sample=100, shown=2)
        probe.run(FolderRecord(tmp_path / name))
        return {
            path.name: path.read_bytes()
            for path in (tmp_path / name).rglob("*.*")
            if path.is_file()
        }

    whole = run("whole")
    read, calls = Network.read, [0]

    def dies(self: Network, images: Tensor, layers: Sequence[str], **rest: bool) -> object:
        calls[0] += 1
        if calls[0] in (2, 7):  # in the first pass, and in the second
            raise OSError("killed")
        return read(self, images, layers, **rest)

    monkeypatch.setattr(Network, "read", dies)
    for _ in range(2):
        with pytest.raises(OSError, match="killed"):
            run("killed")
    resumed = run("killed")
    assert whole["directions.safetensors"] == resumed["directions.safetensors"]
    assert whole["000.png"] == resumed["000.png"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "ica"}, r"method=ica: no such method\. Did you mean pca\?"),
        ({"k": 0}, "k=0: write 1 or more"),
        ({"k": 1, "method": "kmeans"}, "k=1: write 2 or more"),
        ({"k": 13}, "k=13: conv2 has 12 channels; write so many or less"),
        ({"k": 9, "sample": 8, "method": "nmf"}, "sample=8: write 9 or more"),
        ({"shown": 0}, "shown=0: write 1 or more"),
        ({"layer": "conv9"}, "layer=conv9: tiny has no such layer"),
        ({"layer": "fc", "k": 5}, r"k=5: 1 activations of fc in these pictures; name more"),
        ({"layer": "fc", "k": 3, "method": "nmf"}, "k=3: 1 activations of fc .*write k=1 or less"),
    ],
)
def test_mistakes_are_refused_in_one_line(
    network: Network, folder: Path, settings: dict[str, object], message: str
) -> None:
    settings = {"layer": "conv2", **settings}
    with pytest.raises(InputError, match=message) as error:
        Directions(network, str(folder / "00.png"), **settings).measure(MemoryRecord())
    assert "\n" not in str(error.value)


def test_activations_that_say_nothing_are_refused() -> None:
    constant = torch.ones(4, 3)
    with pytest.raises(InputError, match="layer=a: its activations are the same everywhere"):
        covariance_of(constant)
    varied = torch.eye(4, 3)
    small = covariance_of(1e-8 * varied)  # as those of a layer of small numbers may be
    assert small.explained == pytest.approx(covariance_of(varied).explained, rel=1e-5)
    with pytest.raises(InputError, match="layer=a: none of its activations is above 0"):
        sample_of(-constant).nmf(1, 0)
    with pytest.raises(InputError, match="layer=a: NaN or infinity"):
        covariance_of(constant * torch.nan)
    with pytest.raises(InputError, match="layer=a: NaN or infinity"):
        sample_of(constant * torch.inf).nmf(1, 0)


def covariance_of(values: Tensor) -> Decomposition:
    covariance = Covariance("a", values.shape[1], CPU)
    fed(covariance, values, 2)
    return covariance.pca(1)
