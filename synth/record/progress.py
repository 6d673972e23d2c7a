"""Progress of a run: a live bar on a terminal or in a notebook, log lines where it is piped."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from synth.errors import printable
from synth.record.notebook import NotebookBar, in_notebook

log = logging.getLogger(__name__)

EVERY = 10.0  # seconds between log lines; a training, which takes hours, has fewer
live = True  # switched off in a sweep, where bars of many runs would fill the screen
silent = False  # switched on where nothing is to be printed at all


@contextmanager
def silenced() -> Iterator[None]:
    """A block in which nothing is printed: no bar, no table."""
    global silent
    before, silent = silent, True
    try:
        yield
    finally:
        silent = before


def is_live() -> bool:
    """Whether a running job shows a bar."""
    return live and not silent and (in_notebook() or plain_console(stderr=True).is_terminal)


def plain_console(stderr: bool = False, piped_width: int | None = None) -> Console:
    """A console that prints what looks like rich's markup as it is; nothing while `silenced`.

    Args:
        stderr: whether it prints to standard error instead of standard output.
        piped_width: columns where the output is piped; rich's default where None.
    """
    console = Console(stderr=stderr, markup=False, emoji=False, quiet=silent)
    if piped_width is not None and not console.is_terminal:
        console.width = piped_width
    return console


class Steps:
    """A context that shows the steps of one search or training.

    Args:
        title: of the bar.
        total: number of steps.
        every: seconds between log lines, where the output is piped.
        console: of the bar; standard error by default.
    """

    def __init__(
        self, title: str, total: int, every: float = EVERY, console: Console | None = None
    ) -> None:
        self.title = printable(title)
        self.total = total
        self.every = every
        console = console or plain_console(stderr=True)
        self._bar: Progress | None = None
        self._notebook: NotebookBar | None = None
        self._last = time.monotonic()
        if live and not silent and in_notebook():
            self._notebook = NotebookBar(self.title, total)
        elif live and not silent and console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.completed}/{task.total}"),
                TextColumn("{task.fields[status]}", markup=False),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self._task = self._bar.add_task(self.title, total=total, status="")

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
        if self._notebook:
            self._notebook.close()

    def at(self, step: int, status: str) -> None:
        """Shows that `step` steps are done, and the `status` in a few words."""
        if self._bar:
            self._bar.update(self._task, completed=step, status=printable(status))
        elif self._notebook:
            self._notebook.at(step, printable(status))
        elif time.monotonic() - self._last > self.every:
            self._last = time.monotonic()
            more = f", {status}" if status else ""
            log.info("%s: step %d of %d%s", self.title, step, self.total, more)

    def say(self, line: str) -> None:
        """Prints a line that stays: above the bar, or in the log."""
        if self._bar:
            self._bar.console.print(printable(line), markup=False, emoji=False, highlight=False)
        else:
            log.info("%s", line)
