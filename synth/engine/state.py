"""The state of a running search, one entry an item, and the history of a map of elites."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from synth.core import State
from synth.core.lineage import joined
from synth.record.result import Json

MAX_COLUMNS = 256  # of a confidence history

_NOT_IN_NUMBERS = ("genome", "search_state", "lines", "births", "history")


@dataclass
class ConfidenceHistory:
    """The monitored values of all items over the run, at no more than `MAX_COLUMNS` even steps.

    Attributes:
        every: a step is recorded where its number is a multiple of this.
        moments: ``[step, network passes, values]`` of each recorded step.
    """

    every: int = 1
    moments: list[list[Json]] = field(default_factory=list)

    def note(self, step: int, passes: int, values: Sequence[float]) -> None:
        """Records the `values` of a step, if it is one of those that are recorded."""
        if step % self.every:
            return
        rounded = [round(value, 4) if value != -torch.inf else None for value in values]
        self.moments.append([step, passes, rounded])
        if len(self.moments) > MAX_COLUMNS:
            self.every *= 2
            self.moments = [moment for moment in self.moments if moment[0] % self.every == 0]

    def archive(self, names: Sequence[str], last: Sequence[Json]) -> dict[str, Json]:
        """The history as result.json holds it.

        Args:
            names: of the items, which are the rows.
            last: the moment at the end of the run.
        """
        moments = list(self.moments)
        if not moments or moments[-1][0] != last[0]:
            moments.append(list(last))
        return {
            "steps": [moment[0] for moment in moments],
            "evaluations": [moment[1] for moment in moments],
            "names": list(names),
            "confidence": [[moment[2][i] for moment in moments] for i in range(len(names))],
        }


LISTED_ITEMS = 16  # up to so many items, steps.jsonl has the monitored value of each


def step_line(
    step: int,
    monitor: Sequence[float],
    terms: Mapping[str, float],
    forwards: int,
    backwards: int,
    seconds: float,
    statistics: Mapping[str, float],
) -> dict[str, Json]:
    """The record of a step for steps.jsonl.

    Args:
        step: its number.
        monitor: the monitored value of each item.
        terms: mean of each term of the objective.
        forwards: images passed forward so far.
        backwards: images passed backward so far.
        seconds: so far.
        statistics: of the populations; empty where there are none.
    """
    line: dict[str, Json] = {
        "step": step,
        "best": max(monitor),
        "mean": mean_of(monitor),
        "terms": dict(terms),
        "forwards": forwards,
        "backwards": backwards,
        "seconds": round(seconds, 4),
    }
    if statistics:
        line["statistics"] = dict(statistics)
    if len(monitor) <= LISTED_ITEMS:
        line["items"] = [round(value, 6) for value in monitor]
    return line


def mean_of(monitor: Sequence[float]) -> float:
    """Mean monitored value; an empty cell of a map, at minus infinity, is left out."""
    values = [value for value in monitor if value != -math.inf]
    return sum(values) / max(1, len(values))


@dataclass
class RunState:
    """The state of a search: everything that a resume needs, and the result once it is finished.

    All lists and `genome` are in the order of all items, finished ones included; `search_state` has
    rows for the `active` items alone.

    Attributes:
        genome: [n, *shape], the genome of each item as it was evaluated last.
        search_state: state of the search itself, named tensors with one row an active item.
        score: value of the objective.
        monitor: the monitored value.
        forwards: images passed forward.
        backwards: images passed backward.
        steps: steps taken.
        seconds: run time when the item was last evaluated.
        active: items that are not finished.
        step: number of the next step.
        elapsed: seconds so far, those before a resume included.
        lines: records for steps.jsonl that are not written yet.
        births: int64 [b, 4] of item, child, parent, mate.
        history: of the monitored values, where the search has a shared population.
    """

    genome: Tensor
    search_state: State
    score: list[float]
    monitor: list[float]
    forwards: list[int]
    backwards: list[int]
    steps: list[int]
    seconds: list[float]
    active: list[int]
    step: int = 0
    elapsed: float = 0.0
    lines: list[dict[str, Json]] = field(default_factory=list)
    births: list[Tensor] = field(default_factory=list)
    history: ConfidenceHistory = field(default_factory=ConfidenceHistory)

    @staticmethod
    def initial(genome: Tensor, search_state: State) -> RunState:
        """The state before step 0 of the items whose first genomes [n, *shape] are `genome`."""
        count = len(genome)
        return RunState(
            genome=genome,
            search_state=search_state,
            score=[0.0] * count,
            monitor=[0.0] * count,
            forwards=[0] * count,
            backwards=[0] * count,
            steps=[0] * count,
            seconds=[0.0] * count,
            active=list(range(count)),
        )

    def summary(self, until: float | None) -> str:
        """The progress so far, for the progress bar."""
        text = f"mean {mean_of(self.monitor):.3g}, best {max(self.monitor):.3g}"
        if until is None:
            return text
        reached = sum(value >= until for value in self.monitor)
        return f"{reached} of {len(self.monitor)} reached {until:g}, {text}"

    def item(self, item: int, lines: list[dict[str, Json]], share: float) -> RunState:
        """The state of one item, as it would be if it had been searched alone.

        Args:
            item: its number.
            lines: records of its steps.
            share: factor of its seconds.
        """
        place = slice(item, item + 1)
        active = [position for position, other in enumerate(self.active) if other == item]
        index = torch.tensor(active, dtype=torch.int64, device=self.genome.device)
        return RunState(
            genome=self.genome[place].clone(),
            search_state={name: value[index] for name, value in self.search_state.items()},
            score=self.score[place],
            monitor=self.monitor[place],
            forwards=self.forwards[place],
            backwards=self.backwards[place],
            steps=self.steps[place],
            seconds=[round(self.seconds[item] * share, 4)],
            active=[0] * len(active),
            step=self.steps[item],
            elapsed=self.seconds[item] * share,
            lines=lines,
        )

    def lineage(self) -> Tensor:
        """All births so far: int64 [b, 4] of item, child, parent, mate (-1: none)."""
        self.births = [joined(self.births)]
        return self.births[0]

    def drop_finished(self, finished: set[int]) -> None:
        """Removes the items at the positions `finished` of `active`, with their search state."""
        remaining = [place for place in range(len(self.active)) if place not in finished]
        self.active = [self.active[place] for place in remaining]
        index = torch.tensor(remaining, dtype=torch.int64, device=self.genome.device)
        self.search_state = {name: value[index] for name, value in self.search_state.items()}

    # -- as a checkpoint holds it ----------------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint."""
        state = {f"state.{name}": value for name, value in self.search_state.items()}
        return {**state, "genome": self.genome, "births": self.lineage()}

    def numbers(self) -> dict[str, Json]:
        """The rest of a checkpoint, as JSON."""
        numbers = {name: value for name, value in vars(self).items() if name not in _NOT_IN_NUMBERS}
        return numbers | {"history": vars(self.history)}

    @staticmethod
    def from_checkpoint(tensors: dict[str, Tensor], numbers: dict[str, Json]) -> RunState:
        """The state that `tensors` and `numbers` of a checkpoint describe."""
        numbers = dict(numbers)
        for name in ("score", "monitor"):  # JSON has no minus infinity: the score of an empty cell
            values = numbers[name]
            numbers[name] = [-math.inf if value is None else value for value in values]
        history = ConfidenceHistory(**numbers.pop("history"))
        search_state = {
            name.removeprefix("state."): value
            for name, value in tensors.items()
            if name.startswith("state.")
        }
        return RunState(
            tensors["genome"],
            search_state,
            **numbers,
            births=[tensors["births"]],
            history=history,
        )
