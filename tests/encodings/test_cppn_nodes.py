"""CPPNs as graphs: the nodes of both kinds paint what the encodings decode."""

from __future__ import annotations

import pytest
import torch

from synth.core import Rows, graph
from synth.encodings.cppn import Cppn
from synth.encodings.cppn_nodes import graph_of, levels, node_images, used_nodes
from synth.encodings.cppn_weights import CppnWeights
from synth.encodings.pixels import Pixels
from synth.errors import InputError

SIZE = (12, 16)
ROWS = Rows(torch.arange(4), torch.arange(4))


@pytest.mark.parametrize(("layers", "width"), [(1, 4), (3, 8), (2, 7)])
def test_full_layers_and_their_graph_decode_to_one_image(layers: int, width: int) -> None:
    encoding = CppnWeights(SIZE, layers, width)
    genomes = 2 * encoding.start(ROWS)
    graphs = torch.stack([graph_of(encoding, genome) for genome in genomes])
    images = Cppn(SIZE, hidden=layers * width, first=0).decode(graphs, ROWS)
    assert (images - encoding.decode(genomes, ROWS)).abs().max() < 1e-4
    assert graph.legal(graphs)[graphs[..., graph.WEIGHTS :] != 0].all()
    assert max(levels(graphs[0])) == layers + 1


def test_the_colours_among_the_nodes_are_those_of_the_image() -> None:
    encoding = Cppn(SIZE)
    genomes = encoding.start(ROWS)
    for genome, image in zip(genomes, encoding.decode(genomes, ROWS), strict=True):
        nodes = node_images(graph_of(encoding, genome), SIZE)
        assert torch.allclose((nodes[-3:] + 1).div(2).clamp(0, 1), image, atol=1e-5)
        assert nodes[~(genome[:, graph.FUNCTION] >= 0)].abs().max() == 0


def test_used_nodes_are_those_with_a_path_to_a_colour() -> None:
    graphs = graph.blank(1, 4, 3, 3, torch.device("cpu"))[0]
    graphs[4:7, graph.FUNCTION] = 0
    graphs[4:7, graph.PLACE] = torch.tensor([0.2, 0.5, 0.8])
    for end, start in ((4, 0), (5, 4), (9, 5), (6, 1)):  # the last leads to no colour
        graphs[end, graph.WEIGHTS + start] = 1.0
    assert used_nodes(graphs).nonzero()[:, 0].tolist() == [0, 4, 5, 7, 8, 9]
    assert levels(graphs)[:7] == [0, 0, 0, 0, 1, 2, 1]


def test_an_encoding_without_nodes_is_refused() -> None:
    with pytest.raises(InputError, match="paints without nodes; write encoding=cppn"):
        graph_of(Pixels(8), torch.zeros(3, 8, 8))
