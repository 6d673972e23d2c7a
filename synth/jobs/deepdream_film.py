"""A DeepDream film: each frame is the one before, magnified, then changed by another search.

A frame depends on the saved frame before it and on its number, on nothing else: a film that was
killed goes on from the frames on the disk, and becomes the same film.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from synth import data
from synth.core import Encoding, Objective, Search, Transform
from synth.core.network import Network
from synth.data.animation import webp
from synth.encodings.perturbation import Perturbation
from synth.engine.experiment import Experiment, network_info
from synth.engine.fitness import ImageProblem
from synth.engine.search_result import SearchResult
from synth.engine.state import RunState
from synth.engine.verdict import summary
from synth.engine.writing import compare_with_clean, judge_items, read_saved, save_images
from synth.errors import InputError
from synth.record import progress
from synth.record.interrupt import Interrupt
from synth.record.job import Job
from synth.record.record import Record, versions
from synth.record.result import MALFORMED, Figure, Item, Json, Result, name_of

log = logging.getLogger(__name__)

FRAMES, FILM = "frames", "film.webp"


@dataclass
class _Progress:
    """The progress of a film, as its checkpoint stores it."""

    frames: int = 0
    score: float = 0.0
    forwards: int = 0
    backwards: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class _Frame:
    """The score of one frame, and the network passes that it took."""

    score: float
    forwards: int
    backwards: int


class DeepDreamFilm(Job):
    """A film that begins with the first image of the encoding; it is played over and over.

    Each of the other frames is the one before, magnified about its centre, then changed by a whole
    search as a perturbation of its own (google/deepdream, ``dream.ipynb``, which zooms by 1.05).
    Bounds such as `epsilon` hold from frame to frame, not from the first on. A film is of one item;
    it is finished when its frames are, whatever they score.

    Args:
        network: the network that is read.
        encoding: of the first frame.
        objective: what every frame maximises.
        search: run once for each frame.
        transform: random change of the images before the network reads them.
        frames: how many, 2 or more.
        zoom: magnification from frame to frame, 1 (none) to 2.
        fps: frames a second, 0.1 to 60.
        seed: of all random numbers.
        memory: MiB of activations in one chunk; by default what suits the device.
        exact: whether results are bit-equal in any batch.
        views: random transforms averaged for one score.

    Raises:
        InputError: where a number is out of range, or the parts give more than one item.
    """

    def __init__(
        self,
        network: Network,
        encoding: Encoding,
        objective: Objective,
        search: Search,
        transform: Transform | None = None,
        frames: int = 40,
        zoom: float = 1.04,
        fps: float = 12.0,
        seed: int = 0,
        memory: int | None = None,
        exact: bool = False,
        views: int = 1,
    ) -> None:
        if frames < 2:
            raise InputError(
                f"frames={frames}: a film has 2 or more; for one picture there is recipe=deepdream."
            )
        if not 1 <= zoom <= 2:
            raise InputError(
                f"zoom={zoom}: write a magnification from 1 (none) to 2, 1.05 for instance."
            )
        if not 0.1 <= fps <= 60:
            raise InputError(f"fps={fps}: write 0.1 to 60 frames a second.")
        self.start = Experiment(
            network,
            encoding,
            objective,
            search,
            transform,
            seed=seed,
            memory=memory,
            exact=exact,
            views=views,
        )
        if len(self.start.rows) > 1:
            raise InputError(
                f"a film is of one item, not of {len(self.start.rows)}: name one image= and one "
                "layer=."
            )
        if search.shared_population or encoding.images_per_genome > 1:
            raise InputError(
                "a film needs a search and an encoding of one picture at a time; use "
                "encoding=canvas."
            )
        self.search = search
        self.frames = frames
        self.zoom = zoom
        self.fps = fps
        self.seed = seed

    def run(self, record: Record) -> Result:
        """Makes frame after frame, or goes on; Ctrl-C leaves a film of the frames so far."""
        state = self._resumed(record)
        start = time.monotonic() - state.seconds
        with Interrupt() as interrupt, progress.Steps("film", self.frames) as bar:
            while state.frames < self.frames and not interrupt.requested:
                frame = self._frame(record, state.frames, interrupt)
                if frame is None:  # Ctrl-C in the middle of a frame
                    break
                state.frames += 1
                state.score = frame.score
                state.forwards += frame.forwards
                state.backwards += frame.backwards
                state.seconds = round(time.monotonic() - start, 3)
                record.steps([_line(state)])
                record.checkpoint({"score": torch.tensor(state.score)}, asdict(state))
                bar.at(state.frames, f"score {state.score:.3g}")
            if not state.frames:
                raise KeyboardInterrupt
            done = state.frames == self.frames
            self._film(record, state.frames)
        if not done:
            log.warning(
                "interrupted after %d of %d frames; the same command with folder=%s goes on from "
                "there",
                state.frames,
                self.frames,
                record.folder,
            )
        problem = self.start.problem
        items = self._items(record, state)
        log.info("film of %d frames in %.1f s", state.frames, state.seconds)
        length = f"{state.frames} frames, {state.frames / self.fps:.3g} s"
        caption = f"{length}: each is the one before, {self.zoom:g} times as large, dreamed on."
        return Result(
            status="done" if done else "interrupted",
            seconds=state.seconds,
            network=network_info(problem),
            device=str(problem.network.device),
            versions=versions(),
            search=name_of(self.search),
            encoding=name_of(problem.encoding),
            items=items,
            findings=summary(items) | {"frames": state.frames},
            figures=[Figure(FILM, caption)],
        )

    def _frame(self, record: Record, number: int, interrupt: Interrupt) -> _Frame | None:
        """Makes and saves frame `number`; None where Ctrl-C came before it was done."""
        rows = self.start.rows
        if number == 0:
            problem = self.start.problem
            genome = problem.start(rows)
            evaluation = problem.evaluate(genome, rows)
            self._save(record, 0, problem.images(genome, rows)[0])
            return _Frame(float(evaluation.scores[0, 0]), evaluation.forwards, 0)
        last = self._saved(record, number - 1)
        problem = self._around(record, magnified(last, self.zoom))
        rows = rows.fold_in(number)
        state = self.search.init(problem, rows)
        passes = torch.zeros(2, dtype=torch.int64, device=rows.item.device)
        for step in range(self.search.steps):
            if interrupt.requested:
                return None
            state, report = self.search.step(problem, rows, state, step)
            passes = passes + torch.stack([report.forwards[0], report.backwards[0]])
        self._save(record, number, problem.images(report.genome, rows)[0])
        forwards, backwards = passes.tolist()
        return _Frame(float(report.score[0]), forwards, backwards)

    def _around(self, record: Record, image: Image.Image) -> ImageProblem:
        """The problem of the film with `image` as the picture that is perturbed."""
        problem = self.start.problem
        encoding = problem.encoding
        if not isinstance(encoding, Perturbation):  # a film that began with noise
            first = data.Picture("frame", self._saved(record, 0))
            encoding = Perturbation(first, size=[image.height, image.width])
            encoding = encoding.to(problem.network.device)
        return replace(problem, encoding=encoding.around(data.Picture("frame", image)))

    def _save(self, record: Record, number: int, image: Tensor) -> None:
        record.picture(number, image, {"frame": number}, FRAMES)

    def _saved(self, record: Record, number: int) -> Image.Image:
        return data.to_image(record.read_back(_name(number)))

    def _resumed(self, record: Record) -> _Progress:
        """The progress of the film in the folder; InputError where a frame is missing."""
        checkpoint = record.resume()
        if checkpoint is None:
            return _Progress()
        try:
            state = _Progress(**checkpoint[1])
        except MALFORMED as error:
            raise record.malformed() from error
        for number in range(state.frames):
            if not (record.folder / _name(number)).is_file():
                raise InputError(
                    f"folder={record.folder}: {_name(number)} is gone; name another "
                    "folder, or delete this."
                )
        log.info("resumed at frame %d of %d", state.frames, self.frames)
        return state

    def _film(self, record: Record, count: int) -> None:
        """Writes the first `count` frames as an animation."""
        frames = (self._saved(record, number) for number in range(count))
        record.keep(FILM, webp(frames, [round(1000 / self.fps)] * count))

    def _items(self, record: Record, state: _Progress) -> list[Item]:
        """The item of the last frame, saved as any image is; its original is the first frame."""
        problem = self._around(record, self._saved(record, 0))
        device = problem.network.device
        first, last = (
            record.read_back(_name(number)).to(device) for number in (0, state.frames - 1)
        )
        difference = last - first
        run_state = RunState(
            genome=difference[None],
            search_state={},
            score=[state.score],
            monitor=[state.score],
            forwards=[state.forwards],
            backwards=[state.backwards],
            steps=[state.frames],
            seconds=[state.seconds],
            active=[],
        )
        result = SearchResult(problem, self.start.rows, run_state)
        items = save_images(record, result, self.seed, name_of(self.search))
        places, saved = read_saved(record, items, device)
        judge_items(items, result, places, saved, until=None)
        compare_with_clean(record, items, result, places, saved)
        return items


def _name(number: int) -> str:
    """The file of a frame within the run folder."""
    return f"{FRAMES}/{number:03d}.png"


def magnified(image: Image.Image, zoom: float) -> Image.Image:
    """The middle of `image`, `zoom` times as large, at the size of the whole."""
    width, height = image.size
    left, top = (width - width / zoom) / 2, (height - height / zoom) / 2
    box = (left, top, width - left, height - top)
    return image.resize(image.size, Image.Resampling.BICUBIC, box)


def _line(state: _Progress) -> dict[str, Json]:
    """The line of steps.jsonl about the newest frame."""
    return {
        "step": state.frames - 1,
        "best": state.score,
        "mean": state.score,
        "terms": {},
        "forwards": state.forwards,
        "backwards": state.backwards,
        "seconds": state.seconds,
    }
