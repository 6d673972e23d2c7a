"""Rows after select, fold_in, repeat and split, and the targets of a bound objective."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from small_worlds import rows_of

from synth.core import BoundObjective, Readout, Rows, Target, ones


def test_select_takes_items_and_keys_together() -> None:
    rows = rows_of(5, "a")
    for index in (
        torch.tensor([4, 0, 0]),
        slice(1, 3),
        torch.tensor([True, False, False, True, False]),
    ):
        part = rows.select(index)
        assert torch.equal(part.item, rows.item[index])
        assert torch.equal(part.key, rows.key[index])
        assert len(part) == len(rows.item[index])


def test_repeat_keeps_keys_and_split_makes_one_for_each() -> None:
    rows = rows_of(3)
    repeated, split = rows.repeat(4), rows.split(4)
    expected = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert repeated.item.tolist() == split.item.tolist() == expected
    assert torch.equal(repeated.key, rows.key[torch.tensor(expected)])
    assert len(set(split.key.tolist())) == 12
    assert torch.equal(repeated.uniform(2)[0], repeated.uniform(2)[3])
    assert len(split.uniform().unique()) == 12


def test_fold_changes_every_key_and_no_item() -> None:
    rows = rows_of(6)
    keys = [
        rows.key,
        *(rows.fold_in(number).key for number in range(5)),
        rows.fold_in(1).fold_in(2).key,
    ]
    assert len(torch.cat(keys).unique()) == 6 * len(keys)
    assert torch.equal(rows.fold_in(3).item, rows.item)
    assert torch.equal(rows.fold_in(3).key, rows_of(6).fold_in(3).key)


def test_a_population_draws_from_other_streams_than_steps_and_purposes() -> None:
    """A population of an item and the numbered streams of the item are both made from its key."""
    rows = rows_of(2)
    crowd = set(rows.split(500).key.tolist())
    assert not crowd & {key for number in range(500) for key in rows.fold_in(number).key.tolist()}


def test_identity_survives_fold_in_and_split() -> None:
    rows = rows_of(4)
    moved = rows.fold_in(7).split(3).select(torch.tensor([11, 0, 3])).fold_in(1).repeat(2)
    assert moved.identity.tolist() == rows.key[torch.tensor([3, 3, 0, 0, 1, 1])].tolist()
    assert torch.equal(rows.identity, rows.key)


@given(
    st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=6, unique=True),
    st.integers(0, 1000),
    st.integers(1, 5),
    st.data(),
)
def test_an_item_alone_draws_what_it_draws_in_a_batch(
    keys: list[int], number: int, crowd: int, data: st.DataObject
) -> None:
    rows = Rows(torch.arange(len(keys)), torch.tensor(keys))
    place = data.draw(st.integers(0, len(keys) - 1))
    alone = Rows(torch.tensor([place]), torch.tensor([keys[place]]))
    for draw in ("uniform", "normal"):
        batch = getattr(rows.fold_in(number).split(crowd), draw)(2, 3)
        part = getattr(alone.fold_in(number).split(crowd), draw)(2, 3)
        assert torch.equal(batch[place * crowd : (place + 1) * crowd], part)


def test_draws_have_the_shape_asked_for() -> None:
    rows = rows_of(3)
    assert rows.uniform().shape == (3,)
    assert rows.normal(2, 5).shape == (3, 2, 5)
    assert rows.select(slice(0, 0)).normal(4).shape == (0, 4)
    assert rows.uniform(2).dtype == torch.float32


class _Silent(BoundObjective):
    def __call__(self, readout: Readout) -> dict[str, torch.Tensor]:
        raise AssertionError("not read here")


def test_targets_go_by_item_and_one_serves_all() -> None:
    bound, rows = _Silent(), rows_of(3).select(torch.tensor([2, 0]))
    assert bound.target(rows) == [None, None]
    bound.items = [Target("a", 0), Target("b", 1), Target("c", 2)]
    assert [target.name for target in bound.target(rows) if target] == ["c", "a"]
    bound.items = bound.items[1:2]
    assert [target.name for target in bound.target(rows) if target] == ["b", "b"]


def test_the_cotangents_of_ascent_are_ones() -> None:
    assert torch.equal(ones(torch.rand(3, 2)), torch.ones(1, 3, 2))
