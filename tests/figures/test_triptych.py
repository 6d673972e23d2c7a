"""The triptych of clean image, amplified difference and adversarial image, with predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import NAMES

from synth.core.network import Network
from synth.data import to_image
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.figures.triptych import MARGIN, Triptych, draw
from synth.objectives.attack import attack
from synth.record.folder_record import FolderRecord
from synth.searches.fast_gradient import FastGradient

BUNDLED = ["china", "flower"]
LABELS = [
    ("crêpe", "1.0 %"),
    ("a name that is far too long for the width of its picture", "2.0 %"),
    ("", ""),
]


def run(network: Network, folder: Path, maker: Triptych, rate: float = 0.1) -> dict:
    encoding = Perturbation(images=BUNDLED, epsilon=0.1)
    experiment = Experiment(
        network, encoding, attack(images=BUNDLED), FastGradient(rate), figures={"triptych": maker}
    )
    return experiment.run(FolderRecord(folder)).to_dict()


def test_a_figure_an_item(loud_network: Network, tmp_path: Path) -> None:
    result = run(loud_network, tmp_path, Triptych())
    assert [figure["file"] for figure in result["figures"]] == [
        "figures/000.png",
        "figures/001.png",
    ]
    for figure, item in zip(result["figures"], result["items"], strict=True):
        clean_label, label = figure["caption"].split(f" + {item['linf']:.4f} \u00d7 difference = ")
        assert (
            clean_label
            == f"{item['original_predicted']} ({100 * item['original_confidence']:.1f} %)"
        )
        assert label.startswith(f"{item['predicted']} (")
        panels = [
            np.asarray(Image.open(tmp_path / item[key]))
            for key in ("original", "difference", "file")
        ]
        with Image.open(tmp_path / figure["file"]) as image:
            pixels = np.asarray(image.convert("RGB"))
        left = MARGIN
        for panel in panels:  # 16 pixels a side, each enlarged to a square of 16
            enlarged = panel.repeat(16, axis=0).repeat(16, axis=1)
            places = [
                x
                for x in range(left, pixels.shape[1] - 255)
                if (pixels[MARGIN : MARGIN + 256, x : x + 256] == enlarged).all()
            ]
            assert len(places) == 1
            left = places[0] + 256
        assert pixels.shape[1] == left + MARGIN


def test_the_difference_is_signed_about_mid_grey(loud_network: Network, tmp_path: Path) -> None:
    result = run(loud_network, tmp_path, Triptych(1))
    assert len(result["figures"]) == 1
    record = FolderRecord(tmp_path)
    for item in result["items"]:
        original, changed, amplified = (
            record.read_back(item[key]) for key in ("original", "file", "difference")
        )
        assert item["amplified"] == pytest.approx(0.5 / item["linf"], rel=1e-3)
        torch.testing.assert_close(
            amplified, 0.5 + (changed - original) * item["amplified"], atol=0.6 / 255, rtol=0
        )
        assert amplified.min() == 0 or amplified.max() == 1


def test_an_item_that_met_its_target_before_has_no_figure(
    loud_network: Network, tmp_path: Path
) -> None:
    with torch.no_grad():
        clean_images = Perturbation(images=BUNDLED).at((16, 16)).clean_images
        predictions = loud_network(clean_images).argmax(1).tolist()
    labels = [predictions[0], (predictions[1] + 1) % len(NAMES)]
    encoding = Perturbation(images=BUNDLED, epsilon=0.1)
    objective = attack(images=BUNDLED, label=labels)
    figures = {"triptych": Triptych()}
    experiment = Experiment(loud_network, encoding, objective, FastGradient(), figures=figures)
    assert [
        figure["file"] for figure in experiment.run(FolderRecord(tmp_path)).to_dict()["figures"]
    ] == ["figures/000.png"]


@pytest.mark.parametrize(
    ("size", "panel"),
    [
        ((16, 16), (256, 256)),
        ((20, 30), (160, 240)),
        ((224, 224), (224, 224)),
        ((600, 1200), (256, 512)),
    ],
)
def test_small_images_are_enlarged_by_whole_numbers(
    size: tuple[int, int], panel: tuple[int, int]
) -> None:
    panels = torch.rand(3, 3, *size, generator=torch.Generator().manual_seed(0))
    figure = draw(panels, LABELS, 0.0078)
    assert figure.height > panel[0]
    corner = figure.crop((MARGIN, MARGIN, MARGIN + panel[1], MARGIN + panel[0]))
    if size[1] <= 512:
        enlarged = to_image(panels[0]).resize((panel[1], panel[0]), Image.Resampling.NEAREST)
        assert corner.tobytes() == enlarged.tobytes()
    under = np.asarray(figure)[MARGIN + panel[0] + 1 :, MARGIN : MARGIN + panel[1]]
    assert (under < 128).any(), "a label below the first"
    between = np.asarray(figure)[
        : MARGIN + panel[0], MARGIN + panel[1] : MARGIN + panel[1] + MARGIN
    ]
    assert (between > 250).all()


def test_mistakes_are_refused(network: Network) -> None:
    with pytest.raises(InputError, match=r"figures.triptych\.most=0: write 1 or more figures"):
        Triptych(0)
    with pytest.raises(
        InputError, match=r"figures.triptych: it compares with the picture that was changed"
    ):
        Experiment(
            network, Pixels(), attack("teapot"), FastGradient(), figures={"triptych": Triptych()}
        )
