"""Takes the parts of a synthesis; leaves a film of falling into a dream: each frame the last one, nearer, dreamed on.

A frame depends on the last one as it was saved and on its number, on nothing else: a film that was killed goes on
from the frames that are there, and becomes the same film.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from synth import data
from synth.core import Encoding, Objective, Search, Transform
from synth.core.network import Network
from synth.data.animation import opened, webp
from synth.encodings.perturbation import Perturbation
from synth.engine.experiment import Experiment
from synth.engine.fitness import ImageProblem
from synth.engine.state import RunState
from synth.engine.verdict import summary
from synth.engine.writing import write_items
from synth.errors import InputError
from synth.record import progress
from synth.record.interrupt import Interrupt
from synth.record.record import Record, versions

log = logging.getLogger(__name__)

FRAMES, FILM = "frames", "film.webp"


class Film:
    """`frames` pictures, the first what the encoding starts from; played `fps` a second, over and over.

    Each of the others is the one before, magnified by `zoom` about its middle, then moved by the whole `search` as a
    perturbation of its own (google/deepdream, ``dream.ipynb``, which zooms by 1.05). `epsilon` and the like hold from
    frame to frame, not from the first on. A film is of one item; it is done when its frames are, whatever they score.
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
                f"a film is of one item, not of {len(self.start.rows)}: name one image= and one layer=."
            )
        if search.shared_population or encoding.images_per_genome > 1:
            raise InputError(
                "a film needs a search and an encoding of one picture at a time; use encoding=canvas."
            )
        self.search, self.frames, self.zoom, self.fps, self.seed = search, frames, zoom, fps, seed

    def run(self, record: Record) -> dict[str, Any]:
        """Dreams frame after frame, or goes on with those that are there; Ctrl-C leaves a film of what there is."""
        now = self._resumed(record)
        began = time.monotonic() - now["seconds"]
        with Interrupt() as interrupt, progress.Steps("film", self.frames) as bar:
            while now["frames"] < self.frames and not interrupt.asked:
                made = self._frame(record, now["frames"], interrupt)
                if made is None:  # Ctrl-C in the middle of a frame
                    break
                now["frames"] += 1
                now["forwards"] += made["forwards"]
                now["backwards"] += made["backwards"]
                now |= {"score": made["score"], "seconds": round(time.monotonic() - began, 3)}
                record.steps([self._line(now)])
                record.checkpoint({"score": torch.tensor(now["score"])}, now)
                bar.at(now["frames"], f"score {now['score']:.3g}")
            if not now["frames"]:
                raise KeyboardInterrupt
            done = now["frames"] == self.frames
            self._film(record, now["frames"])
        if not done:
            log.warning("interrupted after %d of %d frames; the same command with folder=%s goes on from there",
                        now["frames"], self.frames, record.folder)  # fmt: skip
        problem = self.start.problem
        items = self._items(record, now)
        log.info("film of %d frames in %.1f s", now["frames"], now["seconds"])
        length = f"{now['frames']} frames, {now['frames'] / self.fps:.3g} s"
        caption = f"{length}: each is the one before, {self.zoom:g} times as large, dreamed on."
        return {
            "status": "done" if done else "interrupted",
            "seconds": now["seconds"],
            "network": {"name": problem.network.name, "sha256": problem.network.sha256},
            "device": str(problem.network.device),
            "versions": versions(),
            "search": type(self.search).__name__.lower(),
            "encoding": type(problem.encoding).__name__.lower(),
            "items": items,
            "findings": summary(items) | {"frames": now["frames"]},
            "figures": [{"file": FILM, "caption": caption}],
        }

    def _frame(self, record: Record, number: int, interrupt: Interrupt) -> dict[str, Any] | None:
        """Makes and saves frame `number`; what it scored and cost, or None where Ctrl-C came in between."""
        rows = self.start.rows
        if number == 0:
            problem = self.start.problem
            found = problem.evaluate(problem.start(rows), rows)
            self._keep(record, 0, problem.images(problem.start(rows), rows)[0])
            return {"score": float(found.scores[0, 0]), "forwards": found.forwards, "backwards": 0}
        last = data.picture(self._path(record, number - 1), FRAMES).image
        problem = self._around(record, nearer(last, self.zoom))
        rows = rows.fold_in(number)
        state, spent = (
            self.search.init(problem, rows),
            torch.zeros(2, dtype=torch.int64, device=rows.item.device),
        )
        for step in range(self.search.steps):
            if interrupt.asked:
                return None
            state, said = self.search.step(problem, rows, state, step)
            spent = spent + torch.stack([said.forwards[0], said.backwards[0]])
        self._keep(record, number, problem.images(said.genome, rows)[0])
        forwards, backwards = spent.tolist()
        return {"score": float(said.score[0]), "forwards": forwards, "backwards": backwards}

    def _around(self, record: Record, image: Image.Image) -> ImageProblem:
        """The problem of the film with `image` as the picture that is changed."""
        problem = self.start.problem
        encoding = problem.encoding
        if not isinstance(
            encoding, Perturbation
        ):  # what a film out of noise has been since its first frame
            first = str(self._path(record, 0))
            encoding = Perturbation(first, size=[image.height, image.width]).to(
                problem.network.device
            )
        return replace(problem, encoding=encoding.around(data.Picture("frame", image)))

    def _keep(self, record: Record, number: int, image: torch.Tensor) -> None:
        record.picture(number, image, {"frame": number}, FRAMES)

    def _path(self, record: Record, number: int) -> Path:
        return record.folder / FRAMES / f"{number:03d}.png"

    def _line(self, now: dict[str, Any]) -> dict[str, Any]:
        """The line of steps.jsonl about the newest frame."""
        score = now["score"]
        return {"step": now["frames"] - 1, "best": score, "mean": score, "terms": {}, "forwards": now["forwards"],
                "backwards": now["backwards"], "seconds": now["seconds"]}  # fmt: skip

    def _resumed(self, record: Record) -> dict[str, Any]:
        """How far the film in the folder is; InputError where a frame of it is gone."""
        found = record.resume()
        if found is None:
            return {"frames": 0, "score": 0.0, "forwards": 0, "backwards": 0, "seconds": 0.0}
        about = {name: value for name, value in found[1].items() if name != "steps_bytes"}
        for number in range(about["frames"]):
            if not self._path(record, number).is_file():
                raise InputError(
                    f"folder={record.folder}: {FRAMES}/{number:03d}.png is gone; name another folder, or delete this."
                )
        log.info("resumed at frame %d of %d", about["frames"], self.frames)
        return about

    def _film(self, record: Record, count: int) -> None:
        """Writes the first `count` frames as an animation."""
        frames = opened(self._path(record, number) for number in range(count))
        record.keep(FILM, webp(frames, [round(1000 / self.fps)] * count))

    def _items(self, record: Record, now: dict[str, Any]) -> list[dict[str, Any]]:
        """The record of the last frame, which is kept as any picture is, with the first as its original."""
        ends = [
            data.picture(self._path(record, number), "frames") for number in (0, now["frames"] - 1)
        ]
        problem = self._around(record, ends[0].image)
        device, rows = problem.network.device, self.start.rows
        first, last = (data.from_image(picture.image).to(device) for picture in ends)
        course = RunState(
            (last - first)[None], {}, score=[now["score"]], monitor=[now["score"]], forwards=[now["forwards"]],
            backwards=[now["backwards"]], steps=[now["frames"]], seconds=[now["seconds"]], active=[],
        )  # fmt: skip
        return write_items(
            record, problem, rows, course, None, self.seed, type(self.search).__name__.lower()
        )


def nearer(image: Image.Image, zoom: float) -> Image.Image:
    """The middle of `image`, `zoom` times as large, at the size of the whole."""
    width, height = image.size
    aside = [(side - side / zoom) / 2 for side in (width, height)]
    box = (aside[0], aside[1], width - aside[0], height - aside[1])
    return image.resize(image.size, Image.Resampling.BICUBIC, box)
