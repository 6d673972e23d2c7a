"""Inversion, texture and style recipes from the command line, with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from console import Synth, result_of, steps_of
from PIL import Image

pytest_plugins = "console_fixtures"

SHORT = "search.steps=2", "device=cpu", "folder=out"


@pytest.fixture
def run(synth: Synth, weights: Path) -> Synth:
    """The command with short runs of the bundled network."""

    def short(*overrides: str) -> object:
        return synth(*SHORT, f"network.weights={weights}", *overrides)

    return short  # type: ignore[return-value]


@pytest.mark.parametrize(
    "overrides",
    [
        ["style=[china,flower]", "weights=[3,1]", "encoding.longest=80"],
        ["start=noise", "encoding.longest=80"],
        ["start=flower", "encoding.longest=80"],
        ["encoding.longest=80", "encoding.grey=true", "objective.terms.style.colours=grey"],
        ["encoding.longest=80", "objective.terms.style.colours=content"],
        ["encoding.longest=80", "search=lbfgs", "transform=none"],
        ["encoding.longest=160", "search=octaves", "search.count=2", "search.scale=2"],
        [
            "encoding.size=[54,80]",
            "layers=[conv1,conv2]",
            "layer=conv3",
            "objective.terms.style.statistic=covariance",
        ],
    ],
    ids=" ".join,
)
def test_style_transfer(run: Synth, overrides: list[str]) -> None:
    output = run("recipe=style_transfer", *overrides)
    assert output.code == 0, output.err
    result = result_of(Path("out"))
    longest = 160 if "search=octaves" in overrides else 80
    with Image.open(Path("out") / result["items"][0]["file"]) as image:
        assert abs(image.height - longest * 427 / 640) < 1
        assert image.width == longest
    assert result["findings"].keys() >= {"style_error", "style_error_start"}
    assert {"style", "content", "tv"} <= steps_of(Path("out"))[-1]["terms"].keys()


def test_a_strip_of_layers_and_of_depths(run: Synth) -> None:
    assert run("recipe=feature_inversion", "layer=[conv1,conv3,fc6]").code == 0
    result = result_of(Path("out"))
    assert [item["target"] for item in result["items"]] == ["conv1", "conv3", "fc6"]
    assert list(result["findings"]["feature_error_of"]) == ["conv1", "conv3", "fc6"]
    assert {item["original"] for item in result["items"]} == {"originals/000.png"}
    assert len(result["figures"]) == 1
    assert run("recipe=texture", "depth=[1,2]", "encoding.size=64", "folder=deep").code == 0
    assert [item["target"] for item in result_of(Path("deep"))["items"]] == [
        "to relu1",
        "to relu2",
    ]


def test_a_folder_is_inverted_in_one_batch_and_recognised(run: Synth) -> None:
    assert run("recipe=feature_inversion", "images=[china,flower]", "layer=conv2").code == 0
    result = result_of(Path("out"))
    assert [item["target"] for item in result["items"]] == ["china.jpg", "flower.jpg"]
    assert result["findings"]["found_again_chance"] == 0.5
    assert {"found_again_pixels", "found_again_features"} <= result["findings"].keys()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("recipe=style_transfer style=null", "style: whose style? Write style=PATH"),
        ("recipe=style_transfer style=nowhere.jpg", "style=nowhere.jpg: no such file"),
        ("recipe=style_transfer content=nowhere.jpg", "content=nowhere.jpg: no such file"),
        ("recipe=style_transfer weights=[1,2]", "weights: 2 for 1 styles; write one for each"),
        ("recipe=style_transfer layers=[fc6]", "layers: fc6 of mini_alexnet has no places"),
        ("recipe=style_transfer layers=[conv8]", "layer=conv8: mini_alexnet has no such layer"),
        (
            "recipe=style_transfer objective.terms.style.style_scale=0.02",
            "too small for relu5; write a larger",
        ),
        ("recipe=style_transfer search=lbfgs", "write transform=none"),
        ("recipe=texture depth=9", "depth=9: there are 5 layers; write 1 to 5"),
        (
            "recipe=texture encoding.size=8",
            "style=flower.jpg: at 5x8 pixels it is too small for relu5; write a larger",
        ),
        ("recipe=feature_inversion image=nowhere.jpg", "image=nowhere.jpg: no such file"),
        (
            "recipe=feature_inversion layer=[conv1,conv2] images=[china,flower]",
            "2 layers and 2 pictures",
        ),
        (
            "recipe=feature_inversion layer=fc6 encoding.size=100",
            "cannot read pictures of that size",
        ),
    ],
)
def test_mistakes(run: Synth, overrides: str, message: str) -> None:
    assert message in run(*overrides.split()).complaint
