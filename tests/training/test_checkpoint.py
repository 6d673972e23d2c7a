"""Checkpoint files, damaged in the ways that disks and kills damage them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from synth.errors import InputError
from synth.training.checkpoint import Checkpoints


@pytest.fixture
def two(tmp_path: Path) -> Checkpoints:
    checkpoints = Checkpoints(tmp_path)
    for number in (1, 2):
        checkpoints.save({"number": number, "weights": torch.full((1000,), float(number))})
    return checkpoints


def test_the_newest_is_loaded_and_the_one_before_it_kept(two: Checkpoints) -> None:
    state = two.load()
    assert state is not None
    assert state["number"] == 2
    assert torch.load(two.previous, weights_only=True)["number"] == 1
    for path in (two.newest, two.previous):
        path.unlink()
    assert two.load() is None


@pytest.mark.parametrize("keep", [0, 10, 2000, -1])
def test_one_cut_short_falls_back_to_the_previous_and_says_so(
    two: Checkpoints, keep: int, caplog: pytest.LogCaptureFixture
) -> None:
    two.newest.write_bytes(two.newest.read_bytes()[:keep])
    state = two.load()
    assert state is not None
    assert state["number"] == 1
    assert f"{two.newest} is cut short" in caplog.text


def test_one_flipped_bit_is_noticed(two: Checkpoints) -> None:
    data = bytearray(two.newest.read_bytes())
    place = data.index(torch.full((4,), 2.0).numpy().tobytes())
    data[place + 2] ^= 1
    two.newest.write_bytes(bytes(data))
    state = two.load()
    assert state is not None
    assert state["number"] == 1


def test_a_kill_between_the_two_renames_leaves_the_previous(two: Checkpoints) -> None:
    two.newest.unlink()
    state = two.load()
    assert state is not None
    assert state["number"] == 1


def test_nothing_whole_is_an_error(two: Checkpoints) -> None:
    for path in (two.newest, two.previous):
        path.write_bytes(b"PK")
    with pytest.raises(InputError, match="no checkpoint there is whole"):
        two.load()
