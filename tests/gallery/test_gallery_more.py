"""Commands that show more of the units on a page."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from PIL import Image
from run_folders import write_run

from synth.gallery.folder import Run
from synth.gallery.more import unit_command
from synth.gallery.page import build_run_page

WORDS = ["recipe=patches", "images=my photos", "network=mini_resnet", "k=3", "network.fit=true"]


def test_the_command_reads_the_same_network_and_pictures(tmp_path: Path) -> None:
    run = Run(write_run(tmp_path, overrides=[*WORDS, "+network@second=mini_alexnet"]))
    expected = ["synth", "unit", "unit=stem.conv:3", WORDS[1], WORDS[2], WORDS[4]]
    assert shlex.split(unit_command(run, "stem.conv:3")) == expected


def test_there_is_none_where_the_words_do_not_say_what_was_read(tmp_path: Path) -> None:
    objects = ["images=a", "network=network mine 0123456789abcdef"]
    for place, overrides in enumerate((None, ["layer=conv1"], objects, "images=a", [3])):
        run = Run(write_run(tmp_path, f"runs/{place}", overrides=overrides))
        assert unit_command(run, "conv1:3") == ""


def test_directions_are_named_by_the_layer_that_they_are_in(tmp_path: Path) -> None:
    words = ["images=a", "layer=conv2", "directions=pca.npy"]
    command = "synth unit unit=conv2:5 images=a directions=pca.npy"
    assert unit_command(Run(write_run(tmp_path, overrides=words)), "direction:5") == command
    unnamed = Run(write_run(tmp_path, "runs/2", overrides=words[::2]))
    assert unit_command(unnamed, "direction:5") == ""
    made = write_run(tmp_path, "runs/3", overrides=words[:1], findings={"layer": "relu5"})
    (made / "directions.safetensors").touch()
    command = f"synth unit unit=relu5:5 images=a directions={made / 'directions.safetensors'}"
    assert unit_command(Run(made), "direction:5") == command


def test_a_page_has_the_commands_under_its_figures_and_in_its_cards(tmp_path: Path) -> None:
    units = ["conv1:3", "<b>:1", 7, "conv1:3\n--x"]
    folder = write_run(
        tmp_path,
        items=[{"target": "conv1:3"}, {"target": "conv1:4"}],
        overrides=WORDS,
        figures=[{"file": "figures/000.png", "caption": "Units", "units": units}],
    )
    (folder / "figures").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "figures/000.png")
    page = build_run_page(folder).read_text(encoding="utf-8")
    command = "synth unit unit=conv1:3 &#39;images=my photos&#39; network=mini_resnet"
    assert page.count(command) == 1
    assert "<b>:1" not in page
    assert "unit=conv1:3\n" not in page
    cards = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])["cards"]
    details = [dict(card["details"]) for card in cards]
    assert shlex.split(details[0]["More"])[2] == "unit=conv1:3"
    assert "More" not in details[1]  # the unit is in no figure
