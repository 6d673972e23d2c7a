"""What a point of a sweep costs beyond its search and Hydra's composing; processor time.

A sweep of a cheap recipe; the time within the search, within Hydra's loader and its `run_job` but
for what that calls is taken out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from benchmarks.sweeps._commands import own_folder, seconds_of
from synth.cli import jobs
from synth.config.exchange import _Loader
from synth.engine.experiment import Experiment

POINTS = 200


def rows() -> list[tuple[str, str]]:
    """Milliseconds a point, without folding."""
    words = "-m", "recipe=fooling_gradient", "search.steps=1", "until=null", "fold=false"
    with own_folder(), ExitStack() as stack:
        seconds_of(*words, "seed=0,1", "sweep=warm")
        job = stack.enter_context(_timed(jobs._Job, "__call__"))
        search = stack.enter_context(_timed(Experiment, "search"))
        compose = stack.enter_context(_timed(_Loader, "load_sweep_config"))
        total = seconds_of(*words, f"seed=range(0,{POINTS})", "sweep=points")
        rest = (sum(job) - sum(search)) / POINTS
        return [
            (f"a point of a {POINTS}-point sweep", f"{1000 * total / POINTS:.0f} ms"),
            ("of that composing", f"{1000 * sum(compose) / POINTS:.0f} ms"),
            ("of that the search", f"{1000 * sum(search) / POINTS:.0f} ms"),
            ("of that what is ours: checks, building, files, page", f"{1000 * rest:.0f} ms"),
        ]


@contextmanager
def _timed(owner: type, name: str) -> Iterator[list[float]]:
    """The processor times of all calls of a method."""
    original: Callable[..., Any] = getattr(owner, name)
    times: list[float] = []

    def timed(*arguments: Any, **settings: Any) -> Any:
        start = time.process_time()
        try:
            return original(*arguments, **settings)
        finally:
            times.append(time.process_time() - start)

    with mock.patch.object(owner, name, timed):
        yield times
