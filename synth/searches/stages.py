"""Multi-stage searches: coarse-to-fine octaves, and schedules of transforms and searches.

The octaves of DeepDream, coarse-to-fine style transfer, and schedules of crops and step lengths are
all stages.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from synth.core import Genome, Part, Problem, Rows, Search, State, StepReport, Transform
from synth.core.part import check_parts
from synth.errors import InputError
from synth.record.result import option_of

STREAM = 1 << 21  # the streams of later stages; below it are those of steps and of purposes


@dataclass(frozen=True)
class Stage(Part):
    """One stage of a search.

    Args:
        steps: how many steps it takes, 1 or more.
        scale: sides of its images as a share in (0, 1] of the result's.
        transform: its transform; the experiment's where None.
        search: its search; that of `Stages` where None.
    """

    steps: int
    scale: float = 1.0
    transform: Transform | None = None
    search: Search | None = None


class Stages(Search):
    """A search in several stages, with the genome transferred from each to the next.

    Every step reports its genome at full size, so an item may be finished in any stage. A step of
    an early stage is scored at that stage's size.

    Args:
        search: the search of all stages that name none.
        stages: by name, so that one can be overridden (or left out, as None), or a list; they run
            in their order. The last one has scale 1, the full size.

    Raises:
        InputError: for stages out of range, or searches that cannot be staged.
    """

    gradient = True
    staged = True

    def __init__(
        self, search: Search, stages: Mapping[str, Stage | None] | Sequence[Stage | None]
    ) -> None:
        if isinstance(stages, Mapping):
            check_parts("search.stages", stages, Stage)
        entries = stages.values() if isinstance(stages, Mapping) else stages
        self.stages = [stage for stage in entries if stage is not None]
        self._check_stages()
        self.searches = [_of_length(stage.search or search, stage.steps) for stage in self.stages]
        if any(part.staged for part in self.searches):
            raise InputError(
                "search.search: stages go through no stages of their own; name all of them in one "
                "list."
            )
        if any(part.shared_population for part in self.searches):
            raise InputError(
                "search.search: a search with a shared population cannot go through stages."
            )
        self.gradient = any(part.gradient for part in self.searches)
        self.alternatives = all(part.alternatives for part in self.searches)
        self.precise = any(part.precise for part in self.searches)
        self.individuals = max(part.individuals for part in self.searches)
        self.steps = sum(stage.steps for stage in self.stages)
        self._problems: dict[int, tuple[Problem, Problem]] = {}

    def _check_stages(self) -> None:
        if not self.stages:
            raise InputError("search.stages: empty; name at least one stage.")
        for stage in self.stages:
            if stage.steps < 1 or not 0 < stage.scale <= 1:
                raise InputError(
                    f"search.stages: steps={stage.steps}, scale={stage.scale}; write steps >= 1 "
                    "and scale in (0, 1]."
                )
        if self.stages[-1].scale != 1.0:
            raise InputError(
                f"search.stages: the last has scale={self.stages[-1].scale}; it must be 1, the "
                "full size."
            )

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        for place, search in enumerate(self.searches):  # refuse what does not fit before a run
            stage_problem = self._problem(problem, place)
            if place == len(self.stages) - 1:
                break
            if "genome" not in search.init(stage_problem, rows.select(slice(1))):
                raise InputError(
                    f"search.search: {option_of(search)} keeps a population, or a "
                    "change from a start, of which nothing could be transferred to the next stage; "
                    "use gradient, lbfgs or cma."
                )
        first = self._problem(problem, 0)
        if genome is not None:
            genome = first.project(problem.transfer(genome, first), rows)
        return self.searches[0].init(first, rows, genome)

    def passes(self, stochastic: bool, items: int = 1) -> int:
        most = 0
        for stage, search in zip(self.stages, self.searches, strict=True):
            drawn = stochastic if stage.transform is None else stage.transform.stochastic
            most = max(most, search.passes(stochastic or drawn, items))
        return most

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        place, within = self._stage_of(step)
        search = self.searches[place]
        stage_problem = self._problem(problem, place)
        if place:
            rows = rows.fold_in(STREAM + place)
        if within == 0 and place:
            before = self._problem(problem, place - 1)
            genome = stage_problem.project(before.transfer(state["genome"], stage_problem), rows)
            state = search.init(stage_problem, rows, genome)
        state, report = search.step(stage_problem, rows, state, within)
        if stage_problem is problem:
            return state, report
        genome = problem.project(stage_problem.transfer(report.genome, problem), rows)
        return state, replace(report, genome=genome)

    def _stage_of(self, step: int) -> tuple[int, int]:
        """The stage of a step, and the step's number within it.

        A budget may ask for more steps than the schedule has: the last stage then goes on.
        """
        place = 0
        within = min(step, self.steps - 1)
        while within >= self.stages[place].steps:
            within -= self.stages[place].steps
            place += 1
        return place, within + max(0, step - (self.steps - 1))

    def _problem(self, problem: Problem, place: int) -> Problem:
        """The problem of a stage.

        It is made once, because an objective that compares with another image reads that image
        when it is made.
        """
        entry = self._problems.get(place)
        if entry is None or entry[0] is not problem:
            entry = (problem, self._staged(problem, self.stages[place]))
            self._problems[place] = entry
        return entry[1]

    def _staged(self, problem: Problem, stage: Stage) -> Problem:
        """`problem` at the size and with the transform of a stage.

        Raises:
            InputError: where images of the stage are too small for the network or the transform.
        """
        size = None
        if problem.size is not None and stage.scale != 1.0:
            height, width = (max(8, round(side * stage.scale)) for side in problem.size)
            size = (height, width)
        if size is None and stage.transform is None:
            return problem
        try:
            return problem.at(size=size, transform=stage.transform)
        except InputError as error:
            if size is None:
                raise
            raise InputError(
                f"search: in its stage of scale {stage.scale:.3g} pictures have {height}x{width} "
                "pixels, too few for the network or the transform; write fewer octaves "
                "(search.count=), a larger encoding.size, or network.fit=true, which scales "
                "pictures to what the network reads."
            ) from error


def octaves(search: Search, count: int = 4, scale: float = 1.4, steps: int = 10) -> Stages:
    """A search in octaves: stages of growing images.

    Args:
        search: the search of each octave.
        count: how many octaves.
        scale: how much larger the images of each octave are than those of the one before.
        steps: steps of each octave.

    Raises:
        InputError: for numbers out of range.
    """
    if count < 1 or scale <= 1 or steps < 1:
        raise InputError(
            f"search: count={count}, scale={scale}, steps={steps}; write 1 or more octaves, each "
            "larger than the last, and 1 step or more in each."
        )
    return Stages(search, [Stage(steps, scale ** -(count - 1 - place)) for place in range(count)])


def _of_length(search: Search, steps: int) -> Search:
    """`search` with so many steps: schedules over a search then run over a stage."""
    other = copy.copy(search)
    other.steps = steps
    return other
