"""MAP-Elites: a map with one elite a cell, and every child competes for every cell.

Mouret & Clune 2015; with the classes of a network as cells it is the search that Nguyen, Yosinski & Clune 2015 found
their fooling images with. The cells are the objective's columns, one an item: an objective with a column for every
class, or for every niche of a class.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from deap import base
from torch import Tensor

from synth.core import Genome, Problem, Rows, Search, State, StepReport
from synth.core.lineage import Ancestors
from synth.errors import InputError
from synth.searches._variation import check, mutated, partners, statistics
from synth.searches.operators.combined_mutation import later
from synth.searches.operators.crossover import NoCrossover

FRAMES = 8  # ancestors remembered of each elite


class MapElites(Search):
    """`steps` times `batch` children: parents are elites, and the best child of each cell may enter it.

    After step `settle` a share `focus` of the parents comes from the worse half of the cells, the rest from any, each
    as likely: cells that are nearly done have little to gain. At 0 it is the algorithm as published.

    `mate` crosses neighbours of the batch, `mutate` changes them. A cell that no picture has come to stays empty:
    its score is minus infinity, and it is nobody's parent. A score that is not a number never enters, and is
    counted in the statistics as ``invalid``. Every elite remembers a few of its ancestors, evenly along its line.
    """

    shared_population = True

    def __init__(
        self,
        mutate: Callable[..., Tensor],
        mate: Callable[..., Tensor] | None = None,
        steps: int = 400,
        batch: int = 256,
        focus: float = 0.5,
        settle: int = 0,
    ) -> None:
        if steps < 1:
            raise InputError(f"search.steps={steps}: write 1 or more.")
        if batch < 1:
            raise InputError(f"search.batch={batch}: write 1 or more children a step.")
        if not 0 <= focus <= 1:
            raise InputError(f"search.focus={focus}: a share lies in [0, 1].")
        if settle < 0:
            raise InputError(f"search.settle={settle}: write 0 or more steps.")
        self.steps, self.batch, self.focus, self.settle = steps, batch, focus, settle
        self.adapts = bool(getattr(mutate, "adapts", False))
        self.toolbox = base.Toolbox()
        self.mates = mate is not None and not isinstance(mate, NoCrossover)
        if self.mates:
            self.toolbox.register("mate", mate)
        self.toolbox.register("mutate", mutate)
        self.statistics = statistics()

    def init(self, problem: Problem, rows: Rows, genome: Genome | None = None) -> State:
        count = len(rows)
        if problem.columns != count:
            raise InputError(
                f"search=map_elites: an objective with a score for each of the {count} items is needed, this one has "
                f"{problem.columns}; write objective every_class or niches, or another search."
            )
        if problem.stochastic:
            raise InputError(
                "search=map_elites: elites are not measured again, so where scores vary the luckiest would stay; write "
                "transform=none."
            )
        first = problem.start(rows) if genome is None else genome
        check(self.toolbox.mutate.func, first[0])
        none = torch.full((count,), -1, dtype=torch.int64, device=first.device)
        frames = torch.zeros(count, FRAMES, *first.shape[1:], device=first.device)
        unknown = torch.full((count,), -torch.inf, device=first.device)
        state = {
            "elite": first.clone(), "fitness": unknown, "id": none, "born": none.clone(),
            "generations": torch.zeros_like(none), "frames": frames, "frame_count": torch.zeros_like(none),
            "frame_every": torch.ones_like(none),
            "frame_id": none[:, None].repeat(1, FRAMES), "frame_step": none[:, None].repeat(1, FRAMES),
            "frame_cell": none[:, None].repeat(1, FRAMES), "frame_score": unknown[:, None].repeat(1, FRAMES),
        }  # fmt: skip
        return state | {"strength": torch.ones_like(unknown)} if self.adapts else state

    def passes(self, stochastic: bool, items: int = 1) -> int:
        return -(-self.batch // items)

    def step(
        self, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        one = rows.select(slice(1)).fold_in(
            step
        )  # the batch belongs to all cells: its draws are the first one's
        cells = (
            self._drawn(state, one.fold_in(1), self.focus if step > self.settle else 0.0)
            if step
            else torch.arange(self.batch, device=rows.item.device) % len(rows)
        )
        crowd = Rows(rows.item[cells], one.split(self.batch).key)
        if step:
            children, strength, parents, mates = self._children(
                problem, state, cells, crowd, one, step
            )
        else:
            children, strength = problem.start(crowd), None
            children[: len(rows)] = state["elite"][: self.batch]
            parents = mates = torch.full_like(cells, -1)
        self.toolbox.register("evaluate", problem.evaluate)
        found = self.toolbox.evaluate(children, crowd)
        valid = ~found.scores.isnan() & (found.scores != torch.inf)
        best, child = found.scores.masked_fill(~valid, -torch.inf).max(0)
        won = (best > state["fitness"]).nonzero()[:, 0]
        child = child[won]
        state = dict(state)
        self._remember(state, won, cells[child])
        state["elite"][won], state["fitness"][won] = children[child], best[won]
        state["id"][won], state["born"][won] = step * self.batch + child, step
        if strength is not None:
            state["strength"][won] = strength[0, child]
        spent = torch.full(
            (len(rows),), self.batch // len(rows), dtype=torch.int64, device=rows.item.device
        )
        # shared, the remainder in turn, so that the sum is what the network did
        spent[
            (step * self.batch + torch.arange(self.batch % len(rows), device=spent.device))
            % len(rows)
        ] += 1
        invalid = (~valid).any(1).sum().expand(len(rows))
        return state, StepReport(
            genome=state["elite"],
            score=state["fitness"],
            monitor=state["fitness"],
            forwards=spent * found.forwards,
            backwards=torch.zeros_like(spent),
            statistics={
                name: value.expand(len(rows))
                for name, value in self.statistics.compile([state["fitness"][None]]).items()
            }
            | {"invalid": invalid},
            births=torch.stack(
                [rows.item[won], state["id"][won], parents[child], mates[child]], dim=1
            ),
        )

    def _children(
        self, problem: Problem, state: State, cells: Tensor, crowd: Rows, one: Rows, step: int
    ) -> tuple[Genome, Tensor | None, Tensor, Tensor]:
        """Children of the elites in `cells` [batch]: genomes, strengths [1, batch], ids of parents and of mates."""
        mutate = later(self.toolbox.mutate.func, step)
        parents, whole = state["id"][cells], state["elite"][cells][None]
        if self.mates:
            whole = self.toolbox.mate(whole, one.fold_in(2))
        strength = state["strength"][cells][None] if self.adapts else None
        whole, strength = mutated(mutate, whole, one.fold_in(3), strength, one.fold_in(4))
        return (
            problem.project(whole[0], crowd),
            strength,
            parents,
            partners(parents[None], self.mates)[0],
        )

    def ancestors(self, state: State) -> Ancestors:
        def line(frames: Tensor, own: Tensor) -> Tensor:
            whole = torch.cat([frames, torch.zeros_like(frames[:, :1])], dim=1)
            whole[cells, state["frame_count"]] = own
            return whole

        cells = torch.arange(len(state["id"]), device=state["id"].device)
        return Ancestors(
            genomes=line(state["frames"], state["elite"]),
            count=state["frame_count"] + 1,
            id=line(state["frame_id"], state["id"]),
            step=line(state["frame_step"], state["born"]),
            cell=line(state["frame_cell"], cells),
            score=line(state["frame_score"], state["fitness"]),
            generations=state["generations"],
        )

    def _drawn(self, state: State, rows: Rows, focus: float) -> Tensor:
        """Cells of the parents, [batch]: a share `focus` of them from the worse half of the filled cells."""
        count = (state["fitness"] > -torch.inf).sum()
        order = state["fitness"].argsort(descending=True, stable=True)  # the empty ones come last
        draws = rows.uniform(self.batch)[0]
        ranks = (draws * count).long()
        worse = (count // 2 + draws * (count - count // 2)).long()
        return order[
            torch.where(
                torch.arange(self.batch, device=draws.device) < focus * self.batch, worse, ranks
            )
        ]

    def _remember(self, state: State, won: Tensor, parent: Tensor) -> None:
        """The line of an elite that is about to enter the cells `won` is its parent's, and the parent.

        A line keeps the ancestors whose place in it is a multiple of `frame_every`; when it is full, every other
        one goes and the distance doubles: evenly spaced whatever its length, and the first stays for ever.
        """
        born = (
            state["id"][parent] >= 0
        )  # what was begun with was never measured, and is nobody's ancestor
        count, every = state["frame_count"][parent], state["frame_every"][parent]
        full = (count == FRAMES) & (state["generations"][parent] % every == 0)
        places = torch.arange(FRAMES, device=won.device)
        kept = torch.where(full[:, None], (2 * places).clamp_max(FRAMES - 1), places)
        count = torch.where(full, FRAMES // 2, count)
        every = torch.where(full, 2 * every, every)
        due = born & (state["generations"][parent] % every == 0)
        here = (due[:, None] & (places == count[:, None])).nonzero(as_tuple=True)
        lines = {}
        told = {
            "frames": state["elite"],
            "frame_id": state["id"],
            "frame_step": state["born"],
            "frame_cell": torch.arange(len(state["id"]), device=won.device),
            "frame_score": state["fitness"],
        }
        for name, values in told.items():
            lines[name] = state[name][parent[:, None], kept]
            lines[name][here] = values[parent[here[0]]]
        generations = state["generations"][parent] + born
        for name, line in lines.items():
            state[name][won] = line
        state["frame_count"][won], state["frame_every"][won] = count + due, every
        state["generations"][won] = generations
