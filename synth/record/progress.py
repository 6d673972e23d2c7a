"""Takes how far a run is; shows a live bar on a terminal, and a log line now and then where the output is piped."""

from __future__ import annotations

import logging
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

log = logging.getLogger(__name__)

EVERY = 10.0  # seconds between log lines; a training, which takes hours, has fewer
live = True  # switched off for multirun, where bars of many runs would fill the screen


class Steps:
    """A context that shows the steps of one search or training; `title` says which.

    Where the output is piped, `every` is the number of seconds between log lines.
    """

    def __init__(
        self, title: str, total: int, every: float = EVERY, console: Console | None = None
    ) -> None:
        self.title, self.total, self.every = title, total, every
        console = console or Console(stderr=True)
        self._bar: Progress | None = None
        self._last = time.monotonic()
        if live and console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
                TextColumn("{task.fields[said]}"), TimeElapsedColumn(), TimeRemainingColumn(),
                console=console, transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task(title, total=total, said="")

    def __enter__(self) -> Steps:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def at(self, step: int, said: str) -> None:
        """`step` steps are done; `said` is what stands there now, in a few words."""
        if self._bar:
            self._bar.update(self._task, completed=step, said=said)
        elif time.monotonic() - self._last > self.every:
            self._last = time.monotonic()
            log.info("%s: step %d of %d, %s", self.title, step, self.total, said)

    def say(self, line: str) -> None:
        """A line that stays: above the bar, or in the log."""
        if self._bar:
            self._bar.console.print(line, highlight=False)
        else:
            log.info("%s", line)
