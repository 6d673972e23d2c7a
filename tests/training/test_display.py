"""What a training shows: a bar on a terminal, a log line an epoch where the output is piped; never both."""

from __future__ import annotations

import io
import logging
import os
import signal
import threading

import pytest
from rich.console import Console

from synth.interrupt import Interrupt
from synth.training.display import Display

ROW = {"step": 2, "train_loss": 1.25, "validation_accuracy": 0.5, "seconds": 3.2}
LINE = "epoch 2/5  train_loss 1.25  validation_accuracy 0.5  3 s"


@pytest.mark.parametrize("terminal", [True, False])
def test_epochs_are_said_once(terminal: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    written = io.StringIO()
    with Display(5, 10, Console(file=written, force_terminal=terminal, width=100)) as display:
        display.step(1, 5, 1.5)
        display.epoch(ROW)
    assert (LINE in written.getvalue()) == terminal
    assert (LINE in caplog.text) != terminal
    assert ("epoch 2/5  loss 1.500" in written.getvalue()) == terminal


def test_the_first_ctrl_c_asks_and_the_second_leaves() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_signals_are_left_alone() -> None:
    seen = []

    def work() -> None:
        with Interrupt() as interrupt:
            seen.append(interrupt.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
