"""Compositional pattern-producing networks: the genome is a small network that paints, its topology free to evolve.

A CPPN (Stanley 2007) gives the colour of a point from where it lies: x and y in [-1, 1], the distance from the
centre, and a constant. Composed of sines, Gaussians and absolute values, it paints repetition and symmetry, and it
can be asked at any resolution. The genome is a graph as `synth.graph` lays it out, [r, N, 2 + N].
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from synth.core import Encoding, Genome, Images, Rows, graph
from synth.data.sizes import Size, size_of
from synth.encodings._points import INPUTS, points_of
from synth.errors import InputError

OUTPUTS = 3  # red, green, blue
BOUND = 8.0  # of a weight
# A CPU computes functions of many numbers at once and rounds those that are left over differently in the last bit;
# with whole bundles a genome paints the same alone and in any batch.
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
    torch.clamp(
        value, -3.0, 3.0, out=out
    )  # a chain of linear nodes would leave the range of numbers


def _absolute(value: Tensor, out: Tensor) -> None:
    torch.abs(value, out=out).clamp_(max=3.0)


FUNCTIONS = (_sine, _cosine, _sigmoid, _gaussian, _linear, _absolute)


class Cppn(Encoding):
    """Pictures painted by evolving CPPNs with room for `hidden` nodes between the inputs and the three colours.

    The first genomes connect every colour with one or two inputs and have up to `first` hidden nodes, the simplest
    that paint something, as in Nguyen, Yosinski & Clune 2015. `size` is the size of the pictures, the network's
    own where it is left out. It has no gradient: its searches add, delete and rewire (search/mutate=topology).
    """

    differentiable = False
    scalable = True

    def __init__(self, size: Size = None, hidden: int = 24, first: int = 4) -> None:
        if hidden < 1:
            raise InputError(f"encoding.hidden={hidden}: write 1 or more nodes.")
        if not 0 <= first <= hidden:
            raise InputError(f"encoding.first={first}: from 0 to the {hidden} of encoding.hidden.")
        self.size, self.hidden, self.first = size_of(size), hidden, first

    def start(self, rows: Rows) -> Genome:
        graphs = graph.blank(len(rows), INPUTS, self.hidden, OUTPUTS, rows.key.device)
        size = graphs.shape[1]
        steps = 2 * OUTPUTS + self.first
        draw, weight = rows.fold_in(1).uniform(steps, 4), rows.fold_in(2).normal(steps)
        graphs[:, size - OUTPUTS :, graph.FUNCTION] = (
            rows.fold_in(3).uniform(OUTPUTS) * len(FUNCTIONS)
        ).floor()
        everyone = torch.arange(len(rows), device=graphs.device)
        for colour in range(OUTPUTS):  # one input for certain, a second one for every other graph
            for turn in range(2):
                source = (draw[:, 2 * colour + turn, 0] * INPUTS).long()
                wanted = draw[:, 2 * colour + turn, 1] < (1.0 if turn == 0 else 0.5)
                old = graphs[everyone, size - OUTPUTS + colour, graph.WEIGHTS + source]
                graphs[everyone, size - OUTPUTS + colour, graph.WEIGHTS + source] = torch.where(
                    wanted, weight[:, 2 * colour + turn], old
                )
        for turn in range(2 * OUTPUTS, steps):
            likely = draw[:, turn, 3] < 0.5
            graph.add_node(graphs, likely, draw[:, turn, :3], len(FUNCTIONS))
            graph.add_connection(
                graphs, likely, rows.fold_in(4 + turn).uniform(1)[:, 0], weight[:, turn]
            )
        return graphs

    def decode(self, genome: Genome, rows: Rows) -> Images:
        assert self.size is not None
        height, width = self.size
        points = points_of(self.size, genome.device)
        painted = _painted(genome, functional.pad(points, (0, -height * width % LANES)))
        return painted[..., : height * width].reshape(len(genome), OUTPUTS, height, width)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return graph.repaired(genome, INPUTS, OUTPUTS, len(FUNCTIONS), BOUND)

    def at(self, size: tuple[int, int]) -> Cppn:
        return Cppn(size, self.hidden, self.first)

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        return genome


def _painted(graphs: Tensor, points: Tensor) -> Tensor:
    """Colours [m, 3, points] in [0, 1] of `graphs` at `points` [4, points].

    Nodes are computed level by level for all graphs together. Within a level those of one function stand in one
    run, so that a function is one operation on a slice; a node's sum over its connections is a weighted bag of rows.
    """
    size = graphs.shape[1]
    weights = graphs[..., graph.WEIGHTS :]
    linked = weights != 0
    level = _levels(linked)
    level[:, size - OUTPUTS :] = size  # the colours come last, those without a connection too
    used = _used(linked)
    used[:, :INPUTS] = False
    which, node = used.nonzero(as_tuple=True)
    depth, kind = (
        level[which, node],
        graphs[which, node, graph.FUNCTION].long().clamp_(0, len(FUNCTIONS) - 1),
    )
    order = (depth * len(FUNCTIONS) + kind).argsort(stable=True)
    which, node, depth, kind = which[order], node[order], depth[order], kind[order]

    # where the values of each node stand in `table`; the inputs are the same for all graphs
    row = torch.arange(size, device=graphs.device).expand(len(graphs), size).clone()
    row[which, node] = INPUTS + torch.arange(len(which), device=graphs.device)
    sums, source = linked[which, node].nonzero(as_tuple=True)
    weight = weights[which[sums], node[sums], source]
    first = torch.searchsorted(sums, torch.arange(len(which) + 1, device=graphs.device))
    bags = row[which[sums], source]

    table = torch.empty(INPUTS + len(which), points.shape[1], device=graphs.device)
    table[:INPUTS] = points
    starts = _runs(depth, kind)
    # one transfer for the whole population; what follows is launched without asking the device anything
    plan = torch.stack([depth[starts], kind[starts], starts]).tolist()
    edges = first.tolist()
    levels: dict[int, list[tuple[int, int]]] = {}
    for at, function, begin in zip(*plan, strict=True):
        levels.setdefault(at, []).append((function, begin))
    begins = [begin for runs in levels.values() for _, begin in runs] + [len(which)]
    place = 0
    for runs in levels.values():
        begin, end = begins[place], begins[place + len(runs)]
        links = slice(edges[begin], edges[end])
        found = functional.embedding_bag(
            bags[links],
            table,
            first[begin:end] - edges[begin],
            mode="sum",
            per_sample_weights=weight[links],
        )
        for function, low in runs:
            place += 1
            FUNCTIONS[function](
                found[low - begin : begins[place] - begin],
                table[INPUTS + low : INPUTS + begins[place]],
            )
    colours = table[row[:, size - OUTPUTS :].flatten()]
    return colours.add_(1.0).mul_(0.5).clamp_(0.0, 1.0).view(len(graphs), OUTPUTS, points.shape[1])


def _levels(linked: Tensor) -> Tensor:
    """How many nodes the longest way from an input to each node has, [m, N]."""
    level = torch.zeros(linked.shape[:2], dtype=torch.int64, device=linked.device)
    for _ in range(linked.shape[1]):
        further = torch.where(linked, level[:, None, :] + 1, 0).amax(2)
        if torch.equal(further, level):
            break
        level = further
    return level


def _used(linked: Tensor) -> Tensor:
    """Which nodes some way leads from to a colour, [m, N]."""
    used = torch.zeros(linked.shape[:2], dtype=torch.bool, device=linked.device)
    used[:, -OUTPUTS:] = True
    for _ in range(linked.shape[1]):
        more = used | (linked & used[:, :, None]).any(1)
        if torch.equal(more, used):
            break
        used = more
    return used


def _runs(depth: Tensor, kind: Tensor) -> Tensor:
    """Where a new function or level begins in sorted nodes."""
    new = torch.ones(len(depth), dtype=torch.bool, device=depth.device)
    new[1:] = (depth[1:] != depth[:-1]) | (kind[1:] != kind[:-1])
    return new.nonzero()[:, 0]
