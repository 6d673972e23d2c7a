"""What each node of a compositional pattern-producing network computes, as an image.

Both kinds of CPPN are read in one format, the graph of `synth.core.graph`: one of full layers is
turned into the graph that paints the same image.
"""

from __future__ import annotations

import torch
from torch import Tensor

from synth.core import Encoding, Genome, graph
from synth.encodings._points import INPUTS, points_of
from synth.encodings.cppn import FUNCTIONS, OUTPUTS, Cppn
from synth.encodings.cppn_weights import ACTIVATIONS, CppnWeights
from synth.errors import InputError
from synth.record.result import name_of

CONSTANT = INPUTS - 1  # the input that is 1
FUNCTION_NAMES = ("sine", "cosine", "sigmoid", "Gaussian", "linear", "absolute")
SINE, SIGMOID, GAUSSIAN, ABSOLUTE = 0, 2, 3, 5  # in FUNCTIONS
# The absolute value of a graph ends at 3; so much smaller inputs keep that of full layers below it.
SCALE = 1024.0


def graph_of(encoding: Encoding, genome: Genome) -> Tensor:
    """The graph of a CPPN.

    The functions of full layers are those of graphs but for scale and offset (exp(-v^2) is half of
    2 exp(-4 (v/2)^2) - 1, and a half), which go into the weights, so the image stays the same. Such
    weights may lie beyond the bound of those that evolve.

    Args:
        encoding: `Cppn` or `CppnWeights`.
        genome: one genome, [N, 2 + N] or [d].

    Returns:
        [N, 2 + N].

    Raises:
        InputError: for another encoding.
    """
    if isinstance(encoding, Cppn):
        return genome
    if isinstance(encoding, CppnWeights):
        return _graph_of_layers(encoding, genome)
    raise InputError(
        f"encoding={name_of(encoding)}: paints without nodes; write encoding=cppn or "
        "encoding=cppn_weights."
    )


def _graph_of_layers(encoding: CppnWeights, genome: Genome) -> Tensor:
    hidden = encoding.layers * encoding.width
    graphs = graph.blank(1, INPUTS, hidden, OUTPUTS, genome.device)[0]
    weights = graphs[:, graph.WEIGHTS :]
    # a unit's place in its layer, as the layer after it reads them: sorted by function
    order = [
        unit for kind in range(ACTIVATIONS) for unit in range(kind, encoding.width, ACTIVATIONS)
    ]
    functions = torch.tensor([SINE, GAUSSIAN, SIGMOID, ABSOLUTE], device=genome.device)
    inside = torch.tensor([1.0, 0.5, 0.5, 1 / SCALE], device=genome.device)
    outside = torch.tensor([1.0, 0.5, 1.0, SCALE], device=genome.device)
    offset = torch.tensor([0.0, 0.5, 0.0, 0.0], device=genome.device)
    kinds = torch.arange(encoding.width, device=genome.device) % ACTIVATIONS

    sources = slice(0, INPUTS - 1)
    gain, shift = torch.ones(INPUTS - 1, device=genome.device), torch.zeros(INPUTS - 1)
    shift = shift.to(genome.device)
    for layer, part in enumerate(encoding.matrices(genome[None])):
        matrix = part[0]
        last = layer == encoding.layers
        first = INPUTS + layer * encoding.width
        nodes = slice(first, first + len(matrix))
        scale = torch.full((OUTPUTS,), 0.25, device=genome.device) if last else inside[kinds]
        weights[nodes, sources] = scale[:, None] * matrix[:, :-1] * gain
        weights[nodes, CONSTANT] = scale * (matrix[:, -1] + matrix[:, :-1] @ shift)
        if last:
            graphs[nodes, graph.FUNCTION] = SIGMOID
            break
        graphs[nodes, graph.FUNCTION] = functions[kinds].float()
        graphs[nodes, graph.PLACE] = (layer + 1) / (encoding.layers + 1)
        # slots in the order in which the next layer reads its inputs
        graphs[nodes] = graphs[nodes][order]
        gain, shift = outside[kinds][order], offset[kinds][order]
        sources = nodes
    return graphs


def used_nodes(graphs: Tensor) -> Tensor:
    """Which nodes of a graph [N, 2 + N] lead to a colour; bool [N]."""
    links = graphs[:, graph.WEIGHTS :] != 0
    used = torch.zeros(len(graphs), dtype=torch.bool, device=graphs.device)
    used[-OUTPUTS:] = True
    for _ in range(len(graphs)):
        further = used | links[used].any(0)
        if torch.equal(further, used):
            break
        used = further
    return used


def levels(graphs: Tensor) -> list[int]:
    """The number of connections on the longest path from an input to each node of a graph.

    0 for inputs and for nodes without connections; the colours are all on the last level.
    """
    links = (graphs[:, graph.WEIGHTS :] != 0).tolist()
    level = [0] * len(graphs)
    for node in graphs[:, graph.PLACE].argsort(stable=True).tolist():
        below = [level[source] for source, linked in enumerate(links[node]) if linked]
        level[node] = 1 + max(below) if below else 0
    highest = max(level)
    level[-OUTPUTS:] = [highest] * OUTPUTS
    return level


def node_images(graphs: Tensor, size: tuple[int, int]) -> Tensor:
    """The value of every node at every pixel, before colours are scaled to [0, 1].

    Args:
        graphs: one graph, [N, 2 + N].
        size: height and width.

    Returns:
        [N, h, w]: coordinates of inputs, values of hidden nodes and colours from -3 to 3, and 0 of
        empty slots.
    """
    points = points_of(size, graphs.device)
    values = torch.zeros(len(graphs), points.shape[1], device=graphs.device)
    values[:INPUTS] = points
    functions = graphs[:, graph.FUNCTION].long().tolist()
    for node in graphs[:, graph.PLACE].argsort(stable=True).tolist():
        if node >= INPUTS and functions[node] >= 0:
            total = graphs[node, graph.WEIGHTS :] @ values
            FUNCTIONS[functions[node]](total, values[node])
    return values.view(-1, *size)
