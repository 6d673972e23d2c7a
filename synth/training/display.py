"""Takes how far a training is; shows a live bar on a terminal, and one log line an epoch elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from synth import progress

log = logging.getLogger(__name__)


class Display:
    """A context that shows the steps under way; outside of a terminal it only logs finished epochs."""

    def __init__(self, epochs: int, steps: int, console: Console | None = None) -> None:
        self._epochs, self._steps = epochs, steps
        console = console or Console(stderr=True)
        live = console.is_terminal and progress.live
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True) if live else None
        self._line = self._bar.add_task("training", total=epochs * steps) if self._bar else None

    def __enter__(self) -> Display:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def step(self, epoch: int, step: int, loss: float) -> None:
        """Shows that `step` steps of `epoch` (both from 0) are done, at the mean `loss` so far."""
        if self._bar is not None and self._line is not None:
            said = f"epoch {epoch + 1}/{self._epochs}  loss {loss:.3f}"
            self._bar.update(self._line, completed=epoch * self._steps + step, description=said)

    def epoch(self, row: Mapping[str, float | int]) -> None:
        """Says the numbers of a finished epoch."""
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in row.items() if name not in {"step", "seconds"})
        said = f"epoch {int(row['step'])}/{self._epochs}  {numbers}  {row['seconds']:.0f} s"
        if self._bar is not None:
            self._bar.console.print(said, highlight=False)
        else:
            log.info("%s", said)
