"""Progress: a bar on a terminal, log lines where the output is piped; never both."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from synth.record.progress import Steps

LINE = "epoch 2/5  train_loss 1.25  3 s"


@pytest.mark.parametrize("terminal", [True, False])
def test_lasting_lines_are_printed_or_logged_once(
    terminal: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stream = io.StringIO()
    with Steps(
        "training", 50, 0.0, Console(file=stream, force_terminal=terminal, width=100)
    ) as bar:
        bar.at(15, "epoch 2/5, loss 1.500")
        bar.say(LINE)
    assert (LINE in stream.getvalue()) == terminal
    assert (LINE in caplog.text) != terminal
    assert ("epoch 2/5, loss 1.500" in stream.getvalue()) == terminal
    assert ("training: step 15 of 50, epoch 2/5, loss 1.500" in caplog.text) != terminal


def test_where_output_is_piped_steps_are_logged_at_intervals(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    with Steps("search", 50, 3600.0, Console(file=io.StringIO(), force_terminal=False)) as bar:
        for step in range(50):
            bar.at(step, "score 1")
    assert caplog.text == ""
