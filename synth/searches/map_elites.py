"""MAP-Elites: a map of cells with one elite each, for which every offspring competes in every cell.

Mouret & Clune 2015. With the classes of a network as cells it is the algorithm with which Nguyen,
Yosinski & Clune 2015 found their fooling images. The cells are the objective's columns, one an
item: an objective with a column for every class, or for every niche of a class (a niche is a range
of a behaviour descriptor).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from deap import base
from torch import Tensor

from synth.core import Crossover, Genome, Mutation, Problem, Rows, Search, State, StepReport
from synth.core.lineage import NO_PARENT, Ancestors
from synth.errors import InputError
from synth.files import path_of
from synth.record.checkpoint import UNREADABLE, read_marked
from synth.searches._elites import best_of, check_map, empty_map, enter, lines_of, shares
from synth.searches._variation import mates, mutated, register_suited, statistics
from synth.searches.operators.crossover import NoCrossover

# streams of random numbers within a step
SELECT = 1
MATE = 2
MUTATE = 3
ADAPT = 4


@dataclass
class _Offspring:
    """The offspring of a step: genomes [batch, *shape], ids of parents and mates [batch].

    `strength` [batch] is None where the mutation is not self-adaptive.
    """

    genomes: Genome
    strength: Tensor | None
    parents: Tensor
    mates: Tensor


class MapElites(Search):
    """MAP-Elites: parents are elites, and the best offspring of a step for each cell may enter it.

    Parents are drawn uniformly from the filled cells, as published, up to step `settle`. After it,
    a share `focus` of them comes from the worse half of the filled cells, since cells that are
    nearly solved have little to gain. A cell that no offspring has entered is empty: its score is
    minus infinity and it has no offspring. A score that is NaN or plus infinity never enters a
    cell and is counted in the statistics as ``invalid``. Up to 8 ancestors of every elite are
    stored, evenly spaced along its line of descent.

    Args:
        mutate: mutation. Where it is self-adaptive, elites carry a strength that their offspring
            inherit.
        mate: crossover of neighbours of the batch; none where None.
        steps: how many steps.
        batch: offspring of a step, over all cells.
        focus: share in [0, 1] of the parents drawn from the worse half of the filled cells.
        settle: the last step in which parents are drawn from all cells alike.
        archive: ``genomes.safetensors`` of an earlier archive, in its run folder or in a data set:
            its elites are the first of the initial population. None for a new one.

    Raises:
        InputError: for numbers out of range, or a file without genomes.
    """

    shared_population = True

    def __init__(
        self,
        mutate: Mutation,
        mate: Crossover | None = None,
        steps: int = 400,
        batch: int = 256,
        focus: float = 0.5,
        settle: int = 0,
        archive: str | None = None,
    ) -> None:
        if steps < 1:
            raise InputError(f"search.steps={steps}: write 1 or more.")
        if batch < 1:
            raise InputError(f"search.batch={batch}: write 1 or more children a step.")
        if not 0 <= focus <= 1:
            raise InputError(f"search.focus={focus}: a share lies in [0, 1].")
        if settle < 0:
            raise InputError(f"search.settle={settle}: write 0 or more steps.")
        self.archive = None if archive is None else _genomes_in(archive)
        if self.archive is not None and len(self.archive) > batch:
            raise InputError(
                f"search.batch={batch}: the archive has {len(self.archive)} genomes; write that or "
                "more."
            )
        mate = mate or NoCrossover()
        self.steps = steps
        self.batch = batch
        self.individuals = batch
        self.focus = focus
        self.settle = settle
        self.mate = self.crossover = mate
        self.mutate = self.mutation = mutate
        self.toolbox = base.Toolbox()
        self.toolbox.register("mate", mate)
        self.toolbox.register("mutate", mutate)
        self.statistics = statistics()

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        check_map(problem, rows, "map_elites")
        first = problem.start(rows) if genome is None else genome
        if self.archive is not None and self.archive.shape[1:] != first.shape[1:]:
            raise InputError(
                f"search.archive: genomes of {tuple(self.archive.shape[1:])}, where this encoding "
                f"has {tuple(first.shape[1:])}; write the encoding of the earlier run."
            )
        self._suit(problem, first[0])
        self.mutation.check(first[0])
        self.crossover.check(first[0])
        state = empty_map(first)
        if self.mutation.self_adaptive:
            state["strength"] = torch.ones_like(state["fitness"])
        return state

    def passes(self, stochastic: bool, items: int = 1) -> int:
        return -(-self.batch // items)

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        # the batch belongs to all cells: its random numbers are drawn with the key of the first
        batch_row = rows.select(slice(1)).fold_in(step)
        self._suit(problem, state["elite"][0])
        cells = self._parent_cells(state, rows, batch_row, step)
        offspring_rows = Rows(rows.item[cells], batch_row.split(self.batch).key)
        if step == 0:
            offspring = self._initial(problem, state, offspring_rows)
        else:
            offspring = self._children(problem, state, cells, offspring_rows, batch_row, step)

        self.toolbox.register("evaluate", problem.evaluate)
        evaluation = self.toolbox.evaluate(offspring.genomes, offspring_rows)
        best, winner, invalid = best_of(evaluation.scores)

        improved = (best > state["fitness"]).nonzero()[:, 0]
        winner = winner[improved]
        ids = step * self.batch + winner
        state = dict(state)
        enter(
            state,
            improved,
            offspring.genomes[winner],
            best[improved],
            ids,
            step,
            cells[winner],
        )
        if offspring.strength is not None:
            state["strength"][improved] = offspring.strength[winner]

        forwards = shares(self.batch, len(rows), step, cells.device) * evaluation.forwards
        births = [rows.item[improved], ids]
        births += [offspring.parents[winner], offspring.mates[winner]]
        return state, StepReport(
            genome=state["elite"],
            score=state["fitness"],
            monitor=state["fitness"],
            forwards=forwards,
            backwards=torch.zeros_like(forwards),
            statistics=self._summary(state["fitness"], invalid),
            births=torch.stack(births, dim=1),
        )

    def ancestors(self, state: State) -> Ancestors:
        return lines_of(state)

    def _suit(self, problem: Problem, genome: Genome) -> None:
        """Takes the operators that `mate` and `mutate` stand for with such genomes."""
        self.crossover, self.mutation = register_suited(
            self.toolbox, self.mate, self.mutate, genome, problem.size
        )

    def _parent_cells(self, state: State, rows: Rows, batch_row: Rows, step: int) -> Tensor:
        """The cell of each parent, [batch]; in step 0 the cells in turn."""
        if step == 0:
            return torch.arange(self.batch, device=rows.item.device) % len(rows)
        focus = self.focus if step > self.settle else 0.0
        return self._select(state["fitness"], batch_row.fold_in(SELECT), focus)

    def _select(self, fitness: Tensor, rows: Rows, focus: float) -> Tensor:
        """Cells [batch], a share `focus` of them from the worse half of the filled ones."""
        count = (fitness > -torch.inf).sum()
        order = fitness.argsort(descending=True, stable=True)  # empty cells come last
        draws = rows.uniform(self.batch)[0]
        any_rank = (draws * count).long()
        worse_rank = (count // 2 + draws * (count - count // 2)).long()
        focused = torch.arange(self.batch, device=draws.device) < focus * self.batch
        return order[torch.where(focused, worse_rank, any_rank)]

    def _initial(self, problem: Problem, state: State, rows: Rows) -> _Offspring:
        """The initial population: the genomes given to `init`, then new ones of the encoding."""
        genomes = problem.start(rows)
        genomes[: len(state["elite"])] = state["elite"][: self.batch]
        if self.archive is not None:
            genomes[: len(self.archive)] = self.archive.to(genomes)
        none = torch.full_like(rows.item, NO_PARENT)
        return _Offspring(genomes, None, none, none)

    def _children(
        self, problem: Problem, state: State, cells: Tensor, rows: Rows, batch_row: Rows, step: int
    ) -> _Offspring:
        """Crossed and mutated copies of the elites in `cells` [batch]."""
        parents = state["id"][cells]
        strength = state["strength"][cells][None] if self.mutation.self_adaptive else None
        genomes = self.toolbox.mate(state["elite"][cells][None], batch_row.fold_in(MATE))
        crossed = self.crossover.crossed(self.batch, batch_row.fold_in(MATE))
        genomes, strength = mutated(
            self.mutation.at(step),
            genomes,
            batch_row.fold_in(MUTATE),
            strength,
            batch_row.fold_in(ADAPT),
        )
        return _Offspring(
            genomes=problem.project(genomes[0], rows),
            strength=None if strength is None else strength[0],
            parents=parents,
            mates=mates(parents[None], crossed)[0],
        )

    def _summary(self, fitness: Tensor, invalid: Tensor) -> dict[str, Tensor]:
        """Statistics of the whole map, the same [n] for every cell."""
        summary = self.statistics.compile([fitness[None]])
        numbers = {name: value.expand(len(fitness)) for name, value in summary.items()}
        return numbers | {"invalid": invalid.expand(len(fitness))}


def _genomes_in(archive: str) -> Tensor:
    """The genomes of an earlier run, [n, *shape]."""
    path = path_of(archive, "search.archive")
    try:
        genomes = read_marked(path)[0]["genome"]
    except UNREADABLE as error:
        raise InputError(
            f"search.archive={archive}: holds no genomes; name genomes.safetensors of a run."
        ) from error
    if not genomes.isfinite().all():
        raise InputError(f"search.archive={archive}: there are genomes with NaN or infinity.")
    return genomes
