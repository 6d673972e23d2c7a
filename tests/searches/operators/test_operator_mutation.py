"""Mutation of whole populations against DEAP's operators run one by one, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from console import CONF
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from scipy import stats
from small_worlds import rows_of
from torch import Tensor

from synth.config.building import build
from synth.core import Mutation, Rows
from synth.errors import InputError
from synth.searches.operators.combined_mutation import Mixture, SelfAdaptive
from synth.searches.operators.mutation import BitFlip, GaussianMutation, Polynomial
from synth.searches.operators.regional_mutation import Patch, Smooth
from synth.searches.operators.stock import StockMutation

MUTATIONS = {
    "gaussian": GaussianMutation(0.1, 0.3),
    "bit_flip": BitFlip(0.3),
    "polynomial": Polynomial(5.0, 0.3),
    "smooth": Smooth(0.1),
    "patch": Patch(0.1),
    "self_adaptive": SelfAdaptive(Smooth(0.2)),
    "mixture": Mixture([GaussianMutation(0.1, 0.5), Patch(), BitFlip(0.2)], [1, 2, 3]),
    "stock": StockMutation("mutGaussian", {"mu": 0, "sigma": 0.1, "indpb": 0.3}),
}


# -- gene by gene


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("strength", [None, 0.5, 1.0])
def test_bits_flip_as_deaps_do(rate: float, strength: float | None) -> None:
    genomes = (torch.rand(2, 100, 60, generator=torch.Generator().manual_seed(1)) < 0.4).float()
    strengths = None if strength is None else torch.full((2, 100), strength)
    ours = BitFlip(rate)(genomes, rows_of(2, rate), strengths)
    theirs = StockMutation("mutFlipBit", {"indpb": rate * (strength or 1.0)})(
        genomes, rows_of(2, "deap", rate)
    )
    for mutants in (ours, theirs):
        assert set(mutants.unique().tolist()) == {0.0, 1.0}
        flips = (mutants != genomes).flatten(0, 1).numpy()
        assert (
            stats.binomtest(int(flips.sum()), flips.size, rate * (strength or 1.0)).pvalue > 0.005
        )
        assert stats.chisquare(flips.sum(0) + 1e-9).pvalue > 0.005  # every gene alike
        assert (
            stats.chi2_contingency(
                [
                    [flips[genomes.flatten(0, 1).numpy() == bit].sum() for bit in (0, 1)],
                    [(genomes == bit).sum() for bit in (0, 1)],
                ]
            ).pvalue
            > 0.005
        )
    counts = [(mutants != genomes).sum(2).flatten().numpy() for mutants in (ours, theirs)]
    assert stats.ks_2samp(*counts).pvalue > 0.005


def test_bits_may_be_bool() -> None:
    genomes = torch.rand(2, 5, 3, 4, generator=torch.Generator().manual_seed(1)) < 0.5
    for rate in (0.0, 0.4, 1.0):
        for strength in (None, torch.full((2, 5), 0.5)):
            mutants = BitFlip(rate)(genomes, rows_of(2), strength)
            assert mutants.dtype == torch.bool
            assert torch.equal(
                mutants.float(), BitFlip(rate)(genomes.float(), rows_of(2), strength)
            )
    assert torch.equal(BitFlip(1.0)(genomes, rows_of(2)), ~genomes)


@pytest.mark.parametrize("eta", [0.0, 1.0, 20.0])
@pytest.mark.parametrize("rate", [0.3, 1.0])
@pytest.mark.parametrize(
    ("low", "high", "gene"), [(0.0, 1.0, 0.3), (-2.0, 0.5, 0.5), (-1.0, 1.0, -0.98)]
)
def test_polynomial_steps_are_deaps(
    eta: float, rate: float, low: float, high: float, gene: float
) -> None:
    genomes = torch.full((2, 60, 40), gene)
    arguments = {"eta": eta, "low": low, "up": high, "indpb": rate}
    ours = Polynomial(eta, rate, low, high)(genomes, rows_of(2, eta)).flatten()
    dense = Polynomial(eta, rate, low, high)(
        genomes, rows_of(2, "dense"), torch.ones(2, 60)
    ).flatten()
    theirs = StockMutation("mutPolynomialBounded", arguments)(
        genomes, rows_of(2, "deap", eta)
    ).flatten()
    for entry in (ours, dense):
        assert entry.min() >= np.float32(low)
        assert entry.max() <= np.float32(high)
        samples = [drawn.numpy().astype(np.float64) for drawn in (entry, theirs)]
        share = [np.mean(np.abs(sample - np.float32(gene)) > 1e-7) for sample in samples]
        assert abs(share[0] - share[1]) < 4 * (0.5 / entry.numel()) ** 0.5
        moves = [sample[np.abs(sample - np.float32(gene)) > 1e-7] for sample in samples]
        assert stats.ks_2samp(*moves).pvalue > 0.005


def test_polynomial_moves_what_lies_outside_onto_its_bounds() -> None:
    genomes = torch.tensor([-3.0, 9.0]).repeat(500)[None, None]
    mutants = Polynomial(5.0, 0.2)(genomes, rows_of(1))
    moved = mutants[mutants != genomes]
    assert 100 < len(moved) < 300
    assert moved.min() >= 0
    assert moved.max() <= 1


def test_strength_is_each_individuals_own() -> None:
    strength = torch.tensor([[0.0, 1.0, 2.0, 40.0]])
    start = torch.full((1, 4, 4000), 0.5)
    gauss = GaussianMutation(0.1, 0.25)(start, rows_of(1), strength) - start
    plain = GaussianMutation(0.1, 0.25)(start, rows_of(1)) - start
    torch.testing.assert_close(gauss, plain * strength[..., None], rtol=1e-3, atol=1e-5)
    for mutation in (Polynomial(5.0, 0.25), BitFlip(0.25)):
        share = (mutation(start * 0.2, rows_of(1), strength) != start * 0.2).double().mean(2)[0]
        assert share[0] == 0
        assert share[3] > 0.999  # a rate stops at 1
        for place, rate in ((1, 0.25), (2, 0.5)):
            assert abs(share[place] - rate) < 4 * (rate * (1 - rate) / 4000) ** 0.5
    pictures = torch.zeros(1, 4, 3, 16, 16)
    for mutation in (Smooth(0.1), Patch(0.1)):
        scaled = mutation(pictures, rows_of(1), strength)
        torch.testing.assert_close(
            scaled, mutation(pictures, rows_of(1)) * strength.view(1, 4, 1, 1, 1)
        )


# -- by regions


@pytest.mark.parametrize("cells", [1, 5, (2, 7)])
def test_smooth_noise_is_normal_and_smooth(cells) -> None:
    noise = Smooth(0.3, cells, window=1.0, edge=0.0)(
        torch.zeros(2, 1000, 2, 12, 20), rows_of(2, cells)
    ).flatten(0, 1)
    for y, x in ((0, 0), (5, 3), (11, 19), (6, 10)):
        assert stats.kstest(noise[:, 0, y, x].numpy() / 0.3, "norm").pvalue > 0.005
    assert (
        abs(np.corrcoef(noise[:, 0, 5, 5], noise[:, 1, 5, 5])[0, 1]) < 5 / 2000**0.5
    )  # channels are their own
    near, far = (np.corrcoef(noise[:, 0, 5, 5], noise[:, 0, 5, x])[0, 1] for x in (6, 19))
    assert near > 0.75
    if cells == 5:
        assert abs(far) < 5 / 2000**0.5
        spectrum = torch.fft.rfft(noise[:, 0], dim=2).abs().square().mean((0, 1))
        assert spectrum[6:].sum() < 0.02 * spectrum.sum()
    if cells == 1:
        torch.testing.assert_close(
            noise.amax((2, 3)), noise.amin((2, 3))
        )  # one shade for the whole picture


@pytest.mark.parametrize("edge", [0.0, 0.4])
def test_smooth_noise_stays_in_its_window(edge: float) -> None:
    moved = (Smooth(0.3, 3, (0.25, 0.5), edge)(torch.zeros(1, 800, 1, 16, 16), rows_of(1)) != 0)[
        0, :, 0
    ]
    down, across = moved.any(2), moved.any(1)
    assert torch.equal(moved, down[:, :, None] & across[:, None, :])  # a rectangle
    for lines in (down, across):
        lengths = lines.sum(1)
        assert lengths.max() <= 9
        assert int((lines.int().diff(dim=1) > 0).sum(1).max()) <= 1  # in one piece
        if edge == 0:
            assert lengths.min() >= 3
            middle = lines.float().mean(0)
            assert middle[7] > middle[0] > 0


@pytest.mark.parametrize("size", [(0.25, 0.75), 0.5, (0.0, 0.0)])
def test_a_patch_is_a_rectangle_of_one_colour(size) -> None:
    moves = Patch(0.2, size)(torch.zeros(2, 1000, 3, 8, 12), rows_of(2, size)).flatten(0, 1)
    moved = moves != 0
    assert (moved == moved[:, :1]).all()
    down, across = moved[:, 0].any(2), moved[:, 0].any(1)
    assert torch.equal(moved[:, 0], down[:, :, None] & across[:, None, :])
    for lines, side in ((down, 8), (across, 12)):
        assert int((lines.int().diff(dim=1) > 0).sum(1).max()) <= 1
        low, high = size if isinstance(size, tuple) else (size, size)
        lengths = lines.sum(1)
        assert lengths.min() == max(1, round(low * side))
        assert lengths.max() == max(1, round(high * side))
        if low == high:
            starts = np.bincount(lines.int().argmax(1), minlength=side - int(lengths[0]) + 1)
            assert stats.chisquare(starts).pvalue > 0.005  # every place alike
    colours = moves.sum((2, 3)) / moved.sum((2, 3))
    torch.testing.assert_close(colours.abs(), torch.full_like(colours, 0.2))
    codes = np.bincount(
        ((colours > 0).int() @ torch.tensor([1, 2, 4], dtype=torch.int32)).numpy(), minlength=8
    )
    assert stats.chisquare(codes).pvalue > 0.005  # all eight corners of the colour cube alike


def test_a_genome_of_one_axis_is_a_picture_of_height_one() -> None:
    for mutation in (Smooth(0.1, 4), Patch(0.1)):
        flat = mutation(torch.zeros(2, 5, 20), rows_of(2))
        assert torch.equal(flat, mutation(torch.zeros(2, 5, 1, 1, 20), rows_of(2)).flatten(2))
        assert (flat != 0).any(2).all()


# -- combined


def test_strengths_move_by_a_log_normal_factor_within_their_bounds() -> None:
    mutation = SelfAdaptive(GaussianMutation(), learning=0.3, least=0.5, most=2.0)
    assert mutation.self_adaptive
    strength = torch.ones(4, 2000)
    result = mutation.adapted(strength, rows_of(4, "strength"))
    assert stats.kstest(result.log().flatten().numpy() / 0.3, "norm").pvalue > 0.01
    for step in range(30):
        strength = mutation.adapted(strength, rows_of(4).fold_in(step))
    assert strength.min() == 0.5
    assert strength.max() == 2.0
    alone = mutation.adapted(strength[2:3], rows_of(4).select(slice(2, 3)))
    assert torch.equal(alone, mutation.adapted(strength, rows_of(4))[2:3])
    assert torch.equal(
        SelfAdaptive(GaussianMutation(), learning=0.0).adapted(strength, rows_of(4)), strength
    )


def test_self_adaptive_is_its_mutation() -> None:
    genomes, rows, strength = torch.rand(2, 4, 3, 5, 5), rows_of(2), torch.rand(2, 4)
    for mutation in (GaussianMutation(), Smooth(), Polynomial()):
        assert torch.equal(SelfAdaptive(mutation)(genomes, rows), mutation(genomes, rows))
        assert torch.equal(
            SelfAdaptive(mutation)(genomes, rows, strength), mutation(genomes, rows, strength)
        )


class Adds(Mutation):
    """A mutation that adds a number."""

    def __init__(self, number: float) -> None:
        self.number = number

    def __call__(self, genomes: Tensor, rows: Rows, strength: Tensor | None = None) -> Tensor:
        return genomes + self.number * (1 if strength is None else strength[..., None])


@pytest.mark.parametrize("shares", [None, [1, 2, 5], {"b": 2.0, "c": 5}, {"a": 0, "c": 3}])
def test_a_mixture_uses_its_mutations_by_their_shares(shares) -> None:
    of = {"a": Adds(1.0), "b": Adds(2.0), "c": Adds(3.0)}
    mutants = Mixture(list(of.values()) if isinstance(shares, list) else of, shares)(
        torch.zeros(2, 4000, 3), rows_of(2)
    )
    assert torch.equal(mutants.amin(2), mutants.amax(2))  # an individual uses one
    counts = np.bincount(mutants[..., 0].flatten().long(), minlength=4)[1:]
    law = {None: [1, 1, 1], list: [1, 2, 5]}.get(type(shares) if shares else None)
    law = np.array(law or [shares.get(name, 1) for name in of], dtype=float)
    assert counts[law == 0].sum() == 0
    assert stats.chisquare(counts[law > 0], law[law > 0] / law.sum() * counts.sum()).pvalue > 0.01
    strength = torch.full((2, 4), 10.0)
    assert Mixture(of, None)(torch.zeros(2, 4, 3), rows_of(2), strength).min() >= 10


# -- all


@pytest.mark.parametrize("name", MUTATIONS)
@given(
    people=st.integers(1, 5),
    shape=st.sampled_from([(1,), (7,), (3, 4), (2, 5, 3)]),
    strong=st.booleans(),
)
def test_items_are_alone_and_shapes_are_kept(
    name: str, people: int, shape: tuple[int, ...], strong: bool
) -> None:
    mutation, draws = MUTATIONS[name], torch.Generator().manual_seed(people)
    genomes = torch.rand(3, people, *shape, generator=draws)
    genomes = genomes.round() if name == "bit_flip" else genomes
    strength = torch.rand(3, people, generator=draws) + 0.5 if strong else None
    before, rows = genomes.clone(), rows_of(3, shape)
    mutants = mutation(genomes, rows, strength)
    assert torch.equal(genomes, before)  # parents are not written into
    assert mutants.shape == genomes.shape
    assert mutants.dtype == genomes.dtype
    assert mutants.isfinite().all()
    for part in (torch.tensor([2, 0]), torch.tensor([1])):
        some = None if strength is None else strength[part]
        assert torch.equal(mutants[part], mutation(genomes[part], rows.select(part), some))
    if name == "polynomial":
        assert mutants.min() >= 0
        assert mutants.max() <= 1


@pytest.mark.parametrize(
    "mutation",
    [
        GaussianMutation(0.3, 0.0),
        GaussianMutation(0.0, 0.5),
        BitFlip(0.0),
        Polynomial(rate=0.0),
        Smooth(0.0),
        Patch(0.0),
        StockMutation("mutFlipBit", {"indpb": 0.0}),
    ],
)
def test_at_nothing_it_changes_nothing(mutation) -> None:
    genomes = torch.rand(2, 3, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(mutation(genomes, rows_of(2)), genomes)


@pytest.mark.parametrize(
    "mutation", [GaussianMutation(0.3, 1.0), BitFlip(1.0), Polynomial(2.0, 1.0)]
)
def test_at_rate_one_every_gene_mutates(mutation) -> None:
    genomes = torch.full((2, 3, 2, 6, 6), 0.25)
    assert (mutation(genomes, rows_of(2)) != genomes).all()


@pytest.mark.parametrize(
    "wrong",
    [
        *(lambda kind=kind: kind(rate=1.5) for kind in (GaussianMutation, BitFlip, Polynomial)),
        *(lambda kind=kind: kind(rate=-0.1) for kind in (GaussianMutation, BitFlip, Polynomial)),
        *(lambda kind=kind: kind(sigma=-1.0) for kind in (GaussianMutation, Smooth, Patch)),
        lambda: Polynomial(eta=-1.0),
        lambda: Polynomial(low=1.0, high=0.0),
        lambda: Smooth(cells=0),
        lambda: Smooth(cells=[4, 2]),
        lambda: Smooth(cells=[1, 2, 3]),
        lambda: Smooth(window=1.5),
        lambda: Smooth(edge=0.6),
        lambda: Patch(size=[-0.1, 0.5]),
        lambda: SelfAdaptive(BitFlip(), learning=-0.1),
        lambda: SelfAdaptive(BitFlip(), least=0.0),
        lambda: SelfAdaptive(BitFlip(), least=2.0, most=1.0),
        lambda: SelfAdaptive(SelfAdaptive(BitFlip())),
        lambda: Mixture([SelfAdaptive(BitFlip())]),
        lambda: Mixture([]),
        lambda: Mixture([BitFlip()], [1, 2]),
        lambda: Mixture([BitFlip()], [0]),
        lambda: Mixture({"flip": BitFlip()}, {"flop": 1}),
    ],
)
def test_mutations_that_cannot_be_are_refused(wrong) -> None:
    with pytest.raises(InputError, match=r"^search\.mutate\.[^\n]+: [^\n]+[.?]$"):
        wrong()


def test_patches_shrink_over_the_generations() -> None:
    patch, blank = (
        Patch(0.2, (0.1, 0.2), first=(0.6, 0.8), shrink=10),
        torch.zeros(1, 400, 3, 20, 20),
    )
    sides = []
    for generation in (1, 6, 11, 500):
        moved = SelfAdaptive(Mixture([patch])).at(generation)(blank, rows_of(1)) != 0
        sides.append(moved[0, :, 0].any(1).sum(1))
    assert (sides[0].min(), sides[0].max()) == (12, 16)
    assert (sides[1].min(), sides[1].max()) == (7, 10)  # half way: 0.35 to 0.5 of 20 pixels
    assert (sides[2].min(), sides[2].max()) == (2, 4)
    assert torch.equal(sides[2], sides[3])
    assert torch.equal(
        Patch(0.2, (0.1, 0.2)).at(3)(blank, rows_of(1)), Patch(0.2, (0.1, 0.2))(blank, rows_of(1))
    )
    with pytest.raises(InputError, match="shrink"):
        Patch(shrink=0)


def composed(name: str, *overrides: str) -> Mutation:
    """The mutation that a command line with `overrides` gives a genetic search."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        words = ["search=genetic", f"search/mutate={name}", *overrides]
        settings = compose("experiment", overrides=words).search
    return build(OmegaConf.to_container(settings, resolve=True), []).mutation


def test_a_mutation_is_chosen_within_a_mutation() -> None:
    inner = composed(
        "self_adaptive",
        "search/mutate@search.mutate.of=patch",
        "search.mutate.of.sigma=0.5",
    )
    assert isinstance(inner, SelfAdaptive)
    assert isinstance(inner.of, Patch)
    assert inner.of.sigma == 0.5
    more = composed(
        "mixture",
        "+search/mutate@search.mutate.of.gaussian=gaussian",
        "+search.mutate.shares.gaussian=3",
    )
    assert isinstance(more, Mixture)
    assert [type(part) for part in more.of] == [Smooth, Patch, GaussianMutation]
    assert more.shares == [0.2, 0.2, 0.6]
