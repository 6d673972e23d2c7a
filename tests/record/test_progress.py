"""Progress: a bar on a terminal, log lines where the output is piped; never both."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console
from rich.table import Table

from synth.record.progress import Steps, plain_console

LINE = "epoch 2/5  train_loss 1.25  3 s"


@pytest.mark.parametrize("terminal", [True, False])
def test_lasting_lines_are_printed_or_logged_once(
    terminal: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stream = io.StringIO()
    with Steps(
        "training", 50, 0.0, Console(file=stream, force_terminal=terminal, width=100)
    ) as bar:
        bar.at(15, "epoch 2/5, loss 1.500")
        bar.say(LINE)
    assert (LINE in stream.getvalue()) == terminal
    assert (LINE in caplog.text) != terminal
    assert ("epoch 2/5, loss 1.500" in stream.getvalue()) == terminal
    assert ("training: step 15 of 50, epoch 2/5, loss 1.500" in caplog.text) != terminal


def test_where_output_is_piped_steps_are_logged_at_intervals(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    with Steps("search", 50, 3600.0, Console(file=io.StringIO(), force_terminal=False)) as bar:
        for step in range(50):
            bar.at(step, "score 1")
    assert caplog.text == ""


NAME = "[link=http://x]a[/link] [/red] :smile: \x1b]0;mine\x07 \u202e\udce9\n.png"
PRINTED = r"[link=http://x]a[/link] [/red] :smile: \x1b]0;mine\x07 \u202e\udce9\n.png"


def test_names_are_no_markup_and_no_codes_on_a_terminal() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system=None, width=400)
    with Steps(f"title {NAME}", 2, console=console) as bar:
        bar.at(1, f"status {NAME}")
        bar.say(f"line {NAME}")
    shown = stream.getvalue()
    for word in ("title", "status", "line"):
        assert f"{word} {PRINTED}" in shown
    assert "\x1b]" not in shown


def test_a_console_prints_markup_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("[bold]heading")
    table.add_row("[/red] :smile:")
    plain_console(piped_width=60).print(table, "[link=x]a[/link]")
    output = capsys.readouterr().out
    for text in ("[bold]heading", "[/red] :smile:", "[link=x]a[/link]"):
        assert text in output
    assert plain_console(piped_width=60).width == 60
