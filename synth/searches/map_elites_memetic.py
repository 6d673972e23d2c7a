"""Memetic MAP-Elites: every child climbs its gradient for a few steps before it competes.

Evolution with local search is called memetic (Moscato 1989). The map is that of
`synth.searches.map_elites`; what it finds is due to gradients, which evolution alone does without.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synth.core import (
    Cotangents,
    Crossover,
    Genome,
    Mutation,
    Problem,
    Rows,
    Search,
    State,
    StepReport,
)
from synth.core.lineage import NO_PARENT, Ancestors
from synth.errors import InputError
from synth.searches._checks import check_differentiable
from synth.searches._elites import best_of, check_map, empty_map, enter, lines_of, near, shares
from synth.searches._norms import across
from synth.searches._variation import statistics
from synth.searches.operators.crossover import NoCrossover

# streams of random numbers within a step
VARY = 1
PARENT = 2
MATE = 3
MUTATE = 4
LEAST = 1e-12  # added to denominators


@dataclass
class _Children:
    """The children of a step, before they climb.

    Genomes [r, *shape]; the cells that they climb for, and those whose elites are their parents and
    mates [r]; Adam's moments [r, *shape], and how many steps are in them [r].
    """

    genomes: Genome
    cells: Tensor
    parents: Tensor
    mates: Tensor
    first: Tensor
    second: Tensor
    count: Tensor


class MapElitesMemetic(Search):
    """MAP-Elites whose children climb the gradient of a cell's score before they compete.

    The initial population of `first` genomes competes for all cells, without gradient. Then each
    child climbs for one cell: of those below `enough`, the cells that were climbed for least, and
    among them the worst first. It is a copy of the cell's elite that goes on with the elite's
    moments; or, with probability `variation` and wherever the last climb did not improve the cell,
    crossed and mutated from the `neighbours` elites that score best for the cell. It climbs for
    `ascents` steps of Adam (Kingma & Ba 2015) on gradients whose largest entry is 1, so that only
    their direction counts, and every genome on its way competes for every cell.

    Args:
        mutate: mutation of children that are no copies.
        mate: their crossover; none where None.
        steps: how many steps.
        batch: children of a step, at most one a cell.
        first: genomes of the initial population.
        ascents: steps of Adam of each child, 1 or more.
        rate: Adam's rate, in units of the genome.
        momentum: Adam's beta 1, in [0, 1).
        momentum2: Adam's beta 2, in [0, 1).
        variation: share of the children that are no copies, in [0, 1].
        neighbours: so many elites are parents of what is to climb for a cell, 1 or more.
        enough: score above which no child climbs for a cell, as long as there are others; None for
            no such score.

    Raises:
        InputError: for numbers out of range.
    """

    gradient = True
    shared_population = True

    def __init__(
        self,
        mutate: Mutation,
        mate: Crossover | None = None,
        steps: int = 100,
        batch: int = 20,
        first: int = 256,
        ascents: int = 20,
        rate: float = 0.01,
        momentum: float = 0.9,
        momentum2: float = 0.9,
        variation: float = 0.1,
        neighbours: int = 4,
        enough: float | None = None,
    ) -> None:
        whole = {"steps": steps, "batch": batch, "first": first, "ascents": ascents}
        for name, number in (whole | {"neighbours": neighbours}).items():
            if number < 1:
                raise InputError(f"search.{name}={number}: write 1 or more.")
        if rate <= 0:
            raise InputError(f"search.rate={rate}: write a rate above 0.")
        if not (0 <= momentum < 1 and 0 <= momentum2 < 1):
            raise InputError(
                f"search.momentum={momentum}, momentum2={momentum2}: write shares in [0, 1)."
            )
        if not 0 <= variation <= 1:
            raise InputError(f"search.variation={variation}: a share lies in [0, 1].")
        self.steps = steps
        self.batch = batch
        self.first = first
        self.ascents = ascents
        self.rate = rate
        self.momentum = momentum
        self.momentum2 = momentum2
        self.variation = variation
        self.neighbours = neighbours
        self.enough = float("inf") if enough is None else enough
        self.mate = mate or NoCrossover()
        self.mutate = mutate
        self.statistics = statistics()
        # the genomes of a climb and their moments
        self.individuals = max(first, 3 * batch * (ascents + 1))

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        check_map(problem, rows, "map_elites_memetic")
        check_differentiable(problem, "map_elites_memetic")
        genomes = problem.start(rows) if genome is None else genome
        crossover, mutation = self._suited(problem, genomes[0])
        mutation.check(genomes[0])
        crossover.check(genomes[0])
        count = len(rows)
        return empty_map(genomes) | {
            "scores": torch.full((count, count), -torch.inf, device=genomes.device),
            "first": torch.zeros_like(genomes),
            "second": torch.zeros_like(genomes),
            "count": torch.zeros(count, dtype=torch.int64, device=genomes.device),
            "climbs": torch.zeros(count, dtype=torch.int64, device=genomes.device),
            "idle": torch.zeros(count, dtype=torch.bool, device=genomes.device),
        }

    def passes(self, stochastic: bool, items: int = 1) -> int:
        forwards, backwards = self.batch * (self.ascents + 1), self.batch * self.ascents
        climb = -(-forwards // items) + 2 * -(-backwards // items)
        return max(-(-self.first // items), climb)

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        # the step belongs to all cells: its random numbers are drawn with the key of the first
        batch_row = rows.select(slice(1)).fold_in(step)
        state = {name: value.clone() for name, value in state.items()}
        if step == 0:
            return self._initial(problem, rows, batch_row.split(self.first), state)

        children = self._children(problem, state, batch_row)
        number = len(children.cells)
        child_rows = Rows(rows.item[children.cells], batch_row.split(number).key)
        trail, scores, moments, images = self._climb(problem, children, child_rows)
        best, winner, invalid = best_of(scores)
        improved = (best > state["fitness"]).nonzero()[:, 0]
        winner = winner[improved]
        child = winner % number
        # ids of earlier steps are smaller, the first step's too
        ids = self.first + (step - 1) * self.batch * (self.ascents + 1) + winner
        births = [rows.item[improved], ids]
        births += [state["id"][children.parents][child], self._mate_ids(state, children)[child]]
        enter(state, improved, trail[winner], best[improved], ids, step, children.parents[child])
        state["scores"][improved] = scores[winner]
        # moments go on only where the elite climbed for this very cell
        own = children.cells[child] == improved
        for name, values in moments.items():
            moment = values[winner]
            state[name][improved] = torch.where(across(own, moment), moment, 0)
        state["climbs"].index_add_(0, children.cells, torch.ones_like(children.cells))
        state["idle"][children.cells] = True
        state["idle"][improved] = False

        device = batch_row.item.device
        forwards = shares(number * (self.ascents + 1), len(rows), step, device) * images
        backwards = shares(number * self.ascents, len(rows), step, device) * images
        return state, self._report(state, births, forwards, backwards, invalid)

    def ancestors(self, state: State) -> Ancestors:
        return lines_of(state)

    def _suited(self, problem: Problem, genome: Genome) -> tuple[Crossover, Mutation]:
        return (
            self.mate.suited(genome, problem.size),
            self.mutate.suited(genome, problem.size),
        )

    def _initial(
        self, problem: Problem, rows: Rows, first_rows: Rows, state: State
    ) -> tuple[State, StepReport]:
        """The initial population: the genomes given to `init`, then new ones of the encoding."""
        genomes = problem.start(first_rows)
        genomes[: len(rows)] = state["elite"][: self.first]
        evaluation = problem.evaluate(genomes, first_rows)
        scores = evaluation.scores
        best, winner, invalid = best_of(scores)
        improved = (best > state["fitness"]).nonzero()[:, 0]
        winner = winner[improved]
        enter(state, improved, genomes[winner], best[improved], winner, 0, improved)
        state["scores"][improved] = scores[winner]
        none = torch.full_like(winner, NO_PARENT)
        forwards = shares(self.first, len(rows), 0, winner.device) * evaluation.forwards
        births = [rows.item[improved], winner, none, none]
        return state, self._report(state, births, forwards, torch.zeros_like(forwards), invalid)

    def _children(self, problem: Problem, state: State, batch_row: Rows) -> _Children:
        """Copies of elites, and children of those that score best for a cell."""
        fitness = state["fitness"]
        below = fitness < self.enough
        below = torch.where(below.any(), below, True)
        number = min(self.batch, int(below.sum()))
        # the worst first, among the least climbed for first; those that are good enough come last
        order = fitness.argsort(stable=True)
        order = order[state["climbs"][order].argsort(stable=True)]
        cells = order[(~below[order]).int().argsort(stable=True)][:number]

        varied = batch_row.fold_in(VARY).uniform(number)[0] < self.variation
        # nothing to copy where nobody has entered, and nothing to gain where the last copy gained
        # nothing
        varied |= state["idle"][cells] | (fitness[cells] == -torch.inf)
        parents, mates = near(state["scores"], cells, self.neighbours, batch_row.fold_in(PARENT), 2)
        crossover, mutation = self._suited(problem, state["elite"][0])
        pairs = torch.stack([parents, mates], 1).flatten()
        mate_row = batch_row.fold_in(MATE)
        crossed = crossover(state["elite"][pairs][None], mate_row)[:, ::2]
        mutants = mutation(crossed, batch_row.fold_in(MUTATE))[0]
        mutants = problem.project(mutants, Rows(cells, batch_row.split(number).key))
        paired = crossover.crossed(2 * number, mate_row)[0]
        fresh = ~varied
        count = torch.where(fresh, state["count"][cells], 0)
        genomes = state["elite"][cells]
        fresh = across(fresh, genomes)
        return _Children(
            genomes=torch.where(fresh, genomes, mutants),
            cells=cells,
            parents=torch.where(varied, parents, cells),
            mates=torch.where(varied & paired, mates, NO_PARENT),
            first=torch.where(fresh, state["first"][cells], 0.0),
            second=torch.where(fresh, state["second"][cells], 0.0),
            count=count,
        )

    def _climb(
        self, problem: Problem, children: _Children, rows: Rows
    ) -> tuple[Genome, Tensor, dict[str, Tensor], int]:
        """The genomes of all climbs, their scores, their moments, and the images of a genome.

        Genomes, scores and moments are [(ascents + 1) * r, ...], step by step.
        """
        genomes, first, second = children.genomes, children.first, children.second
        trail, scores = [], []
        moments: dict[str, list[Tensor]] = {"first": [], "second": [], "count": []}
        for ascent in range(self.ascents + 1):
            last = ascent == self.ascents
            evaluation = problem.evaluate(genomes, rows, None if last else _own(children.cells))
            trail.append(genomes)
            scores.append(evaluation.scores)
            count = children.count + ascent
            for name, values in (("first", first), ("second", second), ("count", count)):
                moments[name].append(values)
            if last:
                break
            assert evaluation.gradient is not None
            gradient = evaluation.gradient[0].nan_to_num(0.0, 0.0, 0.0)
            # of a probability near 0 the squares would underflow
            largest = gradient.flatten(1).abs().amax(1) + torch.finfo(gradient.dtype).tiny
            gradient = gradient / across(largest, gradient)
            first = first.lerp(gradient, 1 - self.momentum)
            second = second.lerp(gradient.square(), 1 - self.momentum2)
            taken = (count + 1).float()
            correction = (1 - self.momentum2**taken).sqrt() / (1 - self.momentum**taken)
            direction = first / second.sqrt().add_(LEAST) * across(correction, first)
            genomes = problem.project(genomes + self.rate * direction, rows)
        joined = {name: torch.cat(values) for name, values in moments.items()}
        return torch.cat(trail), torch.cat(scores), joined, evaluation.forwards

    def _mate_ids(self, state: State, children: _Children) -> Tensor:
        ids = state["id"][children.mates.clamp_min(0)]
        return torch.where(children.mates == NO_PARENT, NO_PARENT, ids)

    def _report(
        self,
        state: State,
        births: list[Tensor],
        forwards: Tensor,
        backwards: Tensor,
        invalid: Tensor,
    ) -> StepReport:
        summary = self.statistics.compile([state["fitness"][None]])
        count = len(state["fitness"])
        numbers = {name: value.expand(count) for name, value in summary.items()}
        return StepReport(
            genome=state["elite"],
            score=state["fitness"],
            monitor=state["fitness"],
            forwards=forwards,
            backwards=backwards,
            statistics=numbers | {"invalid": invalid.expand(count)},
            births=torch.stack(births, dim=1),
        )


def _own(cells: Tensor) -> Cotangents:
    """Cotangents of each row's score for its own of `cells` [r].

    The engine asks for them chunk by chunk, in the order of the rows; a padded chunk repeats the
    last row.
    """
    begin = 0

    def cotangents(scores: Tensor) -> Tensor:
        nonlocal begin
        rows = torch.arange(begin, begin + len(scores), device=cells.device)
        begin += len(scores)
        own = cells[rows.clamp_max(len(cells) - 1)]
        columns = torch.arange(scores.shape[1], device=cells.device)
        return (own[:, None] == columns).to(scores)[None]

    return cotangents
