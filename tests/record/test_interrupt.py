"""Ctrl-C and SIGTERM: the first sets a flag, the second raises at once."""

from __future__ import annotations

import signal
import threading

import pytest

from synth.record.interrupt import Interrupt, signals_raised

BOTH = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("second", BOTH)
@pytest.mark.parametrize("first", BOTH)
def test_the_first_sets_the_flag_and_the_second_raises(first: int, second: int) -> None:
    before = [signal.getsignal(number) for number in BOTH]
    with Interrupt() as interrupt:
        assert not interrupt.requested
        signal.raise_signal(first)
        assert interrupt.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(second)
    assert [signal.getsignal(number) for number in BOTH] == before


@pytest.mark.parametrize("number", BOTH)
def test_outside_of_a_loop_both_raise(number: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), signals_raised():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_in_another_thread_signals_are_not_handled() -> None:
    values = []

    def work() -> None:
        with signals_raised(), Interrupt() as interrupt:
            values.append(interrupt.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert values == [False]
