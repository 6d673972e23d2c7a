"""Closed pipes, full disks and Ctrl-C while importing: no traceback, and nothing lost."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from console import ROOT
from rich.console import Console

from synth.cli.streams import guarded_streams


@contextmanager
def standard_output(monkeypatch: pytest.MonkeyPatch, descriptor: int) -> Iterator[None]:
    """Lets the process write standard output to `descriptor`, buffered as it is by default."""
    with (
        open(descriptor, "w", encoding="utf-8", closefd=False) as stream,
        monkeypatch.context() as m,
    ):
        m.setattr(sys, "stdout", stream)
        m.setattr(sys, "__stdout__", stream)
        yield


def write_much() -> None:
    print("a table " * 10_000)
    Console().print("rich")
    sys.stdout.flush()
    print("the last line")


def test_a_reader_that_left_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with standard_output(monkeypatch, writer), guarded_streams("synth"):
        write_much()
    os.close(writer)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("code", [None, 0, 130])
def test_a_full_disk_is_one_line_at_the_end(
    code: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = os.open("/dev/full", os.O_WRONLY)

    def command() -> None:
        with guarded_streams("synth"):
            write_much()
            if code is not None:
                sys.exit(code)

    with standard_output(monkeypatch, full), pytest.raises(SystemExit) as leaving:
        command()
    os.close(full)
    line = "" if code else "synth: standard output: No space left on device.\n"
    assert (leaving.value.code, capsys.readouterr().err) == (code or 2, line)


def test_what_is_printed_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with standard_output(monkeypatch, writer), guarded_streams("synth"):
        print("é 漢")
        assert not sys.stdout.isatty()
    os.close(writer)
    with open(reader, encoding="utf-8") as file:
        assert file.read() == "é 漢\n"


def test_closed_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with guarded_streams("synth"):
        print("nowhere")
        logging.StreamHandler()


INTERRUPTED = """
import os, signal, sys
sys.argv[0] = "/usr/bin/synth-gallery"
# as a terminal leaves it; a shell without one starts its background jobs with SIGINT ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
class Finder:
    def find_spec(name, path, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
from synth.cli.jobs import run_command
"""


@pytest.mark.parametrize("module", ["beartype", "omegaconf"])
def test_ctrl_c_while_importing_is_one_line(module: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr == "synth-gallery: interrupted.\n"
