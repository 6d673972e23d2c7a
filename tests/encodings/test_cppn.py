"""CPPNs of evolving topology, against plain Python that evaluates one graph at one point."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from console import Synth
from hypothesis import given
from hypothesis import strategies as st
from small_worlds import rows_of
from torch import Tensor

from synth.core import graph
from synth.encodings.cppn import BOUND, FUNCTIONS, INPUTS, OUTPUTS, Cppn
from synth.errors import InputError
from synth.searches.operators.topology import TopologyMutation

pytest_plugins = "console_fixtures"

# the functions in the order of their numbers in a genome, written out independently
PLAIN = (
    lambda v: math.sin(math.pi * v),
    lambda v: math.cos(math.pi * v),
    lambda v: 2 / (1 + math.exp(-min(max(4 * v, -700), 700))) - 1,
    lambda v: 2 * math.exp(-4 * v * v) - 1,
    lambda v: min(max(v, -3.0), 3.0),
    lambda v: min(abs(v), 3.0),
)
SINE, COSINE, SIGMOID, GAUSSIAN, LINEAR, ABSOLUTE = range(6)
X, Y, DISTANCE, CONSTANT = range(4)


def plain_colours(genome: list[list[float]], x: float, y: float) -> list[float]:
    """The three colours of one graph at one point, by a recursion over its nodes with a cache."""
    values: dict[int, float] = {X: x, Y: y, DISTANCE: math.hypot(x, y), CONSTANT: 1.0}

    def value(node: int) -> float:
        if node not in values:
            total = sum(
                weight * value(i) for i, weight in enumerate(genome[node][2:]) if weight != 0
            )
            values[node] = PLAIN[int(genome[node][0])](total)
        return values[node]

    return [
        min(max((value(node) + 1) / 2, 0.0), 1.0)
        for node in range(len(genome) - OUTPUTS, len(genome))
    ]


def plain_picture(genome: Tensor, height: int, width: int) -> Tensor:
    short, rows = min(height, width), genome.double().tolist()
    points = [
        [
            plain_colours(rows, (2 * j + 1 - width) / short, (2 * i + 1 - height) / short)
            for j in range(width)
        ]
        for i in range(height)
    ]
    return torch.tensor(points).permute(2, 0, 1)


def grown(
    encoding: Cppn, count: int, rounds: int, words: str = "grown", sigma: float = 0.3
) -> Tensor:
    rows = rows_of(count, words)
    graphs = encoding.start(rows)
    for step in range(rounds):
        graphs = TopologyMutation(sigma=sigma)(graphs[:, None], rows.fold_in(50 + step))[:, 0]
        graphs = encoding.project(graphs, rows)
    return graphs


def graph_of(
    hidden: int, edges: list[tuple[int, int, float]], kinds: dict[int, tuple[int, float]]
) -> Tensor:
    """One graph of `edges` (from, to, weight) whose nodes have the `kinds` (function, place)."""
    genome = graph.blank(1, INPUTS, hidden, OUTPUTS, torch.device("cpu"))
    for node, (function, place) in kinds.items():
        genome[0, node, :2] = torch.tensor([function, place])
    for start, end, weight in edges:
        genome[0, end, 2 + start] = weight
    return genome


@pytest.mark.parametrize("rounds", [0, 5, 40])
@pytest.mark.parametrize("size", [(8, 8), (9, 13), (16, 8)])
def test_pictures_are_those_of_plain_python(size: tuple[int, int], rounds: int) -> None:
    encoding = Cppn(size, hidden=10)
    graphs = grown(encoding, 5, rounds)
    images = encoding.decode(graphs, rows_of(5))
    assert images.shape == (5, 3, *size)
    for genome, image in zip(graphs, images, strict=True):
        torch.testing.assert_close(
            image.double(), plain_picture(genome, *size).double(), rtol=0, atol=2e-4
        )


@given(st.integers(0, 10_000), st.sampled_from([0.3, 3.0, math.inf]))
def test_any_numbers_decode_to_what_plain_python_computes(seed: int, spread: float) -> None:
    """Any tensor, as from operators that know no graphs, decodes as its nearest legal graph."""
    encoding, draws = Cppn((8, 8), hidden=3, first=0), torch.Generator().manual_seed(seed)
    noise = torch.randn(2, 10, 12, generator=draws) * min(spread, 2.0)
    if spread == math.inf:
        noise[torch.rand(2, 10, 12, generator=draws) < 0.1] = math.nan
        noise[torch.rand(2, 10, 12, generator=draws) < 0.1] = -math.inf
    graphs = encoding.project(noise, rows_of(2))
    # steep functions would amplify the difference between float32 and float64
    graphs[..., 2:] = (graphs[..., 2:] * 0.2).clamp(-0.6, 0.6)
    images = encoding.decode(graphs, rows_of(2))
    for genome, image in zip(graphs, images, strict=True):
        torch.testing.assert_close(
            image.double(), plain_picture(genome, 8, 8).double(), rtol=0, atol=1e-3
        )


def test_each_function_by_its_formula() -> None:
    """An output whose only input is 2x - 0.3, on the middle row of an image of odd height."""
    for function, plain in enumerate(PLAIN):
        edges = [(X, 5, 2.0), (CONSTANT, 5, -0.3)]
        genome = graph_of(1, edges, dict.fromkeys((5, 6, 7), (function, 1.0)))
        red = Cppn((9, 9), hidden=1, first=0).decode(genome, rows_of(1))[0, 0, 4]
        expected = [min(max((plain(2 * (2 * j - 8) / 9 - 0.3) + 1) / 2, 0), 1) for j in range(9)]
        torch.testing.assert_close(red, torch.tensor(expected), rtol=0, atol=1e-5)
    assert len(FUNCTIONS) == len(PLAIN)


def test_nodes_without_a_path_to_a_colour_do_not_matter() -> None:
    encoding = Cppn((12, 12), hidden=6)
    bare = graph_of(6, [(X, 10, 1.0), (Y, 11, -0.7), (DISTANCE, 12, 1.5)], {})
    more = bare.clone()
    more[0, 4, :2], more[0, 5, :2] = torch.tensor([SINE, 0.4]), torch.tensor([GAUSSIAN, 0.6])
    more[0, 4, 2 + X], more[0, 5, 2 + 4], more[0, 5, 2 + Y] = 3.0, -2.0, 1.0
    assert torch.equal(encoding.decode(more, rows_of(1)), encoding.decode(bare, rows_of(1)))


def test_a_node_without_inputs_has_its_function_of_zero() -> None:
    genome = graph_of(
        1, [(4, 5, 1.0)], {4: (COSINE, 0.5), 5: (LINEAR, 1.0), 6: (COSINE, 1.0), 7: (GAUSSIAN, 1.0)}
    )
    image = Cppn((8, 8), hidden=1, first=0).decode(genome, rows_of(1))
    # cos 0 = 1 by a connection, cos 0 and exp 0 directly
    assert torch.equal(image, torch.ones_like(image))


@pytest.mark.parametrize("size", [(8, 8), (9, 13), (11, 17), (64, 64)])
def test_a_graph_alone_is_as_in_any_batch_bit_for_bit(size: tuple[int, int]) -> None:
    encoding, rows = Cppn(size), rows_of(9)
    graphs = grown(encoding, 9, 25)
    whole = encoding.decode(graphs, rows)
    for part in ([4], [0, 8], [8, 3, 3, 1], [*range(9)][::-1]):
        index = torch.tensor(part)
        assert torch.equal(encoding.decode(graphs[index], rows.select(index)), whole[index])
    assert encoding.decode(graphs[:0], rows.select(slice(0))).shape == (0, 3, *size)


@pytest.mark.parametrize("size", [(8, 8), (10, 14)])
def test_an_image_three_times_as_large_contains_the_small_one(size: tuple[int, int]) -> None:
    """The centres of its pixels are among the centres of the larger one's."""
    small, rows = Cppn(size), rows_of(6)
    large = small.at((3 * size[0], 3 * size[1]))
    graphs = grown(small, 6, 15)
    assert torch.equal(small.transfer(graphs, large), graphs)
    torch.testing.assert_close(
        large.decode(graphs, rows)[..., 1::3, 1::3], small.decode(graphs, rows), rtol=0, atol=2e-6
    )


def test_twice_as_large_a_picture_averages_to_the_small_one_where_it_is_smooth() -> None:
    genome = graph_of(
        1,
        [(X, 5, 0.5), (Y, 6, 0.4), (X, 7, 0.3), (Y, 7, -0.2)],
        dict.fromkeys((5, 6, 7), (SINE, 1.0)),
    )
    small, large = Cppn((32, 32), 1, 0), Cppn((64, 64), 1, 0)
    means = torch.nn.functional.avg_pool2d(large.decode(genome, rows_of(1)), 2)
    torch.testing.assert_close(means, small.decode(genome, rows_of(1)), rtol=0, atol=1e-3)


def test_the_distance_gives_rings_and_abs_x_a_mirror_symmetry() -> None:
    kinds = {4: (ABSOLUTE, 0.3), 5: (GAUSSIAN, 1.0), 6: (SIGMOID, 1.0), 7: (SINE, 1.0)}
    edges = [(DISTANCE, 5, 1.5), (X, 4, 1.0), (4, 6, 2.0), (Y, 6, 1.0), (X, 7, 1.0)]
    for size in ((12, 12), (9, 16)):
        red, green, blue = Cppn(size, hidden=1, first=0).decode(
            graph_of(1, edges, kinds), rows_of(1)
        )[0]
        assert torch.equal(red, red.flip(0))
        assert torch.equal(red, red.flip(1))
        assert torch.equal(green, green.flip(1))
        assert not torch.equal(green, green.flip(0))
        torch.testing.assert_close(blue, 1 - blue.flip(1))  # a sine is odd
        if size == (12, 12):
            torch.testing.assert_close(red, red.T)
            torch.testing.assert_close(red, torch.rot90(red))


def test_first_genomes_are_simple_varied_and_legal() -> None:
    encoding, rows = Cppn((16, 16), hidden=8, first=3), rows_of(200)
    graphs = encoding.start(rows)
    assert torch.equal(encoding.project(graphs, rows), graphs)
    nodes = (graphs[:, INPUTS:-OUTPUTS, 0] >= 0).sum(1)
    assert int(nodes.max()) == 3
    assert int(nodes.min()) == 0
    assert bool((graphs[:, -OUTPUTS:, 2:] != 0).any(2).all())  # every colour has an input
    images = encoding.decode(graphs, rows)
    assert (images.flatten(2).std(2).amax(1) > 0.01).float().mean() > 0.8
    assert len(images.flatten(1).unique(dim=0)) > 190
    assert {0, 1, 2, 3, 4, 5} == set(graphs[:, -1, 0].int().tolist())
    index = torch.tensor([7, 3])
    assert torch.equal(encoding.start(rows.select(index)), graphs[index])
    assert int((Cppn((8, 8), hidden=1, first=0).start(rows)[:, INPUTS:-OUTPUTS, 0] >= 0).sum()) == 0


# the functions with a gradient, written out independently
SMOOTH = (
    lambda v: (math.pi * v).sin(),
    lambda v: (math.pi * v).cos(),
    lambda v: (2 * v).tanh(),
    lambda v: 2 * (-4 * v**2).exp() - 1,
    lambda v: v.clamp(-3, 3),
    lambda v: v.abs().clamp(max=3),
)


def node_by_node(genome: Tensor, size: tuple[int, int]) -> Tensor:
    """The colours of one graph [3, h, w] in float64, by a loop over its nodes in their order."""
    height, width = size
    short = min(size)
    y, x = torch.meshgrid(
        (2 * torch.arange(height, dtype=torch.float64) + 1 - height) / short,
        (2 * torch.arange(width, dtype=torch.float64) + 1 - width) / short,
        indexing="ij",
    )
    values = {X: x, Y: y, DISTANCE: (x**2 + y**2).sqrt(), CONSTANT: torch.ones_like(x)}
    for node in genome[:, graph.PLACE].argsort(stable=True).tolist():
        if node not in values:
            sums = torch.zeros_like(x)
            for source in (genome[node, graph.WEIGHTS :] != 0).nonzero()[:, 0].tolist():
                sums = sums + genome[node, graph.WEIGHTS + source] * values[source]
            values[node] = SMOOTH[int(genome[node, graph.FUNCTION])](sums)
    colours = torch.stack([values[node] for node in range(len(genome) - OUTPUTS, len(genome))])
    return ((colours + 1) / 2).clamp(0, 1)


def test_the_gradient_is_that_of_a_loop_over_the_nodes() -> None:
    size = 9, 12
    genomes = grown(Cppn(size), 12, 30)
    with torch.inference_mode():  # what is kept from it has to serve for gradients too
        Cppn(size).decode(genomes, rows_of(12))
    assert bool((genomes[..., graph.FUNCTION].flatten().unique() == torch.arange(-1, 6)).all())
    cotangent = torch.randn(12, 3, *size, generator=torch.Generator().manual_seed(0))
    genomes.requires_grad_()
    images = Cppn(size).decode(genomes, rows_of(12))
    (gradient,) = torch.autograd.grad((images * cotangent).sum(), genomes)
    with torch.no_grad():
        assert torch.equal(images, Cppn(size).decode(genomes, rows_of(12)))
    # nodes and functions have none, nor have connections that there are not
    weights = genomes.detach()[..., graph.WEIGHTS :]
    assert not gradient[..., : graph.WEIGHTS].any()
    assert not gradient[..., graph.WEIGHTS :][weights == 0].any()
    for place, genome in enumerate(genomes.detach().double()):
        genome.requires_grad_()
        expected = (node_by_node(genome, size) * cotangent[place]).sum()
        (reference,) = torch.autograd.grad(expected, genome)
        torch.testing.assert_close(gradient[place].double(), reference, rtol=1e-3, atol=1e-3)


def test_extreme_weights_are_finite_on_extreme_shapes() -> None:
    graphs = grown(Cppn((8, 8)), 20, 60)
    graphs[..., 2:] = graphs[..., 2:].sign() * BOUND
    for size in ((8, 8), (8, 4096)):
        images = Cppn(size).decode(graphs, rows_of(20))
        assert bool(images.isfinite().all())
        assert 0 <= float(images.min()) <= float(images.max()) <= 1


def test_wrong_settings_are_refused() -> None:
    for wrong, message in (
        (lambda: Cppn(hidden=0), "encoding.hidden=0"),
        (lambda: Cppn(first=-1), "encoding.first=-1"),
        (lambda: Cppn(hidden=2, first=3), "encoding.first=3"),
        (lambda: Cppn(size=4), "encoding.size=4"),
    ):
        with pytest.raises(InputError, match=message):
            wrong()


# a command line: what its one line of complaint must contain
TYPED = {
    "recipe=map_elites encoding=pixels": [
        "search.mutate=topology",
        "encoding=cppn",
        "search/mutate=gaussian",
    ],
    "recipe=fooling_cppn encoding=pixels": ["search.mutate=topology", "search/mutate=gaussian"],
    "recipe=map_elites objective.terms.class.target=random": [
        "target=random",
        "write their names, or all",
    ],
    "recipe=map_elites objective@objective.terms.class=class_logit target=[lemon,teapot]": [
        "every_class",
        "2 items",
    ],
    "recipe=map_elites search.batch=0": ["search.batch=0"],
    "recipe=map_elites search.steps=0": ["search.steps=0"],
    "recipe=map_elites search.mutate.rewire=1.5": ["search.mutate.rewire=1.5"],
    "recipe=map_elites search.mutate.sigma=nan": ["search.mutate.sigma=nan"],
    "recipe=map_elites encoding.hidden=0": ["encoding.hidden=0"],
    "recipe=illumination objective.terms.niche.descriptors.bright=3": [
        "descriptors.bright",
        "brightness",
    ],
    "recipe=illumination objective.terms.niche.descriptors.detail=0": ["descriptors.detail=0"],
    "recipe=fooling_cppn search.population=0": ["search.population=0"],
    "recipe=fooling_cppn search.population=-1": ["search.population=-1"],
    "recipe=fooling_cppn search/survive=coma": ["search/survive=coma", "comma"],
    "recipe=fooling_cppn search/survive=generational search.population=1": [
        "search.survive.elites=1",
        "population",
    ],
    "recipe=fooling_cppn search.islands=5": ["search.islands=5", "64"],
}


@pytest.mark.parametrize("typed", TYPED)
def test_mistyped(typed: str, synth: Synth, weights: Path) -> None:
    words = typed.split()
    if "descriptors.bright=" in typed:
        words[-1] = f"+{words[-1]}"
    line = synth(*words, f"network.weights={weights}", "folder=out", "device=cpu").complaint
    assert not [fragment for fragment in TYPED[typed] if fragment not in line], line
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "typed",
    [
        "recipe=fooling_cppn search.population=1 search.generations=2",
        "recipe=map_elites search.batch=1 search.steps=3 until=null",
        "recipe=map_elites search.batch=3 search.steps=2 search/mate=uniform "
        "search/mutate=self_adaptive search/mutate@search.mutate.of=topology",
        "recipe=map_elites encoding=pixels search/mutate=gaussian search.batch=4 search.steps=2",
    ],
)
def test_the_smallest_runs(typed: str, synth: Synth, weights: Path) -> None:
    ran = synth(
        *typed.split(),
        "target=[lemon,pizza]",
        f"network.weights={weights}",
        "folder=out",
        "device=cpu",
    )
    assert ran.code == 0, ran.err
    assert Path("out/index.html").is_file()
