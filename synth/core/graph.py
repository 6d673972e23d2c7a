"""The tensor form of networks whose topology evolves, and the small changes that evolution makes to them.

A graph of at most N nodes is a float32 tensor [N, 2 + N], a population [m, N, 2 + N], so that a change of a
whole population is a few tensor operations. Of node j, row j says:

    graph[j, 0]      its function, a number from 0; -1 where the slot is empty
    graph[j, 1]      its place in the order of computation: 0 for inputs, 1 for outputs, between for hidden nodes
    graph[j, 2 + i]  the weight of the connection from node i to it; 0 where there is none

A connection leads from a lower place to a higher one, so a graph has no cycles whatever is done to it. (Stanley &
Miikkulainen 2002 evolve topologies by the same changes, with variable lists and historical marks; a slot is that
mark here.)
"""

from __future__ import annotations

import torch
from torch import Tensor

FUNCTION, PLACE, WEIGHTS = 0, 1, 2
EMPTY = -1.0
NEAREST = 2.0**-24  # how near to the inputs and the outputs the place of a hidden node may be


def blank(count: int, inputs: int, hidden: int, outputs: int, device: torch.device) -> Tensor:
    """`count` graphs without a connection or a hidden node, [count, N, 2 + N]: inputs first, outputs last."""
    size = inputs + hidden + outputs
    graphs = torch.zeros(count, size, WEIGHTS + size, device=device)
    graphs[:, inputs : size - outputs, FUNCTION] = EMPTY
    graphs[:, size - outputs :, PLACE] = 1.0
    return graphs


def legal(graphs: Tensor) -> Tensor:
    """Which connections a graph may have, [m, N, N] bool, (j, i) from i to j: both present, i placed before j."""
    present, place = graphs[..., FUNCTION] >= 0, graphs[..., PLACE]
    return present[:, :, None] & present[:, None, :] & (place[:, None, :] < place[:, :, None])


def repaired(graphs: Tensor, inputs: int, outputs: int, functions: int, bound: float) -> Tensor:
    """The nearest graphs: known functions, weights in [-bound, bound], no connection against the order.

    Inputs and outputs stay where and what they are, whatever was done to their rows. What is not a number becomes no
    connection.
    """
    first = graphs.shape[1] - outputs
    kept = graphs.nan_to_num(0.0, bound, -bound)
    kept[..., FUNCTION] = kept[..., FUNCTION].round().clamp(EMPTY, functions - 1)
    kept[:, first:, FUNCTION] = kept[:, first:, FUNCTION].clamp_min(0.0)
    place = kept[..., PLACE].clamp(NEAREST, 1.0 - NEAREST)
    kept[..., PLACE] = torch.where(kept[..., FUNCTION] >= 0, place, 0.0)
    kept[:, :inputs, FUNCTION] = kept[:, :inputs, PLACE] = 0.0
    kept[:, first:, PLACE] = 1.0
    kept[..., WEIGHTS:] = torch.where(legal(kept), kept[..., WEIGHTS:].clamp(-bound, bound), 0.0)
    return kept


def picked(mask: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
    """One of the True places of each row of `mask` [m, k], each as likely, by `draw` [m] in [0, 1).

    Gives positions [m] and whether there was one to pick, [m].
    """
    running = mask.cumsum(1)
    count = running[:, -1]
    rank = (draw * count).long().clamp_max(count - 1) + 1
    return (running < rank[:, None]).sum(1).clamp_max(mask.shape[1] - 1), count > 0


def add_connection(graphs: Tensor, which: Tensor, draw: Tensor, weight: Tensor) -> None:
    """A connection of `weight` [m] that is not there yet, in the graphs `which` [m] bool; changes `graphs`."""
    size = graphs.shape[1]
    free = legal(graphs) & (graphs[..., WEIGHTS:] == 0)
    place, found = picked(free.flatten(1), draw)
    _write(graphs, which & found, place // size, WEIGHTS + place % size, weight)


def delete_connection(graphs: Tensor, which: Tensor, draw: Tensor) -> None:
    """Takes a connection away; changes `graphs`."""
    place, found = picked((graphs[..., WEIGHTS:] != 0).flatten(1), draw)
    size = graphs.shape[1]
    _write(graphs, which & found, place // size, WEIGHTS + place % size, torch.zeros_like(draw))


def rewire(graphs: Tensor, which: Tensor, draws: Tensor) -> None:
    """Moves a connection, with its weight, to where none is; `draws` [m, 2]; changes `graphs`."""
    size = graphs.shape[1]
    used = (graphs[..., WEIGHTS:] != 0).flatten(1)
    old, found = picked(used, draws[:, 0])
    new, room = picked(legal(graphs).flatten(1) & ~used, draws[:, 1])
    who = which & found & room
    weight = graphs[
        torch.arange(len(graphs), device=graphs.device), old // size, WEIGHTS + old % size
    ]
    _write(graphs, who, old // size, WEIGHTS + old % size, torch.zeros_like(weight))
    _write(graphs, who, new // size, WEIGHTS + new % size, weight)


def add_node(graphs: Tensor, which: Tensor, draws: Tensor, functions: int) -> None:
    """Splits a connection: a new node on it, of any of the `functions`; `draws` [m, 3]; changes `graphs`.

    The way in has weight 1, the way out the weight of the old connection, which goes. Where no slot is empty,
    nothing happens.
    """
    size, everyone = graphs.shape[1], torch.arange(len(graphs), device=graphs.device)
    old, found = picked((graphs[..., WEIGHTS:] != 0).flatten(1), draws[:, 0])
    end, start = old // size, old % size
    empty = graphs[..., FUNCTION] < 0
    slot = empty.int().argmax(1)
    who = which & found & empty.any(1)
    weight = graphs[everyone, end, WEIGHTS + start]
    first, last = graphs[everyone, start, PLACE], graphs[everyone, end, PLACE]
    middle = first + (last - first) * (0.25 + 0.5 * draws[:, 1])
    who = (
        who & (middle > first) & (middle < last)
    )  # splitting without end would come to neighbouring numbers
    _write(graphs, who, slot, FUNCTION, (draws[:, 2] * functions).floor())
    _write(graphs, who, slot, PLACE, middle)
    _write(graphs, who, slot, WEIGHTS + start, torch.ones_like(weight))
    _write(graphs, who, end, WEIGHTS + slot, weight)
    _write(graphs, who, end, WEIGHTS + start, torch.zeros_like(weight))


def delete_node(graphs: Tensor, which: Tensor, draw: Tensor) -> None:
    """Takes a hidden node and its connections away; changes `graphs`."""
    node, found = picked(_hidden(graphs), draw)
    gone = torch.nn.functional.one_hot(node, graphs.shape[1]).bool() & (which & found)[:, None]
    graphs.masked_fill_(gone[..., None], 0.0)
    graphs[..., WEIGHTS:].masked_fill_(gone[:, None, :], 0.0)
    graphs[..., FUNCTION].masked_fill_(gone, EMPTY)


def change_function(graphs: Tensor, which: Tensor, draws: Tensor, functions: int) -> None:
    """Gives a hidden node or an output any of the `functions`; `draws` [m, 2]; changes `graphs`."""
    node, found = picked((graphs[..., FUNCTION] >= 0) & (graphs[..., PLACE] > 0), draws[:, 0])
    _write(graphs, which & found, node, FUNCTION, (draws[:, 1] * functions).floor())


def _hidden(graphs: Tensor) -> Tensor:
    place = graphs[..., PLACE]
    return (graphs[..., FUNCTION] >= 0) & (place > 0) & (place < 1)


def _write(graphs: Tensor, which: Tensor, row: Tensor, column: Tensor | int, value: Tensor) -> None:
    """graphs[k, row[k], column[k]] = value[k] for the k in `which`, without asking the device how many there are."""
    everyone = torch.arange(len(graphs), device=graphs.device)
    graphs[everyone, row, column] = torch.where(which, value, graphs[everyone, row, column])
