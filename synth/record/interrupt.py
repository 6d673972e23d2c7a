"""Handling of Ctrl-C (SIGINT) and SIGTERM: a loop finishes its step and saves before it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object] | int | None

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # what schedulers and shutdowns send is the second


class Interrupt:
    """A context in which the first signal only sets `requested`; the second one raises at once.

    A search in the middle of a step cannot be resumed. Outside of the main thread, where Python
    cannot handle signals, it does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Handler] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._request) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        _put_back(self._before)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def signals_raised() -> Iterator[None]:
    """Lets both signals raise `KeyboardInterrupt` inside the block, in place of ending at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.default_int_handler) for number in SIGNALS}
    try:
        yield
    finally:
        _put_back(before)


def _put_back(handlers: Mapping[signal.Signals, Handler]) -> None:
    for number, handler in handlers.items():
        if handler is not None:  # one that was not installed by Python cannot be put back
            signal.signal(number, handler)
