"""What these tests run for: the parts of plug-ins, or of the folders that are named."""

from __future__ import annotations

import os
import sys

import pytest

from synth.config import plugins
from synth.config.composing import CONF
from synth.contract import cases
from synth.contract.fixtures import one_thread_for_all, synth, the_same_draws, weights

__all__ = ["one_thread_for_all", "synth", "the_same_draws", "weights"]

sys.path.append(os.getcwd())  # tests run in folders of their own
plugins.use_folders(CONF, cases.folder_words())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folders = cases.folders_under_test()
    if not folders:
        raise pytest.UsageError(
            f"no plug-in is installed; name a folder of YAML files: {cases.FOLDERS}=DIR."
        )
    cases.generate(metafunc, folders)
