"""Random numbers against SplitMix64 in integers, Box-Muller in doubles, and their laws."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from synth.core import randomness

WORD = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
# the first outputs of SplitMix64's reference implementation in C for the seed 1234567
PUBLISHED = (
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
)
words = st.integers(-(1 << 63), (1 << 63) - 1)


def mixed(word: int) -> int:
    """SplitMix64's output function in integers without a bound."""
    word &= WORD
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & WORD
    return word ^ (word >> 31)


def stream(seed: int, count: int) -> list[int]:
    return [mixed(seed + place * GOLDEN) for place in range(1, count + 1)]


def halves(seed: int, count: int) -> tuple[list[int], list[int]]:
    """The upper 24 bits of each hash, and the 24 below them but for the last 8."""
    draws = stream(seed, (count + 1) // 2)
    return [word >> 40 for word in draws], [(word >> 8) & 0xFFFFFF for word in draws]


def keys(count: int, seed: int = 1) -> torch.Tensor:
    return torch.tensor([randomness.key_of("keys", seed, place) for place in range(count)])


def test_the_reference_of_these_tests_is_splitmix64() -> None:
    assert tuple(stream(1234567, 5)) == PUBLISHED


@given(st.lists(words, min_size=1, max_size=9))
def test_mix_is_splitmix64(items: list[int]) -> None:
    assert [item & WORD for item in randomness.mix(torch.tensor(items)).tolist()] == [
        mixed(item) for item in items
    ]


@given(words, st.integers(0, 1 << 40))
def test_fold_is_what_it_says(key: int, number: int) -> None:
    expected = mixed(mixed(number + GOLDEN) ^ (key * 3 + GOLDEN))
    assert randomness.fold_in(torch.tensor([key]), number).item() & WORD == expected
    assert randomness.fold_in(torch.tensor([key]), torch.tensor([number])).item() & WORD == expected


@given(words, st.integers(1, 9))
def test_uniform_are_the_halves_of_the_hashes(key: int, count: int) -> None:
    first, second = halves(key, count)
    expected = [item / 2**24 for item in first + second][:count]
    assert randomness.uniform(torch.tensor([key]), count)[0].tolist() == expected


@given(words, st.integers(1, 9))
def test_normal_is_box_and_muller(key: int, count: int) -> None:
    first, second = (np.array(half, dtype=np.float64) for half in halves(key, count))
    radius, angle = np.sqrt(-2 * np.log((first + 1) / 2**24)), 2 * np.pi * second / 2**24
    expected = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
    np.testing.assert_allclose(
        randomness.normal(torch.tensor([key]), count)[0].numpy(), expected, atol=3e-5
    )


@given(words, st.integers(1, 200))
def test_coins_are_the_bits_of_the_hashes(key: int, count: int) -> None:
    bits = [
        bool(word >> place & 1) for word in stream(key, (count + 63) // 64) for place in range(64)
    ]
    assert randomness.coins(torch.tensor([key]), count)[0].tolist() == bits[:count]


def test_uniform_and_normal_follow_their_laws() -> None:
    uniform = randomness.uniform(keys(400), 501).double().flatten().numpy()
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert stats.kstest(uniform, "uniform").pvalue > 0.01
    normal = randomness.normal(keys(400), 501).double().flatten().numpy()
    assert stats.kstest(normal, "norm").pvalue > 0.01
    assert np.isfinite(normal).all()
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3)):
        spread = math.sqrt(stats.norm.moment(2 * power) / normal.size)
        assert abs((normal**power).mean() - moment) < 4 * spread


def test_across_keys_at_one_place_the_laws_hold_too() -> None:
    uniform = (
        randomness.uniform(torch.arange(20_000), 3).double().numpy()
    )  # neighbouring keys, the worst case
    for place in range(3):
        assert stats.kstest(uniform[:, place], "uniform").pvalue > 0.01
    assert abs(np.corrcoef(uniform[:-1, 0], uniform[1:, 0])[0, 1]) < 5 / math.sqrt(20_000)


def test_normals_of_a_pair_are_uncorrelated() -> None:
    normal = randomness.normal(keys(20_000), 4).double().numpy()
    table = np.corrcoef(np.concatenate([normal, normal**2], axis=1).T)
    assert np.abs(table - np.eye(8))[:4].max() < 5 / math.sqrt(20_000)


@given(
    st.lists(words, min_size=2, max_size=8, unique=True),
    st.integers(1, 40),
    st.randoms(use_true_random=False),
)
def test_a_row_draws_the_same_in_any_company(
    items: list[int], count: int, chance: random.Random
) -> None:
    order = list(range(len(items)))
    chance.shuffle(order)
    order = order[: max(1, len(order) // 2)]
    keys_of_all, part = torch.tensor(items), torch.tensor([items[place] for place in order])
    for draw in (randomness.uniform, randomness.normal, randomness.coins):
        assert torch.equal(draw(keys_of_all, count)[order], draw(part, count))
    for got, alone in zip(
        randomness.chosen(keys_of_all, count, 0.3), randomness.chosen(part, count, 0.3), strict=True
    ):
        assert torch.equal(got[order], alone)


def test_streams_of_different_folds_are_uncorrelated() -> None:
    own = keys(2_000)
    streams = [own, *(randomness.fold_in(own, number) for number in (0, 1, 2, 255, 1 << 32))]
    streams.append(randomness.fold_in(streams[1], 0))
    draws = np.stack([randomness.uniform(item, 20).double().flatten().numpy() for item in streams])
    assert np.abs(np.corrcoef(draws) - np.eye(len(streams))).max() < 5 / math.sqrt(draws.shape[1])


def test_folds_do_not_commute_or_collide() -> None:
    key = keys(1)
    pairs = [
        randomness.fold_in(randomness.fold_in(key, a), b).item()
        for a in range(40)
        for b in range(40)
    ]
    once = [randomness.fold_in(key, a).item() for a in range(1600)]
    assert len({*pairs, *once}) == 3200


def test_coins_are_fair_and_independent() -> None:
    coins = randomness.coins(keys(3_000), 130).double().numpy()
    each = coins.sum(0)
    assert stats.chisquare(np.stack([each, 3_000 - each]), axis=0).pvalue.min() > 0.01 / 130
    assert stats.binomtest(int(coins.sum()), coins.size).pvalue > 0.01
    table = np.corrcoef(coins.T) - np.eye(130)
    assert np.abs(table).max() < 5.5 / math.sqrt(3_000)


@pytest.mark.parametrize(("count", "rate"), [(50, 0.1), (30, 0.6), (7, 0.5), (400, 0.004)])
def test_chosen_counts_are_binomial_and_places_uniform(count: int, rate: float) -> None:
    draws = 12_000
    places, inside = randomness.chosen(keys(draws), count, rate)
    hits = np.zeros((draws, count), dtype=int)
    np.add.at(hits, (np.nonzero(inside.numpy())[0], places[inside].numpy()), 1)
    assert hits.max() == 1  # no place twice
    numbers = np.bincount(hits.sum(1), minlength=count + 1)
    expected = stats.binom.pmf(np.arange(count + 1), count, rate) * draws
    usual = expected >= 5
    observed, probable = list(numbers[usual]), list(expected[usual])
    if not usual.all():  # the rare counts together
        observed, probable = [*observed, numbers[~usual].sum()], [*probable, expected[~usual].sum()]
    assert stats.chisquare(observed, probable).pvalue > 0.01
    each = hits.sum(0)
    deviation = (each - draws * rate) / math.sqrt(draws * rate * (1 - rate))
    assert stats.kstest(deviation, "norm").pvalue > 0.01
    assert np.abs(deviation).max() < 5
    if count <= 50:  # neighbours are chosen independently, as in a Bernoulli process
        table = np.corrcoef(hits.T) - np.eye(count)
        assert np.abs(table).max() < 5.5 / math.sqrt(draws)


@given(words, st.integers(1, 300), st.floats(1e-6, 0.999))
def test_chosen_places_rise_and_stay_inside(key: int, count: int, rate: float) -> None:
    places, inside = randomness.chosen(torch.tensor([key]), count, rate)
    chosen = places[inside].tolist()
    assert chosen == sorted(set(chosen))
    assert 0 <= places.min() <= places.max() < count


def test_keys_are_those_of_blake2b_whatever_the_process() -> None:
    assert randomness.key_of("goldfish", 0) == randomness.key_of("goldfish", "0")
    assert randomness.key_of("a", "b") != randomness.key_of("ab")
    assert randomness.key_of() == int.from_bytes(
        bytes.fromhex("e4a6a0577479b2b4"), "little", signed=True
    )
