"""What these tests run for: the parts of plug-ins, or of the folders that are named."""

from __future__ import annotations

import os
import sys

import pytest

from synth.config import plugins
from synth.config.composing import CONF
from synth.contract import cases
from synth.contract.fixtures import one_thread_for_all, synth, the_same_draws, weights
from synth.errors import InputError

__all__ = ["one_thread_for_all", "synth", "the_same_draws", "weights"]

# tests run in folders of their own
sys.path.append(os.getcwd())
os.environ[cases.FOLDERS] = os.pathsep.join(map(str, cases.named_folders()))
folders = cases.folders_under_test()
mistake = "" if folders else f"no plug-in is installed; name a folder: {cases.FOLDERS}=DIR."
try:
    plugins.use_folders(CONF, cases.folder_words())
except InputError as error:
    folders, mistake = [], f"{cases.FOLDERS}: {error}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    cases.generate(metafunc, folders)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests of kinds of which there are no parts."""
    if mistake:
        raise pytest.UsageError(mistake)
    empty = [item for item in items if _is_without_parts(item)]
    config.hook.pytest_deselected(items=empty)
    items[:] = [item for item in items if item not in empty]


def _is_without_parts(item: pytest.Item) -> bool:
    reasons = [str(mark.kwargs.get("reason")) for mark in item.iter_markers("skip")]
    return any("empty parameter set" in reason for reason in reasons)
