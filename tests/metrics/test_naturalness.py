"""Distances from natural pictures, against the same by NumPy and forward hooks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from small_worlds import tiny_module, wrapped
from torch import Tensor, nn

from synth import data
from synth.core.network import Network
from synth.data import fitted
from synth.errors import InputError
from synth.metrics.naturalness import NaturalStatistics, fit, load_or_fit
from synth.networks.bundled import bundled

COUNT = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of noise in many shades, which stand for natural ones."""
    path = tmp_path_factory.mktemp("naturals")
    for number in range(COUNT):
        draws = np.random.default_rng(number)
        shade = draws.integers(0, 200, (1, 1, 3))
        Image.fromarray((shade + draws.integers(0, 56, (16, 16, 3))).astype(np.uint8)).save(
            path / f"{number:02}.png"
        )
    return path


def stored(folder: Path) -> Tensor:
    pixels = [
        np.asarray(Image.open(path), dtype=np.float32) / 255
        for path in sorted(folder.glob("*.png"))
    ]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def by_hand(network: Network, natural: Tensor, images: Tensor) -> np.ndarray:
    """RMS of standardised channel means of both ReLUs, over that of the natural pictures."""
    activations: dict[str, np.ndarray] = {}

    def hook(name: str):
        return lambda _, __, out: activations.__setitem__(name, out.double().mean((2, 3)).numpy())

    handles = [
        network.module.get_submodule(name).register_forward_hook(hook(name))
        for name in ("relu1", "relu2")
    ]

    def squares(pictures: Tensor, moments: list[tuple[np.ndarray, np.ndarray]] | None):
        with torch.no_grad():
            network(pictures)
        layers = [activations["relu1"].copy(), activations["relu2"].copy()]
        moments = moments or [(values.mean(0), values.std(0, ddof=1)) for values in layers]
        parts = [
            (((values - mean) / np.where(deviation > 0, deviation, 1)) ** 2 * (deviation > 0)).mean(
                1
            )
            for values, (mean, deviation) in zip(layers, moments, strict=True)
        ]
        return np.sqrt(np.mean(parts, axis=0)), moments

    usual, moments = squares(natural, None)
    result = squares(images, moments)[0] / usual.mean()
    for handle in handles:
        handle.remove()
    return result


def test_distances_by_hand(network: Network, folder: Path) -> None:
    images = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    statistics = fit(network, data.pictures(str(folder)))
    assert (statistics.layers, statistics.pictures, statistics.sha256) == (
        ("relu1", "relu2"),
        COUNT,
        network.sha256,
    )
    np.testing.assert_allclose(
        statistics.distances(network, images), by_hand(network, stored(folder), images), rtol=1e-3
    )


def test_natural_pictures_have_distance_one_and_others_more(network: Network, folder: Path) -> None:
    statistics = load_or_fit(network, str(folder))
    assert statistics is not None
    distances = statistics.distances(network, stored(folder))
    assert float(distances.mean()) == pytest.approx(1, abs=1e-5)
    stripes = torch.zeros(1, 3, 16, 16)
    stripes[..., ::2] = 1
    assert float(statistics.distances(network, stripes)) > 2


def test_pictures_of_another_size_are_scaled(network: Network, folder: Path) -> None:
    statistics = fit(network, data.pictures(str(folder)))
    natural = stored(folder)
    large = nn.functional.interpolate(natural, (48, 48), mode="nearest")
    np.testing.assert_allclose(
        statistics.distances(network, large), statistics.distances(network, natural), atol=0.15
    )
    assert fitted(natural, (16, 16)) is natural


def test_a_unit_without_variance_is_not_counted(folder: Path) -> None:
    module = tiny_module()
    with torch.no_grad():
        module.conv1.weight[0] = 0
        module.conv1.bias[0] = -1  # its ReLU is always 0
    network = wrapped(module)
    statistics = fit(network, data.pictures(str(folder)))
    assert statistics.deviation[0] == 0
    assert bool(statistics.distances(network, stored(folder)).isfinite().all())


def test_a_network_without_layers_of_relu_takes_those_with_weights(folder: Path) -> None:
    plain = wrapped(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 14 * 14, 5))
    )
    assert fit(plain, data.pictures(str(folder))).layers == ("0",)
    bare = wrapped(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 5)))
    with pytest.raises(InputError, match="tiny has no hidden layer"):
        fit(bare, data.pictures(str(folder)))


def test_a_saved_file_gives_the_distances_of_its_folder(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    statistics = fit(network, data.pictures(str(folder)))
    statistics.save(tmp_path / "it.safetensors")
    loaded = load_or_fit(network, str(tmp_path / "it.safetensors"))
    assert loaded is not None
    assert torch.equal(
        loaded.distances(network, stored(folder)), statistics.distances(network, stored(folder))
    )
    assert (loaded.layers, loaded.pictures) == (statistics.layers, COUNT)
    NaturalStatistics(
        statistics.layers, statistics.mean, statistics.deviation, 1.0, COUNT, "f" * 64
    ).save(tmp_path / "other.safetensors")
    with pytest.raises(
        InputError, match="measured with other weights than those of tiny; make it anew"
    ):
        load_or_fit(network, str(tmp_path / "other.safetensors"))
    save_file({"mean": torch.zeros(2)}, tmp_path / "empty.safetensors")
    with pytest.raises(InputError, match="holds no statistics of natural pictures"):
        load_or_fit(network, str(tmp_path / "empty.safetensors"))
    with pytest.raises(InputError, match=r"naturals=.*absent\.safetensors: no such file"):
        load_or_fit(network, str(tmp_path / "absent.safetensors"))
    with pytest.raises(
        InputError, match="naturals: 1 pictures give no standard deviation; name 10"
    ):
        load_or_fit(network, str(folder / "00.png"))


def test_without_a_source_only_the_bundled_networks_have_statistics(network: Network) -> None:
    assert load_or_fit(network) is None
    for name in ("mini_alexnet", "mini_resnet"):
        network = bundled(name, device="cpu")
        statistics = load_or_fit(network)
        assert statistics is not None, (
            f"{name}.naturals.safetensors belongs to other weights: measure it again"
        )
        assert statistics.pictures == 2500
        noise = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        assert float(statistics.distances(network, noise).median()) > 1.2
        photographs = torch.stack([data.picture(name).at(network.size) for name in data.BUNDLED])
        assert bool((statistics.distances(network, photographs) < 2).all())
