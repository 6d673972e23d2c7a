"""Handling of Ctrl-C (SIGINT): a loop finishes its step and saves before it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

Handler = Callable[[int, FrameType | None], object] | int | None


class Interrupt:
    """A context in which the first Ctrl-C only sets `requested`; the second one raises at once.

    A search in the middle of a step cannot be resumed. Outside of the main thread, where Python
    cannot handle signals, it does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: Handler = None

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(self, *error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
