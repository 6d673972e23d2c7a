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
from synth.searches._variation import mates, mutated, register_suited, statistics
from synth.searches.operators.crossover import NoCrossover

FRAMES = 8  # remembered ancestors of each elite

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
        count = len(rows)
        if problem.columns != count:
            raise InputError(
                f"search=map_elites: an objective with a score for each of the {count} items is "
                f"needed, this one has {problem.columns}; write objective every_class or niches, "
                "or another search."
            )
        if problem.stochastic:
            raise InputError(
                "search=map_elites: elites are not evaluated again, so where scores vary the "
                "luckiest would stay; write transform=none."
            )
        first = problem.start(rows) if genome is None else genome
        if self.archive is not None and self.archive.shape[1:] != first.shape[1:]:
            raise InputError(
                f"search.archive: genomes of {tuple(self.archive.shape[1:])}, where this encoding "
                f"has {tuple(first.shape[1:])}; write the encoding of the earlier run."
            )
        self._suit(problem, first[0])
        self.mutation.check(first[0])
        self.crossover.check(first[0])
        none = torch.full((count,), NO_PARENT, dtype=torch.int64, device=first.device)
        unknown = torch.full((count,), -torch.inf, device=first.device)
        state = {
            "elite": first.clone(),
            "fitness": unknown,
            "id": none,
            "born": none.clone(),
            "generations": torch.zeros_like(none),
            "frames": torch.zeros(count, FRAMES, *first.shape[1:], device=first.device),
            "frame_count": torch.zeros_like(none),
            "frame_every": torch.ones_like(none),
            "frame_id": none[:, None].repeat(1, FRAMES),
            "frame_step": none[:, None].repeat(1, FRAMES),
            "frame_cell": none[:, None].repeat(1, FRAMES),
            "frame_score": unknown[:, None].repeat(1, FRAMES),
        }
        if self.mutation.self_adaptive:
            state["strength"] = torch.ones_like(unknown)
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
        valid = ~evaluation.scores.isnan() & (evaluation.scores != torch.inf)
        best, winner = evaluation.scores.masked_fill(~valid, -torch.inf).max(0)

        improved = (best > state["fitness"]).nonzero()[:, 0]
        winner = winner[improved]
        state = dict(state)
        self._inherit_ancestors(state, improved, cells[winner])
        state["elite"][improved] = offspring.genomes[winner]
        state["fitness"][improved] = best[improved]
        state["id"][improved] = step * self.batch + winner
        state["born"][improved] = step
        if offspring.strength is not None:
            state["strength"][improved] = offspring.strength[winner]

        forwards = self._shares(rows, step) * evaluation.forwards
        births = [rows.item[improved], state["id"][improved]]
        births += [offspring.parents[winner], offspring.mates[winner]]
        return state, StepReport(
            genome=state["elite"],
            score=state["fitness"],
            monitor=state["fitness"],
            forwards=forwards,
            backwards=torch.zeros_like(forwards),
            statistics=self._summary(state["fitness"], (~valid).any(1).sum()),
            births=torch.stack(births, dim=1),
        )

    def ancestors(self, state: State) -> Ancestors:
        cells = torch.arange(len(state["id"]), device=state["id"].device)

        def line(frames: Tensor, elites: Tensor) -> Tensor:
            whole = torch.cat([frames, torch.zeros_like(frames[:, :1])], dim=1)
            whole[cells, state["frame_count"]] = elites
            return whole

        return Ancestors(
            genomes=line(state["frames"], state["elite"]),
            count=state["frame_count"] + 1,
            id=line(state["frame_id"], state["id"]),
            step=line(state["frame_step"], state["born"]),
            cell=line(state["frame_cell"], cells),
            score=line(state["frame_score"], state["fitness"]),
            generations=state["generations"],
        )

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

    def _shares(self, rows: Rows, step: int) -> Tensor:
        """Evaluations counted for each cell, int64 [n]; the remainder goes to cells in turn.

        The sum over the cells is thus exactly the number of offspring evaluated.
        """
        cells = len(rows)
        shares = torch.full(
            (cells,), self.batch // cells, dtype=torch.int64, device=rows.item.device
        )
        remainder = torch.arange(self.batch % cells, device=shares.device)
        shares[(step * self.batch + remainder) % cells] += 1
        return shares

    def _summary(self, fitness: Tensor, invalid: Tensor) -> dict[str, Tensor]:
        """Statistics of the whole map, the same [n] for every cell."""
        summary = self.statistics.compile([fitness[None]])
        numbers = {name: value.expand(len(fitness)) for name, value in summary.items()}
        return numbers | {"invalid": invalid.expand(len(fitness))}

    def _inherit_ancestors(self, state: State, cells: Tensor, parent_cells: Tensor) -> None:
        """Give the elites that are about to enter `cells` the line of their parent, and the parent.

        A line keeps the ancestors whose number in it is a multiple of `frame_every`. When it is
        full, every other frame is dropped and the distance doubles, so that the frames are evenly
        spaced whatever the length of the line; the first ancestor always stays.
        """
        # genomes given to `init` were never evaluated and are no ancestors
        evaluated = state["id"][parent_cells] >= 0
        length = state["generations"][parent_cells]
        count = state["frame_count"][parent_cells]
        every = state["frame_every"][parent_cells]
        full = (count == FRAMES) & (length % every == 0)
        places = torch.arange(FRAMES, device=cells.device)
        frames = torch.where(full[:, None], (2 * places).clamp_max(FRAMES - 1), places)
        count = torch.where(full, FRAMES // 2, count)
        every = torch.where(full, 2 * every, every)
        due = evaluated & (length % every == 0)
        new = (due[:, None] & (places == count[:, None])).nonzero(as_tuple=True)
        parents = {
            "frames": state["elite"],
            "frame_id": state["id"],
            "frame_step": state["born"],
            "frame_cell": torch.arange(len(state["id"]), device=cells.device),
            "frame_score": state["fitness"],
        }
        lines = {}
        for name, values in parents.items():
            lines[name] = state[name][parent_cells[:, None], frames]
            lines[name][new] = values[parent_cells[new[0]]]
        for name, line in lines.items():
            state[name][cells] = line
        state["frame_count"][cells] = count + due
        state["frame_every"][cells] = every
        state["generations"][cells] = length + evaluated


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
