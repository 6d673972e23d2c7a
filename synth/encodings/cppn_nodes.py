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
        return _layers_of(encoding, genome)[0]
    raise InputError(
        f"encoding={name_of(encoding)}: paints without nodes; write encoding=cppn or "
        "encoding=cppn_weights."
    )


def places_of(encoding: Encoding, genome: Genome) -> Tensor:
    """Where in a genome the weight of each connection is, int64 [N, N], to and from; -1 for none.

    A graph of full layers has other weights than its genome, since the offsets of functions go
    into them, so a weight is changed in the genome, flattened, and not in the graph.

    Args:
        encoding: as of `graph_of`.
        genome: one genome.
    """
    if isinstance(encoding, CppnWeights):
        return _layers_of(encoding, genome)[1]
    size = len(genome)
    places = torch.arange(genome.numel(), device=genome.device).view(size, -1)
    linked = genome[:, graph.WEIGHTS :] != 0
    return torch.where(linked, places[:, graph.WEIGHTS :], -1)


def _layers_of(encoding: CppnWeights, genome: Genome) -> tuple[Tensor, Tensor]:
    """The graph of full layers, [N, 2 + N], and where its weights are, [N, N]."""
    hidden = encoding.layers * encoding.width
    device = genome.device
    graphs = graph.blank(1, INPUTS, hidden, OUTPUTS, device)[0]
    weights = graphs[:, graph.WEIGHTS :]
    places = torch.full((len(graphs), len(graphs)), -1, device=device)
    numbers = torch.arange(len(genome), device=device)
    # a unit's place in its layer, as the layer after it reads them: sorted by function
    order = [
        unit for kind in range(ACTIVATIONS) for unit in range(kind, encoding.width, ACTIVATIONS)
    ]
    functions = torch.tensor([SINE, GAUSSIAN, SIGMOID, ABSOLUTE], device=device)
    inside = torch.tensor([1.0, 0.5, 0.5, 1 / SCALE], device=device)
    outside = torch.tensor([1.0, 0.5, 1.0, SCALE], device=device)
    offset = torch.tensor([0.0, 0.5, 0.0, 0.0], device=device)
    kinds = torch.arange(encoding.width, device=device) % ACTIVATIONS

    sources = slice(0, INPUTS - 1)
    gain = torch.ones(INPUTS - 1, device=device)
    shift = torch.zeros(INPUTS - 1, device=device)
    layers = zip(encoding.matrices(genome[None]), numbers.split(encoding.lengths), strict=True)
    for layer, (part, own) in enumerate(layers):
        matrix = part[0]
        last = layer == encoding.layers
        first = INPUTS + layer * encoding.width
        nodes = slice(first, first + len(matrix))
        scale = torch.full((OUTPUTS,), 0.25, device=device) if last else inside[kinds]
        weights[nodes, sources] = scale[:, None] * matrix[:, :-1] * gain
        weights[nodes, CONSTANT] = scale * (matrix[:, -1] + matrix[:, :-1] @ shift)
        places[nodes, sources] = own.view(matrix.shape)[:, :-1]
        places[nodes, CONSTANT] = own.view(matrix.shape)[:, -1]
        if last:
            graphs[nodes, graph.FUNCTION] = SIGMOID
            break
        graphs[nodes, graph.FUNCTION] = functions[kinds].float()
        graphs[nodes, graph.PLACE] = (layer + 1) / (encoding.layers + 1)
        # slots in the order in which the next layer reads its inputs
        graphs[nodes] = graphs[nodes][order]
        places[nodes] = places[nodes][order]
        gain, shift = outside[kinds][order], offset[kinds][order]
        sources = nodes
    return graphs, places


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
