"""Only regular files of known formats are opened; everything else is refused by what it is."""

from __future__ import annotations

import io
import json
import os
import random
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

import synth
from synth import data
from synth.config.earlier import is_same_command
from synth.config.identity import recorded_identity
from synth.data.animation import animation
from synth.data.class_folders import read_class_folders, read_folder
from synth.errors import InputError
from synth.files import FORMATS, files_below, open_file, open_image, path_of
from synth.gallery.page import build_run_page
from synth.gallery.pictures import find_picture
from synth.record.checkpoint import Checkpoint, read_marked
from synth.record.folder_record import FolderRecord
from synth.record.result import read_result

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.fixture
def ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for Ghostscript on PATH; the path of a file that it leaves when it is called."""
    called = tmp_path / "called"
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/gs"
    program.write_text(f"#!/bin/sh\ntouch {called}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    return called


def test_postscript_under_a_pictures_name_is_not_run(ghostscript: Path, tmp_path: Path) -> None:
    folder = tmp_path / "all/cat"
    folder.mkdir(parents=True)
    path = folder / "x.png"
    path.write_bytes(POSTSCRIPT)
    with Image.open(path) as image:
        assert image.format == "EPS"  # Pillow alone would hand it over
    with pytest.raises(InputError, match=r"^image=.*x\.png: not a picture \(PNG, JPEG, "):
        data.picture(path)
    with pytest.raises(InputError, match="none of its 1 files"):
        data.pictures(str(folder))
    with pytest.raises(InputError, match="no picture in cat"):
        read_class_folders(tmp_path / "all", 16)
    with pytest.raises(InputError, match="0 pictures are too few"):
        read_folder(folder, 16)
    with pytest.raises(InputError, match="not a picture"):
        FolderRecord(folder).read_back("x.png")
    assert animation(path) is None
    shown = find_picture(folder, "x.png")
    assert shown is not None
    assert shown.problem == "picture cannot be read"
    assert not ghostscript.exists()


def test_pictures_have_one_opener() -> None:
    package = Path(synth.__file__).parent
    files = [path for path in package.rglob("*.py") if "Image.open(" in path.read_text("utf-8")]
    # the contract tests are not part of what runs
    assert [path for path in files if path.parent.name != "contract"] == [package / "files.py"]


def test_formats_that_are_not_listed_are_refused(tmp_path: Path) -> None:
    for name in ("ICO", "TGA", "PCX", "SGI", "DDS", "EPS", "PDF"):
        Image.new("RGB", (32, 32)).save(tmp_path / "x.png", name)
        with pytest.raises(InputError, match="not a picture"):
            data.picture(tmp_path / "x.png")
    for name in FORMATS:
        Image.new("RGB", (9, 9)).save(tmp_path / "x", name)
        assert data.picture(tmp_path / "x").image.size == (9, 9)


def test_a_camera_s_picture_of_several_views_is_a_jpeg(tmp_path: Path) -> None:
    views = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    views[0].save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=views[1:])
    assert data.picture(tmp_path / "x.jpg").image.getpixel((3, 3)) == (254, 0, 0)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


KINDS = {
    "a named pipe, not a file": make_pipe,
    "a socket, not a file": make_socket,
    "a device, not a file": make_device,
    "a folder, not a file": Path.mkdir,
    "no such file": lambda path: path.symlink_to("nowhere"),
    "too many levels of symbolic links": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_refused_by_its_kind_and_never_waited_for(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make: Callable[[Path], None] = KINDS[kind]
    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    make(Path("x.png"))
    with pytest.raises(InputError, match=rf"^weights=x\.png: {kind}\.$"):
        open_file(Path("x.png"), "weights=x.png")
    with pytest.raises(InputError, match=rf"^x: {kind}\.$"), open_image(Path("x.png"), "x"):
        pass


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "x.png")
    regular = os.stat(__file__)
    monkeypatch.setattr(os, "stat", lambda *_, **__: regular)  # as it was a moment ago
    with pytest.raises(InputError, match="x: "), open_image(tmp_path / "x.png", "x"):
        pass


def test_a_picture_for_which_there_is_no_memory_is_not_called_damaged(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    with pytest.raises(MemoryError), open_image(tmp_path / "a.png", "image=a.png"):
        raise MemoryError


def test_permission_is_told_from_absence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "x.png")
    real = os.open

    def refuse(path: str, *arguments: int, **options: int) -> int:
        if str(path).endswith("x.png"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)  # a test that root runs may read everything
    with pytest.raises(InputError, match=r"^image=.*x\.png: permission denied\.$"):
        data.picture(tmp_path / "x.png")


def test_pipes_in_a_run_folder_are_not_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / ".hydra").mkdir(parents=True)
    (folder / "images").mkdir()
    Image.new("RGB", (9, 9)).save(folder / "images/001.png")
    items = [{"file": f"images/00{place}.png"} for place in range(2)]
    (folder / "result.json").write_text(json.dumps({"status": "done", "items": items}))
    names = ("hydra", "config", "overrides")
    for name in ("images/000.png", "steps.jsonl", *(f".hydra/{name}.yaml" for name in names)):
        os.mkfifo(folder / name)
    page = build_run_page(folder).read_text()
    assert page.count("picture cannot be read") >= 1
    assert recorded_identity(folder) is None
    assert not is_same_command(folder, "onemax", [])
    with pytest.raises(OSError, match="No such device or address"):
        FolderRecord(folder).steps([{"step": 1}])
    os.mkfifo(folder / "genomes.safetensors")
    with pytest.raises(OSError, match="a named pipe, not a file"):
        read_marked(folder / "genomes.safetensors")
    checkpoint = Checkpoint(folder)
    os.mkfifo(checkpoint.newest)
    assert checkpoint.about() is None
    assert checkpoint.load() is None
    (folder / "result.json").unlink()
    os.mkfifo(folder / "result.json")
    assert read_result(folder, "done") is None
    with pytest.raises(
        InputError, match=r"result\.json cannot be read \(a named pipe, not a file\)"
    ):
        build_run_page(folder)


def test_a_path_is_expanded_and_never_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert path_of("~/x.png", "image") == Path("/home/somebody/x.png")
    assert path_of("~no such user/x.png", "image") == Path("~no such user/x.png")
    with pytest.raises(InputError, match=r"^weights=: empty; write a path\.$"):
        path_of("", "weights")
    for read in (data.picture, data.pictures):
        with pytest.raises(InputError, match=r"^guide=: empty"):
            read("", "guide")
        with pytest.raises(InputError, match=r"^guide=~no such user/x.png: no such file"):
            read("~no such user/x.png", "guide")
        with pytest.raises(InputError, match="null"):
            read("a\0b", "guide")


def test_names_of_any_bytes_are_listed(tmp_path: Path) -> None:
    names = [b"caf\xe9.png", b"\xe2\x80\xae.png", b"\x1b[31m.PNG", b"two\nlines.jpg"]
    for name in names:
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "notes.txt").touch()
    assert sorted(map(os.fsencode, files_below(tmp_path, "images"))) == sorted(
        bytes(tmp_path) + b"/" + name for name in names
    )


def test_damaged_pictures_are_refused_however_they_are_damaged(tmp_path: Path) -> None:
    draws = random.Random(0)
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    frames = [Image.fromarray(noise), Image.fromarray(255 - noise)]
    exif = Image.Exif()
    exif[0x0112] = 6
    refused = 0
    for form in FORMATS:
        buffer = io.BytesIO()
        several = form in ("GIF", "WEBP", "PNG", "TIFF")
        options = {"save_all": True, "append_images": frames[1:]} if several else {}
        frames[0].save(buffer, form, exif=exif, **options)
        whole = buffer.getvalue()
        for _ in range(60):
            damaged = bytearray(whole[: draws.choice([len(whole), draws.randrange(len(whole))])])
            for _ in range(draws.randrange(1, 8)):
                place = draws.randrange(min(len(damaged), draws.choice([64, 256, 10_000])) or 1)
                damaged[place : place + 1] = draws.randbytes(draws.randrange(3))
            path = tmp_path / "x.png"
            path.write_bytes(damaged)
            try:
                data.picture(path)
                film = animation(path)
                if film:
                    list(film.frames())
            except InputError:  # and nothing else
                refused += 1
    assert refused > 100
