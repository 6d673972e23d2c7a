"""Run folders of earlier versions: what the present version makes of them is equal in every bit."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from console import ROOT, Synth, result_of
from PIL import Image

pytest_plugins = "console_fixtures"

ARCHIVE = ROOT / "tests" / "archive"
EXPECTED = json.loads((ARCHIVE / "expected.json").read_text(encoding="utf-8"))


def digest(file: Path) -> str:
    """SHA-256 of the pixels of an RGB image."""
    with Image.open(file) as image:
        assert image.mode == "RGB"
        return hashlib.sha256(image.tobytes()).hexdigest()


@pytest.mark.parametrize("case", EXPECTED["render"], ids=lambda case: case["run"])
def test_genomes_are_rendered_again(case: dict[str, Any], synth: Synth) -> None:
    words = [f"run={ARCHIVE / case['run']}", f"size={case['size']}", "device=cpu", "folder=out"]
    if case["contender"]:
        words.append(f"contender={case['contender']}")
    ran = synth("recipe=render", *words)
    assert ran.code == 0, ran.err
    items = [item for item in result_of(Path("out"))["items"] if item["file"]]
    assert {item["of"]: digest(Path("out", item["file"])) for item in items} == case["pixels"]


def test_a_trained_stylizer_paints_the_same_image(synth: Synth) -> None:
    case = EXPECTED["stylize"]
    words = [
        f"image={ARCHIVE / case['image']}",
        f"weights={ARCHIVE / case['weights']}",
        f"longest={case['longest']}",
    ]
    ran = synth("recipe=stylize", *words, "device=cpu", "folder=out")
    assert ran.code == 0, ran.err
    (item,) = result_of(Path("out"))["items"]
    assert digest(Path("out", item["file"])) == case["pixels"]


@pytest.mark.parametrize("run", ["multifaceted", "universal_perturbation"])
def test_an_encoding_of_pixels_is_understood_and_not_rendered(run: str, synth: Synth) -> None:
    Path("pictures").mkdir()
    for number in range(3):
        Image.new("RGB", (64, 64), (80 * number, 20, 90)).save(f"pictures/{number}.png")
    complaint = synth("recipe=render", f"run={ARCHIVE / run}", "folder=out").complaint
    assert complaint.startswith(f"run={ARCHIVE / run}: its encoding")
    assert "pixels" in complaint
