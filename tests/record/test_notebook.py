"""The bar of a notebook: drawn once, updated in place, escaped, and gone at the end."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from synth.record import notebook, progress


class Display:
    """What IPython's `display` shows, newest last."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def __call__(self, html: str, display_id: bool) -> Display:
        assert display_id
        self.shown.append(html)
        return self

    def update(self, html: str) -> None:
        self.shown.append(html)


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Display:
    """The kernel of a notebook, as far as the bar asks for it."""
    shown = Display()
    kernel, module = ModuleType("IPython"), ModuleType("IPython.display")
    kernel.get_ipython = lambda: SimpleNamespace(kernel=object())
    module.HTML, module.display = str, shown
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(notebook, "EVERY", -1.0)
    return shown


def test_a_bar_is_updated_and_removed(display: Display) -> None:
    with progress.Steps("<b>gradient", 8) as bar:
        bar.at(3, "best <0.5>")
    first, second, last = display.shown
    assert "&lt;b&gt;gradient" in first
    assert "<progress value='3' max='8'>" in second
    assert "best &lt;0.5&gt;" in second
    assert last == ""


def test_silence_and_sweeps_have_no_bar(display: Display, monkeypatch: pytest.MonkeyPatch) -> None:
    with progress.silenced(), progress.Steps("gradient", 8) as bar:
        bar.at(3, "")
    monkeypatch.setattr(progress, "live", False)
    with progress.Steps("gradient", 8) as bar:
        bar.at(3, "")
    assert not display.shown
