"""Sweeps that are killed by SIGKILL at ten random moments and given again, against a whole one."""

from __future__ import annotations

import io
import os
import random
import signal
import sys
import time
from multiprocessing import get_context

from benchmarks.sweeps._commands import left, own_folder, seconds_of
from synth.cli.command import main
from synth.engine import observer

KILLS = 10
WORDS = "-m", "recipe=fooling_gradient", "target=range(0,6)", "search.steps=64", "until=null"


def rows() -> list[tuple[str, str]]:
    """Whether the sweeps leave the same, folded and one by one."""
    observer.CHECKPOINT_EVERY = 0.1
    return [(f"{KILLS} kills, fold={fold}", _killed(fold)) for fold in ("auto", "false")]


def _killed(fold: str) -> str:
    words = *WORDS, f"fold={fold}"
    generator = random.Random(0)
    with own_folder():
        seconds_of(*words, "sweep=warm")
        start = time.monotonic()
        seconds_of(*words, "sweep=whole")
        whole = time.monotonic() - start
        kills, sweeps, same = 0, 0, True
        while kills < KILLS:
            name = f"sweep=killed{sweeps}"
            sweeps += 1
            while kills < KILLS and _is_killed(words, name, generator.uniform(0.05, 0.7) * whole):
                kills += 1
            seconds_of(*words, name)
            same = same and left(name.removeprefix("sweep=")) == left("whole")
        return f"{kills} kills in {sweeps} sweeps; the same files, but for times: {same}"


def _is_killed(words: tuple[str, ...], name: str, seconds: float) -> bool:
    """Kills a sweep after some seconds; False where it has ended before."""
    process = get_context("fork").Process(target=_run, args=(*words, name))
    process.start()
    process.join(seconds)
    if process.exitcode is not None:
        assert process.exitcode == 0, process.exitcode
        return False
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    return True


def _run(*words: str) -> None:
    sys.argv = ["synth", *words]
    sys.stdout = sys.stderr = io.StringIO()
    main()
