"""Splits by content: near their shares, the same for the same picture, refused where wrong."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from synth.datasets.splits import checked, split_of, splits_from
from synth.errors import InputError


def test_splits_have_their_shares_and_stay() -> None:
    digests = [hashlib.sha256(str(number).encode()).digest() for number in range(4000)]
    shares = splits_from("train=8, validation=1, test=1")
    counts = Counter(split_of(digest, shares) for digest in digests)
    assert counts["train"] == pytest.approx(3200, abs=110)
    assert counts["test"] == pytest.approx(400, abs=80)
    # a larger first split takes from the others and gives nothing
    larger = splits_from("train=0.9,test=0.1")
    assert all(
        split_of(digest, larger) == "train"
        for digest in digests
        if split_of(digest, shares) == "train"
    )
    assert split_of(b"\xff" * 32, shares) == "test"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train=x", "x is no number"),
        ("train=0.5,train=0.5", "twice"),
        ("train=0", "above 0"),
        ("train=nan", "above 0"),
        ("../up=1", "no name of a split"),
        ("", "no name of a split"),
        ("genomes=1", "no name of a split"),
    ],
)
def test_shares_that_are_none_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        splits_from(text)


def test_a_name_alone_takes_everything() -> None:
    assert splits_from("train") == checked({"train": 5})
