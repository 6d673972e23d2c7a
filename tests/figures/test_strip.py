"""The strip of images side by side: order, labels, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_worlds import tiny_module, wrapped

from synth.core import Encoding
from synth.data.sheet import GAP
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.figures import strip
from synth.figures.strip import Strip
from synth.objectives.energy import Energy
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient


def result_of_run(folder: Path, encoding: Encoding, layer: Any, maker: Strip) -> dict[str, Any]:
    search = Gradient(2, "normalised", 0.05)
    return (
        Experiment(
            wrapped(tiny_module()), encoding, Energy(layer), search, figures={"strip": maker}
        )
        .run(FolderRecord(folder))
        .to_dict()
    )


def test_the_original_comes_first_then_every_item_under_its_name(tmp_path: Path) -> None:
    result = result_of_run(
        tmp_path, Perturbation("china", size=[16, 24]), ["conv1", "conv2", "pool2"], Strip(6, 96)
    )
    (figure,) = result["figures"]
    labels = figure["caption"].removeprefix("Side by side: ").removesuffix(".").split(", ")
    assert labels == ["original", "relu1", "relu2", "pool2"]
    with Image.open(tmp_path / figure["file"]) as opened:
        sheet = np.asarray(opened.convert("RGB"))
    for place, name in enumerate(
        (result["items"][0]["original"], *(item["file"] for item in result["items"]))
    ):
        with Image.open(tmp_path / name) as opened:
            # 24 pixels fit into 96 four times
            picture = np.asarray(opened.convert("RGB")).repeat(4, 0).repeat(4, 1)
        left = GAP + place * (96 + GAP)
        assert np.array_equal(sheet[GAP : GAP + 64, left : left + 96], picture)
        below = sheet[GAP + 64 :, left : left + 96]
        assert (below < 128).any()  # the label


def test_each_image_follows_its_own_original(tmp_path: Path) -> None:
    result = result_of_run(
        tmp_path, Perturbation(images=["china", "flower"], size=16), "conv2", Strip()
    )
    assert result["figures"][0]["caption"] == "Side by side: original, relu2, original, relu2."


def test_without_a_clean_image_there_is_no_original(tmp_path: Path) -> None:
    result = result_of_run(tmp_path, Pixels(16), ["conv1", "conv2"], Strip())
    assert result["figures"][0]["caption"] == "Side by side: relu1, relu2."


def test_a_single_image_has_no_strip(tmp_path: Path) -> None:
    assert not result_of_run(tmp_path, Perturbation("china", size=16), "conv2", Strip()).get(
        "figures"
    )
    assert not (tmp_path / strip.FOLDER).exists()


def test_images_beyond_most_are_left_out_and_counted(tmp_path: Path) -> None:
    result = result_of_run(
        tmp_path, Pixels(16), ["conv1", "conv2", "pool1", "pool2"], Strip(most=2)
    )
    assert result["figures"][0]["caption"] == "Side by side: relu1, relu2; 2 more are left out."


@pytest.mark.parametrize("options", [{"across": 0}, {"longest": 8}, {"most": 1}])
def test_mistakes_are_reported_in_one_line(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"figures.strip") as error:
        Strip(**options)
    assert "\n" not in str(error.value)
