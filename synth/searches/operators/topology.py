"""Mutation of graphs: connections, nodes, functions and weights; `synth.graph` says how a graph is laid out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from synth.core import Rows, graph, randomness
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
class TopologyMutation:
    """Each change happens to a child with its own probability, as in Nguyen, Yosinski & Clune 2015.

    `add_connection`, `delete_connection`, `rewire`, `add_node`, `delete_node`, `change_function` are shares of the
    children; `weights` is the share of the connections whose weight moves by a normal step of deviation `sigma`.
    `functions` is how many functions a node may have.

    A share `bold` of the children changes as much as that. For each of the others a factor of all shares and of
    sigma is drawn between `gentlest` and 1, evenly on a logarithmic scale: bold children find new pictures, gentle
    ones finish them. In the paper all are bold, and here they are up to generation `settle`: a picture that is
    finished early stands in the way of better ones.
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
        for word in CHANGES:
            check_share(f"search.mutate.{word}", getattr(self, word))
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
        """The mutation of that generation, the first being 1."""
        return replace(self, bold=1.0) if generation <= self.settle else self

    def check(self, genome: Tensor) -> None:
        """Raises InputError where a genome [*shape] is no graph."""
        if genome.ndim != 2 or genome.shape[1] != genome.shape[0] + graph.WEIGHTS:
            raise InputError(
                "search.mutate=topology: changes graphs (encoding=cppn); for another encoding write another "
                "mutation, search/mutate=gaussian."
            )

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        graphs = genomes.flatten(0, 1).clone()
        size = graphs.shape[1]
        crowd = rows.split(genomes.shape[1])
        draw = crowd.fold_in(1).uniform(20)
        factor = torch.where(draw[:, 17] < self.bold, 1.0, self.gentlest ** draw[:, 16])
        happens = draw[:, :6] / factor[:, None]
        normal = crowd.fold_in(2).normal(1)[:, 0]
        # nodes go before they come, or the new one would often be the one that goes
        graph.delete_node(graphs, happens[:, 4] < self.delete_node, draw[:, 6])
        graph.delete_connection(graphs, happens[:, 1] < self.delete_connection, draw[:, 7])
        graph.rewire(graphs, happens[:, 2] < self.rewire, draw[:, 8:10])
        graph.add_node(graphs, happens[:, 3] < self.add_node, draw[:, 10:13], self.functions)
        graph.add_connection(graphs, happens[:, 0] < self.add_connection, draw[:, 13], normal)
        graph.change_function(
            graphs, happens[:, 5] < self.change_function, draw[:, 14:16], self.functions
        )
        weights = graphs[..., graph.WEIGHTS :]
        moved = weights + self._noise(
            crowd, size, factor if strength is None else factor * strength.flatten()
        )
        graphs[..., graph.WEIGHTS :] = torch.where(weights != 0, moved, weights)
        return graphs.view_as(genomes)

    def _noise(self, crowd: Rows, size: int, strength: Tensor) -> Tensor:
        """What is added to each weight, [m, N, N]: mostly nothing. `strength` [m] multiplies sigma."""
        if self.weights == 1.0:
            noise = crowd.fold_in(4).normal(size * size)
        else:
            noise = torch.zeros(len(crowd), size * size, device=crowd.key.device)
            if self.weights:
                places, inside = randomness.chosen(crowd.fold_in(3).key, size * size, self.weights)
                noise.scatter_add_(
                    1, places, randomness.normal(crowd.fold_in(4).key, places.shape[1]).mul_(inside)
                )
        return noise.mul_(self.sigma).view(len(crowd), size, size) * strength.view(-1, 1, 1)
