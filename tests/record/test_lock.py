"""One process a run folder; what a killed one left is taken over."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest

from synth.errors import InputError
from synth.record import lock
from synth.record.atomic import write_atomically
from synth.record.lock import Lock

HERE = socket.gethostname()
ENDED = 2**22 + 1  # no process has this id on Linux


def left(folder: Path, host: str, process: object) -> Path:
    path = folder / "run.lock"
    path.write_text(json.dumps({"host": host, "process": process}))
    return path


def test_a_second_run_in_the_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    with Lock(tmp_path / "out"):
        assert json.loads((tmp_path / "out/run.lock").read_text()) == {
            "host": HERE,
            "process": os.getpid(),
        }
        with pytest.raises(InputError) as refusal, Lock(tmp_path / "out"):
            pass
        assert str(refusal.value) == (
            f"folder={tmp_path}/out: process {os.getpid()} on {HERE} is running there; wait for "
            "its end, or name another folder. (If there is no such process, delete "
            f"{tmp_path}/out/run.lock.)"
        )
        with Lock(tmp_path / "other"):
            pass
    assert not list((tmp_path / "out").iterdir())
    with Lock(tmp_path / "out"):
        pass


def test_another_process_on_this_machine(tmp_path: Path) -> None:
    left(tmp_path, HERE, os.getppid())  # runs
    os.utime(tmp_path / "run.lock", (0, 0))  # suspended for long, perhaps
    with pytest.raises(InputError, match=f"process {os.getppid()} on"), Lock(tmp_path):
        pass
    for ended in (ENDED, os.getpid(), 0, -1, 10**30):  # the own id: of an earlier process
        left(tmp_path, HERE, ended)
        with Lock(tmp_path):
            pass
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ['{"host": "elsewhere", "process": 7}', "", "[" * 9999, "7"])
def test_another_machine_or_a_damaged_lock_counts_by_its_last_sign_of_life(
    content: str, tmp_path: Path
) -> None:
    path = tmp_path / "run.lock"
    path.write_text(content)
    with pytest.raises(InputError, match="is running there"), Lock(tmp_path):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["run.lock"]
    silent = time.time() - lock.SILENCE - 1
    os.utime(path, (silent, silent))
    with Lock(tmp_path):
        assert json.loads(path.read_text())["process"] == os.getpid()


def test_the_lock_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.01)
    with Lock(tmp_path):
        os.utime(tmp_path / "run.lock", (0, 0))
        end = time.monotonic() + 10
        while (tmp_path / "run.lock").stat().st_mtime == 0:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_the_lock_goes_when_the_run_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Lock(tmp_path):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_lock_that_another_process_takes_over_at_the_same_moment_is_its(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left(tmp_path, HERE, ENDED)
    is_alive = Lock._is_alive

    def slow(self: Lock, host: str, process: int) -> bool:
        alive = is_alive(self, host, process)
        left(tmp_path, HERE, os.getppid())
        return alive

    monkeypatch.setattr(Lock, "_is_alive", slow)
    with pytest.raises(InputError, match=f"process {os.getppid()} on"), Lock(tmp_path):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["run.lock"]
    assert json.loads((tmp_path / "run.lock").read_text())["process"] == os.getppid()


def test_a_lock_that_was_taken_over_from_a_suspended_process_stays(tmp_path: Path) -> None:
    with Lock(tmp_path):
        left(tmp_path, "elsewhere", 7)
    assert json.loads((tmp_path / "run.lock").read_text())["host"] == "elsewhere"


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"cannot be written to \(Not a directory\); name another"),
        Lock(tmp_path / "file" / "out"),
    ):
        pass


def test_what_a_killed_process_left_of_a_page_is_removed_by_the_next_writer(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    stay = {f".index.html.{os.getppid()}", ".index.html2.123", "index.html.bak", ".index.html.swp"}
    gone = {f".index.html.{ENDED}", ".index.html.a1b2c3d4", f".index.html.{os.getpid()}"}
    for name in stay | gone:
        (tmp_path / name).touch()
    write_atomically(page, b"page", shared=True)
    assert {path.name for path in tmp_path.iterdir()} == {*stay, "index.html"}
    assert page.read_bytes() == b"page"
