"""Style transfer by a trained feed-forward network: pictures, folders and films, one pass each."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from synth import data
from synth.data.animation import Animation, animation, webp
from synth.errors import InputError
from synth.files import path_of
from synth.networks import weights_io
from synth.networks.stylizer import SHIPPED, SMALLEST, read_stylizer
from synth.record import progress
from synth.record.interrupt import Interrupt
from synth.record.job import Job
from synth.record.record import Record, versions
from synth.record.result import MALFORMED, Figure, Item, Json, NetworkInfo, Result

log = logging.getLogger(__name__)

FRAMES, FILM = "frames", "film.webp"
QUALITY = 90  # of the frames in the film: brush strokes have sharp edges
LARGEST = 4096  # pixels of the longer side: about 6 GB while the picture is stylized
CHECKPOINT_EVERY = 2.0  # seconds
LISTED_FILES = 8  # names of skipped files in a message


@dataclass
class _Progress:
    """The progress of a run, as its checkpoint stores it.

    Attributes:
        weights: SHA-256 of the stylizer's file.
        items: of the pictures so far.
        skipped: names of files that are no readable pictures.
        done: pictures that need not be stylized any more; one that is named twice is here twice.
        durations: milliseconds of each frame so far.
        seconds: run time so far.
    """

    weights: str
    items: list[Item] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Json]:
        return vars(self) | {"items": [item.to_dict() for item in self.items]}

    @staticmethod
    def from_dict(record: Mapping[str, Json]) -> _Progress:
        items = [Item.from_dict(item) for item in record["items"]]
        return _Progress(**(dict(record) | {"items": items}))


class Stylize(Job):
    """Renders pictures in the style that a network was trained for.

    Pictures are stylized one at a time at their own size. Files of a folder that cannot be read are
    skipped by name. An animated `image` (GIF, WEBP, PNG) is a film: its frames are stylized one by
    one and keep their durations. An interrupted run goes on with the same command.

    Args:
        image: a picture or film.
        images: a folder, glob or list, in place of `image`.
        weights: file of a trained stylizer; the bundled one by default.
        longest: pixels of the longer side, 8 to 4096; larger pictures are scaled down. Brush
            strokes have one size in pixels, so a small value gives large ones.
        device: ``auto``, ``cpu``, ``cuda:0``.

    Raises:
        InputError: for a picture or weights that cannot be read, or a number out of range.
    """

    def __init__(
        self,
        image: data.Source | None = None,
        images: data.Sources | None = None,
        weights: str | None = None,
        longest: int = 1024,
        device: str = "auto",
    ) -> None:
        if (image is None) == (images is None):
            problem = "both are given" if image is not None else "nothing is given"
            raise InputError(
                f"image=, images=: {problem}; write image=PATH (a film too) or images=FOLDER."
            )
        if not SMALLEST <= longest <= LARGEST:
            raise InputError(
                f"longest={longest}: write the pixels of the longer side, from {SMALLEST} to "
                f"{LARGEST}."
            )
        self.stylizer, self.about = read_stylizer(weights, device)
        path = SHIPPED if weights is None else path_of(weights, "weights")
        self.sha256 = weights_io.sha256(path)
        self.device = next(self.stylizer.parameters()).device
        self.longest = longest
        self.film: Animation | None = None
        self.paths: list[Path] | None = None  # of a folder or glob, whose bad files are skipped
        self.named: list[data.Source] = []  # pictures that must be readable
        if image is not None:
            data.picture(image)  # raises where it cannot be read
            if not isinstance(image, data.Picture):
                self.film = animation(path_of(image, "image"))
            self.named = [image]
        elif isinstance(images, str | Path):
            self.paths = data.files_of(images)
            self.named = [images]
        else:
            data.pictures(images or ())  # raises where one cannot be read
            self.named = [images] if isinstance(images, data.Picture) else list(images or ())
        self.source = str(image or images)

    def run(self, record: Record) -> Result:
        """Stylizes picture after picture, or goes on with those that are missing."""
        state = self._resumed(record)
        start = time.monotonic() - state.seconds
        saver = _Saver(record, state, start)
        with Interrupt() as interrupt:
            if self.film:
                done = self._stylize_film(record, self.film, state, saver, interrupt)
            else:
                done = self._stylize_pictures(record, state, saver, interrupt)
        state.seconds = round(time.monotonic() - start, 3)
        if done and not state.items:
            raise InputError(
                f"images={self.source}: none of its {len(state.skipped)} files is a readable "
                "picture."
            )
        if state.skipped:
            log.warning(
                "images=%s: %d of %d files skipped: %s",
                self.source,
                len(state.skipped),
                len(state.skipped) + len(state.items),
                ", ".join(state.skipped[:LISTED_FILES])
                + (", ..." if state.skipped[LISTED_FILES:] else ""),
            )
        if not done:
            record.checkpoint({}, state.to_dict())
            log.warning(
                "interrupted after %d; the same command with folder=%s goes on.",
                len(state.done) + len(state.durations),
                record.folder,
            )
        return self._result(state, done)

    def _result(self, state: _Progress, done: bool) -> Result:
        findings: dict[str, Json] = {
            "pictures": len(state.items),
            "skipped_files": len(state.skipped),
        }
        figures = []
        if self.film:
            findings = {
                "frames": len(state.durations),
                "film_seconds": sum(state.durations) / 1000,
            }
            if done:
                figures = [Figure(FILM, f"{self.source} in the style of {self.about.style}.")]
        return Result(
            status="done" if done else "interrupted",
            seconds=state.seconds,
            device=str(self.device),
            versions=versions(),
            network=NetworkInfo("stylizer", self.sha256),
            items=state.items,
            findings=findings | {"style": self.about.style},
            figures=figures,
        )

    def _stylize_pictures(
        self, record: Record, state: _Progress, saver: _Saver, interrupt: Interrupt
    ) -> bool:
        """Stylizes the pictures that are missing; False where Ctrl-C came first."""
        sources: Sequence[data.Source] = self.named if self.paths is None else self.paths
        done = Counter(state.done)
        with progress.Steps("stylize", len(sources)) as bar:
            for place, source in enumerate(sources):
                if interrupt.requested:
                    return False
                if done[str(source)]:
                    done[str(source)] -= 1
                    continue
                try:
                    picture = data.picture(source, "images" if self.paths is not None else "image")
                except InputError as error:
                    if self.paths is None:
                        raise
                    log.warning("skipped: %s", error)
                    state.skipped.append(Path(str(source)).name)
                else:
                    item = self._item(record, len(state.items), picture.image, picture.name)
                    state.items.append(item)
                state.done.append(str(source))
                saver.save_sometimes()
                bar.at(place + 1, Path(str(source)).name)
        return True

    def _stylize_film(
        self,
        record: Record,
        film: Animation,
        state: _Progress,
        saver: _Saver,
        interrupt: Interrupt,
    ) -> bool:
        """Stylizes the missing frames, then writes the film; False where Ctrl-C came first."""
        with progress.Steps("film", film.count) as bar:
            for image, milliseconds in film.frames(len(state.durations)):
                if interrupt.requested:
                    return False
                number = len(state.durations)
                if number == 0:
                    state.items = [self._item(record, 0, image, film.path.name)]
                frame = self._stylized(self._scaled(image))
                record.picture(number, frame, {"frame": number}, FRAMES)
                state.durations.append(milliseconds)
                saver.save_sometimes()
                bar.at(len(state.durations), "")
        frames = (
            data.to_image(record.read_back(f"{FRAMES}/{number:03d}.png"))
            for number in range(len(state.durations))
        )
        record.keep(FILM, webp(frames, state.durations, film.loop, QUALITY))
        return True

    def _item(self, record: Record, number: int, image: Image.Image, name: str) -> Item:
        """Stylizes and saves one picture, with the original beside it at the same size."""
        start = time.monotonic()
        scaled = self._scaled(image)
        if scaled.shape[1:] != (image.height, image.width):
            log.info(
                "%s: %dx%d pixels, painted at %dx%d (longest=%d)",
                name,
                image.width,
                image.height,
                scaled.shape[2],
                scaled.shape[1],
                self.longest,
            )
        about = {"target": name, "style": self.about.style, "weights": self.sha256}
        item = Item(target=name, image=name)
        item.file = record.picture(number, self._stylized(scaled), about)
        item.original = record.picture(number, scaled, {"image": name}, "originals")
        item.seconds = round(time.monotonic() - start, 3)
        return item

    def _scaled(self, image: Image.Image) -> Tensor:
        """The picture [3, h, w], scaled down where it is longer than `longest`."""
        factor = self.longest / max(image.size)
        if factor >= 1:
            return data.from_image(image)
        width, height = (max(SMALLEST, round(side * factor)) for side in image.size)
        return data.Picture("", image).at((height, width))

    def _stylized(self, image: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.stylizer(image[None].to(self.device))[0]

    def _resumed(self, record: Record) -> _Progress:
        """The progress of the run in the folder.

        Raises:
            InputError: where the weights have changed since, or one of its pictures is missing.
        """
        checkpoint = record.resume()
        if checkpoint is None:
            return _Progress(self.sha256)
        try:
            state = _Progress.from_dict(checkpoint[1])
        except MALFORMED as error:
            raise record.malformed() from error
        if state.weights != self.sha256:
            raise InputError(
                f"folder={record.folder}: was begun with other weights; name another folder."
            )
        frames = [f"{FRAMES}/{number:03d}.png" for number in range(len(state.durations))]
        for name in [str(item.file) for item in state.items] + frames:
            if not (record.folder / name).is_file():
                raise InputError(
                    f"folder={record.folder}: {name} is gone; name another folder, or delete this "
                    "one."
                )
        log.info("going on after %d", len(state.done) + len(frames))
        return state


class _Saver:
    """Writes a checkpoint every `CHECKPOINT_EVERY` seconds."""

    def __init__(self, record: Record, state: _Progress, start: float) -> None:
        self.record = record
        self.state = state
        self.start = start
        self.last = time.monotonic()

    def save_sometimes(self) -> None:
        if time.monotonic() - self.last <= CHECKPOINT_EVERY:
            return
        self.state.seconds = round(time.monotonic() - self.start, 3)
        self.record.checkpoint({}, self.state.to_dict())
        self.last = time.monotonic()
