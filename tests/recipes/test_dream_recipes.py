"""DeepDream recipes from the command line, with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from console import Synth, result_of, steps_of
from PIL import Image

pytest_plugins = "console_fixtures"

SHORT = "search.steps=2", "search.count=2", "device=cpu", "folder=out"


@pytest.fixture
def run(synth: Synth, weights: Path) -> Synth:
    """The command with short runs of the bundled network."""

    def short(recipe: str, *overrides: str) -> object:
        return synth(f"recipe={recipe}", *SHORT, f"network.weights={weights}", *overrides)

    return short  # type: ignore[return-value]


@pytest.mark.parametrize(
    "overrides",
    [
        ["encoding.longest=80"],
        ["encoding.longest=80", "guide=flower"],
        ["encoding.longest=80", "unit=3", "layer=conv2"],
        ["image=flower", "encoding.longest=80", "transform=none"],
        ["image=null", "encoding.longest=null", "encoding.size=[53,80]"],
        [
            "encoding.longest=80",
            "+objective@objective.terms.early=energy",
            "objective.terms.early.layer=conv1",
        ],
    ],
    ids=" ".join,
)
def test_a_dream_keeps_the_shape_of_its_picture(run: Synth, overrides: list[str]) -> None:
    output = run("deepdream", *overrides)
    assert output.code == 0, output.err
    result = result_of(Path("out"))
    with Image.open(Path("out") / result["items"][0]["file"]) as image:
        assert image.size == (80, 53)
    assert result["items"][0]["backwards"] == 4
    assert not result.get("figures")  # a single image
    assert "dream" in steps_of(Path("out"))[-1]["terms"]


def test_images_of_several_layers_make_one_strip(run: Synth) -> None:
    assert run("deepdream", "layer=[relu1,conv3,relu5]", "encoding.longest=80").code == 0
    result = result_of(Path("out"))
    assert [item["target"] for item in result["items"]] == ["relu1", "relu3", "relu5"]
    (figure,) = result["figures"]
    assert figure["caption"] == "Side by side: original, relu1, relu3, relu5."
    assert figure["file"] in (Path("out") / "index.html").read_text(encoding="utf-8")


def test_a_film_is_shown_on_its_page(run: Synth) -> None:
    output = run("deepdream_film", "frames=3", "encoding.longest=60", "guide=flower")
    assert output.code == 0, output.err
    with Image.open("out/film.webp") as film:
        assert film.n_frames == 3
    assert "film.webp" in Path("out/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["layer=conv9"], "layer=conv9"),
        (["layer=fc6"], "at relu6; name an earlier layer"),
        (["layer=fc6", "guide=flower", "encoding.longest=64"], "relu6 has no places"),
        (["guide=nowhere.png"], "guide=nowhere.png: no such file"),
        (["unit=1", "guide=flower"], "leave out unit= or guide="),
        (["images=[china,flower]"], "write image=null"),
        (["images=[china,flower]", "image=null"], "write encoding.longest=null"),
        (["image=null"], "encoding.longest=null"),
        (["transform=crop", "transform.margin=300"], "write fewer octaves"),
        (["search.scale=1"], "each larger than the last"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_reported_in_one_line(run: Synth, overrides: list[str], message: str) -> None:
    output = run("deepdream", *overrides)
    assert output.code == 2
    assert message in output.err
    assert "Traceback" not in output.err
    assert not Path("out/.hydra").exists()
