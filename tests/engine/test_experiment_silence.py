"""Dead units are named in a warning, and no others."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from small_worlds import tiny_module, wrapped

from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.objectives.scores import Channel
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient


def test_a_dead_unit_is_named_in_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module = tiny_module()
    with torch.no_grad():
        module.conv1.bias[1] = -1e6  # no image outweighs it
        module.conv1.bias[0] = 1.0
    with caplog.at_level(logging.WARNING, "synth"):
        Experiment(wrapped(module), Pixels(16), Channel("relu1", [0, 1]), Gradient(3)).run(
            FolderRecord(tmp_path)
        )
    (message,) = [record.getMessage() for record in caplog.records]
    start = "1 of 2 items ended with score 0 and no gradient to climb (relu1:1): dead units;"
    assert message.startswith(start)
