"""Fixtures: run folders in a temporary folder, and one browser for the session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from archive_folders import MakeArchive, write_archive
from chromium import start_browser
from run_folders import MakeRun, write_run

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """`make_run(name, items, **result)`: a run folder; an item has the fields that differ."""
    return lambda *arguments, **fields: write_run(tmp_path, *arguments, **fields)


@pytest.fixture
def make_archive(tmp_path: Path) -> MakeArchive:
    """`make_archive(name, count, **result)`: the run folder of an archive over `count` classes."""
    return lambda *arguments, **fields: write_archive(tmp_path, *arguments, **fields)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    driver = start_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()
