"""Pictures: what Pillow can open becomes RGB in [0, 1], other files are reported by name."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from synth import data
from synth.errors import InputError

SHARED = Path(os.environ.get("SYNTH_SHARED", Path(__file__).parents[3] / "shared"))


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def pixels(path: Path) -> np.ndarray:
    """What `data.picture` makes of a file, as it is handed on: 8-bit [h, w, 3]."""
    image = data.picture(path).image
    assert image.mode == "RGB"
    tensor = data.from_image(image)
    assert tensor.dtype == torch.float32
    assert tensor.shape == (3, image.height, image.width)
    assert 0 <= float(tensor.min()) <= float(tensor.max()) <= 1
    return np.asarray(image)


def test_grey(tmp_path: Path, noise: np.ndarray) -> None:
    for mode in ("L", "1"):
        grey = Image.fromarray(noise[..., 0]).convert(mode)
        grey.save(tmp_path / "grey.png")
        expected = np.asarray(grey.convert("L"))
        assert (pixels(tmp_path / "grey.png") == expected[..., None]).all()


def test_transparency_lies_on_white(tmp_path: Path, noise: np.ndarray) -> None:
    alpha = np.linspace(0, 255, 24 * 32).astype(np.uint8).reshape(24, 32)
    Image.fromarray(np.dstack([noise, alpha])).save(tmp_path / "rgba.png")
    share = alpha[..., None] / 255.0
    expected = noise * share + 255 * (1 - share)
    assert np.abs(pixels(tmp_path / "rgba.png") - expected).max() <= 1
    Image.fromarray(np.dstack([noise[..., 0], alpha])).convert("LA").save(tmp_path / "la.png")
    expected = noise[..., :1] * share + 255 * (1 - share)
    assert np.abs(pixels(tmp_path / "la.png") - expected).max() <= 1


def test_palettes_with_and_without_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (16, 16))
    image.putpalette([200, 10, 20, 30, 40, 250])
    image.paste(1, (8, 0, 16, 16))
    image.save(tmp_path / "opaque.png")
    assert (pixels(tmp_path / "opaque.png")[:, :8] == (200, 10, 20)).all()
    image.save(tmp_path / "clear.png", transparency=0)
    values = pixels(tmp_path / "clear.png")
    assert (values[:, :8] == 255).all()
    assert (values[:, 8:] == (30, 40, 250)).all()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits(tmp_path: Path, suffix: str) -> None:
    values = (
        np.array([[0, 128, 257 * 3, 0x8080], [100, 200, 255, 65535]], dtype=np.uint16)
        .repeat(8, 0)
        .repeat(8, 1)
    )
    Image.fromarray(values).save(tmp_path / f"deep.{suffix}")
    expected = np.round(values / 65535 * 255)[..., None]
    assert (pixels(tmp_path / f"deep.{suffix}") == expected).all()
    Image.fromarray(values.clip(max=200)).save(
        tmp_path / f"dark.{suffix}"
    )  # dark, and still of sixteen bits
    assert pixels(tmp_path / f"dark.{suffix}").max() <= 1


def test_floating_point(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    Image.fromarray(values).save(tmp_path / "float.tif")
    assert (pixels(tmp_path / "float.tif") == np.round(values * 255)[..., None]).all()
    Image.fromarray(values * 255).save(tmp_path / "float.tif")
    assert np.abs(pixels(tmp_path / "float.tif") - values[..., None] * 255).max() <= 0.5


def test_cmyk(tmp_path: Path) -> None:
    for colour in ((255, 0, 0), (0, 128, 255), (250, 250, 250)):
        Image.new("RGB", (16, 16), colour).convert("CMYK").save(tmp_path / "print.jpg", quality=100)
        assert np.abs(pixels(tmp_path / "print.jpg").astype(int) - colour).max() <= 4


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_of_an_animation_the_first_frame_is_taken(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(
        tmp_path / f"film.{suffix}",
        save_all=True,
        append_images=frames[1:],
        duration=100,
        **options,
    )
    assert (pixels(tmp_path / f"film.{suffix}") == (255, 0, 0)).all()


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda a: a),
        (2, np.fliplr),
        (3, lambda a: np.rot90(a, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (8, lambda a: np.rot90(a, 1)),
    ],
)
def test_the_cameras_rotation(
    tmp_path: Path, noise: np.ndarray, orientation: int, turned: object
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(noise).save(tmp_path / "turned.png", exif=exif)
    assert (pixels(tmp_path / "turned.png") == turned(noise)).all()  # type: ignore[operator]


def test_long_and_thin(tmp_path: Path) -> None:
    Image.new("RGB", (20_000, 8), "teal").save(tmp_path / "long.png")
    assert data.picture(tmp_path / "long.png").at((16, 24)).shape == (3, 16, 24)
    for size in ((1, 50), (50, 1), (7, 50)):
        Image.new("RGB", size).save(tmp_path / "thin.png")
        with pytest.raises(
            InputError, match=f"thin.png: {size[0]}x{size[1]} pixels; the smallest side must have 8"
        ):
            data.picture(tmp_path / "thin.png")


def test_a_huge_picture_is_refused_without_decoding(tmp_path: Path) -> None:
    Image.new("1", (12_000, 12_000)).save(tmp_path / "huge.png")
    start = time.monotonic()
    with pytest.raises(InputError, match="12000x12000 pixels, more than 120 million"):
        data.picture(tmp_path / "huge.png")
    assert time.monotonic() - start < 2


def test_the_middle_is_cropped_and_scaled(tmp_path: Path) -> None:
    stripes = np.zeros((40, 80, 3), dtype=np.uint8)
    stripes[:, 20:60] = 255  # the middle square
    Image.fromarray(stripes).save(tmp_path / "wide.png")
    assert float(data.picture(tmp_path / "wide.png").at((40, 40)).min()) == 1.0
    assert data.picture(tmp_path / "wide.png").at((10, 30)).shape == (3, 10, 30)


@given(arrays.arrays(np.float32, (3, 4, 5), elements=st.floats(-2, 2, width=32)))
def test_there_and_back(values: np.ndarray) -> None:
    tensor = torch.from_numpy(values)
    back = data.from_image(data.to_image(tensor))
    assert float((back - tensor.clamp(0, 1)).abs().max()) <= 0.5 / 255 + 1e-6
    assert torch.equal(data.from_image(data.to_image(back)), back)  # 8 bits stay as they are


def test_bundled_names() -> None:
    for name in data.BUNDLED:
        assert data.picture(name).at((32, 48)).std() > 0.05
    with pytest.raises(InputError, match=r"image=chna: no such file. Did you mean china\?"):
        data.picture("chna")


def test_a_file_comes_before_a_bundled_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (9, 9), (1, 2, 3)).save("china", "PNG")
    assert data.picture("china").image.size == (9, 9)


def test_folders_globs_and_lists(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    for name in ("b.png", "a.jpg", "deep/er/c.PNG"):
        Image.new("RGB", (9, 9)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not meant")
    names = [picture.name for picture in data.pictures(str(tmp_path))]
    assert names == ["a.jpg", "b.png", "c.PNG"]
    assert [picture.name for picture in data.pictures(f"{tmp_path}/*.png")] == ["b.png"]
    assert [picture.name for picture in data.pictures([f"{tmp_path}/b.png", "china"])] == [
        "b.png",
        "china.jpg",
    ]
    assert [picture.name for picture in data.pictures("flower")] == ["flower.jpg"]
    for nothing in ([], f"{tmp_path}/*.gif", str(tmp_path / "none")):
        with pytest.raises(InputError, match="images="):
            data.pictures(nothing)
    (tmp_path / "broken.png").write_bytes(b"no")
    with caplog.at_level(logging.WARNING, logger="synth"):
        logging.getLogger("synth").propagate = True
        assert len(data.pictures(str(tmp_path))) == 3
    assert "1 of 4 files skipped: broken.png" in caplog.text
    with pytest.raises(InputError, match=r"broken.png: not a picture"):
        data.pictures([f"{tmp_path}/broken.png"])  # named outright, it must be readable


def test_brackets_in_a_name_are_no_glob(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a[1].png")
    (tmp_path / "b[2]").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "b[2]/c.png")
    assert data.pictures(str(tmp_path / "a[1].png"))[0].name == "a[1].png"
    assert data.pictures(str(tmp_path / "b[2]"))[0].name == "c.png"


def test_real_photographs() -> None:
    archive = SHARED / "data" / "imagenet_samples_500.tar"
    if not archive.is_file():
        pytest.skip(f"no {archive.name} below {SHARED} (name another folder with SYNTH_SHARED)")
    import tarfile
    import tempfile

    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive) as tar:
        members = [member for member in tar if Path(member.name).suffix.lower() in data.SUFFIXES][
            :20
        ]
        tar.extractall(folder, members, filter="data")
        pictures = data.pictures(folder)
    assert len(pictures) == len(members)
    for picture in pictures:
        assert float(picture.at((64, 64)).std()) > 0.01


def test_a_picture_is_in_memory_once_however_many_hold_it(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    Image.new("RGB", (9, 9), (10, 20, 30)).save(path)
    first = data.picture(path)
    assert data.picture(path).image is first.image
    Image.new("RGB", (12, 9), (10, 20, 30)).save(path)  # another file by that name
    os.utime(path, ns=(1, 1))
    assert data.picture(path).image.size == (12, 9)


def test_what_is_no_file_in_a_folder_is_skipped_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="synth")
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "lost.png").symlink_to("nowhere.png")
    (tmp_path / "folder.png").mkdir()
    for source in (str(tmp_path), f"{tmp_path}/*e.png", f"{tmp_path}/*.png"):
        if source.endswith("*e.png"):
            with pytest.raises(InputError, match="none of its 1 files"):
                data.pictures(source)  # a pipe alone
            continue
        assert [picture.name for picture in data.pictures(source)] == ["a.png"]
    assert "pipe.png: a named pipe, not a file." in caplog.text
    assert "zero.png: a device, not a file." in caplog.text
    assert "lost.png: no such file." in caplog.text
    assert "3 of 4 files skipped: lost.png, pipe.png, zero.png" in caplog.text
    with pytest.raises(InputError, match=r"^image=.*pipe\.png: a named pipe, not a file\.$"):
        data.picture(tmp_path / "pipe.png")


def test_folders_without_permission_are_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="synth")
    for name in ("open", "locked"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (9, 9)).save(tmp_path / name / "a.png")
    real_scandir, real_stat = os.scandir, os.stat

    def refused(path: object) -> bool:
        return "locked" in str(path)

    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        if refused(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real_scandir(path)

    def status(path: str, **options: bool) -> os.stat_result:
        if "locked/" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real_stat(path, **options)

    monkeypatch.setattr(os, "scandir", scandir)  # a test that root runs may read everything
    monkeypatch.setattr(os, "stat", status)
    with pytest.raises(InputError, match=r"^images=.*locked: permission denied\.$"):
        data.pictures(str(tmp_path / "locked"))
    with pytest.raises(InputError, match=r"^image=.*locked/a\.png: permission denied\.$"):
        data.picture(tmp_path / "locked/a.png")
    assert len(data.pictures(str(tmp_path))) == 1
    assert "locked is left out: permission denied." in caplog.text


def test_names_of_any_bytes(tmp_path: Path) -> None:
    path = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.png"))
    Image.new("RGB", (9, 9)).save(path)
    (picture,) = data.pictures(str(tmp_path))
    assert os.fsencode(picture.name) == b"caf\xe9.png"
    assert data.pictures(f"{tmp_path}/*.png")[0] is picture
    with pytest.raises(InputError, match=r"Did you mean caf\\udce9\.png\?"):
        data.picture(tmp_path / "cafe.png")
