"""Fixed-size tensor representation of networks with evolving topology, and its mutations.

A graph of at most N nodes is a float32 tensor [N, 2 + N] and a population of m graphs is
[m, N, 2 + N], so that a mutation of a whole population is a few tensor operations. Row j
describes node j:

    graph[j, 0]      its activation function, an index from 0; -1 where the slot is empty
    graph[j, 1]      its place in the order of computation: 0 for inputs, 1 for outputs, a number
                     between them for hidden nodes
    graph[j, 2 + i]  the weight of the connection from node i to node j; 0 where there is none

A connection leads from a lower place to a higher one, so a graph stays acyclic under every
mutation. Stanley & Miikkulainen 2002 (NEAT) evolve topologies by the same mutations, with lists of
variable length and historical markings; here the slot of a node is its marking.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

FUNCTION = 0
PLACE = 1
WEIGHTS = 2
EMPTY = -1.0
NEAREST = 2.0**-24  # the least distance of a hidden node's place from those of inputs and outputs


def blank(count: int, inputs: int, hidden: int, outputs: int, device: torch.device) -> Tensor:
    """Graphs without connections and hidden nodes, inputs first and outputs last.

    Args:
        count: the number m of graphs.
        inputs: the number of input nodes.
        hidden: the number of slots for hidden nodes, all empty.
        outputs: the number of output nodes.
        device: where the tensor is made.

    Returns:
        [m, N, 2 + N] with N = inputs + hidden + outputs.
    """
    size = inputs + hidden + outputs
    graphs = torch.zeros(count, size, WEIGHTS + size, device=device)
    graphs[:, inputs : size - outputs, FUNCTION] = EMPTY
    graphs[:, size - outputs :, PLACE] = 1.0
    return graphs


def is_graph(genome: Tensor) -> bool:
    """Whether a genome [*shape] has the shape of a graph."""
    return genome.ndim == 2 and genome.shape[1] == genome.shape[0] + WEIGHTS


def legal(graphs: Tensor) -> Tensor:
    """Which connections a graph may have: bool [m, N, N], entry (j, i) for that from i to j.

    Both nodes have to be present, and i has to come before j in the order of computation.
    """
    present = graphs[..., FUNCTION] >= 0
    place = graphs[..., PLACE]
    return present[:, :, None] & present[:, None, :] & (place[:, None, :] < place[:, :, None])


def repaired(graphs: Tensor, inputs: int, outputs: int, functions: int, bound: float) -> Tensor:
    """The nearest legal graphs.

    Inputs and outputs get back their place, function indices are rounded into range, connections
    against the order are removed, and a weight that is NaN becomes no connection.

    Args:
        graphs: [m, N, 2 + N].
        inputs: the number of input nodes.
        outputs: the number of output nodes.
        functions: the number of activation functions.
        bound: the largest absolute value of a weight.

    Returns:
        [m, N, 2 + N].
    """
    first = graphs.shape[1] - outputs
    fixed = graphs.nan_to_num(0.0, bound, -bound)
    fixed[..., FUNCTION] = fixed[..., FUNCTION].round().clamp(EMPTY, functions - 1)
    fixed[:, first:, FUNCTION] = fixed[:, first:, FUNCTION].clamp_min(0.0)
    place = fixed[..., PLACE].clamp(NEAREST, 1.0 - NEAREST)
    fixed[..., PLACE] = torch.where(fixed[..., FUNCTION] >= 0, place, 0.0)
    fixed[:, :inputs, FUNCTION] = 0.0
    fixed[:, :inputs, PLACE] = 0.0
    fixed[:, first:, PLACE] = 1.0
    weights = fixed[..., WEIGHTS:].clamp(-bound, bound)
    fixed[..., WEIGHTS:] = torch.where(legal(fixed), weights, 0.0)
    return fixed


def picked(mask: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
    """A uniformly random True position of each row of `mask`.

    Args:
        mask: bool [m, k].
        draw: [m], uniform in [0, 1).

    Returns:
        Positions int64 [m], and bool [m], whether the row had any True position.
    """
    running = mask.cumsum(1, dtype=torch.int32)
    count = running[:, -1]
    rank = (draw * count).int().clamp_max(count - 1) + 1
    place = torch.searchsorted(running, rank[:, None])[:, 0]
    return place.clamp_max(mask.shape[1] - 1), count > 0


def change(
    mutation: Callable[..., None], graphs: Tensor, which: Tensor, *draws: Tensor | int
) -> None:
    """Call one of the mutations below, on a CPU with the graphs `which` [m] alone.

    On other devices it is called with all graphs, since positions would wait for the device.
    """
    if graphs.device.type != "cpu":
        mutation(graphs, which, *draws)
        return
    index = which.nonzero()[:, 0]
    chosen = graphs.index_select(0, index)
    parts = [draw[index] if isinstance(draw, Tensor) else draw for draw in draws]
    mutation(chosen, torch.ones_like(index, dtype=torch.bool), *parts)
    graphs.index_copy_(0, index, chosen)


def add_connection(graphs: Tensor, which: Tensor, draw: Tensor, weight: Tensor) -> None:
    """Add a missing connection, in place.

    Args:
        graphs: [m, N, 2 + N].
        which: bool [m], the graphs to change.
        draw: [m], uniform in [0, 1), chooses the connection.
        weight: [m], its weight.
    """
    size = graphs.shape[1]
    free = legal(graphs) & (graphs[..., WEIGHTS:] == 0)
    place, exists = picked(free.flatten(1), draw)
    _write(graphs, which & exists, place // size, WEIGHTS + place % size, weight)


def delete_connection(graphs: Tensor, which: Tensor, draw: Tensor) -> None:
    """Remove a connection, chosen by `draw` [m], of the graphs `which` [m], in place."""
    size = graphs.shape[1]
    place, exists = picked((graphs[..., WEIGHTS:] != 0).flatten(1), draw)
    removed = torch.zeros_like(draw)
    _write(graphs, which & exists, place // size, WEIGHTS + place % size, removed)


def rewire(graphs: Tensor, which: Tensor, draws: Tensor) -> None:
    """Move a connection with its weight to a free place, in place; `draws` [m, 2]."""
    size = graphs.shape[1]
    used = (graphs[..., WEIGHTS:] != 0).flatten(1)
    old, exists = picked(used, draws[:, 0])
    new, has_room = picked(legal(graphs).flatten(1) & ~used, draws[:, 1])
    changes = which & exists & has_room
    rows = torch.arange(len(graphs), device=graphs.device)
    weight = graphs[rows, old // size, WEIGHTS + old % size]
    _write(graphs, changes, old // size, WEIGHTS + old % size, torch.zeros_like(weight))
    _write(graphs, changes, new // size, WEIGHTS + new % size, weight)


def add_node(graphs: Tensor, which: Tensor, draws: Tensor, functions: int) -> None:
    """Split a connection by a new hidden node with a random activation function, in place.

    The connection into the new node has weight 1, the one out of it the weight of the old
    connection, which is removed. Where no slot is empty, nothing happens.

    Args:
        graphs: [m, N, 2 + N].
        which: bool [m], the graphs to change.
        draws: [m, 3], uniform in [0, 1): the connection, the node's place, its function.
        functions: the number of activation functions.
    """
    size = graphs.shape[1]
    rows = torch.arange(len(graphs), device=graphs.device)
    old, exists = picked((graphs[..., WEIGHTS:] != 0).flatten(1), draws[:, 0])
    end = old // size
    start = old % size
    empty = graphs[..., FUNCTION] < 0
    slot = empty.int().argmax(1)
    weight = graphs[rows, end, WEIGHTS + start]
    first = graphs[rows, start, PLACE]
    last = graphs[rows, end, PLACE]
    middle = first + (last - first) * (0.25 + 0.5 * draws[:, 1])
    # repeated splitting arrives at neighbouring floating point numbers: then there is no middle
    changes = which & exists & empty.any(1) & (middle > first) & (middle < last)
    _write(graphs, changes, slot, FUNCTION, (draws[:, 2] * functions).floor())
    _write(graphs, changes, slot, PLACE, middle)
    _write(graphs, changes, slot, WEIGHTS + start, torch.ones_like(weight))
    _write(graphs, changes, end, WEIGHTS + slot, weight)
    _write(graphs, changes, end, WEIGHTS + start, torch.zeros_like(weight))


def delete_node(graphs: Tensor, which: Tensor, draw: Tensor) -> None:
    """Remove a hidden node, chosen by `draw` [m], and its connections, in place."""
    node, exists = picked(_hidden(graphs), draw)
    deleted = torch.nn.functional.one_hot(node, graphs.shape[1]).bool() & (which & exists)[:, None]
    graphs.masked_fill_(deleted[..., None], 0.0)
    graphs[..., WEIGHTS:].masked_fill_(deleted[:, None, :], 0.0)
    graphs[..., FUNCTION].masked_fill_(deleted, EMPTY)


def change_function(graphs: Tensor, which: Tensor, draws: Tensor, functions: int) -> None:
    """Give a hidden or output node a random activation function, in place; `draws` [m, 2]."""
    node, exists = picked((graphs[..., FUNCTION] >= 0) & (graphs[..., PLACE] > 0), draws[:, 0])
    _write(graphs, which & exists, node, FUNCTION, (draws[:, 1] * functions).floor())


def _hidden(graphs: Tensor) -> Tensor:
    place = graphs[..., PLACE]
    return (graphs[..., FUNCTION] >= 0) & (place > 0) & (place < 1)


def _write(graphs: Tensor, which: Tensor, row: Tensor, column: Tensor | int, value: Tensor) -> None:
    """graphs[k, row[k], column[k]] = value[k] for the k in `which` [m], without a device sync."""
    rows = torch.arange(len(graphs), device=graphs.device)
    graphs[rows, row, column] = torch.where(which, value, graphs[rows, row, column])
