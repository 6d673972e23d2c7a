"""Gives every test here a way to make run folders below its own temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_folders import MakeRun, write_run


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """`make_run(name, items, **result)`: a run folder; an item is a dict of what differs from the usual."""
    return lambda *arguments, **fields: write_run(tmp_path, *arguments, **fields)
