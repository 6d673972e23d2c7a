"""Takes pictures, or a film, and a trained stylizer; leaves them painted in its style, a single pass each."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from synth import data
from synth.data.animation import Animation, animation, opened, webp
from synth.errors import InputError
from synth.networks import weights_io
from synth.networks.stylizer import SHIPPED, SMALLEST, read_stylizer
from synth.record import progress
from synth.record.interrupt import Interrupt
from synth.record.record import Record, versions

log = logging.getLogger(__name__)

FRAMES, FILM = "frames", "film.webp"
QUALITY = 90  # of the frames in the film: strokes have sharp edges
LARGEST = 4096  # pixels of the longer side: about 6 GB while the picture is painted
EVERY = 2.0  # seconds of work that a kill may cost


class Stylize:
    """Paints `image`, all of `images` (a folder, a glob or a list), or a film, in the style of the stylizer `weights`.

    `weights` null takes the one in the box. Pictures are painted one at a time, at their own size, those with a longer
    side than `longest` pixels at that: strokes have one size in pixels, so that a small `longest` gives large ones.
    Of a folder, what cannot be read is skipped by name. An `image` that moves (GIF, WEBP, PNG) is a film: its frames
    are painted one by one, and shown for as long as they were. What was stopped goes on with the same command.
    """

    def __init__(
        self,
        image: str | None = None,
        images: str | Sequence[str] | None = None,
        weights: str | None = None,
        longest: int = 1024,
        device: str = "auto",
    ) -> None:
        if (image is None) == (images is None):
            given = "both are given" if image is not None else "nothing is given"
            raise InputError(
                f"image=, images=: {given}; write image=PATH (a film too) or images=FOLDER."
            )
        if not SMALLEST <= longest <= LARGEST:
            raise InputError(
                f"longest={longest}: write the pixels of the longer side, from {SMALLEST} to {LARGEST}."
            )
        self.stylizer, self.about = read_stylizer(weights, device)
        self.sha256 = weights_io.sha256(SHIPPED if weights is None else Path(weights).expanduser())
        self.device, self.longest = next(self.stylizer.parameters()).device, longest
        self.film: Animation | None = None
        self.paths: list[Path] | None = None  # of files that may be bad, where others are left
        self.named: list[str] = []
        if image is not None:
            data.picture(image)  # says what is wrong with it
            self.film = animation(Path(image).expanduser())
            self.named = [image]
        elif isinstance(images, str):
            self.paths = data.files_of(images)
            self.named = [images]
        else:
            self.named = list(images or ())
            data.pictures(self.named)
        self.source = str(image or images)

    def run(self, record: Record) -> dict[str, Any]:
        """Paints one picture after the other, or goes on with those that are there; gives the result record."""
        now = self._resumed(record)
        began = time.monotonic() - now["seconds"]
        with Interrupt() as interrupt:
            done = (
                self._film(record, now, began, interrupt)
                if self.film
                else self._all(record, now, began, interrupt)
            )
        now["seconds"] = round(time.monotonic() - began, 3)
        items, skipped = now["items"], now["skipped"]
        if done and not items:
            raise InputError(
                f"images={self.source}: none of its {len(skipped)} files is a readable picture."
            )
        if skipped:
            log.warning("images=%s: %d of %d files skipped: %s", self.source, len(skipped), len(skipped) + len(items),
                        ", ".join(skipped[:8]) + (", ..." if skipped[8:] else ""))  # fmt: skip
        if not done:
            record.checkpoint({}, now)
            log.warning("interrupted after %d; the same command with folder=%s goes on.",
                        len(now["done"]) + len(now["durations"]), record.folder)  # fmt: skip
        findings = {"pictures": len(items), "skipped_files": len(skipped)}
        figures = []
        if self.film:
            findings = {
                "frames": len(now["durations"]),
                "film_seconds": sum(now["durations"]) / 1000,
            }
            figures = [
                {"file": FILM, "caption": f"{self.source} in the style of {self.about.style}."}
            ] * done
        return {
            "status": "done" if done else "interrupted",
            "seconds": now["seconds"],
            "device": str(self.device),
            "versions": versions(),
            "network": {"name": "stylizer", "sha256": self.sha256},
            "search": None,
            "encoding": None,
            "items": items,
            "findings": findings | {"style": self.about.style},
            "figures": figures,
        }

    def _all(self, record: Record, now: dict[str, Any], began: float, interrupt: Interrupt) -> bool:
        """Paints the pictures that are not there yet; whether it came to the end."""
        sources: Sequence[str | Path] = self.named if self.paths is None else self.paths
        there, saved = set(now["done"]), time.monotonic()
        with progress.Steps("stylize", len(sources)) as bar:
            for place, source in enumerate(sources):
                if interrupt.asked:
                    return False
                if str(source) in there:
                    continue
                try:
                    picture = data.picture(source, "images" if self.paths is not None else "image")
                except InputError as error:
                    if self.paths is None:
                        raise
                    log.warning("skipped: %s", error)
                    now["skipped"].append(Path(source).name)
                else:
                    now["items"].append(
                        self._item(record, len(now["items"]), picture.image, picture.name)
                    )
                now["done"].append(str(source))
                saved = _saved(record, now, began, saved)
                bar.at(place + 1, Path(source).name)
        return True

    def _film(
        self, record: Record, now: dict[str, Any], began: float, interrupt: Interrupt
    ) -> bool:
        """Paints the frames that are not there yet, then writes the film; whether it came to the end."""
        film = self.film
        assert film is not None
        durations, saved = now["durations"], time.monotonic()
        with progress.Steps("film", film.count) as bar:
            for image, milliseconds in film.frames(len(durations)):
                if interrupt.asked:
                    return False
                number = len(durations)
                if number == 0:
                    now["items"] = [self._item(record, 0, image, film.path.name)]
                record.picture(number, self._painted(self._small(image)), {"frame": number}, FRAMES)
                durations.append(milliseconds)
                saved = _saved(record, now, began, saved)
                bar.at(len(durations), "")
        frames = opened(
            record.folder / FRAMES / f"{number:03d}.png" for number in range(len(durations))
        )
        record.keep(FILM, webp(frames, durations, film.loop, QUALITY))
        return True

    def _item(self, record: Record, number: int, image: Image.Image, name: str) -> dict[str, Any]:
        """Paints and saves one picture; its record, with the original beside it at the same size."""
        began = time.monotonic()
        small = self._small(image)
        if small.shape[1:] != (image.height, image.width):
            log.info("%s: %dx%d pixels, painted at %dx%d (longest=%d)", name, image.width, image.height, small.shape[2],
                     small.shape[1], self.longest)  # fmt: skip
        about = {"target": name, "style": self.about.style, "weights": self.sha256}
        item = {
            "file": record.picture(number, self._painted(small), about),
            "target": name,
            "image": name,
        }
        item["original"] = record.picture(number, small, {"image": name}, "originals")
        return item | {
            "predicted": None,
            "success": None,
            "seconds": round(time.monotonic() - began, 3),
        }

    def _small(self, image: Image.Image) -> torch.Tensor:
        """The picture [3, h, w], no longer than `longest`."""
        factor = self.longest / max(image.size)
        if factor >= 1:
            return data.from_image(image)
        width, height = (max(SMALLEST, round(side * factor)) for side in image.size)
        return data.Picture("", image).at((height, width))

    def _painted(self, image: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return self.stylizer(image[None].to(self.device))[0]

    def _resumed(self, record: Record) -> dict[str, Any]:
        """How far the run in the folder is; InputError where the weights, or a picture of it, have changed since."""
        found = record.resume()
        fresh = {
            "items": [],
            "skipped": [],
            "done": [],
            "durations": [],
            "seconds": 0.0,
            "weights": self.sha256,
        }
        if found is None:
            return fresh
        about = {name: found[1][name] for name in fresh}
        if about["weights"] != self.sha256:
            raise InputError(
                f"folder={record.folder}: was begun with other weights; name another folder."
            )
        frames = [f"{FRAMES}/{number:03d}.png" for number in range(len(about["durations"]))]
        for name in [item["file"] for item in about["items"]] + frames:
            if not (record.folder / name).is_file():
                raise InputError(
                    f"folder={record.folder}: {name} is gone; name another folder, or delete this one."
                )
        log.info("going on after %d", len(about["done"]) + len(frames))
        return about


def _saved(record: Record, now: dict[str, Any], began: float, last: float) -> float:
    """Saves how far the run is, where it did so `EVERY` seconds ago or more; when it did so last."""
    if time.monotonic() - last <= EVERY:
        return last
    now["seconds"] = round(time.monotonic() - began, 3)
    record.checkpoint({}, now)
    return time.monotonic()
