"""Compositional pattern-producing networks (CPPNs) of evolving topology: the genome is the graph.

A CPPN (Stanley 2007) computes the colour of a point from its coordinates: x and y, the shorter
side of the image from -1 to 1, the distance from the centre, and a constant. Composed of sines,
Gaussians and absolute values, it produces repetition and symmetry, at any resolution. The genome
is a graph in the tensor form of `synth.core.graph`, [r, N, 2 + N].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from synth.core import Encoding, Genome, Images, Rows, graph
from synth.data.sizes import Size, size_of
from synth.encodings._points import INPUTS, points_of
from synth.errors import InputError

OUTPUTS = 3  # red, green, blue
BOUND = 8.0  # largest absolute weight
# A CPU computes elementwise functions many values at a time and rounds the remainder differently in
# the last bit; with whole vectors a genome decodes to the same bits alone and in any batch.
LANES = 64


def _sine(value: Tensor, out: Tensor) -> None:
    torch.sin(value.mul_(math.pi), out=out)


def _cosine(value: Tensor, out: Tensor) -> None:
    torch.cos(value.mul_(math.pi), out=out)


def _sigmoid(value: Tensor, out: Tensor) -> None:
    torch.sigmoid(value.mul_(4.0), out=out).mul_(2.0).sub_(1.0)


def _gaussian(value: Tensor, out: Tensor) -> None:
    torch.exp(value.square_().mul_(-4.0), out=out).mul_(2.0).sub_(1.0)


def _linear(value: Tensor, out: Tensor) -> None:
    # unbounded, a chain of linear nodes would overflow
    torch.clamp(value, -3.0, 3.0, out=out)


def _absolute(value: Tensor, out: Tensor) -> None:
    torch.abs(value, out=out).clamp_(max=3.0)


# a node's function is an index into this; each overwrites its argument
FUNCTIONS = (_sine, _cosine, _sigmoid, _gaussian, _linear, _absolute)


class Cppn(Encoding):
    """Images of evolving CPPNs; not differentiable, for evolution with ``search/mutate=topology``.

    The first genomes connect every colour with one or two inputs and have up to `first` hidden
    nodes: the simplest graphs that produce something, as in Nguyen, Yosinski & Clune 2015.

    Args:
        size: height and width; those that the network reads where None.
        hidden: the most hidden nodes between the inputs and the three colours, 1 or more.
        first: the most hidden nodes in the first generation, from 0 to `hidden`.

    Raises:
        InputError: for numbers outside these ranges.
    """

    differentiable = False
    scalable = True

    def __init__(self, size: Size = None, hidden: int = 24, first: int = 4) -> None:
        if hidden < 1:
            raise InputError(f"encoding.hidden={hidden}: write 1 or more nodes.")
        if not 0 <= first <= hidden:
            raise InputError(f"encoding.first={first}: from 0 to the {hidden} of encoding.hidden.")
        self.size = size_of(size)
        self.hidden = hidden
        self.first = first

    def start(self, rows: Rows) -> Genome:
        graphs = graph.blank(len(rows), INPUTS, self.hidden, OUTPUTS, rows.key.device)
        size = graphs.shape[1]
        steps = 2 * OUTPUTS + self.first
        draw = rows.fold_in(1).uniform(steps, 4)
        weight = rows.fold_in(2).normal(steps)
        graphs[:, size - OUTPUTS :, graph.FUNCTION] = (
            rows.fold_in(3).uniform(OUTPUTS) * len(FUNCTIONS)
        ).floor()
        _connect_colours(graphs, draw, weight)
        for step in range(2 * OUTPUTS, steps):
            chosen = draw[:, step, 3] < 0.5
            graph.add_node(graphs, chosen, draw[:, step, :3], len(FUNCTIONS))
            graph.add_connection(
                graphs, chosen, rows.fold_in(4 + step).uniform(1)[:, 0], weight[:, step]
            )
        return graphs

    def decode(self, genome: Genome, rows: Rows) -> Images:
        assert self.size is not None
        height, width = self.size
        points = points_of(self.size, genome.device)
        colours = _colours(genome, functional.pad(points, (0, -height * width % LANES)))
        return colours[..., : height * width].reshape(len(genome), OUTPUTS, height, width)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return graph.repaired(genome, INPUTS, OUTPUTS, len(FUNCTIONS), BOUND)

    def at(self, size: tuple[int, int]) -> Cppn:
        return Cppn(size, self.hidden, self.first)

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        return genome


def _connect_colours(graphs: Tensor, draw: Tensor, weight: Tensor) -> None:
    """Connects each colour with one input, and in every other graph with a second; in place."""
    size = graphs.shape[1]
    index = torch.arange(len(graphs), device=graphs.device)
    for colour in range(OUTPUTS):
        node = size - OUTPUTS + colour
        for turn in range(2):
            step = 2 * colour + turn
            source = (draw[:, step, 0] * INPUTS).long()
            chosen = draw[:, step, 1] < (1.0 if turn == 0 else 0.5)
            old = graphs[index, node, graph.WEIGHTS + source]
            graphs[index, node, graph.WEIGHTS + source] = torch.where(chosen, weight[:, step], old)


@dataclass(frozen=True)
class _Schedule:
    """The nodes of all graphs in the order in which they are computed.

    Nodes are sorted by level, and within a level by function, so that a function is one operation
    on a slice. A node's weighted sum over its connections is an embedding bag over `table` rows.

    `row` [m, N] is each node's row in the table of values; `bags` [connections] the rows that are
    summed, `weight` [connections] their weights, `first` [nodes + 1] each node's first connection,
    `edges` the same on the host. `levels` lists, level by level, the runs of nodes of one function
    as (function, first node). `count` is the number of nodes of all graphs.
    """

    count: int
    row: Tensor
    bags: Tensor
    weight: Tensor
    first: Tensor
    edges: list[int]
    levels: list[list[tuple[int, int]]]


def _schedule(graphs: Tensor) -> _Schedule:
    size = graphs.shape[1]
    weights = graphs[..., graph.WEIGHTS :]
    linked = weights != 0
    level = _levels(linked)
    level[:, size - OUTPUTS :] = size  # the colours come last, those without a connection too
    used = _used(linked)
    used[:, :INPUTS] = False
    which, node = used.nonzero(as_tuple=True)
    depth = level[which, node]
    kind = graphs[which, node, graph.FUNCTION].long().clamp_(0, len(FUNCTIONS) - 1)
    order = (depth * len(FUNCTIONS) + kind).argsort(stable=True)
    which = which[order]
    node = node[order]
    depth = depth[order]
    kind = kind[order]

    # the inputs, the same for all graphs, are the first rows of the table
    row = torch.arange(size, device=graphs.device).expand(len(graphs), size).clone()
    row[which, node] = INPUTS + torch.arange(len(which), device=graphs.device)
    sums, source = linked[which, node].nonzero(as_tuple=True)
    weight = weights[which[sums], node[sums], source]
    first = torch.searchsorted(sums, torch.arange(len(which) + 1, device=graphs.device))
    bags = row[which[sums], source]

    starts = _runs(depth, kind)
    # one transfer to the host for the whole population; what follows needs no other
    plan = torch.stack([depth[starts], kind[starts], starts]).tolist()
    levels: dict[int, list[tuple[int, int]]] = {}
    for at, function, begin in zip(*plan, strict=True):
        levels.setdefault(at, []).append((function, begin))
    return _Schedule(len(which), row, bags, weight, first, first.tolist(), list(levels.values()))


def _colours(graphs: Tensor, points: Tensor) -> Tensor:
    """Colours [m, 3, points] in [0, 1] of `graphs` at `points` [4, points], all graphs together."""
    plan = _schedule(graphs)
    table = torch.empty(INPUTS + plan.count, points.shape[1], device=graphs.device)
    table[:INPUTS] = points
    begins = [begin for runs in plan.levels for _, begin in runs] + [plan.count]
    place = 0
    for runs in plan.levels:
        begin = begins[place]
        end = begins[place + len(runs)]
        links = slice(plan.edges[begin], plan.edges[end])
        sums = functional.embedding_bag(
            plan.bags[links],
            table,
            plan.first[begin:end] - plan.edges[begin],
            mode="sum",
            per_sample_weights=plan.weight[links],
        )
        for function, low in runs:
            place += 1
            high = begins[place]
            FUNCTIONS[function](
                sums[low - begin : high - begin], table[INPUTS + low : INPUTS + high]
            )
    colours = table[plan.row[:, -OUTPUTS:].flatten()]
    return colours.add_(1.0).mul_(0.5).clamp_(0.0, 1.0).view(len(graphs), OUTPUTS, points.shape[1])


def _levels(linked: Tensor) -> Tensor:
    """The length of the longest path from an input to each node, [m, N]."""
    level = torch.zeros(linked.shape[:2], dtype=torch.int64, device=linked.device)
    for _ in range(linked.shape[1]):
        further = torch.where(linked, level[:, None, :] + 1, 0).amax(2)
        if torch.equal(further, level):
            break
        level = further
    return level


def _used(linked: Tensor) -> Tensor:
    """Which nodes have a path to a colour, [m, N]."""
    used = torch.zeros(linked.shape[:2], dtype=torch.bool, device=linked.device)
    used[:, -OUTPUTS:] = True
    for _ in range(linked.shape[1]):
        more = used | (linked & used[:, :, None]).any(1)
        if torch.equal(more, used):
            break
        used = more
    return used


def _runs(depth: Tensor, kind: Tensor) -> Tensor:
    """The positions in sorted nodes at which a new level or function begins."""
    new = torch.ones(len(depth), dtype=torch.bool, device=depth.device)
    new[1:] = (depth[1:] != depth[:-1]) | (kind[1:] != kind[:-1])
    return new.nonzero()[:, 0]
