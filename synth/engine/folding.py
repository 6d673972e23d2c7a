"""Folding: experiments of one item each, which differ in target or seed alone, searched together.

A network reads a batch of images in a fraction of the time that it takes for each by itself. An
item draws its random numbers by its own seed and target, so it is searched as it would be alone:
bit-equal where the experiment is `exact`, up to rounding otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import torch

from synth.core import Rows, StepReport
from synth.engine.compatibility import items_rows
from synth.engine.experiment import Experiment
from synth.engine.observer import RecordObserver
from synth.engine.state import RunState, step_line
from synth.errors import InputError
from synth.record.folder_record import STEPS
from synth.record.record import Record
from synth.record.result import Json

POINT = "point"  # of a line of steps.jsonl: the number of its experiment


def can_fold(experiment: Experiment) -> bool:
    """Whether an experiment can be one of several: it has one item, which a gradient search moves.

    The population of an evolutionary search is a batch already.
    """
    search, problem = experiment.search_method, experiment.problem
    single = len(experiment.rows) == 1 and problem.columns == 1
    return single and search.gradient and not search.shared_population


def search_together(
    batch: Experiment, seeds: Sequence[int], record: Record
) -> list[RunState] | None:
    """Searches several experiments as one batch, or goes on with what is in the folder.

    Args:
        batch: the experiment with the targets of all.
        seeds: the seed of each.
        record: a folder for the checkpoints and the steps of the batch.

    Returns:
        The state of each at its end, as `Experiment.begun` takes it; the seconds are its share.
        None where Ctrl-C ended it, after a checkpoint.

    Raises:
        InputError: where the experiment has not one item a seed.
    """
    targets, names = batch.problem.objective.items, batch.problem.encoding.names
    if targets is None or not len(targets) == len(batch.rows) == len(seeds):
        raise InputError("target: the batch has not one item for each experiment.")
    keys = [
        items_rows([target], names, seed, batch.network.device).key
        for target, seed in zip(targets, seeds, strict=True)
    ]
    batch.rows = Rows(batch.rows.item, torch.cat(keys))
    observer = _Observer(record, batch)
    result = batch.search(observer)
    if result.interrupted:
        return None
    observer.checkpoint(result.state)
    lines: list[list[dict[str, Json]]] = [[] for _ in seeds]
    for text in (record.folder / STEPS).read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        lines[line.pop(POINT)].append(line)
    return [result.state.item(item, lines[item], 1 / len(seeds)) for item in range(len(seeds))]


class _Observer(RecordObserver):
    """Writes the steps of each item as those of an experiment of its own."""

    def __init__(self, record: Record, batch: Experiment) -> None:
        super().__init__(record, batch.problem)
        self.title = f"{len(batch.rows)} at once"
        self._lines: list[dict[str, Json]] = []

    def report(self, state: RunState, report: StepReport) -> None:
        terms, statistics = (
            dict(zip(values, torch.stack([*values.values()]).double().tolist(), strict=True))
            if values
            else {}
            for values in (report.terms, report.statistics)
        )
        for place, item in enumerate(state.active):
            line = step_line(
                state.step,
                [state.monitor[item]],
                {name: values[place] for name, values in terms.items()},
                state.forwards[item],
                state.backwards[item],
                state.elapsed / len(state.steps),
                {name: values[place] for name, values in statistics.items()},
            )
            self._lines.append({POINT: item, **line})

    def flush(self, state: RunState) -> None:
        state.lines, self._lines = self._lines, []
        super().flush(state)
