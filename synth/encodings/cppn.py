"""Compositional pattern-producing networks (CPPNs) of evolving topology: the genome is the graph.

A CPPN (Stanley 2007) computes the colour of a point from its coordinates: x and y, the shorter
side of the image from -1 to 1, the distance from the centre, and a constant. Composed of sines,
Gaussians and absolute values, it produces repetition and symmetry, at any resolution. The genome
is a graph in the tensor form of `synth.core.graph`, [r, N, 2 + N].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

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
# the same functions with a gradient
SMOOTH: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda value: torch.sin(value * math.pi),
    lambda value: torch.cos(value * math.pi),
    lambda value: torch.sigmoid(value * 4.0) * 2.0 - 1.0,
    lambda value: torch.exp(value.square() * -4.0) * 2.0 - 1.0,
    lambda value: torch.clamp(value, -3.0, 3.0),
    lambda value: torch.abs(value).clamp(max=3.0),
)


class Cppn(Encoding):
    """Images of evolving CPPNs, for evolution with ``search/mutate=topology``.

    They are differentiable in the weights of their connections: a gradient search changes these,
    and neither nodes nor functions.

    The first genomes connect every colour with one or two inputs and have up to `first` hidden
    nodes: the simplest graphs that produce something, as in Nguyen, Yosinski & Clune 2015.

    Args:
        size: height and width; those that the network reads where None.
        hidden: the most hidden nodes between the inputs and the three colours, 1 or more.
        first: the most hidden nodes in the first generation, from 0 to `hidden`.

    Raises:
        InputError: for numbers outside these ranges.
    """

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
        colours = _colours(genome, _padded_points(self.size, genome.device))
        return colours[..., : height * width].reshape(len(genome), OUTPUTS, height, width)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return graph.repaired(genome, INPUTS, OUTPUTS, len(FUNCTIONS), BOUND)

    def at(self, size: tuple[int, int]) -> Cppn:
        return Cppn(size, self.hidden, self.first)

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        return genome


@lru_cache(4)
def _padded_points(size: tuple[int, int], device: torch.device) -> Tensor:
    """The inputs at each pixel, and others up to a whole number of vectors, [4, points]."""
    with torch.inference_mode(False):  # autograd refuses tensors that were made in it
        points = points_of(size, device)
        return functional.pad(points, (0, -points.shape[1] % LANES))


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
class _Level:
    """Nodes of all graphs that are computed together: their connections, and runs of one function.

    Node i is row `INPUTS` + i of the table of values. `first` [nodes] is each node's first
    connection among `sources`, the rows that are summed, and `weight`. `runs` are the nodes of one
    function each: the function, the first node, and the one after the last.
    """

    sources: Tensor
    weight: Tensor
    first: Tensor
    runs: list[tuple[int, int, int]]


@dataclass(frozen=True)
class _Schedule:
    """The nodes of all graphs in the order in which they are computed, level by level.

    Nodes are sorted by level, and within a level by function, so that a function is one operation
    on a slice. A node's weighted sum over its connections is an embedding bag over the table of
    values. `colours` [m * 3] are the rows of the outputs; `count` is the number of nodes.
    """

    count: int
    levels: list[_Level]
    colours: Tensor


def _schedule(graphs: Tensor) -> _Schedule:
    """The schedule of `graphs` [m, N, 2 + N], made of lists of all nodes and all connections."""
    size = graphs.shape[1]
    weights = graphs[..., graph.WEIGHTS :]
    which, end, start = weights.nonzero(as_tuple=True)
    weight = weights[which, end, start]
    end = which * size + end
    start = which * size + start
    height = _heights(start, end, len(graphs), size)

    nodes = (height.view(-1, size)[:, INPUTS:] >= 0).nonzero()
    nodes = nodes[:, 0] * size + nodes[:, 1] + INPUTS
    kind = graphs[..., graph.FUNCTION].flatten()[nodes].long().clamp_(0, len(FUNCTIONS) - 1)
    # the highest first, and the colours last
    code = kind - height[nodes] * len(FUNCTIONS)
    code, order = code.sort(stable=True)
    nodes = nodes[order]

    # the inputs, the same for all graphs, are the first rows of the table; nodes that lead to no
    # colour come after the last row, and so do their connections
    count = len(nodes)
    row = torch.arange(size, device=graphs.device).repeat(len(graphs))
    row.view(-1, size)[:, INPUTS:] = INPUTS + count
    row[nodes] = torch.arange(INPUTS, INPUTS + count, device=graphs.device)
    target, order = row[end].sort(stable=True)
    sources = row[start][order]
    weight = weight[order]
    first = torch.searchsorted(target, torch.arange(INPUTS, INPUTS + count + 1, device=row.device))

    new = torch.ones_like(code, dtype=torch.bool)
    new[1:] = code[1:] != code[:-1]
    begins = new.nonzero()[:, 0]
    ends = functional.pad(begins, (0, 1), value=count)[1:]
    # one transfer to the host for the whole population; what follows needs no other
    plan = torch.stack([code[begins], begins, ends, first[begins], first[ends]]).T.tolist()
    levels = []
    for _, group in groupby(plan, lambda run: run[0] // len(FUNCTIONS)):
        runs = list(group)
        links = slice(runs[0][3], runs[-1][4])
        levels.append(
            _Level(
                sources[links],
                weight[links],
                first[runs[0][1] : runs[-1][2]] - links.start,
                [(code % len(FUNCTIONS), begin, end) for code, begin, end, _, _ in runs],
            )
        )
    return _Schedule(count, levels, row.view(-1, size)[:, -OUTPUTS:].flatten())


def _heights(start: Tensor, end: Tensor, graphs: int, size: int) -> Tensor:
    """The length of the longest path from each node to a colour, [graphs * size]; else negative.

    `start` and `end` are the nodes of the connections.
    """
    height = torch.full((graphs, size), -size, dtype=torch.int64, device=start.device)
    height[:, -OUTPUTS:] = 0
    height = height.flatten()
    for _ in range(size):
        further = height.scatter_reduce(0, start, height.index_select(0, end) + 1, "amax")
        if torch.equal(further, height):
            break
        height = further
    return height


def _colours(graphs: Tensor, points: Tensor) -> Tensor:
    """Colours [m, 3, points] in [0, 1] of `graphs` at `points` [4, points], all graphs together."""
    plan = _schedule(graphs)
    if graphs.requires_grad and torch.is_grad_enabled():
        return _differentiable_colours(plan, points)
    table = torch.empty(INPUTS + plan.count, points.shape[1], device=graphs.device)
    table[:INPUTS] = points
    nodes = table[INPUTS:]
    for level in plan.levels:
        sums = functional.embedding_bag(
            level.sources, table, level.first, mode="sum", per_sample_weights=level.weight
        )
        offset = level.runs[0][1]
        for function, begin, end in level.runs:
            FUNCTIONS[function](sums[begin - offset : end - offset], nodes[begin:end])
    colours = table.index_select(0, plan.colours)
    return colours.add_(1.0).mul_(0.5).clamp_(0.0, 1.0).view(len(graphs), OUTPUTS, points.shape[1])


def _differentiable_colours(plan: _Schedule, points: Tensor) -> Tensor:
    """The same with a gradient: values are kept, where `_colours` writes over them."""
    table = points
    for level in plan.levels:
        sums = functional.embedding_bag(
            level.sources, table, level.first, mode="sum", per_sample_weights=level.weight
        )
        offset = level.runs[0][1]
        values = [
            SMOOTH[function](sums[begin - offset : end - offset])
            for function, begin, end in level.runs
        ]
        table = torch.cat([table, *values])
    colours = table.index_select(0, plan.colours)
    return colours.add(1.0).mul(0.5).clamp(0.0, 1.0).view(-1, OUTPUTS, points.shape[1])
