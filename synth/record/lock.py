"""The lock of a run folder: a file that names the process that works there."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from pathlib import Path

from synth.errors import InputError
from synth.files import read_text
from synth.record.atomic import beside, is_running, remove_left_over

NAME = "run.lock"
BEAT = 20.0  # seconds between two signs of life
# A process on another machine cannot be asked: its lock counts as left over after so many seconds
# without a sign of life.
SILENCE = 180.0

_held: set[str] = set()  # the locks of this process


class Lock:
    """A context in which no other process runs anything in `folder`.

    The file ``run.lock`` is created exclusively, which network drives can do too, and holds host
    and process id. It is removed at the end; one that a killed process left is taken over.

    Args:
        folder: the run folder; made where it does not exist.

    Raises:
        InputError: on entering, where another process works there or nothing can be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / NAME
        self._end = threading.Event()

    def __enter__(self) -> Lock:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_left_over(self.path)
            if not self._create():
                self._take_over()
        except OSError as error:
            raise InputError(
                f"folder={self.folder}: cannot be written to ({error.strerror}); name another."
            ) from error
        _held.add(os.path.realpath(self.path))
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        _held.discard(os.path.realpath(self.path))
        if _owner(self.path) == (socket.gethostname(), os.getpid()):  # not taken over meanwhile
            self.path.unlink(missing_ok=True)

    def _create(self) -> bool:
        """Creates the file; False where it exists."""
        try:
            file = open(self.path, "x", encoding="utf-8")  # noqa: SIM115 - removed if not written
        except FileExistsError:
            return False
        try:
            with file:
                file.write(json.dumps({"host": socket.gethostname(), "process": os.getpid()}))
        except OSError:
            self.path.unlink(missing_ok=True)
            raise
        return True

    def _take_over(self) -> None:
        """Replaces a lock that a killed process left.

        Raises:
            InputError: where the process is alive, or another one has taken the lock over.
        """
        owner = _owner(self.path)
        if self._is_alive(*owner):
            raise self._refusal(*owner)
        aside = beside(self.path)
        try:  # renaming, unlike deleting, succeeds for one of several processes only
            self.path.replace(aside)
        except FileNotFoundError:
            pass
        else:
            other = _owner(aside)
            if other != owner:  # taken over by another process since it was read: put back
                aside.replace(self.path)
                raise self._refusal(*other)
            aside.unlink(missing_ok=True)
        if not self._create():
            raise self._refusal(*_owner(self.path))

    def _is_alive(self, host: str, process: int) -> bool:
        if host == socket.gethostname() and sys.platform != "win32":
            if process == os.getpid():  # an earlier process may have had the same id
                return os.path.realpath(self.path) in _held
            return process > 0 and is_running(process)
        try:
            last = self.path.stat().st_mtime
        except FileNotFoundError:
            return False
        return self._time_of_disk() - last < SILENCE

    def _time_of_disk(self) -> float:
        """The time by the clock of the disk, which on a network drive is not this machine's."""
        probe = beside(self.path)
        # of the open file: a process on another machine may take its name for a left-over one
        with open(probe, "wb") as file:
            moment = os.fstat(file.fileno()).st_mtime
        probe.unlink(missing_ok=True)
        return moment

    def _refusal(self, host: str, process: int) -> InputError:
        owner = f"process {process} on {host}" if host else "another process"
        return InputError(
            f"folder={self.folder}: {owner} is running there; wait for its end, or name another "
            f"folder. (If there is no such process, delete {self.path}.)"
        )

    def _beat(self) -> None:
        while not self._end.wait(BEAT):
            try:
                os.utime(self.path)
            except OSError:
                continue


def _owner(path: Path) -> tuple[str, int]:
    """Host and process id in a lock; an empty host and 0 where the file does not hold them."""
    try:
        content = json.loads(read_text(path))
        return str(content["host"]), int(content["process"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return "", 0
