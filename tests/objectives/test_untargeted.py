"""The untargeted objective, against margins by hand and finite differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import special
from small_worlds import NAMES, rows_of, tiny_module, wrapped
from torch import Tensor

from synth.core import Readout, Rows
from synth.core.network import OUTPUT, Network
from synth.encodings.perturbation import Perturbation
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.objectives.untargeted import Untargeted
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient

COUNT = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures")
    for number in range(COUNT):
        noisy = np.random.default_rng(number).integers(40, 216, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(noisy).save(path / f"{number}.png")
    return path


def stored(folder: Path) -> Tensor:
    pixels = [
        np.asarray(Image.open(folder / f"{number}.png"), dtype=np.float32) / 255
        for number in range(COUNT)
    ]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def values_of(objective: Untargeted, network: Network, images: Tensor, rows: Rows) -> Tensor:
    bound = objective.bind(network)
    (value,) = bound(Readout(network.read(images, bound.layers), images, rows)).values()
    assert value.shape == (len(rows), 1)
    return value[:, 0]


def by_hand(scores: np.ndarray, label: int, score: str) -> float:
    if score == "margin":
        return max(value for place, value in enumerate(scores) if place != label) - scores[label]
    chances = special.softmax(scores)
    return -np.log(chances[label]) if score == "cross_entropy" else 1 - chances[label]


@pytest.mark.parametrize("score", ["margin", "cross_entropy", "probability"])
def test_scores_by_hand(loud_network: Network, folder: Path, score: str) -> None:
    with torch.no_grad():
        labels = loud_network(stored(folder)).argmax(1).tolist()
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        scores = loud_network(images).double().numpy()
    rows = rows_of(COUNT).select(torch.tensor([3, 0, 3]))  # rows find their picture by item
    values = values_of(Untargeted(images=str(folder), score=score), loud_network, images, rows)
    expected = [
        by_hand(logits, labels[item], score) for logits, item in zip(scores, (3, 0, 3), strict=True)
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)


def test_the_clean_image_has_no_positive_margin(loud_network: Network, folder: Path) -> None:
    assert (
        values_of(Untargeted(images=str(folder)), loud_network, stored(folder), rows_of(COUNT)) <= 0
    ).all()


def test_the_gradient_is_that_of_finite_differences(folder: Path) -> None:
    network = wrapped(tiny_module(gain=8.0)).double()
    bound = Untargeted(images=str(folder), label=["lemon", 0, 1, 2]).bind(network)

    def margins(scores: Tensor) -> Tensor:
        (value,) = bound(Readout({OUTPUT: scores}, stored(folder), rows_of(COUNT))).values()
        return value

    scores = torch.randn(
        COUNT, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    assert torch.autograd.gradcheck(margins, scores)


def test_items_are_named_not_and_the_label(loud_network: Network, folder: Path) -> None:
    with torch.no_grad():
        labels = loud_network(stored(folder)).argmax(1).tolist()
    bound = Untargeted(images=str(folder)).bind(loud_network)
    assert [(target.name, target.index, target.untargeted) for target in bound.items] == [
        (f"not {NAMES[i]}", i, True) for i in labels
    ]
    single = Untargeted(image=str(folder / "2.png")).bind(loud_network)
    assert [target.index for target in single.target(rows_of(2))] == [labels[2]] * 2


def test_labels_in_place_of_predictions(loud_network: Network, folder: Path) -> None:
    each = Untargeted(images=str(folder), label=["lemon", "n00000000", 2, "King_Penguin"]).bind(
        loud_network
    )
    assert [target.index for target in each.items] == [3, 0, 2, 1]
    all_alike = Untargeted(images=str(folder), label="teapot").bind(loud_network)
    assert [target.index for target in all_alike.target(rows_of(COUNT))] == [2] * COUNT
    two = Untargeted(images=str(folder), label=["lemon", "teapot"])
    with pytest.raises(
        InputError, match="2 targets and 4 pictures: name one target for all, or one for each"
    ):
        Experiment(loud_network, Perturbation(images=str(folder)), two, Gradient(2))


def test_mistakes(loud_network: Network, folder: Path) -> None:
    with pytest.raises(
        InputError, match=r"label=lemmon: tiny has no such class\. Did you mean lemon"
    ):
        Untargeted(image=str(folder / "0.png"), label="lemmon").bind(loud_network)
    with pytest.raises(InputError, match="label=5: tiny has classes 0 to 4"):
        Untargeted(image=str(folder / "0.png"), label=5).bind(loud_network)
    with pytest.raises(
        InputError, match=r"objective score=margn: no such score\. Did you mean margin"
    ):
        Untargeted(image=str(folder / "0.png"), score="margn")
    for wrong in ({}, {"image": "a.png", "images": "a"}):
        with pytest.raises(InputError, match=r"write image=PATH, or images=FOLDER"):
            Untargeted(**wrong)
    with pytest.raises(InputError, match=r"absent\.png: no such file"):
        Untargeted(image=str(folder / "absent.png")).bind(loud_network)


def test_a_run_ends_where_the_saved_picture_is_misclassified(
    loud_network: Network, folder: Path, tmp_path: Path
) -> None:
    aim = Untargeted(images=str(folder))
    experiment = Experiment(
        loud_network,
        Perturbation(images=str(folder), epsilon=0.2),
        aim,
        Gradient(30, "sign", 0.01),
        until=0.0,
    )
    result = experiment.run(FolderRecord(tmp_path)).to_dict()
    assert any(item["success"] for item in result["items"])
    for item in result["items"]:
        with Image.open(tmp_path / item["file"]) as image:
            picture = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1)[
                None
            ]
        with torch.no_grad():
            chances = loud_network(picture).softmax(1)[0]
        assert item["target"] == f"not {NAMES[item['target_index']]}"
        assert item["success"] == (int(chances.argmax()) != item["target_index"])
        assert item["confidence"] == pytest.approx(
            1 - float(chances[item["target_index"]]), abs=2e-6
        )
