"""Distances from natural pictures, against the same by NumPy over hooks of our own."""

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
from synth.metrics.naturalness import NaturalStatistics, load_or_fit, fit
from synth.networks.bundled import bundled

COUNT = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise of many shades: to a network of random weights, what is natural is what it is shown."""
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
    """RMS of standardised channel means of both ReLUs, each layer alike, over that of the natural pictures."""
    kept: dict[str, np.ndarray] = {}

    def hook(name: str):
        return lambda _, __, out: kept.__setitem__(name, out.double().mean((2, 3)).numpy())

    handles = [
        network.module.get_submodule(name).register_forward_hook(hook(name))
        for name in ("relu1", "relu2")
    ]

    def squares(pictures: Tensor, about: list[tuple[np.ndarray, np.ndarray]] | None):
        with torch.no_grad():
            network(pictures)
        found = [kept["relu1"].copy(), kept["relu2"].copy()]
        about = about or [(one.mean(0), one.std(0, ddof=1)) for one in found]
        parts = [(((one - m) / np.where(s > 0, s, 1)) ** 2 * (s > 0)).mean(1)
                 for one, (m, s) in zip(found, about, strict=True)]  # fmt: skip
        return np.sqrt(np.mean(parts, axis=0)), about

    usual, about = squares(natural, None)
    result = squares(images, about)[0] / usual.mean()
    for handle in handles:
        handle.remove()
    return result


def test_distances_by_hand(network: Network, folder: Path) -> None:
    images = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    known = fit(network, data.pictures(str(folder)))
    assert (known.layers, known.pictures, known.sha256) == (
        ("relu1", "relu2"),
        COUNT,
        network.sha256,
    )
    np.testing.assert_allclose(
        known.distances(network, images), by_hand(network, stored(folder), images), rtol=1e-3
    )


def test_natural_pictures_have_one_and_far_ones_more(network: Network, folder: Path) -> None:
    known = load_or_fit(network, str(folder))
    assert known is not None
    own = known.distances(network, stored(folder))
    assert float(own.mean()) == pytest.approx(1, abs=1e-5)
    stripes = torch.zeros(1, 3, 16, 16)
    stripes[..., ::2] = 1
    assert float(known.distances(network, stripes)) > 2


def test_pictures_of_another_size_are_scaled(network: Network, folder: Path) -> None:
    known = fit(network, data.pictures(str(folder)))
    natural = stored(folder)
    large = nn.functional.interpolate(natural, (48, 48), mode="nearest")
    np.testing.assert_allclose(
        known.distances(network, large), known.distances(network, natural), atol=0.15
    )
    assert fitted(natural, (16, 16)) is natural


def test_a_unit_that_never_varies_counts_nothing(folder: Path) -> None:
    module = tiny_module()
    with torch.no_grad():
        module.conv1.weight[0], module.conv1.bias[0] = 0, -1  # never beyond its ReLU
    network = wrapped(module)
    known = fit(network, data.pictures(str(folder)))
    assert known.deviation[0] == 0
    assert bool(known.distances(network, stored(folder)).isfinite().all())


def test_a_network_without_layers_of_relu_takes_those_with_weights(folder: Path) -> None:
    plain = wrapped(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 14 * 14, 5))
    )
    assert fit(plain, data.pictures(str(folder))).layers == ("0",)
    bare = wrapped(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 5)))
    with pytest.raises(InputError, match="tiny has no hidden layer"):
        fit(bare, data.pictures(str(folder)))


def test_a_file_says_the_same_as_its_folder(network: Network, folder: Path, tmp_path: Path) -> None:
    known = fit(network, data.pictures(str(folder)))
    known.save(tmp_path / "it.safetensors")
    read = load_or_fit(network, str(tmp_path / "it.safetensors"))
    assert read is not None
    assert torch.equal(
        read.distances(network, stored(folder)), known.distances(network, stored(folder))
    )
    assert (read.layers, read.pictures) == (known.layers, COUNT)
    NaturalStatistics(known.layers, known.mean, known.deviation, 1.0, COUNT, "f" * 64).save(
        tmp_path / "other.safetensors"
    )
    with pytest.raises(
        InputError, match="measured with other weights than those of tiny; make it anew"
    ):
        load_or_fit(network, str(tmp_path / "other.safetensors"))
    save_file({"mean": torch.zeros(2)}, tmp_path / "empty.safetensors")
    with pytest.raises(InputError, match="holds no statistics of natural pictures"):
        load_or_fit(network, str(tmp_path / "empty.safetensors"))
    with pytest.raises(InputError, match=r"naturals=.*absent\.safetensors: no such file"):
        load_or_fit(network, str(tmp_path / "absent.safetensors"))
    with pytest.raises(InputError, match="naturals: 1 pictures tell no deviation; name 10 or more"):
        load_or_fit(network, str(folder / "00.png"))


def test_without_a_source_only_the_networks_in_the_box_have_some(network: Network) -> None:
    assert load_or_fit(network) is None
    for name in ("mini_alexnet", "mini_resnet"):
        shipped = bundled(name, device="cpu")
        known = load_or_fit(shipped)
        assert known is not None, (
            f"{name}.naturals.safetensors belongs to other weights: make it anew"
        )
        assert known.pictures == 2500
        noise = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        assert float(known.distances(shipped, noise).median()) > 1.2
        photographs = torch.stack([data.picture(name).at(shipped.size) for name in data.BUNDLED])
        assert bool((known.distances(shipped, photographs) < 2).all())
