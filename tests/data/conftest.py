"""Folders of coloured pictures, one folder a class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from small_worlds import COLOURS, write_colour_folders


@pytest.fixture
def colour_folders(tmp_path: Path) -> Callable[..., Path]:
    """Writes a class folder for each colour, of noisy PNGs of that colour."""

    def write(
        name: str = "train", each: int = 12, size: int = 16, colours: Sequence[str] = tuple(COLOURS)
    ) -> Path:
        return write_colour_folders(tmp_path / name, each, size, colours)

    return write
