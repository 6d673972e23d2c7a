"""Ctrl-C: the first sets a flag, the second raises at once."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from synth.record.interrupt import Interrupt


def test_the_first_ctrl_c_sets_the_flag_and_the_second_raises() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_signals_are_not_handled() -> None:
    values = []

    def work() -> None:
        with Interrupt() as interrupt:
            values.append(interrupt.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert values == [False]
