"""The progress bar of a Jupyter notebook: a line of HTML, updated and at the end removed."""

from __future__ import annotations

import sys
import time
from html import escape
from typing import Any

EVERY = 0.2  # seconds between updates


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")  # a program that has not imported it is no kernel
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


class NotebookBar:
    """A progress bar below the running cell.

    Args:
        title: of the bar.
        total: number of steps.
    """

    def __init__(self, title: str, total: int) -> None:
        from IPython.display import HTML, display

        self.title = title
        self.total = total
        self._html: Any = HTML
        self._last = time.monotonic()
        self._handle: Any = display(HTML(self._line(0, "")), display_id=True)

    def at(self, step: int, status: str) -> None:
        """Shows that `step` steps are done, and the `status` in a few words."""
        if time.monotonic() - self._last > EVERY:
            self._last = time.monotonic()
            self._handle.update(self._html(self._line(step, status)))

    def close(self) -> None:
        """Removes the bar."""
        self._handle.update(self._html(""))

    def _line(self, step: int, status: str) -> str:
        return (
            f"<div style='font-family:monospace'>{escape(self.title)} "
            f"<progress value='{step}' max='{self.total}'></progress> "
            f"{step}/{self.total} {escape(status)}</div>"
        )
