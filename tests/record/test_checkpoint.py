"""Checkpoint files: exact, and safe from damage by disks and kills."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from synth.errors import InputError
from synth.record import atomic
from synth.record.checkpoint import Checkpoint


@pytest.fixture
def saved(tmp_path: Path) -> Checkpoint:
    """A checkpoint that was saved twice."""
    checkpoint = Checkpoint(tmp_path)
    for number in (1, 2):
        weights = torch.full((1000,), float(number))
        checkpoint.save({"weights": weights}, {"number": number})
    return checkpoint


def number_of(checkpoint: Checkpoint) -> int:
    content = checkpoint.load()
    assert content is not None
    tensors, about = content
    assert torch.equal(tensors["weights"], torch.full((1000,), float(about["number"])))
    return about["number"]


def test_tensors_and_numbers_come_back_exactly(tmp_path: Path) -> None:
    shared = torch.rand(3, 4)
    tensors = {
        "scalar": torch.tensor(2.5),
        "half": torch.rand(5).half(),
        "bfloat": torch.rand(2, 2).bfloat16(),
        "empty": torch.zeros(0, 3),
        "special": torch.tensor([torch.nan, -torch.inf, -0.0]),
        "mask": torch.tensor([True, False]),
        "counter": torch.tensor(2**40),
        "channels_last": torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "shared": shared,
        "view": shared[1:],
    }
    about = {"rate": 0.1 + 0.2, "tiny": 5e-324, "large": 2**70, "none": None, "text": "é 漢"}
    checkpoint = Checkpoint(tmp_path, "part")
    checkpoint.save(tensors, about)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint_part.safetensors"]
    loaded, record = checkpoint.load() or ({}, {})
    assert record == about
    assert (checkpoint.about() or {}).items() >= about.items()
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype, name
        assert loaded[name].shape == tensor.shape, name
        equal = torch.equal(loaded[name].nan_to_num(7), tensor.nan_to_num(7))
        assert equal, name
    assert torch.equal(loaded["special"].signbit(), tensors["special"].signbit())


def test_the_newest_is_loaded_and_the_previous_one_stays(saved: Checkpoint) -> None:
    assert number_of(saved) == 2
    saved.newest.unlink()
    assert number_of(saved) == 1
    saved.previous.unlink()
    assert saved.load() is None
    assert saved.about() is None


@pytest.mark.parametrize("length", [0, 10, 2000, -1])
def test_one_cut_short_falls_back_to_the_previous_with_a_warning(
    saved: Checkpoint, length: int, caplog: pytest.LogCaptureFixture
) -> None:
    saved.newest.write_bytes(saved.newest.read_bytes()[:length])
    assert number_of(saved) == 1
    assert f"{saved.newest} is damaged, cut short perhaps: going on from the one" in caplog.text


def test_one_flipped_bit_is_noticed(saved: Checkpoint) -> None:
    for pattern in (torch.full((4,), 2.0).numpy().tobytes(), b'number\\": 2'):
        content = saved.newest.read_bytes()
        damaged = bytearray(content)
        damaged[damaged.index(pattern) + len(pattern) - 1] ^= 1
        saved.newest.write_bytes(bytes(damaged))
        assert number_of(saved) == 1
        saved.newest.write_bytes(content)
    assert number_of(saved) == 2


def test_a_kill_between_the_two_renames_leaves_the_previous(saved: Checkpoint) -> None:
    saved.newest.rename(saved.folder / "checkpoint.next")
    assert number_of(saved) == 1


def test_nothing_whole_is_no_checkpoint_or_an_error_where_it_must_be_there(
    saved: Checkpoint, caplog: pytest.LogCaptureFixture
) -> None:
    for path in (saved.newest, saved.previous):
        path.write_bytes(b"PK")
    assert saved.load() is None
    assert f"{saved.previous} is damaged, cut short perhaps: going on from the beg" in caplog.text
    with pytest.raises(InputError, match="no checkpoint there is whole; delete them"):
        saved.load(required=True)


def test_a_full_disk_leaves_both_as_they_were(
    saved: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in saved.folder.iterdir()}

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(InputError, match=r"^folder=.*: the disk is full\. The last good check"):
        saved.save({"weights": torch.zeros(2)}, {"number": 3})
    first = Checkpoint(saved.folder, "part")
    with pytest.raises(
        InputError, match=r"is full\. No checkpoint had been written yet: free some"
    ):
        first.save({"weights": torch.zeros(2)}, {"number": 3})
    assert {path.name: path.read_bytes() for path in saved.folder.iterdir()} == before


def test_a_record_that_is_none_is_damage(saved: Checkpoint) -> None:
    for text in ("", "[]", "7", "[" * 100_000, '{"number"'):
        save_file({"weights": torch.zeros(2)}, saved.newest, {"synth": text})
        assert number_of(saved) == 1
    save_file({"weights": torch.zeros(2)}, saved.newest)
    assert number_of(saved) == 1
    assert (saved.about() or {})["number"] == 1


def test_numbers_that_are_not_finite_are_null(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save({}, {"score": [1.5, float("nan"), -float("inf")], "place": Path("a/b")})
    assert checkpoint.load() == ({}, {"score": [1.5, None, None], "place": "a/b"})


@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint.previous.pt"])
def test_one_of_an_earlier_version_is_refused_in_a_line(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(InputError) as refusal:
        Checkpoint(tmp_path).load()
    assert str(refusal.value) == (
        f"folder={tmp_path}: holds {name} of a training that was begun by an earlier version of "
        "synth and cannot be resumed; name another folder."
    )
    assert Checkpoint(tmp_path, "part").load() is None


def test_remove_deletes_every_file_of_its_own(saved: Checkpoint) -> None:
    own = [*saved.files, *(path.with_name(f"{path.name}.partial") for path in saved.files)]
    for path in own:
        path.touch()
    (saved.folder / "checkpoint.tar").touch()
    saved.remove()
    assert [path.name for path in saved.folder.iterdir()] == ["checkpoint.tar"]
