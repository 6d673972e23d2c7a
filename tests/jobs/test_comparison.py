"""Comparisons: a second network, distances, the table, and settings shared by all contenders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from console import Synth, result_of, write_weights
from PIL import Image
from small_worlds import NAMES, tiny_module, unanswering, wrapped

from synth.core import Search
from synth.core.classes import Classes
from synth.core.network import Network
from synth.encodings.cppn import Cppn
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.jobs.comparison import Comparison
from synth.metrics.naturalness import load_or_fit
from synth.objectives.niches import Niches
from synth.objectives.priors import TotalVariation
from synth.objectives.scores import Channel, ClassScore
from synth.objectives.untargeted import Untargeted
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient
from synth.searches.lbfgs import LBFGS
from synth.searches.map_elites import MapElites
from synth.searches.operators.topology import TopologyMutation

pytest_plugins = "console_fixtures"

MEAN = torch.tensor([0.48, 0.45, 0.4]).view(3, 1, 1)
STD = torch.tensor([0.23, 0.22, 0.25]).view(3, 1, 1)


def other(names: tuple[str, ...] = NAMES, size: tuple[int, int] = (16, 16)) -> Network:
    """A second network, of other weights and perhaps other classes."""
    network = wrapped(tiny_module(len(names), seed=1, gain=8.0), names, size)
    network.classes = Classes(names)
    network.sha256 = "1" * 64
    return network


def ascent(
    network: Network, objective: Any = None, encoding: Any = None, search: Search | None = None
) -> Experiment:
    return Experiment(
        network,
        encoding or Pixels(16),
        objective or ClassScore("all"),
        search or Gradient(8, "adam", 0.02),
        monitor=None if objective else ClassScore("all", "probability"),
        until=None if objective else 0.9,
        seed=3,
    )


def read(path: Path) -> torch.Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1)


def probabilities_of(network: Network, picture: torch.Tensor) -> torch.Tensor:
    """Probabilities of the bare module for an image of its own size."""
    with torch.no_grad():
        return network.module(((picture - MEAN) / STD)[None])[0].softmax(0)


def test_a_second_network_predicts_every_saved_image(loud_network: Network, tmp_path: Path) -> None:
    second = other(("teapot", "fish, goldfish", "lemon"))
    result = Comparison({"one": ascent(loud_network)}, second).run(FolderRecord(tmp_path)).to_dict()
    places = {"goldfish": 1, "teapot": 0, "lemon": 2}
    confidences, hits = [], []
    for item in result["items"]:
        if item["target"] not in places:  # a class that it lacks
            assert (item.get("transfer_confidence"), item.get("transfer_success")) == (None, None)
            continue
        probabilities = probabilities_of(second, read(tmp_path / item["file"]))
        place = places[item["target"]]
        assert item["transfer_confidence"] == pytest.approx(float(probabilities[place]), abs=2e-6)
        assert item["transfer_success"] == (int(probabilities.argmax()) == place)
        confidences.append(float(probabilities[place]))
        hits.append(item["transfer_success"])
    assert len(confidences) == 3
    contender = result["contenders"]["one"]
    assert contender["transfer_confidence"] == pytest.approx(np.mean(confidences), abs=2e-6)
    assert contender["transfer_success"] == pytest.approx(np.mean(hits), abs=1e-6)
    assert result["transfer"] == {"name": "tiny", "sha256": "1" * 64}


def test_a_second_network_of_another_size_reads_scaled_images(
    loud_network: Network, tmp_path: Path
) -> None:
    second = other(size=(24, 24))
    result = Comparison({"one": ascent(loud_network)}, second).run(FolderRecord(tmp_path)).to_dict()
    for place, item in enumerate(result["items"]):
        picture = read(tmp_path / item["file"])[None]
        large = torch.nn.functional.interpolate(
            picture, (24, 24), mode="bicubic", antialias=True
        ).clamp(0, 1)[0]
        assert item["transfer_confidence"] == pytest.approx(
            float(probabilities_of(second, large)[place]), abs=2e-6
        )


def test_an_untargeted_item_counts_where_the_second_network_was_right(
    loud_network: Network, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(12):
        noisy = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(noisy).save(folder / f"{number:02}.png")
    second = other()
    before = [
        int(probabilities_of(second, read(path)).argmax()) for path in sorted(folder.glob("*.png"))
    ]
    labels = [before[0], *((prediction + place) % 5 for place, prediction in enumerate(before[1:]))]
    aim = Untargeted(images=str(folder), label=labels)
    encoding = Perturbation(images=str(folder), epsilon=0.2)
    result = (
        Comparison({"untargeted": ascent(loud_network, aim, encoding)}, second)
        .run(FolderRecord(tmp_path / "run"))
        .to_dict()
    )
    counted = [item.get("transfer_success") is not None for item in result["items"]]
    assert counted == [
        prediction == label for prediction, label in zip(before, labels, strict=True)
    ]
    assert True in counted
    assert False in counted
    for item in result["items"]:
        if item.get("transfer_success") is None:
            assert item.get("transfer_confidence") is None
            continue
        probabilities = probabilities_of(second, read(tmp_path / "run" / item["file"]))
        assert item["transfer_success"] == (int(probabilities.argmax()) != item["target_index"])
        assert item["transfer_confidence"] == pytest.approx(
            1 - float(probabilities[item["target_index"]]), abs=2e-6
        )


def test_without_a_second_network_or_a_class_transfer_is_none(
    loud_network: Network, tmp_path: Path
) -> None:
    for name, second, objective in (
        ("none", None, None),
        ("unit", other(), Channel("conv2", [1, 3])),
        ("prior", other(), TotalVariation()),
    ):
        result = (
            Comparison({"one": ascent(loud_network, objective)}, second)
            .run(FolderRecord(tmp_path / name))
            .to_dict()
        )
        for item in (*result["items"], result["contenders"]["one"]):
            assert (item.get("transfer_confidence"), item.get("transfer_success")) == (None, None)


def test_the_searched_network_is_no_second_network(
    loud_network: Network, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    comparison = Comparison({"one": ascent(loud_network)}, wrapped(tiny_module(gain=8.0)))
    assert "tiny is the network that is fooled" in caplog.text
    result = comparison.run(FolderRecord(tmp_path)).to_dict()
    assert result.get("transfer") is None
    assert result["items"][0].get("transfer_success") is None


def test_natural_distances_are_those_of_the_saved_files(
    loud_network: Network, tmp_path: Path
) -> None:
    folder = tmp_path / "naturals"
    folder.mkdir()
    for number in range(12):
        noisy = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(noisy).save(folder / f"{number}.png")
    result = (
        Comparison({"one": ascent(loud_network)}, naturals=str(folder))
        .run(FolderRecord(tmp_path / "run"))
        .to_dict()
    )
    statistics = load_or_fit(loud_network, str(folder))
    assert statistics is not None
    saved = torch.stack([read(tmp_path / "run" / item["file"]) for item in result["items"]])
    expected = statistics.distances(loud_network, saved).tolist()
    assert [item["natural_distance"] for item in result["items"]] == pytest.approx(
        expected, abs=1e-4
    )
    assert result["contenders"]["one"]["natural_distance"] == pytest.approx(
        np.median(expected), abs=1e-4
    )
    none = Comparison({"one": ascent(loud_network)}).run(FolderRecord(tmp_path / "none")).to_dict()
    assert {item.get("natural_distance") for item in none["items"]} == {None}
    assert none["contenders"]["one"]["natural_distance"] is None


def test_empty_niches_have_no_transfer(loud_network: Network, tmp_path: Path) -> None:
    niches = Niches(["lemon", "teapot"], {"brightness": 5, "symmetry": 6})
    search = MapElites(TopologyMutation(), steps=6, batch=8)
    cells = Experiment(loud_network, Cppn(hidden=8), niches, search, seed=2)
    result = (
        Comparison({"one": ascent(loud_network), "map": cells, "gone": None}, other())
        .run(FolderRecord(tmp_path))
        .to_dict()
    )
    items = [item for item in result["items"] if item["contender"] == "map"]
    empty = [item["file"] is None for item in items]
    assert len(items) == 60
    assert True in empty
    assert False in empty
    for item in items:
        if item["file"] is None:
            assert (item.get("transfer_confidence"), item.get("transfer_success")) == (None, None)
            continue
        probabilities = probabilities_of(other(), read(tmp_path / item["file"]))
        assert item["transfer_confidence"] == pytest.approx(
            float(probabilities[item["target_index"]]), abs=2e-6
        )
    assert list(result["contenders"]) == ["one", "map"]
    with pytest.raises(InputError, match="name at least one"):
        Comparison({"gone": None})


def test_the_table_shows_the_numbers_of_the_result(
    loud_network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = (
        Comparison(
            {
                "one": ascent(loud_network, search=Gradient(60, "adam", 0.02)),
                "none": ascent(loud_network, Channel("conv2", 1)),
            },
            other(),
        )
        .run(FolderRecord(tmp_path))
        .to_dict()
    )
    contender = result["contenders"]["one"]
    passes = [
        item["forwards"] + 2 * item["backwards"] for item in result["items"] if item["success"]
    ]
    assert contender["passes_to_success"] == np.median(passes)
    assert result["contenders"]["none"]["passes_to_success"] is None
    heading, first, second = capsys.readouterr().out.splitlines()
    assert max(map(len, (heading, first, second))) <= 110
    assert heading.split("  ")[0] == "contender"
    numbers = [cell for cell in first.split("  ") if cell]
    assert [cell.strip() for cell in numbers] == [
        "one",
        f"{contender['success']} of 5",
        f"{contender['mean_confidence']:.4f}",
        f"{contender['passes_to_success']:,.0f}",
        f"{contender['seconds']:.1f}",
        "-",
        f"{contender['transfer_success']:.0%}",
    ]
    assert second.split() == [
        "none",
        "-",
        "-",
        "-",
        f"{result['contenders']['none']['seconds']:.1f}",
        "-",
        "-",
    ]


def test_a_contender_added_on_the_command_line_gets_the_shared_settings(
    synth: Synth, weights: Path, tmp_path: Path
) -> None:
    second_weights = write_weights(tmp_path / "second.safetensors", "mini_resnet")
    words = (
        "recipe=fooling_comparison",
        "target=[goldfish,lemon]",
        "until=null",
        "budget=9",
        "device=cpu",
        f"network.weights={weights}",
        f"transfer.weights={second_weights}",
        "experiments.genetic.search.population=4",
        "experiments.cma.search.population=4",
        "experiments.cppn.search.population=4",
    )
    output = synth(*words, "+recipe@experiments.fourier=class_ascent_fourier", "folder=out")
    assert output.code == 0, output.err
    result = result_of(Path("out"))
    assert list(result["contenders"]) == ["gradient", "genetic", "cma", "cppn", "fourier"]
    assert {contender["budget"] for contender in result["contenders"].values()} == {9}
    assert all(0 < item["forwards"] + 2 * item["backwards"] <= 9 for item in result["items"])
    assert all(item.get("transfer_success") is not None for item in result["items"])
    assert result["transfer"]["name"] == "mini_resnet"
    changes = "transfer=null", "experiments.gradient.budget=6", "experiments.cppn=null"
    second_output = synth(*words, *changes, "folder=own")
    assert second_output.code == 0, second_output.err
    result = result_of(Path("own"))
    assert [contender["budget"] for contender in result["contenders"].values()] == [6, 9, 9]
    assert list(result["contenders"]) == ["gradient", "genetic", "cma"]
    assert result.get("transfer") is None


def test_a_second_network_that_answers_nan_has_no_transfer(
    loud_network: Network, tmp_path: Path
) -> None:
    second = unanswering()
    second.sha256 = "2" * 64
    result = (
        Comparison({"only": ascent(loud_network)}, second).run(FolderRecord(tmp_path)).to_dict()
    )
    assert not any("transfer_success" in item for item in result["items"])
    assert result["contenders"]["only"]["transfer_success"] is None


def test_the_network_has_each_precision_that_it_was_searched_in(tmp_path: Path) -> None:
    network = wrapped(tiny_module(), precision="bfloat16")
    contenders = {
        "ascent": ascent(network, search=Gradient(1)),
        "lbfgs": ascent(network, search=LBFGS(1)),  # in float32 in any case
    }
    result = Comparison(contenders).run(FolderRecord(tmp_path))
    assert result.network is not None
    assert result.network.precision == "bfloat16, float32"
