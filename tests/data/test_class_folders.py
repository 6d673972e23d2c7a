"""Class folders with pictures of all sizes and modes, broken, empty, misspelled."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, resize

from synth.data.class_folders import hold_out, read_class_folders, read_folder
from synth.errors import InputError


def test_pixels_labels_and_classes(colour_folders: Callable[..., Path]) -> None:
    folder = colour_folders(each=3, size=16)
    data = read_class_folders(folder, 16)
    assert data.classes == ("blue", "green", "red")
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert data.pictures.dtype == torch.uint8
    assert data.pictures.is_contiguous(memory_format=torch.channels_last)
    with Image.open(folder / "green/01.png") as image:
        assert np.array_equal(data.pictures[4].permute(1, 2, 0).numpy(), np.asarray(image))


def test_other_sizes_are_cropped_to_the_centre_and_resized(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    wide = np.random.default_rng(0).integers(60, 190, (20, 60, 3), np.uint8)
    Image.fromarray(wide).save(tmp_path / "a/wide.png")
    Image.fromarray(np.ascontiguousarray(wide.transpose(1, 0, 2))).save(tmp_path / "b/tall.png")
    data = read_class_folders(tmp_path, 10)
    pixels = torch.from_numpy(wide).permute(2, 0, 1)
    resized = resize(pixels, [10], InterpolationMode.BICUBIC, antialias=True)
    expected = center_crop(resized, [10, 10]).int()
    assert (data.pictures[0].int() - expected).abs().max() <= 2
    assert (data.pictures[1].int() - expected.transpose(1, 2)).abs().max() <= 2


def test_grey_deep_and_transparent_pictures_become_rgb(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.new("L", (8, 8), 90).save(tmp_path / "a/0_grey.png")
    Image.new("RGBA", (8, 8), (200, 0, 0, 0)).save(tmp_path / "a/1_clear.png")
    Image.fromarray(np.full((8, 8), 90 * 256, np.uint16)).save(tmp_path / "a/2_deep.png")
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.save(tmp_path / "a/3_palette.png", transparency=b"\xff\x00")
    Image.new("CMYK", (8, 8), (0, 0, 0, 0)).save(tmp_path / "a/4_print.jpg")
    grey, clear, deep, listed, printed = read_class_folders(tmp_path, 8).pictures
    assert (grey == 90).all()
    assert (clear == 255).all()
    assert (deep == 90).all()
    assert listed[:, 0, 0].tolist() == [10, 20, 30]
    assert (printed > 250).all()


def test_broken_files_are_left_out_by_name(
    colour_folders: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = colour_folders(each=4)
    (folder / "green/00.png").write_bytes(b"no picture")
    content = (folder / "red/02.png").read_bytes()
    (folder / "red/02.png").write_bytes(content[: len(content) // 2])
    (folder / "red/notes.txt").write_text("not a picture, and not said to be one")
    data = read_class_folders(folder, 16)
    assert data.skipped == (str(folder / "green/00.png"), str(folder / "red/02.png"))
    assert data.labels.tolist() == [0] * 4 + [1] * 3 + [2] * 3
    assert (data.pictures[data.labels == 2].float().mean((0, 2, 3)).argmax()) == 0
    assert "2 files could not be read" in caplog.text
    assert "green/00.png" in caplog.text


def test_what_cannot_be_used_is_said(colour_folders: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"images=.*nowhere: there is no such directory"):
        read_class_folders(tmp_path / "nowhere", 8)
    (tmp_path / "flat").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "flat/0.png")
    with pytest.raises(InputError, match="no class folders"):
        read_class_folders(tmp_path / "flat", 8)
    folder = colour_folders(each=1)
    (folder / "violet").mkdir()
    with pytest.raises(InputError, match="no picture in violet"):
        read_class_folders(folder, 8)
    with pytest.raises(InputError, match=r"validation=.*'violet' is not in the training set"):
        read_class_folders(folder, 8, ("blue", "green", "red"), word="validation")
    with pytest.raises(
        InputError, match=r"'violet' is not in the training set\. Did you mean violets\?"
    ):
        read_class_folders(folder, 8, ("blue", "green", "red", "violets"), word="validation")


def test_a_validation_set_takes_the_training_sets_labels(
    colour_folders: Callable[..., Path],
) -> None:
    folder = colour_folders("val", each=2, colours=("green", "red"))
    data = read_class_folders(folder, 16, ("blue", "green", "red"), word="validation")
    assert data.labels.tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize(("amount", "count"), [(0.25, 30), (12, 12)])
def test_holding_out_takes_the_same_share_of_every_class(amount: float | int, count: int) -> None:
    labels = torch.tensor([0] * 60 + [1] * 40 + [2] * 20)
    rest, held_out = hold_out(labels, amount, torch.Generator().manual_seed(0))
    assert len(held_out) == count
    assert torch.cat([rest, held_out]).sort().values.tolist() == list(range(120))
    shares = torch.bincount(labels[held_out]) / torch.tensor([60, 40, 20])
    assert (shares - count / 120).abs().max() <= 1 / 20
    other = hold_out(labels, amount, torch.Generator().manual_seed(1))[1]
    assert not torch.equal(held_out, other)


@pytest.mark.parametrize("amount", [0, 0.001, 120, 500])
def test_holding_out_nothing_or_all_is_refused(amount: float | int) -> None:
    with pytest.raises(InputError, match="holdout="):
        hold_out(torch.zeros(120, dtype=torch.int64), amount, torch.Generator())


def test_what_is_no_file_is_left_out_by_name_and_never_waited_for(
    colour_folders: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = colour_folders(each=2)
    os.mkfifo(folder / "red/pipe.png")
    (folder / "blue/zero.png").symlink_to("/dev/zero")
    name = os.fsdecode(b"caf\xe9.png")
    (folder / "green/00.png").rename(folder / "green" / name)
    pictures = read_class_folders(folder, 16)
    assert pictures.skipped == (str(folder / "blue/zero.png"), str(folder / "red/pipe.png"))
    assert pictures.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert "2 files could not be read" in caplog.text
    assert "zero.png: a device, not a file; " in caplog.text
    assert "pipe.png: a named pipe, not a file" in caplog.text


def test_a_class_folder_without_permission_is_told_as_such(
    colour_folders: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = colour_folders(each=1)
    real = os.scandir
    locked = folder

    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)  # a test that root runs may read everything
    for read in (read_class_folders, read_folder):
        with pytest.raises(InputError, match=r"^images=.*train: permission denied\.$"):
            read(folder, 8)
    locked = folder / "green"
    with pytest.raises(InputError, match=r"^images=.*green: permission denied\.$"):
        read_class_folders(folder, 8)
