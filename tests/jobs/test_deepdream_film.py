"""DeepDream films: each frame searches around the last, magnified; a resumed film is the same."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_worlds import tiny_module, wrapped

from synth.core import Encoding
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.jobs.deepdream_film import FILM, DeepDreamFilm, magnified
from synth.objectives.energy import Energy
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient
from synth.searches.stages import octaves
from synth.transforms.affine import Jitter

FRAMES = 4


def film_of(
    encoding: Encoding | None = None, frames: int = FRAMES, layer: Any = "conv2", **words: Any
) -> DeepDreamFilm:
    search = octaves(Gradient(rule="normalised", rate=0.02, momentum=0.0), 2, 1.4, 2)
    encoding = encoding or Perturbation("china", size=[16, 24])
    return DeepDreamFilm(
        wrapped(tiny_module()), encoding, Energy(layer), search, Jitter(0.2), frames, **words
    )


def frames_in(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((folder / "frames").iterdir())]


def at_frame(film: DeepDreamFilm, number: int, act: Callable[[], Any]) -> DeepDreamFilm:
    """`film`, which calls `act` in the middle of frame `number`."""
    original_step = film.search.step
    original_init = film.search.init
    count = 0

    def init(*words: Any) -> Any:
        nonlocal count
        count += 1
        return original_init(*words)

    def step(problem: Any, rows: Any, state: Any, index: int) -> Any:
        if count == number and index == 2:
            act()
        return original_step(problem, rows, state, index)

    film.search.init = init  # type: ignore[method-assign]
    film.search.step = step  # type: ignore[method-assign]
    return film


def raise_killed() -> None:
    raise RuntimeError("killed")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted film."""
    folder = tmp_path_factory.mktemp("whole")
    record = FolderRecord(folder)
    record.finish(film_of().run(record))
    return folder


def test_a_run_saves_every_frame_the_film_and_the_last_frame_as_its_item(whole: Path) -> None:
    result = json.loads((whole / "result.json").read_text())
    assert result["status"] == "done"
    assert (result["search"], result["encoding"]) == ("stages", "perturbation")
    assert [path.name for path in sorted((whole / "frames").iterdir())] == [
        f"{i:03d}.png" for i in range(FRAMES)
    ]
    (item,) = result["items"]
    for name, number in ((item["original"], 0), (item["file"], FRAMES - 1)):
        with (
            Image.open(whole / name) as first_image,
            Image.open(whole / f"frames/{number:03d}.png") as second_image,
        ):
            assert np.array_equal(np.asarray(first_image), np.asarray(second_image))
    assert result["figures"][0]["file"] == FILM
    with Image.open(whole / FILM) as film:
        assert (film.n_frames, film.size) == (FRAMES, (24, 16))
        assert film.info["loop"] == 0
        for number in range(FRAMES):
            film.seek(number)
            with Image.open(whole / f"frames/{number:03d}.png") as frame:
                assert (
                    np.abs(np.asarray(film.convert("RGB"), float) - np.asarray(frame, float)).mean()
                    < 12
                )
    assert result["findings"]["frames"] == FRAMES
    assert item["forwards"] == 1 + 4 * (FRAMES - 1)
    assert item["backwards"] == 4 * (FRAMES - 1)
    lines = [json.loads(line) for line in (whole / "steps.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(FRAMES))
    assert not list(whole.glob("checkpoint.*"))


def test_each_frame_is_the_search_around_the_one_before(
    whole: Path,
) -> None:
    first = Perturbation("china", size=[16, 24]).pictures[0].at((16, 24))
    assert np.array_equal(
        np.asarray(Image.open(whole / "frames/000.png")),
        (first * 255).round().permute(1, 2, 0).byte(),
    )
    zoomed = magnified(Image.open(whole / "frames/001.png"), 1.04)
    zoomed.save(whole / "near.png")
    experiment = Experiment(
        wrapped(tiny_module()),
        Perturbation(str(whole / "near.png"), size=[16, 24]),
        Energy("conv2"),
        octaves(Gradient(rule="normalised", rate=0.02, momentum=0.0), 2, 1.4, 2),
        Jitter(0.2),
    )
    (whole / "near.png").unlink()
    rows = film_of().start.rows.fold_in(2)
    state = experiment.search_method.init(experiment.problem, rows)
    for step in range(experiment.search_method.steps):
        state, report = experiment.search_method.step(experiment.problem, rows, state, step)
    image = experiment.problem.images(report.genome, rows)[0]
    expected = (image * 255).round().permute(1, 2, 0).byte().numpy()
    assert np.array_equal(np.asarray(Image.open(whole / "frames/002.png")), expected)


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_film_killed_in_the_middle_of_a_frame_resumes_to_the_same(
    stop: int, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match="killed"):
        at_frame(film_of(), stop, raise_killed).run(FolderRecord(tmp_path))
    assert len(frames_in(tmp_path)) == stop
    record = FolderRecord(tmp_path)
    record.finish(film_of().run(record))
    assert frames_in(tmp_path) == frames_in(whole)
    assert (tmp_path / FILM).read_bytes() == (whole / FILM).read_bytes()
    numbers = [
        [
            {key: value for key, value in json.loads(line).items() if key != "seconds"}
            for line in text.splitlines()
        ]
        for text in ((folder / "steps.jsonl").read_text() for folder in (tmp_path, whole))
    ]
    assert numbers[0] == numbers[1]


def test_ctrl_c_saves_the_film_so_far_and_can_be_resumed(whole: Path, tmp_path: Path) -> None:
    record = FolderRecord(tmp_path)
    result = at_frame(film_of(), 2, lambda: signal.raise_signal(signal.SIGINT)).run(record)
    result.recipe = "deepdream_film"
    record.finish(result)
    assert result.status == "interrupted"
    with Image.open(tmp_path / FILM) as film:
        assert film.n_frames == 2
    assert result.items[0].steps == 2
    again = FolderRecord(tmp_path)
    again.finish(film_of().run(again))
    assert frames_in(tmp_path) == frames_in(whole)
    assert json.loads((tmp_path / "result.json").read_text())["status"] == "done"


def test_a_film_may_start_from_noise(tmp_path: Path) -> None:
    record = FolderRecord(tmp_path)
    result = film_of(Pixels([16, 24], "uniform"), 3).run(record).to_dict()
    assert result["encoding"] == "pixels"
    assert len(frames_in(tmp_path)) == 3
    assert (
        result["items"][0]["score"]
        > json.loads((tmp_path / "steps.jsonl").read_text().splitlines()[0])["best"]
    )


def test_magnified_crops_and_enlarges_the_middle() -> None:
    y, x = np.mgrid[0:40, 0:60].astype(np.float64)
    plane = np.stack([x * 3, y * 5, np.full_like(x, 90)], axis=2).round().astype(np.uint8)
    zoomed = np.asarray(magnified(Image.fromarray(plane), 1.25), dtype=np.float64)
    assert zoomed.shape == plane.shape
    middle = np.s_[8:32, 12:48]  # without the border, where bicubic has samples on one side only
    expected = np.stack(
        [((x + 0.5 - 30) / 1.25 + 29.5) * 3, ((y + 0.5 - 20) / 1.25 + 19.5) * 5], axis=2
    )
    assert np.abs(zoomed[..., :2] - expected)[middle].max() < 1.01
    assert np.array_equal(np.asarray(magnified(Image.fromarray(plane), 1.0)), plane)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"frames": 1}, "frames=1"),
        ({"zoom": 0.9}, "zoom=0.9"),
        ({"zoom": 3.0}, "zoom=3.0"),
        ({"fps": 0.0}, "fps=0.0"),
        ({"layer": ["conv1", "conv2"]}, "a film is of one item, not of 2"),
        (
            {"encoding": Perturbation(images=["china", "flower"], size=16)},
            "a film is of one item, not of 2",
        ),
        ({"layer": "conv7"}, "layer=conv7"),
    ],
)
def test_mistakes_are_reported_in_one_line(words: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        film_of(**words)
    assert "\n" not in str(error.value)


def test_a_missing_frame_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="killed"):
        at_frame(film_of(), 2, raise_killed).run(FolderRecord(tmp_path))
    (tmp_path / "frames/000.png").unlink()
    with pytest.raises(InputError, match=r"frames/000\.png is gone"):
        film_of().run(FolderRecord(tmp_path))
    FolderRecord(tmp_path).checkpoint({}, {"frame": 2})
    with pytest.raises(InputError, match="its checkpoint holds no state of this run"):
        film_of().run(FolderRecord(tmp_path))


def test_a_film_of_another_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="killed"):
        at_frame(film_of(), 2, raise_killed).run(FolderRecord(tmp_path, {"zoom": 1.04}))
    with pytest.raises(InputError, match=r"zoom was 1\.04, is 1\.1"):
        film_of(zoom=1.1).run(FolderRecord(tmp_path, {"zoom": 1.1}))


def test_frames_differ_and_grow_in_energy(whole: Path) -> None:
    energies = [
        json.loads(line)["best"] for line in (whole / "steps.jsonl").read_text().splitlines()
    ]
    assert energies[-1] > energies[0]
    assert len(set(frames_in(whole))) == FRAMES
