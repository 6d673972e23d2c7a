"""Canvas encodings in the shape of a content image."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth import data
from synth.encodings.canvas import canvas
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.errors import InputError


def test_the_shape_is_that_of_the_content_for_every_start() -> None:
    for start, kind in (("noise", Pixels), ("flower", Perturbation), ("china", Perturbation)):
        encoding = canvas(start, content="china", longest=64)
        assert isinstance(encoding, kind)
        assert encoding.size == (43, 64)  # 427x640
    # an explicit size has precedence
    assert canvas("noise", content="china", longest=64, size=20).size == (20, 20)
    assert canvas("flower", content="china").size is None


def test_a_tall_image_and_wrong_settings(tmp_path: Path) -> None:
    data.to_image(data.picture("china").at((40, 20))).save(tmp_path / "tall.png")
    assert canvas("noise", content=str(tmp_path / "tall.png"), longest=30).size == (30, 15)
    with pytest.raises(InputError, match="content=nowhere: no such file"):
        canvas("noise", content="nowhere", longest=30)
    with pytest.raises(InputError, match="longest= and grey= keep something of a picture"):
        canvas("noise", longest=30)
