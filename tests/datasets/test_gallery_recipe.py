"""recipe=gallery: planned, killed, resumed, exported; its genomes render from the data set."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import synth
from synth.core.network import Network
from synth.datasets.gallery import Gallery
from synth.encodings.cppn import Cppn
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.jobs.render import Render
from synth.objectives.scores import ClassScore
from synth.record.folder_record import FolderRecord
from synth.searches.genetic import Genetic
from synth.searches.gradient import Gradient
from synth.searches.operators.crossover import NoCrossover
from synth.searches.operators.selection import Tournament
from synth.searches.operators.topology import TopologyMutation


def gallery(network: Network, pictures: int, **settings: Any) -> Gallery:
    def method(encoding: Any, search: Any, seed: int) -> Experiment:
        objective = ClassScore("all", "log_probability")
        return Experiment(network, encoding, objective, search, seed=seed)

    evolution = Genetic(Tournament(), NoCrossover(), TopologyMutation(), 2, 4)
    methods: dict[str, Callable[..., Experiment]] = {
        "pixels": partial(method, Pixels(16), Gradient(3, "adam", 0.05)),
        "cppn": partial(method, Cppn(16, hidden=6), evolution),
    }
    return Gallery(methods, pictures, **settings)


def run(job: Gallery, folder: Path) -> None:
    record = FolderRecord(folder, {"recipe": "gallery"})
    record.finish(job.run(record))


def pixels_of(folder: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("images/*.png"))]


def test_a_gallery_that_is_killed_goes_on_to_the_same_data_set(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(gallery(network, 7), whole)
    pictures = pixels_of(whole)
    assert len(pictures) == 7 * 5
    assert len({picture.tobytes() for picture in pictures}) > 30  # seeds differ
    items = synth.load_runs(whole)[0].items
    assert Counter(item.contender for item in items) == {
        **{f"pixels-{seed}": 5 for seed in range(4)},
        **{f"cppn-{seed}": 5 for seed in range(3)},
    }
    assert set(Counter(item.target for item in items).values()) == {7}
    exported = {path.read_bytes() for path in (whole / "dataset").glob("*/*/*.png")}
    assert exported == {path.read_bytes() for path in (whole / "images").glob("*.png")}

    keep = FolderRecord.keep_part_result

    def kept_and_killed(self: FolderRecord, result: Any) -> None:
        keep(self, result)
        if self.part == "cppn-0":
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(FolderRecord, "keep_part_result", kept_and_killed)
    process = get_context("fork").Process(target=run, args=(gallery(network, 7), killed))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert not (killed / "dataset").exists()
    monkeypatch.setattr(FolderRecord, "keep_part_result", keep)
    again = gallery(network, 7)
    seeds: list[tuple[str, int]] = []
    for name, entry in again.methods.items():
        again.methods[name] = partial(
            lambda name, entry, seed: seeds.append((name, seed)) or entry(seed=seed), name, entry
        )
    run(again, killed)
    assert seeds == [("cppn", 1), ("cppn", 2)]  # nothing that is finished is repeated
    resumed = pixels_of(killed)
    assert all(np.array_equal(*pair) for pair in zip(pictures, resumed, strict=True))
    assert len(list((killed / "dataset").glob("*/*/*.png"))) == 35
    assert not list(killed.glob("checkpoint*"))

    genomes = killed / "dataset/genomes/000"
    render = Render(str(genomes), Cppn(hidden=6), size=16, contender="cppn-2", device="cpu")
    run(render, tmp_path / "rendered")  # type: ignore[arg-type]
    last = [i for i, item in enumerate(items) if item.contender == "cppn-2"]
    for place, picture in zip(last, pixels_of(tmp_path / "rendered"), strict=True):
        assert np.array_equal(picture, pictures[place])


def test_a_plan_shares_the_pictures_of_a_class_out(network: Network) -> None:
    torch.manual_seed(0)
    assert gallery(network, 3, seed=5)._plan() == [("pixels", 5), ("pixels", 6), ("cppn", 5)]
    assert gallery(network, 1, methods="cppn")._plan() == [("cppn", 0)]
    for settings, message in (
        ({"pictures": 0}, "pictures=0: write 1 or more"),
        ({"methods": ["pixel"]}, r"methods=pixel: no such method\. Did you mean pixels"),
        ({"to": "zip"}, "to=zip: write one of folder"),
        ({"drop": "all"}, "drop=all: write one of none"),
    ):
        with pytest.raises(InputError, match=message):
            gallery(network, **{"pictures": 1, **settings})
