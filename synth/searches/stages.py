"""Takes a search and a schedule; gives one search that goes through stages: small pictures first, other transforms.

Octaves of a dream, coarse-to-fine style transfer, schedules of crops and step lengths are all this.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from synth.core import Encoding, Genome, Problem, Rows, Search, State, StepReport, Transform
from synth.errors import InputError

STREAM = 1 << 21  # the streams of later stages; below it are those of steps and of purposes


@dataclass(frozen=True)
class Stage:
    """`steps` on pictures whose sides are `scale` times those of the result.

    `transform` and `search` take the place of the experiment's and the wrapper's where they are given.
    """

    steps: int
    scale: float = 1.0
    transform: Transform | None = None
    search: Search | None = None


class Stages(Search):
    """`search` in several `stages`, the genome carried from one to the next; the last is at full size.

    `stages` by name, so that one can be changed (null: left out), or a list; they run in their order. Every step
    shows its genome at full size, so an item may be done in any stage.
    """

    gradient = True

    def __init__(
        self, search: Search, stages: Mapping[str, Stage | None] | Sequence[Stage | None]
    ) -> None:
        given = list(stages.values()) if isinstance(stages, Mapping) else list(stages)
        self.stages = [stage for stage in given if stage is not None]
        if not self.stages:
            raise InputError("search.stages: empty; name at least one stage.")
        for stage in self.stages:
            if stage.steps < 1 or not 0 < stage.scale <= 1:
                raise InputError(
                    f"search.stages: steps={stage.steps}, scale={stage.scale}; write steps >= 1 and scale in (0, 1]."
                )
        if self.stages[-1].scale != 1.0:
            raise InputError(
                f"search.stages: the last has scale={self.stages[-1].scale}; it must be 1, the full size."
            )
        self.searches = [_of_length(stage.search or search, stage.steps) for stage in self.stages]
        if any(isinstance(one, Stages) for one in self.searches):
            raise InputError(
                "search.search: stages go through no stages of their own; name all of them in one list."
            )
        if any(one.shared_population for one in self.searches):
            raise InputError(
                "search.search: items that live from one another cannot go through stages."
            )
        self.gradient = any(one.gradient for one in self.searches)
        self.alternatives = all(one.alternatives for one in self.searches)
        self.steps = sum(stage.steps for stage in self.stages)
        self._known: dict[int, tuple[Problem, Problem]] = {}

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        for place, search in enumerate(
            self.searches
        ):  # what does not go together is refused before a run begins
            here = self._problem(problem, place)
            if place < len(self.stages) - 1 and "genome" not in search.init(
                here, rows.select(slice(1))
            ):
                raise InputError(
                    f"search.search: {type(search).__name__.lower()} keeps a population, or a change from a start, of "
                    "which nothing could be carried to the next stage; use gradient, lbfgs or cma."
                )
        first = self._problem(problem, 0)
        if genome is not None:
            genome = first.project(problem.transfer(genome, first), rows)
        return self.searches[0].init(first, rows, genome)

    def passes(self, stochastic: bool, items: int = 1) -> int:
        dearest = 0
        for stage, one in zip(self.stages, self.searches, strict=True):
            drawn = stochastic if stage.transform is None else stage.transform.stochastic
            dearest = max(dearest, one.passes(stochastic or drawn, items))
        return dearest

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        place, within = 0, min(step, self.steps - 1)
        while within >= self.stages[place].steps:
            within -= self.stages[place].steps
            place += 1
        within += max(0, step - (self.steps - 1))  # a budget may ask for more than the schedule has
        here = self._problem(problem, place)
        if place:
            rows = rows.fold_in(STREAM + place)
        if within == 0 and place:
            before = self._problem(problem, place - 1)
            genome = here.project(before.transfer(state["genome"], here), rows)
            state = self.searches[place].init(here, rows, genome)
        state, said = self.searches[place].step(here, rows, state, within)
        if here is problem:
            return state, said
        return state, replace(
            said, genome=problem.project(here.transfer(said.genome, problem), rows)
        )

    def _problem(self, problem: Problem, place: int) -> Problem:
        """The problem of a stage; made once, since comparing with another picture means looking at it."""
        known = self._known.get(place)
        if known is None or known[0] is not problem:
            stage = self.stages[place]
            parts = {} if stage.transform is None else {"transform": stage.transform}
            encoding = getattr(problem, "encoding", None)
            if isinstance(encoding, Encoding) and stage.scale != 1.0:
                assert encoding.size is not None
                parts["size"] = tuple(max(8, round(side * stage.scale)) for side in encoding.size)
            known = self._known[place] = (
                problem,
                self._at(problem, parts, stage) if parts else problem,
            )
        return known[1]

    def _at(self, problem: Problem, parts: Mapping[str, Any], stage: Stage) -> Problem:
        """`problem` with the parts that a stage exchanges; InputError that speaks of the stage if they do not fit."""
        try:
            return problem.at(**parts)
        except InputError as error:
            if "size" not in parts:
                raise
            height, width = parts["size"]
            raise InputError(
                f"search: in its stage of scale {stage.scale:.3g} pictures have {height}x{width} pixels, too few for "
                "the network or the transform; write fewer octaves (search.count=), or a larger encoding.size."
            ) from error


def octaves(search: Search, count: int = 4, scale: float = 1.4, steps: int = 10) -> Stages:
    """`search` in `count` stages of `steps` each, every one `scale` times as large as the one before."""
    if count < 1 or scale <= 1 or steps < 1:
        raise InputError(
            f"search: count={count}, scale={scale}, steps={steps}; write 1 or more octaves, each larger than the last, "
            "and 1 step or more in each."
        )
    return Stages(search, [Stage(steps, scale ** -(count - 1 - place)) for place in range(count)])


def _of_length(search: Search, steps: int) -> Search:
    """`search` meant for so many steps: what falls in a line over a search falls over a stage."""
    other = copy.copy(search)
    other.steps = steps
    return other
