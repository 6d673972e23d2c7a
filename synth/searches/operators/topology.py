"""Mutation of networks with evolving topology: connections, nodes, functions and weights.

`synth.core.graph` describes the tensors that represent such graphs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from synth.core import Genome, Mutation, Rows, graph, randomness
from synth.errors import InputError
from synth.searches.operators._ranges import check_deviation, check_share

CHANGES = (
    "add_connection",
    "delete_connection",
    "rewire",
    "add_node",
    "delete_node",
    "change_function",
    "weights",
)


@dataclass(frozen=True)
class TopologyMutation(Mutation):
    """Mutation of graphs as in Nguyen, Yosinski & Clune 2015: each change has its own probability.

    A share `bold` of the offspring mutates with the probabilities below. For each of the others a
    factor of all probabilities and of sigma is drawn log-uniformly between `gentlest` and 1: bold
    mutations find new images, gentle ones refine them. In the paper all are bold, and here they
    are up to generation `settle`: an image that is refined early stands in the way of better ones.

    Args:
        add_connection: share of the offspring that get a connection.
        delete_connection: share that lose a connection.
        rewire: share of which a connection moves.
        add_node: share that get a node.
        delete_node: share that lose a node.
        change_function: share of which a node changes its activation function.
        weights: share of the connections whose weight changes.
        sigma: standard deviation of a weight's change; a strength multiplies it.
        bold: share of the offspring that mutate as much as that.
        gentlest: the smallest factor of the others, in (0, 1].
        settle: the last generation in which all offspring are bold.
        functions: how many activation functions there are.

    Raises:
        InputError: for numbers out of range.
    """

    add_connection: float = 0.5
    delete_connection: float = 0.3
    rewire: float = 0.2
    add_node: float = 0.3
    delete_node: float = 0.2
    change_function: float = 0.2
    weights: float = 0.3
    sigma: float = 0.5
    bold: float = 1.0
    gentlest: float = 0.01
    settle: int = 0
    functions: int = 6

    def __post_init__(self) -> None:
        for word, share in asdict(self).items():
            if word in CHANGES:
                check_share(f"search.mutate.{word}", share)
        check_share("search.mutate.bold", self.bold)
        check_deviation("search.mutate.sigma", self.sigma)
        if not 0 < self.gentlest <= 1:
            raise InputError(
                f"search.mutate.gentlest={self.gentlest}: a factor lies above 0, and up to 1."
            )
        if self.settle < 0:
            raise InputError(f"search.mutate.settle={self.settle}: write 0 or more generations.")
        if self.functions < 1:
            raise InputError(f"search.mutate.functions={self.functions}: write 1 or more.")

    def at(self, generation: int) -> TopologyMutation:
        return self._bold if generation <= self.settle else self

    @cached_property
    def _bold(self) -> TopologyMutation:
        return replace(self, bold=1.0)

    def check(self, genome: Genome) -> None:
        if not graph.is_graph(genome):
            raise InputError(
                "search.mutate=topology: changes graphs (encoding=cppn); for another encoding "
                "write another mutation, search/mutate=gaussian."
            )

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        graphs = genomes.flatten(0, 1).clone()
        size = graphs.shape[1]
        individuals = rows.split(genomes.shape[1])
        draw = individuals.fold_in(1).uniform(20)
        factor = torch.where(draw[:, 17] < self.bold, 1.0, self.gentlest ** draw[:, 16])
        happens = draw[:, :6] / factor[:, None]
        normal = individuals.fold_in(2).normal(1)[:, 0]
        # nodes are deleted before others are added, or the new one would often be deleted again
        changes = (
            (graph.delete_node, self.delete_node, 4, (draw[:, 6],)),
            (graph.delete_connection, self.delete_connection, 1, (draw[:, 7],)),
            (graph.rewire, self.rewire, 2, (draw[:, 8:10],)),
            (graph.add_node, self.add_node, 3, (draw[:, 10:13], self.functions)),
            (graph.add_connection, self.add_connection, 0, (draw[:, 13], normal)),
            (graph.change_function, self.change_function, 5, (draw[:, 14:16], self.functions)),
        )
        for mutation, share, place, draws in changes:
            graph.change(mutation, graphs, happens[:, place] < share, *draws)
        weights = graphs[..., graph.WEIGHTS :]
        scale = factor if strength is None else factor * strength.flatten()
        moved = weights + self._noise(individuals, size, scale)
        graphs[..., graph.WEIGHTS :] = torch.where(weights != 0, moved, weights)
        return graphs.view_as(genomes)

    def _noise(self, individuals: Rows, size: int, strength: Tensor) -> Tensor:
        """The noise added to each weight, [m, N, N], mostly 0; `strength` [m] multiplies sigma."""
        if self.weights == 1.0:
            noise = individuals.fold_in(4).normal(size * size)
        else:
            noise = torch.zeros(len(individuals), size * size, device=individuals.key.device)
            if self.weights:
                keys = individuals.fold_in(3).key
                places, inside = randomness.chosen(keys, size * size, self.weights)
                steps = randomness.normal(individuals.fold_in(4).key, places.shape[1]).mul_(inside)
                noise.scatter_add_(1, places, steps)
        return noise.mul_(self.sigma).view(len(individuals), size, size) * strength.view(-1, 1, 1)
