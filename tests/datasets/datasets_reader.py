"""What ``datasets.load_dataset`` of Hugging Face makes of a folder."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import pytest


def loaded(folder: Path, cache: Path) -> Any:
    """All splits; the test is skipped where the library is not installed."""
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the library about itself
        # not the name alone, which the folder of these tests has too
        library = pytest.importorskip("datasets.load", reason="needs the package datasets")
        progress = pytest.importorskip("datasets.utils")
        progress.disable_progress_bars()
        return library.load_dataset(str(folder), cache_dir=str(cache))
