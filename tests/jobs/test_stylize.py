"""Pictures, folders and films through a stylizer, against the network called directly; resume."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from small_worlds import noisy_pictures

from synth import data
from synth.data.animation import animation
from synth.errors import InputError
from synth.gallery.page import build_run_page
from synth.jobs.stylize import FILM, Stylize
from synth.networks.stylizer import About, Stylizer, read_stylizer, write_stylizer
from synth.record.folder_record import FolderRecord

DURATIONS = [40, 80, 120, 200]


@pytest.fixture
def weights(tmp_path: Path) -> str:
    path = tmp_path / "waves.safetensors"
    write_stylizer(
        path, Stylizer(4, 1).state_dict(), About(4, 1, "instance", "waves.png", 64, "tiny")
    )
    return str(path)


def film(path: Path, durations: Sequence[int] = DURATIONS, loop: int = 2) -> Path:
    """A film of a bar that moves down."""
    frames = []
    for place in range(len(durations)):
        frame = Image.new("RGB", (24, 16), (30, 90, 200))
        frame.paste((220, 60, 20), (0, 3 * place, 24, 3 * place + 4))
        frames.append(frame)
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=list(durations), loop=loop
    )
    return path


def stylized(weights: str, image: Image.Image) -> torch.Tensor:
    """The output of the network, in 8 bits."""
    stylizer, _ = read_stylizer(weights, "cpu")
    return (stylizer(data.from_image(image)[None])[0] * 255).round() / 255


def saved(path: Path) -> torch.Tensor:
    return data.from_image(data.picture(path).image)


def stopped_before(stylize: Stylize, number: int, act: Callable[[], Any]) -> Stylize:
    """`stylize`, which calls `act` before it stylizes picture `number`, from 0."""
    original = stylize._stylized
    count = 0

    def stylize_image(image: torch.Tensor) -> torch.Tensor:
        nonlocal count
        if count == number:
            act()
        count += 1
        return original(image)

    stylize._stylized = stylize_image  # type: ignore[method-assign]
    return stylize


def raise_killed() -> None:
    raise RuntimeError("power cut")


def test_an_image_is_the_network_s_output_at_its_own_size(weights: str, tmp_path: Path) -> None:
    photograph = Image.fromarray((torch.rand(21, 34, 3) * 255).byte().numpy())
    photograph.save(tmp_path / "photograph.png")
    result = (
        Stylize(str(tmp_path / "photograph.png"), weights=weights, device="cpu")
        .run(FolderRecord(tmp_path / "run"))
        .to_dict()
    )
    (item,) = result["items"]
    assert torch.equal(saved(tmp_path / "run" / item["file"]), stylized(weights, photograph))
    assert torch.equal(saved(tmp_path / "run" / item["original"]), data.from_image(photograph))
    assert item["target"] == "photograph.png"
    with Image.open(tmp_path / "run" / item["file"]) as image:
        assert json.loads(image.text["synth"])["style"] == "waves.png"
    assert result["findings"] == {"pictures": 1, "skipped_files": 0, "style": "waves.png"}


def test_a_large_picture_is_scaled_down_and_logged(
    weights: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "synth"):
        result = (
            Stylize("china", weights=weights, longest=64, device="cpu")
            .run(FolderRecord(tmp_path / "run"))
            .to_dict()
        )
    with Image.open(tmp_path / "run" / result["items"][0]["file"]) as image:
        assert image.size == (64, 43)
    assert "china.jpg: 640x427 pixels, painted at 64x43 (longest=64)" in caplog.text
    Image.new("RGB", (2000, 8), "red").save(tmp_path / "strip.png")
    result = (
        Stylize(str(tmp_path / "strip.png"), weights=weights, longest=64, device="cpu")
        .run(FolderRecord(tmp_path / "b"))
        .to_dict()
    )
    with Image.open(tmp_path / "b" / result["items"][0]["file"]) as image:
        assert image.size == (64, 8)


def test_bad_files_of_a_folder_are_skipped_and_counted(
    weights: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = noisy_pictures(tmp_path / "pictures", 3)
    (folder / "01b.jpg").write_bytes(b"no picture")
    result = (
        Stylize(images=str(folder), weights=weights, device="cpu")
        .run(FolderRecord(tmp_path / "run"))
        .to_dict()
    )
    assert [item["image"] for item in result["items"]] == ["00.png", "01.png", "02.png"]
    assert [item["file"] for item in result["items"]] == [
        f"images/00{place}.png" for place in range(3)
    ]
    assert result["findings"]["skipped_files"] == 1
    assert "1 of 4 files skipped: 01b.jpg" in caplog.text
    for path in folder.glob("*.png"):
        path.write_bytes(b"no picture either")
    with pytest.raises(
        InputError, match=r"^images=.*: none of its 4 files is a readable picture\.$"
    ):
        Stylize(images=str(folder), weights=weights, device="cpu").run(
            FolderRecord(tmp_path / "none")
        )


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_a_film_keeps_its_frames_and_their_durations(
    kind: str, weights: str, tmp_path: Path
) -> None:
    path = film(tmp_path / f"film.{kind}")
    result = (
        Stylize(str(path), weights=weights, device="cpu")
        .run(FolderRecord(tmp_path / "run"))
        .to_dict()
    )
    result_film = animation(tmp_path / "run" / FILM)
    assert result_film is not None
    # a GIF that is repeated twice is played three times
    assert (result_film.count, result_film.loop) == (len(DURATIONS), 3 if kind == "gif" else 2)
    assert [milliseconds for _, milliseconds in result_film.frames()] == DURATIONS
    source_film = animation(path)
    assert source_film is not None
    for number, (image, _) in enumerate(source_film.frames()):
        assert torch.equal(
            saved(tmp_path / f"run/frames/{number:03d}.png"), stylized(weights, image)
        ), number
    assert result["findings"]["frames"] == 4
    assert result["findings"]["film_seconds"] == pytest.approx(0.44)
    assert [figure["file"] for figure in result["figures"]] == [FILM]
    assert len(result["items"]) == 1


def test_a_still_picture_in_a_films_format_is_a_picture(weights: str, tmp_path: Path) -> None:
    Image.new("RGB", (12, 12), "teal").save(tmp_path / "still.gif")
    result = (
        Stylize(str(tmp_path / "still.gif"), weights=weights, device="cpu")
        .run(FolderRecord(tmp_path / "run"))
        .to_dict()
    )
    assert result["figures"] == []
    assert not (tmp_path / "run" / FILM).exists()


def test_a_frame_without_a_duration_has_the_default(tmp_path: Path) -> None:
    path = film(tmp_path / "film.gif", [0, 0, 0])
    result_film = animation(path)
    assert result_film is not None
    assert [milliseconds for _, milliseconds in result_film.frames()] == [100] * 3
    assert [milliseconds for _, milliseconds in result_film.frames(2)] == [100]


@pytest.mark.parametrize("moving", [False, True])
def test_a_killed_run_resumes_to_the_same_files(
    moving: bool, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synth.jobs.stylize.CHECKPOINT_EVERY", -1.0)
    options: dict[str, Any] = {"weights": weights, "device": "cpu"}
    options |= (
        {"image": str(film(tmp_path / "film.gif"))}
        if moving
        else {"images": str(noisy_pictures(tmp_path / "pictures", 4))}
    )
    whole = Stylize(**options).run(FolderRecord(tmp_path / "whole")).to_dict()
    with pytest.raises(RuntimeError, match="power cut"):
        stopped_before(Stylize(**options), 3, raise_killed).run(FolderRecord(tmp_path / "cut"))
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "cut").rglob("*.png")}
    record = FolderRecord(tmp_path / "cut")
    resumed = Stylize(**options).run(record)
    record.finish(resumed)
    assert [item.file for item in resumed.items] == [item["file"] for item in whole["items"]]
    for path in [*(tmp_path / "whole").rglob("*.png"), *(tmp_path / "whole").glob("*.webp")]:
        assert (
            path.read_bytes()
            == (tmp_path / "cut" / path.relative_to(tmp_path / "whole")).read_bytes()
        ), path
    assert sum(path.stat().st_mtime_ns == time for path, time in times.items()) >= 2, (
        "finished images are not written again"
    )
    assert not list((tmp_path / "cut").glob("checkpoint*"))


def test_ctrl_c_saves_finished_images_and_can_be_resumed(
    weights: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options: dict[str, Any] = {
        "images": str(noisy_pictures(tmp_path / "pictures", 4)),
        "weights": weights,
    }
    job = Stylize(**options, device="cpu")
    result = (
        stopped_before(job, 1, lambda: signal.raise_signal(signal.SIGINT))
        .run(FolderRecord(tmp_path / "run"))
        .to_dict()
    )
    assert result["status"] == "interrupted"
    assert len(result["items"]) == 2
    assert "interrupted after 2; " in caplog.text
    (tmp_path / "run/images/000.png").unlink()
    with pytest.raises(InputError, match=r"images/000\.png is gone; name another folder"):
        Stylize(**options, device="cpu").run(FolderRecord(tmp_path / "run"))
    FolderRecord(tmp_path / "other").checkpoint({}, {"items": 5})
    with pytest.raises(InputError, match="its checkpoint holds no state of this run"):
        Stylize(**options, device="cpu").run(FolderRecord(tmp_path / "other"))
    data.to_image(torch.rand(3, 16, 16)).save(tmp_path / "run/images/000.png")
    result = Stylize(**options, device="cpu").run(FolderRecord(tmp_path / "run")).to_dict()
    assert (result["status"], len(result["items"])) == ("done", 4)


def test_an_interrupted_film_logs_the_number_of_frames(
    weights: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = Stylize(str(film(tmp_path / "film.gif")), weights=weights, device="cpu")
    stopped_before(job, 2, lambda: signal.raise_signal(signal.SIGINT)).run(
        FolderRecord(tmp_path / "run")
    )
    assert "interrupted after 2; " in caplog.text  # the item and two frames are three passes


def test_a_run_of_other_weights_cannot_be_resumed(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {
        "images": str(noisy_pictures(tmp_path / "pictures", 3)),
        "weights": weights,
        "device": "cpu",
    }
    monkeypatch.setattr("synth.jobs.stylize.CHECKPOINT_EVERY", -1.0)
    with pytest.raises(RuntimeError):
        stopped_before(Stylize(**options), 2, raise_killed).run(FolderRecord(tmp_path / "run"))
    write_stylizer(
        Path(weights), Stylizer(4, 1).state_dict(), About(4, 1, "instance", "other.png", 64, "tiny")
    )
    with pytest.raises(InputError, match="was begun with other weights"):
        Stylize(**options).run(FolderRecord(tmp_path / "run"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "^image=, images=: nothing is given; write image=PATH"),
        ({"image": "china", "images": "flower"}, "^image=, images=: both are given"),
        ({"image": "chna"}, "^image=chna: no such file. Did you mean china"),
        ({"images": []}, r"^images=\[\]: name at least one"),
        ({"images": "nothere/*.png"}, "^images=.*: no file matches"),
        ({"images": ["china", "nothere.png"]}, "^images=nothere.png: no such file"),
        ({"image": "china", "longest": 4}, "^longest=4: write the pixels"),
        ({"image": "china", "longest": 5000}, "^longest=5000: "),
        (
            {"image": "china", "weights": "nothere.safetensors"},
            "^weights=nothere.safetensors: no such file",
        ),
        ({"image": "china", "device": "gpu"}, "^device=gpu: "),
    ],
)
def test_mistakes_are_reported_in_one_line(
    options: dict[str, Any], message: str, weights: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        Stylize(**{"weights": weights, **options})
    assert "\n" not in str(error.value)


def test_a_film_that_is_cut_short_is_refused(weights: str, tmp_path: Path) -> None:
    path = film(tmp_path / "film.gif", [50] * 6)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(
        InputError,
        match=r"^image=.*film\.gif: damaged or cut short: frame 5 of 5 cannot be read\.$",
    ):
        Stylize(str(path), weights=weights, device="cpu").run(FolderRecord(tmp_path / "run"))
    assert not (tmp_path / "run" / FILM).exists()


def test_a_picture_that_is_named_twice_is_stylized_twice_also_after_a_kill(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synth.jobs.stylize.CHECKPOINT_EVERY", -1.0)
    folder = noisy_pictures(tmp_path / "pictures", 2)
    other = noisy_pictures(tmp_path / "others", 1, high=60) / "00.png"
    names = [f"{folder}/00.png", f"{folder}/01.png", f"{folder}/00.png", str(other)]
    options: dict[str, Any] = {"images": names, "weights": weights, "device": "cpu"}
    for killed in range(1, 4):
        path = tmp_path / str(killed)
        with pytest.raises(RuntimeError, match="power cut"):
            stopped_before(Stylize(**options), killed, raise_killed).run(FolderRecord(path))
        result = Stylize(**options).run(FolderRecord(path))
        assert [item.image for item in result.items] == ["00.png", "01.png", "00.png", "00.png"]
        for item, name in zip(result.items, names, strict=True):
            assert torch.equal(saved(path / str(item.original)), saved(Path(name)))


def test_pipes_and_names_of_any_bytes_in_a_folder(
    weights: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = noisy_pictures(tmp_path / "pictures", 1)
    names = [os.fsdecode(name) for name in (b"caf\xe9.png", b"\x1b[31m.png", b"two\nlines.png")]
    for name in names:
        shutil.copy(folder / "00.png", folder / name)
    os.mkfifo(folder / "pipe.png")
    record = FolderRecord(tmp_path / "run")
    result = Stylize(images=str(folder), weights=weights, device="cpu").run(record)
    record.finish(result)
    assert {item.image for item in result.items} == {"00.png", *names}
    assert result.findings["skipped_files"] == 1
    assert "pipe.png: a named pipe, not a file" in caplog.text
    read = json.loads((tmp_path / "run/result.json").read_text())
    assert {item["image"] for item in read["items"]} == {"00.png", *names}
    for item in read["items"]:
        with Image.open(tmp_path / "run" / item["file"]) as image:
            assert json.loads(image.text["synth"])["target"] == item["image"]
    assert "\x1b" not in build_run_page(tmp_path / "run").read_text()
