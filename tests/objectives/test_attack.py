"""The attack objective: targeted as `ClassScore`, untargeted as `Untargeted`."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import special
from small_worlds import NAMES, rows_of
from torch import Tensor

from synth.core import Readout
from synth.core.network import Network
from synth.encodings.perturbation import Perturbation
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.objectives.attack import SCORES, attack
from synth.objectives.untargeted import Untargeted
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient

FOLDERS = ("goldfish", "n00000001", "School_Bus")
CLASSES = (0, 1, 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of noise in each of three class folders, named by class, synset and class again."""
    path = tmp_path_factory.mktemp("pictures")
    for number, name in enumerate(FOLDERS):
        (path / name).mkdir()
        noisy = np.random.default_rng(number).integers(40, 216, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(noisy).save(path / name / "0.png")
    return path


def pictures(folder: Path) -> Tensor:
    pixels = [
        np.asarray(Image.open(path), dtype=np.float32) / 255
        for path in sorted(folder.glob("*/*.png"))
    ]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def by_hand(scores: np.ndarray, index: int, score: str, sign: float) -> float:
    """The score from the logits of one picture: `sign` is 1 targeted, -1 untargeted."""
    chances = special.softmax(scores)
    if score == "margin":
        return sign * (scores[index] - max(np.delete(scores, index)))
    if score == "cross_entropy":
        return sign * np.log(chances[index])
    return chances[index] if sign > 0 else 1 - chances[index]


@pytest.mark.parametrize("score", list(SCORES))
@pytest.mark.parametrize("target", [None, "teapot"])
def test_the_score_is_the_formula(
    target: str | None, score: str, loud_network: Network, folder: Path
) -> None:
    images = pictures(folder)
    bound = attack(target, images=str(folder), score=score).bind(loud_network)
    with torch.no_grad():
        (value,) = bound(
            Readout(loud_network.read(images, bound.layers), images, rows_of(3))
        ).values()
        scores = loud_network(images).double().numpy()
    index = [2] * 3 if target else [int(values.argmax()) for values in scores]
    expected = [
        by_hand(values, i, score, 1 if target else -1)
        for values, i in zip(scores, index, strict=True)
    ]
    np.testing.assert_allclose(value[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_the_folder_of_a_picture_is_its_label(loud_network: Network, folder: Path) -> None:
    paths = sorted(folder.glob("*/*.png"))
    expected = [CLASSES[FOLDERS.index(path.parent.name)] for path in paths]
    bound = attack(images=str(folder), label="folder").bind(loud_network)
    assert [target.index for target in bound.items] == expected
    assert [target.name for target in bound.items] == [f"not {NAMES[index]}" for index in expected]
    single = attack(image=str(paths[0]), label="folder").bind(loud_network)
    assert [target.index for target in single.items] == expected[:1]


def test_pictures_that_are_misclassified_from_the_start_are_not_counted(
    loud_network: Network, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with torch.no_grad():
        predictions = loud_network(pictures(folder)).argmax(1).tolist()
    labels = [predictions[0], (predictions[1] + 1) % 5, (predictions[2] + 1) % 5]
    paths, wrong = [], 2
    for place, (path, index) in enumerate(zip(sorted(folder.glob("*/*.png")), labels, strict=True)):
        paths.append(str(tmp_path / NAMES[index] / f"{place}.png"))
        Path(paths[-1]).parent.mkdir(exist_ok=True)
        shutil.copy(path, paths[-1])
    caplog.set_level("INFO")
    aim = attack(images=paths, label="folder")
    experiment = Experiment(
        loud_network,
        Perturbation(images=paths, epsilon=0.3),
        aim,
        Gradient(5, "sign", 0.1),
        until=0.0,
    )
    result = experiment.run(FolderRecord(tmp_path)).to_dict()
    assert result["findings"]["already"] == wrong
    assert result["findings"]["counted"] == 3 - wrong
    assert result["findings"]["items"] == 3
    for item, prediction, label in zip(result["items"], predictions, labels, strict=True):
        assert item["original_predicted"] == NAMES[prediction]
        assert item.get("already", False) == (prediction != label)
        assert (item["success"] is None) == (prediction != label)
    assert (
        f"{wrong} of 3 clean images already meet their target and are not counted: not "
        in caplog.text
    )
    assert f"of {3 - wrong} reached their target" in caplog.text


def test_mistakes(loud_network: Network, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match="neither a target class nor a clean image; write target=NAME",
    ):
        attack()
    with pytest.raises(InputError, match="label=lemon: a targeted attack does not use the label"):
        attack("goldfish", "china", label="lemon")
    with pytest.raises(
        InputError, match=r"objective score=margn: no such score\. Did you mean margin"
    ):
        attack("goldfish", score="margn")
    with pytest.raises(
        InputError, match=r"score=logit: no such score\. There are margin, cross_entropy, prob"
    ):
        attack("goldfish", score="logit")
    with pytest.raises(
        InputError, match=r"target=goldfsh: tiny has no such class\. Did you mean goldfish"
    ):
        attack("goldfsh").bind(loud_network)
    with pytest.raises(
        InputError, match=r"label=folder: china\.jpg is a bundled picture, in no class folder"
    ):
        attack(image="china", label="folder").bind(loud_network)
    (tmp_path / "unicorn").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "unicorn" / "a.png")
    with pytest.raises(
        InputError,
        match=r"label=folder: a\.png lies in the folder unicorn, and tiny has no such class",
    ):
        Untargeted(images=str(tmp_path), label="folder").bind(loud_network)


def test_an_attack_that_has_succeeded_already_is_refused(
    loud_network: Network, folder: Path
) -> None:
    path = sorted(folder.glob("*/*.png"))[0]
    with torch.no_grad():
        prediction = NAMES[int(loud_network(pictures(folder)).argmax(1)[0])]
    objective = attack(prediction, str(path))
    message = f"target={prediction}: tiny already predicts {prediction} for the clean"
    with pytest.raises(InputError, match=message):
        Experiment(loud_network, Perturbation(str(path)), objective, Gradient(2))
    # one that is misclassified from the start is marked in the result
    other = next(name for name in NAMES if name != prediction)
    mislabelled = attack(image=str(path), label=other)
    Experiment(loud_network, Perturbation(str(path)), mislabelled, Gradient(2))
