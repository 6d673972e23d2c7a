"""Whole runs of maps of elites and genetic searches: folder, budgets, interruptions, SIGKILL."""

from __future__ import annotations

import json
import logging
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from console import Synth, result_of
from hypothesis import given, settings
from hypothesis import strategies as st
from interrupted import Forked, at_step
from PIL import Image
from safetensors.torch import load_file
from small_worlds import NAMES, count_passes, rows_of, tiny_module, wrapped

from synth.core import Encoding, Objective, Search
from synth.core.lineage import line_of
from synth.core.network import Network
from synth.encodings.cppn import Cppn
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.engine import experiment as engine
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.gallery.archive import read_archive
from synth.gallery.cards import cards_of
from synth.gallery.folder import Run
from synth.gallery.heatmap import heat_map_of
from synth.gallery.page import build_run_page, cards_by_cell
from synth.objectives.every_class import EveryClass
from synth.objectives.niches import Niches
from synth.objectives.scores import ClassScore
from synth.record.folder_record import FolderRecord
from synth.searches._elites import FRAMES
from synth.searches.genetic import Genetic
from synth.searches.map_elites import MapElites
from synth.searches.operators.combined_mutation import SelfAdaptive
from synth.searches.operators.crossover import NoCrossover, UniformCrossover
from synth.searches.operators.mutation import GaussianMutation
from synth.searches.operators.selection import Tournament
from synth.searches.operators.survival import MuCommaLambda
from synth.searches.operators.topology import TopologyMutation

pytest_plugins = "console_fixtures"


def loud() -> Network:
    return wrapped(tiny_module(gain=8.0))


def elites(
    steps: int = 30,
    batch: int = 8,
    objective: Objective | None = None,
    encoding: Encoding | None = None,
    **options: Any,
) -> Experiment:
    search = MapElites(TopologyMutation(), NoCrossover(), steps, batch)
    if encoding is not None:
        search = MapElites(GaussianMutation(0.2, 0.3), UniformCrossover(), steps, batch)
    options = {"seed": 2, **options}
    return Experiment(
        loud(), encoding or Cppn(hidden=8), objective or EveryClass(), search, **options
    )


def mixed_niches(steps: int = 6, **options: Any) -> Experiment:
    """A map of so many niches that most stay empty."""
    return elites(
        steps, objective=Niches(["lemon", "teapot"], {"brightness": 5, "symmetry": 6}), **options
    )


def genetic(**options: Any) -> Experiment:
    search = Genetic(
        Tournament(2),
        UniformCrossover(),
        SelfAdaptive(GaussianMutation(0.2, 0.2)),
        12,
        8,
        MuCommaLambda(),
        2,
        3,
    )
    return Experiment(
        loud(), Pixels(16), ClassScore([1, 3], "log_probability"), search, **{"seed": 2, **options}
    )


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "steps.jsonl").read_text().splitlines()]


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: timeless(entry) for key, entry in value.items() if key != "seconds"}
    return [timeless(entry) for entry in value] if isinstance(value, list) else value


def everything(path: Path) -> dict[str, bytes]:
    """All images and tensors that a run saves."""
    files = [
        *path.rglob("*.png"),
        *path.glob("genomes*.safetensors"),
        *path.glob("lineage*.safetensors"),
    ]
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(files)}


# -- the run folder --------------------------------------------------------------------------------


def test_a_map_saves_its_elites_their_ancestors_and_its_history(tmp_path: Path) -> None:
    experiment = elites(60)
    counts = count_passes(experiment.network)
    result = experiment.run(FolderRecord(tmp_path)).to_dict()
    items, archive = result["items"], result["archive"]
    assert [item["target"] for item in items] == list(NAMES)
    assert sum(item["forwards"] for item in items) == sum(counts) - len(items) == 60 * 8
    assert archive["names"] == list(NAMES)
    assert archive["steps"] == [*range(60), 60]
    assert archive["evaluations"] == [*range(8, 8 * 60 + 1, 8), 8 * 60]
    assert {len(row) for row in archive["confidence"]} == {61}
    for row, item in zip(archive["confidence"], items, strict=True):
        assert row[-1] == round(item["confidence"], 4)
        assert row[:-1] == sorted(row[:-1])  # elites never get worse
    births = load_file(tmp_path / "lineage.safetensors")["births"]
    genomes = load_file(tmp_path / "genomes.safetensors")["genome"]
    images = Cppn((16, 16), hidden=8).decode(genomes, rows_of(5))
    for number, item in enumerate(items):
        with Image.open(tmp_path / item["file"]) as picture:
            saved = np.asarray(picture, dtype=float).transpose(2, 0, 1) / 255
        assert np.abs(saved - images[number].double().numpy()).max() <= 0.5 / 255 + 1e-6
        ancestors = item["ancestors"]
        walked = line_of(births, number, ancestors[-1]["id"])
        assert item["generations"] == len(walked) - 1
        assert 1 <= len(ancestors) <= FRAMES + 1
        places = [walked.index(ancestor["id"]) for ancestor in ancestors]
        assert places == sorted(set(places))
        assert (places[0], places[-1]) == (0, len(walked) - 1)
        assert [ancestor["step"] for ancestor in ancestors] == [
            ancestor["id"] // 8 for ancestor in ancestors
        ]
        assert ancestors[-1]["target"] == item["target"]
        assert ancestors[-1]["score"] == pytest.approx(item["score"])
        assert {ancestor["target"] for ancestor in ancestors} <= set(NAMES)
        with Image.open(tmp_path / item["strip"]) as strip:
            assert strip.size == (16 * len(ancestors), 16)
            last = np.asarray(strip, dtype=float).transpose(2, 0, 1)[..., -16:] / 255
        assert np.array_equal(last, saved)  # one frame an ancestor, the elite last


def test_empty_niches_are_items_without_a_file(tmp_path: Path) -> None:
    run_result = mixed_niches().run(FolderRecord(tmp_path))
    result = run_result.to_dict()
    run_result.recipe = "illumination"
    FolderRecord(tmp_path).finish(run_result)
    empty = [item for item in result["items"] if item["file"] is None]
    filled = [item for item in result["items"] if item["file"] is not None]
    assert len(empty) > 20
    assert len(filled) >= 2
    for item in empty:
        assert (item["confidence"], item["predicted"], item["success"]) == (None, None, False)
        assert "strip" not in item
    assert (
        len(list((tmp_path / "images").iterdir()))
        == len(filled)
        == len(list((tmp_path / "strips").iterdir()))
    )
    stored_result = result_of(tmp_path)
    assert [item["score"] is None for item in stored_result["items"]] == [
        item["file"] is None for item in stored_result["items"]
    ]
    assert {len(row) for row in stored_result["archive"]["confidence"]} == {7}
    # two classes have the same niches: a cell is named by class and niche
    assert stored_result["archive"]["names"] == [
        f"{item['target']}, {item['niche']}" for item in stored_result["items"]
    ]
    archive = read_archive(Run(tmp_path))
    assert archive is not None
    cards = cards_of([Run(tmp_path)], tmp_path / "index.html")
    places = heat_map_of(archive, cards_by_cell(cards)).rows
    assert {name: number for name, number, _ in places} == {
        f"{card.target}, {card.niche}": card.number for card in cards
    }
    build_run_page(tmp_path)
    assert "brightness 1, symmetry 1" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_map_ends_when_all_cells_reach_until(tmp_path: Path) -> None:
    experiment = elites(400, 16, until=0.6)
    result = experiment.run(FolderRecord(tmp_path)).to_dict()
    monitored = [line["items"] for line in lines(tmp_path)]
    assert result["findings"]["success"] == 5
    assert len(monitored) < 400
    assert min(monitored[-1]) >= 0.6
    assert all(item["confidence"] >= 0.6 for item in result["items"])
    reached = [
        next(step for step, row in enumerate(monitored) if row[item] >= 0.6) for item in range(5)
    ]
    assert min(reached) < max(reached)  # some cells reach it long before the others
    assert max(reached) <= len(monitored) - 1
    assert {item["steps"] for item in result["items"]} == {len(monitored)}


@given(
    batch=st.integers(1, 12), extra=st.integers(0, 40), until=st.sampled_from([None, 0.3, 0.999])
)
@settings(max_examples=8)
def test_a_budget_is_never_exceeded(
    batch: int, extra: int, until: float | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    step = -(-batch // 5) + (until is not None)
    experiment = elites(1000, batch, budget=step + extra, until=until)
    counts = count_passes(experiment.network)
    items = experiment.run(FolderRecord(tmp_path_factory.mktemp("budget"))).to_dict()["items"]
    saved = sum(item["file"] is not None for item in items)
    assert sum(item["forwards"] for item in items) == sum(counts) - saved
    assert all(item["forwards"] <= step + extra for item in items)
    if until == 0.999:
        assert max(item["forwards"] for item in items) + step > step + extra
    with pytest.raises(InputError, match=f"budget={step - 1}" if step > 1 else "budget=0"):
        elites(1000, batch, budget=step - 1, until=until)


def test_images_that_start_from_several_pictures_cannot_compete() -> None:
    two = Perturbation(images=["china", "flower"], epsilon=0.1)
    with pytest.raises(InputError, match="name one picture, not 2"):
        elites(objective=EveryClass([0, 1]), encoding=two)
    elites(objective=EveryClass([0, 1]), encoding=Perturbation(image="china", epsilon=0.1))


# -- interruptions ---------------------------------------------------------------------------------


class Cut(Exception):
    """Stands for a power cut."""


def raise_cut(*_: object) -> None:
    raise Cut


BUILDS: dict[str, Callable[[], Experiment]] = {
    "map": lambda: elites(14),
    "niches": mixed_niches,
    "pixels": lambda: elites(14, encoding=Pixels(16)),
    "islands": genetic,
}


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("name", BUILDS)
def test_a_resumed_run_is_the_uninterrupted_one(name: str, tmp_path: Path) -> None:
    build = BUILDS[name]
    whole = build().run(FolderRecord(tmp_path / "whole")).to_dict()
    path = tmp_path / "cut"
    for number in (2, 5):
        with pytest.raises(Cut):
            at_step(build(), number, raise_cut).run(FolderRecord(path))
    assert timeless(build().run(FolderRecord(path)).to_dict()) == timeless(whole)
    assert everything(path) == everything(tmp_path / "whole")
    assert timeless(lines(path)) == timeless(lines(tmp_path / "whole"))


@pytest.mark.usefixtures("often")
def test_a_map_resumed_after_its_last_step_has_the_same_empty_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = mixed_niches().run(FolderRecord(tmp_path / "whole")).to_dict()
    with monkeypatch.context() as patched:
        patched.setattr(engine, "save_images", raise_cut)
        with pytest.raises(Cut):
            mixed_niches().run(FolderRecord(tmp_path / "cut"))
    assert timeless(mixed_niches().run(FolderRecord(tmp_path / "cut")).to_dict()) == timeless(whole)
    assert everything(tmp_path / "cut") == everything(tmp_path / "whole")


@pytest.mark.usefixtures("often")
def test_a_damaged_checkpoint_is_reported_and_the_previous_one_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = elites(9).run(FolderRecord(tmp_path / "whole")).to_dict()
    for suffixes, message in (
        (["safetensors"], "the one before"),
        (["safetensors", "previous"], "the beginning"),
    ):
        path = tmp_path / suffixes[-1]
        with pytest.raises(Cut):
            at_step(elites(9), 6, raise_cut).run(FolderRecord(path))
        for end in suffixes:
            checkpoint = path / f"checkpoint.{end}"
            checkpoint.write_bytes(checkpoint.read_bytes()[: random.Random(0).randrange(100, 2000)])
        caplog.clear()
        with caplog.at_level(logging.INFO):
            result = elites(9).run(FolderRecord(path)).to_dict()
        warnings = [
            log_record.getMessage()
            for log_record in caplog.records
            if log_record.levelno == logging.WARNING
        ]
        assert len(warnings) == len(suffixes)
        assert f"{path}/checkpoint.safetensors is damaged" in warnings[0]
        assert message in warnings[-1]
        assert ("resumed at step 5 of 9" in caplog.text) == (suffixes == ["safetensors"])
        assert timeless(result) == timeless(whole)
        assert everything(path) == everything(tmp_path / "whole")


@pytest.mark.usefixtures("often")
def test_a_run_without_a_checkpoint_warns_of_no_damage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    elites(2).run(FolderRecord(tmp_path))
    assert "damaged" not in caplog.text


@pytest.mark.parametrize(
    "command",
    [
        "recipe=map_elites target=all until=null search.steps=40 search.batch=6 encoding.hidden=8",
        "recipe=fooling_genetic target=[lemon,pizza] until=null search/survive=comma "
        "search.islands=2 search.migrate=3 search.generations=30 search.population=4",
    ],
    ids=["map_elites", "fooling_genetic"],
)
def test_a_run_resumed_after_sigkill_is_the_uninterrupted_one(
    command: str, tmp_path: Path, synth: Synth, weights: Path
) -> None:
    words = *command.split(), f"network.weights={weights}", "device=cpu"
    forked = Forked(*words, "folder=killed", cwd=tmp_path)
    forked.wait_for_step(tmp_path / "killed", random.Random(command).randrange(2, 12))
    assert forked.end_by(signal.SIGKILL) == -signal.SIGKILL
    assert not Path("killed/result.json").exists()
    other = synth(*words, "folder=killed", "seed=9").complaint
    assert "seed was 0, is 9" in other
    again = synth(*words, "folder=killed")
    assert again.code == 0, again.err
    assert "resumed at step" in again.err
    assert synth(*words, "folder=whole").code == 0
    assert everything(Path("killed")) == everything(Path("whole"))
    assert Path("killed/lineage.safetensors").is_file()
    assert Path("killed/genomes.safetensors").is_file() == ("map_elites" in command)
    for word in ("items", "findings", "archive"):
        assert timeless(result_of(Path("killed")).get(word)) == timeless(
            result_of(Path("whole")).get(word)
        )
    assert timeless(lines(Path("killed"))) == timeless(lines(Path("whole")))
    assert not list(Path("killed").glob("checkpoint*"))
    assert torch.equal(
        *(load_file(f"{name}/lineage.safetensors")["births"] for name in ("killed", "whole"))
    )


def test_searches_of_one_score_an_item_refuse_a_map() -> None:
    search: Search = Genetic(Tournament(2), NoCrossover(), TopologyMutation(), 2, 2)
    with pytest.raises(InputError, match="search=map_elites"):
        Experiment(loud(), Cppn(hidden=4), EveryClass(), search)
