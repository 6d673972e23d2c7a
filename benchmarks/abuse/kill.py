"""Runs killed at random moments: python -m benchmarks.abuse kill --minutes 5

Draws a kind of run, kills it by SIGKILL (sometimes SIGTERM) at random moments, gives the same
command again until it ends, and compares everything that it leaves with an undisturbed run: pixels
of every picture, bits of every tensor, steps and results but for times, names of all files. Every
run is a fork of this process, which has imported everything, and saves ten times a second.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"  # before torch reads them

import argparse
import importlib
import pkgutil
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks import golden

EVERY = 0.1  # seconds between checkpoints
MOST_KILLS = 3  # of one run
TERMINATED = 0.2  # share of SIGTERM among the signals
TIMEOUT = 300.0  # seconds a command

TRAINING = "images=pictures batch=4 precision=float32"
MORE = {
    "sweep": "--multirun recipe=fooling_gradient seed=0,1,2 target=lemon search.steps=20 "
    "until=null sweep=points",
    "stylize_film": golden.CROSSINGS["stylize_film"],
    "train_classifier": f"recipe=train_classifier {TRAINING} epochs=4 keep_checkpoints=true "
    "early_stopping=2",
    "train_generator": f"recipe=train_generator {TRAINING} epochs=3 width=4",
    **golden.RESUMED,
}


@dataclass(frozen=True)
class Undisturbed:
    """A kind of run, and what it leaves.

    Attributes:
        commands: given one after the other; the last is the one that is killed.
        left: records, hashes of pictures and tensors, by kind and path.
        files: names of all files.
        seconds: that the last command takes.
    """

    commands: tuple[tuple[str, ...], ...]
    left: golden.Left
    files: frozenset[str]
    seconds: float


def main(arguments: Sequence[str]) -> int:
    """Kills for as long as asked; 1 where anything was lost or differed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abuse kill")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--kills", type=int, help="this many, in place of minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="KIND", help="these kinds of run")
    given = parser.parse_args(arguments)
    names = given.only or list(kinds())
    unknown = set(names) - set(kinds())
    if unknown:
        parser.error(f"no such kind: {', '.join(sorted(unknown))}; there are {', '.join(kinds())}")
    import_everything()
    torch.set_num_threads(1)
    with saving_often():
        counts, problems = kill(names, given.seed, given.minutes, given.kills)
    totals = Counter({name: counts[name] for name in ("kills", "terminations", "runs", "pictures")})
    hit = [name for name in counts if name.startswith("kind ")]
    print(", ".join(f"{count} {name}" for name, count in totals.items()), end=", ")
    print(f"{len(hit)} kinds, {len(problems)} differences or losses")
    return 1 if problems else 0


def kinds() -> dict[str, tuple[tuple[str, ...], ...]]:
    """The commands of every kind of run by its name: every recipe, a sweep, and longer runs."""
    lines = {name: f"recipe={name} {words}" for name, words in golden.RECIPES.items()} | MORE
    made = {}
    for name, line in lines.items():
        words = " ".join(golden.renamed_word(word) for word in line.split())
        where = "" if "--multirun" in words else "folder=out"
        before = golden.BEFORE.get(name)
        commands = [f"{before} folder=earlier"] if before else []
        commands.append(f"{words} {where}")
        made[name] = tuple(tuple(f"{command} device=cpu".split()) for command in commands)
    return made


def import_everything() -> None:
    """Imports once, before the runs are forked, what any of them imports."""
    import synth

    for module in pkgutil.walk_packages(synth.__path__, "synth."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in golden.WARM:
        importlib.import_module(name)


@contextmanager
def saving_often() -> Iterator[None]:
    """Lets every run save every `EVERY` seconds."""
    from synth.engine import experiment, observer
    from synth.jobs import stylize
    from synth.training.trainer import Trainer

    train = Trainer.train

    def train_saving_often(self: Trainer, *words: Any) -> Any:
        self.plan = replace(self.plan, checkpoint_seconds=EVERY)
        return train(self, *words)

    changes: list[tuple[Any, str, Any]] = [
        (observer, "CHECKPOINT_EVERY", EVERY),
        (experiment, "REPORT_EVERY", EVERY / 2),
        (stylize, "CHECKPOINT_EVERY", EVERY),
        (Trainer, "train", train_saving_often),
    ]
    before = [getattr(place, name) for place, name, _ in changes]
    for place, name, value in changes:
        setattr(place, name, value)
    try:
        yield
    finally:
        for (place, name, _), value in zip(changes, before, strict=True):
            setattr(place, name, value)


def kill(
    names: Sequence[str], seed: int, minutes: float, kills: int | None
) -> tuple[Counter[str], list[str]]:
    """Kills runs of the kinds `names` for so many `minutes`, or so many `kills`.

    Returns:
        Counts by name, and a line for everything that was lost or differed.
    """
    draws = random.Random(seed)
    counts: Counter[str] = Counter()
    problems: list[str] = []
    undisturbed: dict[str, Undisturbed] = {}
    end = time.monotonic() + 60 * minutes
    remaining = list(names)
    while remaining and (counts["kills"] < kills if kills is not None else time.monotonic() < end):
        name = draws.choice(remaining)
        try:
            if name not in undisturbed:
                undisturbed[name] = _undisturbed(kinds()[name])
            lines = _killed(undisturbed[name], draws, counts)
            counts[f"kind {name}"] += 1
        except RuntimeError as error:  # it does not run undisturbed either
            remaining.remove(name)
            lines = [str(error)]
        for line in lines:
            problems.append(f"{name}: {line}")
            print(problems[-1], flush=True)
    return counts, problems


def _undisturbed(commands: tuple[tuple[str, ...], ...]) -> Undisturbed:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        golden.draw_inputs(folder)
        for command in commands:
            start = time.monotonic()
            _must_end(_started(command, folder), folder)
        seconds = time.monotonic() - start
        where = _run_folder(folder)
        return Undisturbed(commands, golden.left_in(where), _files(where), seconds)


def _killed(run: Undisturbed, draws: random.Random, counts: Counter[str]) -> list[str]:
    """Kills a run once or a few times and gives a line for everything that is not as it should."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        golden.draw_inputs(folder)
        *before, command = run.commands
        for words in before:
            _must_end(_started(words, folder), folder)
        moments = []
        for _ in range(draws.randint(1, MOST_KILLS)):
            moment = draws.uniform(0, run.seconds)
            number = signal.SIGTERM if draws.random() < TERMINATED else signal.SIGKILL
            process = _started(command, folder)
            code = _ended(process, moment)
            if code is not None:  # it was faster than before
                break
            os.kill(process, number)
            moments.append(f"{number.name} after {moment:.2f} s")
            counts["kills" if number is signal.SIGKILL else "terminations"] += 1
            code = _ended(process, TIMEOUT)
            if number is signal.SIGTERM and code not in (0, 130, -signal.SIGTERM):
                return [f"exit code {code} {', '.join(moments)}: {_log(folder)}"]
        code = _ended(_started(command, folder), TIMEOUT)
        counts["runs"] += 1
        where = _run_folder(folder)
        problems = list(golden.differences(run.left, golden.left_in(where)))
        counts["pictures"] += len(run.left["pictures"])
        problems += [f"{file} is lost" for file in sorted(run.files - _files(where))]
        problems += [f"{file} is left over" for file in sorted(_files(where) - run.files)]
        if code != 0 or "Traceback" in _log(folder):
            problems.insert(0, f"exit code {code}: {_log(folder)}")
        if problems:
            copy = Path(tempfile.mkdtemp(prefix="killed_"))
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            problems[0] += f" ({', '.join(moments)}; kept in {copy})"
        return problems


def _started(words: Sequence[str], folder: Path) -> int:
    """The process id of the console script in `folder`, whose output goes to log.txt there."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        os.chdir(folder)
        log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(log, stream)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.stdout = sys.stderr = open(log, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.argv = ["synth", *words]
        from synth.cli.command import main as synth

        synth()
        code = 0
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _ended(process: int, seconds: float) -> int | None:
    """The exit code of a process, minus the signal that ended it; None if it still runs then."""
    end = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= end:
            return None
        time.sleep(0.002)


def _must_end(process: int, folder: Path) -> None:
    code = _ended(process, TIMEOUT)
    if code != 0:
        raise RuntimeError(f"exit code {code}: {_log(folder)}")


def _run_folder(folder: Path) -> Path:
    return folder / ("out" if (folder / "out").is_dir() else "runs")


def _files(folder: Path) -> frozenset[str]:
    return frozenset(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def _log(folder: Path) -> str:
    """The last lines that a command has printed."""
    lines = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    return " / ".join(lines[-12:]) or "nothing was printed"
