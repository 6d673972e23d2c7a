"""The state of a map of elites: one genome a cell with its score, birth and line of descent."""

from __future__ import annotations

import torch
from torch import Tensor

from synth.core import Genome, Problem, Rows, State
from synth.core.lineage import NO_PARENT, Ancestors
from synth.errors import InputError

FRAMES = 8  # remembered ancestors of each elite


def empty_map(genomes: Genome) -> State:
    """The state of a map whose cells hold `genomes` [n, *shape], which nobody has scored yet.

    ``elite`` [n, *shape], ``fitness`` [n], ``id`` and ``born`` (the step) [n] are those of the
    elites; ``generations`` [n] and what begins with ``frame`` are their lines of descent.
    """
    count = len(genomes)
    none = torch.full((count,), NO_PARENT, dtype=torch.int64, device=genomes.device)
    unknown = torch.full((count,), -torch.inf, device=genomes.device)
    return {
        "elite": genomes.clone(),
        "fitness": unknown,
        "id": none,
        "born": none.clone(),
        "generations": torch.zeros_like(none),
        "frames": torch.zeros(count, FRAMES, *genomes.shape[1:], device=genomes.device),
        "frame_count": torch.zeros_like(none),
        "frame_every": torch.ones_like(none),
        "frame_id": none[:, None].repeat(1, FRAMES),
        "frame_step": none[:, None].repeat(1, FRAMES),
        "frame_cell": none[:, None].repeat(1, FRAMES),
        "frame_score": unknown[:, None].repeat(1, FRAMES),
    }


def check_map(problem: Problem, rows: Rows, name: str) -> None:
    """Raises InputError where `problem` cannot fill a map of the items `rows` by search=`name`."""
    if problem.columns != len(rows):
        raise InputError(
            f"search={name}: an objective with a score for each of the {len(rows)} items is "
            f"needed, this one has {problem.columns}; write objective every_class or niches, "
            "or another search."
        )
    if problem.stochastic:
        raise InputError(
            f"search={name}: elites are not evaluated again, so where scores vary the "
            "luckiest would stay; write transform=none."
        )


def near(scores: Tensor, cells: Tensor, count: int, row: Rows, draws: int) -> Tensor:
    """Elites that score well for `cells` [r]: cells [draws, r], each of the `count` best of them.

    Args:
        scores: [n, n], of the elite of each cell (row) for each cell (column).
        cells: [r].
        count: how many are near a cell, itself included.
        row: one row, whose key the draws are made with.
        draws: of each cell; independent, so that they may be equal.
    """
    count = min(count, len(scores))
    best = scores.T.topk(count, 1).indices[cells]
    places = (row.uniform(draws, len(cells))[0] * count).long().clamp_max(count - 1)
    return best.expand(draws, -1, -1).gather(2, places[..., None])[..., 0]


def best_of(scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The best of `scores` [r, n] for each cell [n], which it is [n], and how many are invalid.

    A score that is NaN or plus infinity is none; a genome with such a score is invalid.
    """
    valid = ~scores.isnan() & (scores != torch.inf)
    best, winner = scores.masked_fill(~valid, -torch.inf).max(0)
    return best, winner, (~valid).any(1).sum()


def enter(
    state: State,
    cells: Tensor,
    genomes: Genome,
    scores: Tensor,
    ids: Tensor,
    step: int,
    parent_cells: Tensor,
) -> None:
    """Make `genomes` [k, *shape] the elites of `cells` [k], in the state's tensors.

    `scores`, `ids` and `parent_cells` [k] are their scores in these cells, their ids, and the cells
    that their parents are the elites of.
    """
    _inherit(state, cells, parent_cells)
    state["elite"][cells] = genomes
    state["fitness"][cells] = scores
    state["id"][cells] = ids
    state["born"][cells] = step


def lines_of(state: State) -> Ancestors:
    """The line of descent of each elite, thinned to `FRAMES` ancestors and itself."""
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


def shares(count: int, cells: int, step: int, device: torch.device) -> Tensor:
    """Evaluations counted for each cell, int64 [cells]; the remainder goes to cells in turn.

    The sum over the cells is thus exactly the number `count` of genomes evaluated.
    """
    whole = torch.full((cells,), count // cells, dtype=torch.int64, device=device)
    remainder = torch.arange(count % cells, device=device)
    whole[(step * count + remainder) % cells] += 1
    return whole


def _inherit(state: State, cells: Tensor, parent_cells: Tensor) -> None:
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
