"""Evolving graphs against lists and a topological sort: every mutation leaves them legal."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from small_worlds import rows_of
from torch import Tensor

from synth.core import graph
from synth.errors import InputError
from synth.searches.operators.combined_mutation import Mixture, SelfAdaptive
from synth.searches.operators.mutation import GaussianMutation
from synth.searches.operators.topology import CHANGES, TopologyMutation

INPUTS, HIDDEN, OUTPUTS, FUNCTIONS, BOUND = 3, 4, 2, 5, 8.0
SIZE = INPUTS + HIDDEN + OUTPUTS
NAMES = (
    "add_connection",
    "delete_connection",
    "rewire",
    "add_node",
    "delete_node",
    "change_function",
)
SILENT = dict.fromkeys(CHANGES, 0.0)


def blank(count: int = 1) -> Tensor:
    return graph.blank(count, INPUTS, HIDDEN, OUTPUTS, torch.device("cpu"))


def links(item: Tensor) -> set[tuple[int, int]]:
    """The connections of a graph [N, 2 + N] as pairs from, to."""
    table = item.tolist()
    return {(i, j) for j in range(len(table)) for i in range(len(table)) if table[j][2 + i] != 0}


def present(item: Tensor) -> set[int]:
    return {node for node, row in enumerate(item.tolist()) if row[0] >= 0}


def assert_legal(item: Tensor) -> None:
    """No connection of an empty slot, no cycle (Kahn's sort ends), inputs and outputs in place."""
    nodes, edges = present(item), links(item)
    assert nodes >= {*range(INPUTS), *range(SIZE - OUTPUTS, SIZE)}
    assert all(i in nodes and j in nodes for i, j in edges)
    assert not [j for _, j in edges if j < INPUTS]
    assert not [i for i, _ in edges if i >= SIZE - OUTPUTS]
    waiting = {node: {i for i, j in edges if j == node} for node in nodes}
    while ready := [node for node, sources in waiting.items() if not sources]:
        for node in ready:
            del waiting[node]
        for sources in waiting.values():
            sources -= set(ready)
    assert not waiting, "a cycle"
    table = item.tolist()
    assert all(row[0] == round(row[0]) and -1 <= row[0] < FUNCTIONS for row in table)
    assert [row[1] for row in table[:INPUTS]] == [0.0] * INPUTS
    assert [row[1] for row in table[-OUTPUTS:]] == [1.0] * OUTPUTS
    assert all(0 < table[node][1] < 1 for node in nodes if INPUTS <= node < SIZE - OUTPUTS)


def changed(graphs: Tensor, name: str, draws: list[float], which: Tensor | None = None) -> Tensor:
    """A copy after one change, every graph drawing alike."""
    graphs, count = graphs.clone(), len(graphs)
    which = torch.ones(count, dtype=torch.bool) if which is None else which
    draw = torch.tensor(draws, dtype=torch.float32).repeat(count, 1)
    {
        "add_connection": lambda: graph.add_connection(graphs, which, draw[:, 0], draw[:, 1] - 0.5),
        "delete_connection": lambda: graph.delete_connection(graphs, which, draw[:, 0]),
        "rewire": lambda: graph.rewire(graphs, which, draw[:, :2]),
        "add_node": lambda: graph.add_node(graphs, which, draw, FUNCTIONS),
        "delete_node": lambda: graph.delete_node(graphs, which, draw[:, 0]),
        "change_function": lambda: graph.change_function(graphs, which, draw[:, :2], FUNCTIONS),
    }[name]()
    return graphs


chances = st.integers(0, (1 << 24) - 1).map(lambda number: number / (1 << 24))
changes = st.lists(
    st.tuples(st.sampled_from(NAMES), st.tuples(chances, chances, chances)), max_size=60
)


@given(changes)
def test_whatever_happens_a_graph_stays_legal(steps: list) -> None:
    after = blank()
    for name, draws in steps:
        before, after = after, changed(after, name, list(draws))
        assert_legal(after[0])
        old, new = links(before[0]), links(after[0])
        nodes, others = present(before[0]), present(after[0])
        if name == "add_connection":
            assert new >= old
            assert len(new - old) <= 1
        elif name == "delete_connection":
            assert new <= old
            assert len(old - new) == (1 if old else 0)
        elif name == "rewire":
            assert len(new) == len(old)
            assert len(old - new) <= 1
            weights = [
                sorted(value for row in item[0].tolist() for value in row[2:] if value)
                for item in (before, after)
            ]
            assert weights[0] == weights[1]  # the weight moves along
        elif name == "add_node":
            assert nodes <= others
            for node in others - nodes:
                ((start, end),) = old - new
                assert new - old == {(start, node), (node, end)}
                assert after[0, node, 2 + start] == 1.0
                assert after[0, end, 2 + node] == before[0, end, 2 + start]
            assert (others == nodes) == (new == old)
        elif name == "delete_node":
            gone = nodes - others
            assert len(gone) == min(1, len(nodes) - INPUTS - OUTPUTS)
            assert new == {pair for pair in old if not gone & set(pair)}
        else:
            assert (nodes, old) == (others, new)
            assert int((after != before).sum()) <= 1
            assert torch.equal(after[0, :INPUTS], before[0, :INPUTS])


@given(changes)
def test_a_change_leaves_the_graphs_that_it_is_not_for(steps: list) -> None:
    after = blank(3)
    for name, draws in steps:
        after = changed(after, name, list(draws), torch.tensor([True, False, True]))
    assert torch.equal(after[1], blank()[0])
    assert torch.equal(after[0], after[2])


@given(changes)
def test_a_legal_graph_needs_no_repair(steps: list) -> None:
    after = blank()
    for name, draws in steps:
        after = changed(after, name, list(draws))
    assert torch.equal(graph.repaired(after, INPUTS, OUTPUTS, FUNCTIONS, BOUND), after)


wild = st.floats(width=32) | st.sampled_from(
    [0.0, -0.0, 0.5, 1.0, -1.0, math.nan, math.inf, -math.inf, 1e38, 2.0**-149]
)


@given(st.lists(wild, min_size=1, max_size=40), st.integers(0, 1000))
def test_any_numbers_are_repaired_to_a_legal_graph(values: list[float], seed: int) -> None:
    picks = np.random.default_rng(seed).integers(len(values), size=(2, SIZE, SIZE + 2))
    given_ = torch.tensor(np.array(values, dtype=np.float32)[picks])
    weights = given_.clone()
    legal = graph.repaired(given_, INPUTS, OUTPUTS, FUNCTIONS, BOUND)
    assert torch.equal(given_.nan_to_num(), weights.nan_to_num())
    assert bool(legal.isfinite().all())
    assert float(legal[..., 2:].abs().max()) <= BOUND
    for item in legal:
        assert_legal(item)
    assert torch.equal(graph.repaired(legal, INPUTS, OUTPUTS, FUNCTIONS, BOUND), legal)
    for name in NAMES:
        for item in changed(legal, name, [0.3, 0.6, 0.9]):
            assert_legal(item)


def test_what_is_not_a_number_is_no_connection_and_what_is_too_much_is_cut() -> None:
    wrong = blank()
    wrong[0, -1, 2:5] = torch.tensor([math.nan, math.inf, -99.0])
    assert graph.repaired(wrong, INPUTS, OUTPUTS, FUNCTIONS, BOUND)[0, -1, 2:5].tolist() == [
        0.0,
        BOUND,
        -BOUND,
    ]


def test_a_full_graph_takes_no_more_nodes_and_splitting_without_end_stays_legal() -> None:
    after = changed(blank(), "add_connection", [0.0, 0.9, 0.0])
    for _ in range(HIDDEN + 3):
        after = changed(after, "add_node", [0.0, 0.5, 0.5])
    assert len(present(after[0])) == SIZE
    assert_legal(after[0])
    for _ in range(200):  # ever the same end of one chain, until places are neighbouring numbers
        after = changed(after, "delete_node", [0.999, 0.0, 0.0])
        after = changed(after, "add_connection", [0.5, 0.9, 0.0])
        after = changed(after, "add_node", [0.0, 0.0, 0.5])
        assert_legal(after[0])


def test_picked_is_uniform_over_what_there_is() -> None:
    mask = torch.tensor([[False, True, True, False, True, True, False]])
    count = 20_000
    draw = rows_of(1).uniform(count)[0]
    place, exists = graph.picked(mask.expand(count, -1), draw)
    assert bool(exists.all())
    counts = np.bincount(place, minlength=7)
    assert counts[[0, 3, 6]].sum() == 0
    assert stats.chisquare(counts[[1, 2, 4, 5]]).pvalue > 0.01
    ends = torch.tensor([0.0, 1.0 - 2.0**-24])
    assert graph.picked(mask.expand(2, -1), ends)[0].tolist() == [1, 5]
    place, exists = graph.picked(torch.zeros(2, 7, dtype=torch.bool), ends)
    assert exists.tolist() == [False, False]
    assert bool(((place >= 0) & (place < 7)).all())


# -- the mutation ---------------------------------------------------------------------------------


def grown(items: int, population: int, words: str = "grown", rounds: int = 12) -> Tensor:
    """Populations with several nodes and connections each, [items, population, N, 2 + N]."""
    graphs = blank(items * population).unflatten(0, (items, population))
    mutation = TopologyMutation(
        1.0, 0.1, 0.2, 0.6, 0.1, 0.3, 0.5, gentlest=1.0, functions=FUNCTIONS
    )
    for step in range(rounds):
        graphs = mutation(graphs, rows_of(items, words).fold_in(step))
    return graphs


def test_mutants_are_legal_and_their_parents_untouched() -> None:
    graphs = grown(4, 10)
    for item in graphs.flatten(0, 1):
        assert_legal(item)
    before = graphs.clone()
    TopologyMutation(*[1.0] * 7, functions=FUNCTIONS)(graphs, rows_of(4))
    assert torch.equal(graphs, before)


def test_no_rate_no_change() -> None:
    graphs = grown(3, 5)
    assert torch.equal(TopologyMutation(**SILENT)(graphs, rows_of(3)), graphs)
    still = TopologyMutation(**{**SILENT, "weights": 1.0}, gentlest=1.0, sigma=0.0)
    assert torch.equal(still(graphs, rows_of(3)), graphs)


@cache
def half_full() -> Tensor:
    """A graph with nodes, connections and room for more of both, [1, 1, N, 2 + N]."""
    crowd = grown(1, 100)[0]
    return next(
        item for item in crowd if len(present(item)) == SIZE - 2 and 5 < len(links(item)) < 12
    )[None, None]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rate", [0.2, 1.0])
def test_a_change_happens_to_its_share_of_the_children(name: str, rate: float) -> None:
    """From graphs where every change is possible; a node may draw the function that it has."""
    count, graphs = 4000, half_full()
    crowd = graphs.expand(1, count, -1, -1)
    mutants = TopologyMutation(**{**SILENT, name: rate}, gentlest=1.0, functions=FUNCTIONS)(
        crowd, rows_of(1, name)
    )
    moved = int((mutants != crowd).flatten(2).any(2).sum())
    expected = rate * (1 - 1 / FUNCTIONS) if name == "change_function" else rate
    if expected == 1.0:
        assert moved == count
    else:
        assert stats.binomtest(moved, count, expected).pvalue > 0.001


@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_weights_move_by_normal_steps_where_there_are_connections(rate: float) -> None:
    graphs = grown(2, 400)
    mutants = TopologyMutation(**{**SILENT, "weights": rate}, gentlest=1.0, sigma=0.25)(
        graphs, rows_of(2, "weights")
    )
    used = graphs[..., 2:] != 0
    step = (mutants - graphs)[..., 2:]
    assert torch.equal(mutants[..., :2], graphs[..., :2])
    assert bool((step[~used] == 0).all())
    moves = step[used]
    moves = moves[moves != 0].double().numpy()
    if rate < 1:
        assert stats.binomtest(moves.size, int(used.sum()), rate).pvalue > 0.001
    assert stats.kstest(moves / 0.25, "norm").pvalue > 0.01
    twice = TopologyMutation(**{**SILENT, "weights": rate}, gentlest=1.0, sigma=0.25)(
        graphs, rows_of(2, "weights"), torch.full((2, 400), 2.0)
    )
    torch.testing.assert_close((twice - graphs)[..., 2:], 2 * step, rtol=1e-4, atol=1e-6)


def test_items_are_mutated_as_alone() -> None:
    graphs, rows, part = grown(4, 6), rows_of(4), torch.tensor([2, 0])
    mutation = TopologyMutation(functions=FUNCTIONS)
    assert torch.equal(mutation(graphs, rows)[part], mutation(graphs[part], rows.select(part)))


@pytest.mark.parametrize("word", CHANGES)
@pytest.mark.parametrize("rate", [-0.1, 1.1, math.nan])
def test_rates_that_are_no_probability(word: str, rate: float) -> None:
    with pytest.raises(InputError, match=rf"\.{word}={rate}: (a probability|write a finite)"):
        TopologyMutation(**{word: rate})


def test_other_values_that_cannot_be() -> None:
    for sigma in (-1.0, math.nan, math.inf):
        with pytest.raises(InputError, match=rf"\.sigma={sigma}"):
            TopologyMutation(sigma=sigma)
    with pytest.raises(InputError, match=r"search\.mutate\.functions=0"):
        TopologyMutation(functions=0)


def test_pixels_are_no_graph_within_other_mutations_too() -> None:
    topology, pixels = TopologyMutation(), torch.zeros(3, 8, 8)
    for mutation in (topology, SelfAdaptive(topology), Mixture([GaussianMutation(), topology])):
        mutation.check(blank()[0])
        with pytest.raises(InputError, match=r"search/mutate=gaussian"):
            mutation.check(pixels)
    SelfAdaptive(GaussianMutation()).check(pixels)


def test_gentle_children_change_less() -> None:
    """The factor is log-uniform in [gentlest, 1]: log(factor) / log(gentlest) is uniform."""
    graphs, gentlest, sigma = grown(1, 60), 0.01, 0.5
    count = 3000
    crowd = graphs[:, 7:8].expand(1, count, -1, -1)
    mutation = TopologyMutation(
        **{**SILENT, "weights": 1.0}, bold=0.0, gentlest=gentlest, sigma=sigma
    )
    step = (mutation(crowd, rows_of(1, "gentle")) - crowd)[0, :, :, 2:][
        :, crowd[0, 0, :, 2:] != 0
    ].double()
    assert step.shape[1] > 4
    # E[factor^2] of a log-uniform factor in [g, 1] is (1 - g^2) / (-2 log g)
    law = (1 - gentlest**2) / (-2 * np.log(gentlest)) * sigma**2
    assert step.square().mean() == pytest.approx(law, rel=0.1)
    shares = step.square().mean(1).sqrt() / sigma  # near each child's factor
    assert (shares < 0.05).float().mean() == pytest.approx(
        np.log(0.05 / gentlest) / -np.log(gentlest), abs=0.08
    )
    for wrong in (0.0, 1.5, float("nan")):
        with pytest.raises(InputError, match="gentlest"):
            TopologyMutation(gentlest=wrong)


def test_all_are_bold_until_the_search_has_settled() -> None:
    mutation = TopologyMutation(bold=0.0, gentlest=0.5, settle=3)
    assert [mutation.at(generation).bold for generation in (1, 3, 4, 99)] == [1.0, 1.0, 0.0, 0.0]
    graphs = grown(2, 6)
    same = TopologyMutation(bold=0.7, gentlest=1.0)  # a factor of 1 either way
    assert torch.equal(same(graphs, rows_of(2)), TopologyMutation(bold=1.0)(graphs, rows_of(2)))
    with pytest.raises(InputError, match="settle"):
        TopologyMutation(settle=-1)
