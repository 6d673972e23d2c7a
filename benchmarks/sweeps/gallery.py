"""A gallery that is killed and resumed: pictures, seconds a picture early and late, memory.

100 classes of a small network with random weights, pictures of 16x16 by gradient ascent; the
process is killed after a third and after two thirds, and the last one exports. SYNTH_GALLERY is the
number of pictures (default 2000).
"""

from __future__ import annotations

import json
import os
import resource
import signal
import tempfile
import time
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import nn

from synth.core.network import Network
from synth.datasets.gallery import Gallery
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.objectives.scores import ClassScore
from synth.record import progress
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient

PICTURES = int(os.environ.get("SYNTH_GALLERY", "2000"))
CLASSES = 100


class _Timed(FolderRecord):
    """Notes when each search ends, and ends the process after the search `last`."""

    last: str | None = None

    def keep_part_result(self, result: Any) -> None:
        super().keep_part_result(result)
        line = [time.time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]
        with open(self.folder / "times.txt", "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self.part == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def of(self, part: str, first: int) -> _Timed:
        self._parts.append(part)
        share = _Timed(self.folder, self.identity, part, first)
        share.last = self.last
        return share


def rows() -> list[tuple[str, str]]:
    """Kills, pictures, cost early and late, and memory, as rows of a table."""
    seeds = max(3, PICTURES // CLASSES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        start = time.perf_counter()
        codes = []
        for last in (f"pixels-{seeds // 3}", f"pixels-{2 * seeds // 3}", None):
            process = get_context("fork").Process(target=_run, args=(folder, seeds, last))
            process.start()
            process.join()
            codes.append(process.exitcode)
        seconds = time.perf_counter() - start
        lines = [json.loads(line) for line in (folder / "times.txt").read_text().splitlines()]
        finished = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        exported = len(list((folder / "dataset").glob("*/*/*.png")))
    steps = [b[0] - a[0] for a, b in pairwise(lines)]
    return [
        (
            f"gallery of {len(finished['items']):,} pictures, ended by signals {codes[:2]}",
            f"{len(lines)} searches for {seeds} planned, {exported:,} pictures exported, "
            f"{seconds:.0f} s; a search of {CLASSES} took {steps[0]:.2f} s at first and "
            f"{steps[-1]:.2f} s at last; {lines[-1][1] - lines[1][1]:.0f} MB more at last",
        )
    ]


def _run(folder: Path, seeds: int, last: str | None) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1568, CLASSES))
    network = Network(module, size=(16, 16), device="cpu")
    method = partial(Experiment, network, Pixels(16), ClassScore("all"), Gradient(3, "adam", 0.05))
    record = _Timed(folder)
    record.last = last
    with progress.silenced():
        record.finish(Gallery({"pixels": method}, seeds).run(record))
