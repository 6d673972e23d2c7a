"""Whole runs: stopping rules, budgets, interruptions, the run folder; checked independently."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from interrupted import at_step
from PIL import Image
from small_worlds import NAMES, count_passes, noisy_pictures, tiny_module, wrapped
from torch import Tensor, nn

from synth.core import BoundObjective, Objective, Readout, Search
from synth.core.network import OUTPUT, Network
from synth.core.weighted_sum import WeightedSum
from synth.encodings.fourier import Fourier
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.engine import observer
from synth.engine.experiment import Experiment
from synth.engine.state import RunState
from synth.errors import InputError
from synth.jobs.comparison import Comparison
from synth.objectives.priors import TotalVariation
from synth.objectives.scores import Channel, ClassScore
from synth.record.folder_record import FolderRecord
from synth.record.result import read_result
from synth.searches.genetic import Genetic
from synth.searches.gradient import Gradient
from synth.searches.lbfgs import LBFGS
from synth.searches.operators.crossover import UniformCrossover
from synth.searches.operators.mutation import GaussianMutation
from synth.searches.operators.selection import Tournament
from synth.transforms.affine import Jitter

MEAN, STD = (0.48, 0.45, 0.4), (0.23, 0.22, 0.25)  # of small_worlds.wrapped


def gradient(steps: int = 20, rate: float = 0.02) -> Gradient:
    return Gradient(steps, "adam", rate)


def lbfgs(steps: int = 8) -> LBFGS:
    return LBFGS(steps, memory=4, tries=5)


def genetic(generations: int = 8, population: int = 6) -> Genetic:
    return Genetic(
        Tournament(2), UniformCrossover(0.8), GaussianMutation(0.2, 0.2), generations, population
    )


SEARCHES: dict[str, Callable[[], Search]] = {
    "gradient": gradient,
    "lbfgs": lbfgs,
    "genetic": genetic,
}


def make_experiment(network: Network, search: Search, **options: Any) -> Experiment:
    targets = options.pop("targets", "all")
    usual: dict[str, Any] = {
        "encoding": Pixels(16),
        "objective": WeightedSum(
            {"class": ClassScore(targets, "log_probability"), "tv": TotalVariation(weight=1e-3)}
        ),
        "monitor": ClassScore(targets, "probability"),
        "seed": 3,
    }
    return Experiment(network, search=search, **{**usual, **options})


def plain(path: Path, file: str) -> np.ndarray:
    """A saved image read by Pillow and NumPy alone: [3, h, w] in [0, 1]."""
    with Image.open(path / file) as image:
        return np.asarray(image, dtype=np.float64).transpose(2, 0, 1) / 255


def logits(network: Network, path: Path, file: str) -> np.ndarray:
    """Logits of the bare module for a saved image."""
    normal = (plain(path, file) - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    with torch.no_grad():
        return network.module(torch.from_numpy(normal)[None].float())[0].double().numpy()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "steps.jsonl").read_text().splitlines()]


def timeless(value: Any) -> Any:
    """`value` without measured times."""
    if isinstance(value, dict):
        return {key: timeless(entry) for key, entry in value.items() if key != "seconds"}
    return [timeless(entry) for entry in value] if isinstance(value, list) else value


def files(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*.png"))}


# -- the run folder --------------------------------------------------------------------------------


@pytest.mark.parametrize("search", SEARCHES)
def test_confidences_are_those_of_the_saved_images(
    loud_network: Network, tmp_path: Path, search: str
) -> None:
    result = make_experiment(loud_network, SEARCHES[search]()).run(FolderRecord(tmp_path)).to_dict()
    assert [item["target"] for item in result["items"]] == list(NAMES)
    assert [item["file"] for item in result["items"]] == [f"images/00{i}.png" for i in range(5)]
    for number, item in enumerate(result["items"]):
        scores = logits(loud_network, tmp_path, item["file"])
        probabilities = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        assert item["confidence"] == pytest.approx(probabilities[number], abs=2e-6)
        assert (item["predicted"], item["predicted_index"]) == (
            NAMES[scores.argmax()],
            scores.argmax(),
        )
        assert item["success"] == (scores.argmax() == number)
        assert item["target_index"] == number
    assert result["findings"]["mean_confidence"] == pytest.approx(
        np.mean([item["confidence"] for item in result["items"]]), abs=1e-6
    )
    assert result["findings"]["median_confidence"] == pytest.approx(
        np.median([item["confidence"] for item in result["items"]])
    )


def test_each_png_carries_its_record(loud_network: Network, tmp_path: Path) -> None:
    make_experiment(loud_network, gradient(2), targets=["lemon", 0]).run(FolderRecord(tmp_path))
    for number, (name, index) in enumerate((("lemon", 3), ("goldfish", 0))):
        with Image.open(tmp_path / f"images/00{number}.png") as image:
            assert (image.mode, image.size) == ("RGB", (16, 16))
            about = json.loads(image.text["synth"])
        assert (about["target"], about["target_index"], about["seed"], about["network"]) == (
            name,
            index,
            3,
            "tiny",
        )
        assert (about["search"], about["encoding"]) == ("gradient", "pixels")


def test_the_first_line_of_steps_describes_the_initial_images(
    loud_network: Network, tmp_path: Path
) -> None:
    """Scores, terms and passes of step 0, computed by hand from the initial genomes."""
    experiment = make_experiment(loud_network, gradient(3))
    experiment.run(FolderRecord(tmp_path))
    start = Pixels(16).start(experiment.rows)
    with torch.no_grad():
        scores = loud_network(start)
    own = scores.softmax(1).diagonal()
    first, *rest = lines(tmp_path)
    assert len(rest) == 2
    assert first["step"] == 0
    np.testing.assert_allclose(first["items"], own, atol=2e-6)
    assert first["best"] == pytest.approx(float(own.max()), abs=1e-6)
    assert first["mean"] == pytest.approx(float(own.mean()), abs=1e-6)
    variation = start.diff(dim=2).square().sum() + start.diff(dim=3).square().sum()
    assert first["terms"]["tv"] == pytest.approx(-1e-3 * float(variation) / 5, rel=1e-4)
    assert first["terms"]["class"] == pytest.approx(float(own.log().mean()), rel=1e-4)
    assert [line["forwards"] for line in (first, *rest)] == [5, 10, 15]
    assert [line["backwards"] for line in (first, *rest)] == [5, 10, 15]


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("until", [None, 0.9])
def test_every_pass_of_the_network_is_counted(
    loud_network: Network, tmp_path: Path, search: str, until: float | None
) -> None:
    experiment = make_experiment(loud_network, SEARCHES[search](), until=until)
    passes = count_passes(loud_network)
    result = experiment.run(FolderRecord(tmp_path)).to_dict()
    recorded = sum(item["forwards"] for item in result["items"])
    # each saved image is evaluated once, at the end
    assert sum(passes) == recorded + len(result["items"])
    if until is None:
        assert recorded == lines(tmp_path)[-1]["forwards"]


@pytest.mark.parametrize("search", SEARCHES)
def test_the_same_run_twice_is_the_same_bit_for_bit(
    loud_network: Network, tmp_path: Path, search: str
) -> None:
    results = []
    for name in ("one", "two"):
        experiment = make_experiment(wrapped(tiny_module(gain=8.0)), SEARCHES[search](), until=0.95)
        results.append(timeless(experiment.run(FolderRecord(tmp_path / name)).to_dict()))
    assert results[0] == results[1]
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert timeless(lines(tmp_path / "one")) == timeless(lines(tmp_path / "two"))
    other = make_experiment(loud_network, SEARCHES[search](), until=0.95, seed=4)
    other.run(FolderRecord(tmp_path / "three"))
    assert files(tmp_path / "one") != files(tmp_path / "three")


# -- until and budget ------------------------------------------------------------------------------


@pytest.mark.parametrize("search", SEARCHES)
def test_a_finished_item_leaves_the_batch_and_others_go_on_as_alone(
    loud_network: Network, tmp_path: Path, search: str
) -> None:
    """With `exact` an item of a batch is bit-equal to the item alone."""
    options = {"until": 0.8, "exact": True}
    many = {
        "gradient": lambda: gradient(40),
        "lbfgs": lambda: lbfgs(20),
        "genetic": lambda: genetic(30, 10),
    }[search]
    result = (
        make_experiment(loud_network, many(), **options)
        .run(FolderRecord(tmp_path / "all"))
        .to_dict()
    )
    stops = [item["steps"] for item in result["items"]]
    assert len(set(stops)) > 1
    trace = lines(tmp_path / "all")
    for number, item in enumerate(result["items"]):
        alone = (
            make_experiment(loud_network, many(), targets=[number], **options)
            .run(FolderRecord(tmp_path / str(number)))
            .to_dict()["items"][0]
        )
        for word in ("confidence", "score", "steps", "forwards", "backwards", "success"):
            assert item[word] == alone[word]
        np.testing.assert_array_equal(
            plain(tmp_path / "all", item["file"]), plain(tmp_path / str(number), alone["file"])
        )
        monitored = [line["items"][number] for line in trace]
        assert [round(value, 6) for value in monitored[: item["steps"]]] == [
            line["items"][0] for line in lines(tmp_path / str(number))
        ]
        # not changed after it finished
        assert set(monitored[item["steps"] - 1 :]) == {monitored[item["steps"] - 1]}
        if item["steps"] < many().steps:
            assert item["confidence"] >= 0.8
            assert item["success"]
        else:
            assert max(monitored[:-1]) < 1


def test_a_run_ends_when_all_are_done(loud_network: Network, tmp_path: Path) -> None:
    result = (
        make_experiment(loud_network, gradient(500), until=0.9)
        .run(FolderRecord(tmp_path))
        .to_dict()
    )
    assert all(item["success"] for item in result["items"])
    assert len(lines(tmp_path)) == max(item["steps"] for item in result["items"]) < 500
    assert result["status"] == "done"


class Blind(Pixels):
    """Pixels without a gradient."""

    differentiable = False

    def to(self, device: torch.device) -> Pixels:
        return self


class Parity(Objective):
    """How far pixel values are from whole 255ths, in [0, 1]: 0 for every 8-bit image."""

    def bind(self, network: Any) -> BoundObjective:
        return _BoundParity()


class _BoundParity(BoundObjective):
    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        values = readout.images * 255
        return {"off": 2 * (values - values.round()).abs().flatten(1).mean(1, keepdim=True)}


def test_until_must_be_reached_on_the_8_bit_image(loud_network: Network, tmp_path: Path) -> None:
    """Every step reaches it, no rounded image does: no item ends, and each check costs a pass."""
    result = (
        make_experiment(loud_network, gradient(6), monitor=Parity(), until=0.3)
        .run(FolderRecord(tmp_path))
        .to_dict()
    )
    for item in result["items"]:
        assert (item["steps"], item["forwards"], item["backwards"]) == (6, 12, 6)


class Brightness(Objective):
    """Mean of all pixels times 100: a monitored value that is no probability."""

    def bind(self, network: Any) -> BoundObjective:
        return _BoundBrightness()


class _BoundBrightness(BoundObjective):
    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        return {"light": 100 * readout.images.flatten(1).mean(1, keepdim=True)}


def test_until_is_in_the_units_of_the_monitored_value(
    loud_network: Network, tmp_path: Path
) -> None:
    """After 40 steps of 0.0101 it is 40.4, but 40.392 in 8 bits, which is not enough."""
    search = Gradient(60, "sign", 0.0101, momentum=0.0)
    experiment = Experiment(loud_network, Pixels(16, "zeros"), Brightness(), search, until=40.395)
    result = experiment.run(FolderRecord(tmp_path)).to_dict()
    (item,) = result["items"]
    light = 100 * plain(tmp_path, item["file"]).mean()
    assert light >= 40.395
    assert (item["steps"], item["forwards"]) == (42, 44)
    assert item["success"] is True
    assert item["confidence"] is None


def test_success_without_a_class_is_measured_on_the_saved_image(
    loud_network: Network, tmp_path: Path
) -> None:
    """The value is reached between the 256 levels only, so the saved image does not reach it."""
    experiment = Experiment(
        loud_network, Pixels(16), Channel("conv1", 0), gradient(4), monitor=Parity(), until=0.3
    )
    (item,) = experiment.run(FolderRecord(tmp_path)).to_dict()["items"]
    assert item["success"] is False


def test_success_is_about_until(loud_network: Network, tmp_path: Path) -> None:
    """With a monitored logit, success is a logit of the saved image of at least `until`."""
    reached = (
        make_experiment(loud_network, gradient(100), monitor=ClassScore("all", "logit"), until=6.0)
        .run(FolderRecord(tmp_path))
        .to_dict()
    )
    for number, item in enumerate(reached["items"]):
        scores = logits(loud_network, tmp_path, item["file"])
        assert item["success"] == (scores[number] >= 6.0 and scores.argmax() == number)
    assert any(item["success"] for item in reached["items"])


def max_passes(search: str) -> int:
    """The most passes of one step, with the check of the 8-bit image."""
    return {
        "gradient": 3 + 1,
        "lbfgs": 3 + 5 * 3 + 1 + 1,
        "genetic": 6 + 1,
        "jittered genetic": 12 + 1,
    }[search]


@given(
    search=st.sampled_from(["gradient", "lbfgs", "genetic", "jittered genetic"]),
    extra=st.integers(0, 90),
)
@settings(max_examples=24)
def test_a_budget_is_never_exceeded_and_used_while_a_step_fits(
    search: str, extra: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    budget = max_passes(search) + extra
    parts = {"transform": Jitter(0.1)} if search.startswith("jittered") else {}
    experiment = make_experiment(
        wrapped(tiny_module(gain=8.0)),
        SEARCHES[search.split()[-1]](),
        budget=budget,
        until=0.999999,
        **parts,
    )
    result = experiment.run(FolderRecord(tmp_path_factory.mktemp("budget"))).to_dict()
    for item in result["items"]:
        passes = item["forwards"] + 2 * item["backwards"]
        assert 0 < passes <= budget
        if item["steps"] < experiment.search_method.steps and item["confidence"] < 0.99:
            assert passes + max_passes(search) > budget


def test_checks_of_the_8_bit_image_are_within_the_budget(
    loud_network: Network, tmp_path: Path
) -> None:
    """A step costs 3 passes and a check that never confirms: 5 steps take 20; 6 would exceed 23."""
    experiment = make_experiment(loud_network, gradient(50), monitor=Parity(), until=0.3, budget=23)
    for item in experiment.run(FolderRecord(tmp_path)).to_dict()["items"]:
        assert (item["steps"], item["forwards"], item["backwards"]) == (5, 10, 5)


@pytest.mark.parametrize("search", SEARCHES)
def test_a_budget_too_small_for_one_step_is_refused(loud_network: Network, search: str) -> None:
    with pytest.raises(
        InputError, match=rf"budget={max_passes(search) - 2}: .*{max_passes(search) - 1}"
    ):
        make_experiment(loud_network, SEARCHES[search](), budget=max_passes(search) - 2)
    make_experiment(loud_network, SEARCHES[search](), budget=max_passes(search) - 1)


# -- items -----------------------------------------------------------------------------------------


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    path = tmp_path / "photographs"
    path.mkdir()
    for number in range(3):
        noisy = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(noisy).save(path / f"{number}.png")
    return path


def test_one_image_and_several_targets(
    loud_network: Network, tmp_path: Path, photographs: Path
) -> None:
    encoding = Perturbation(image=str(photographs / "1.png"), epsilon=8 / 255)
    result = (
        make_experiment(loud_network, gradient(5), encoding=encoding, targets=["lemon", 0, 1])
        .run(FolderRecord(tmp_path / "run"))
        .to_dict()
    )
    original = np.asarray(Image.open(photographs / "1.png"), dtype=float).transpose(2, 0, 1) / 255
    assert [item["target_index"] for item in result["items"]] == [3, 0, 1]
    for item in result["items"]:
        np.testing.assert_allclose(plain(tmp_path / "run", item["original"]), original)
        difference = plain(tmp_path / "run", item["file"]) - original
        assert item["linf"] == pytest.approx(np.abs(difference).max(), abs=1e-6)
        assert item["l2"] == pytest.approx(np.sqrt((difference**2).sum()), abs=1e-4)
        assert 0 < item["linf"] <= 8 / 255 + 1e-6


def test_one_image_for_each_item(loud_network: Network, tmp_path: Path, photographs: Path) -> None:
    encoding = Perturbation(images=str(photographs), epsilon=0.1, norm="l2")
    result = (
        make_experiment(loud_network, gradient(3), encoding=encoding, targets="teapot")
        .run(FolderRecord(tmp_path / "run"))
        .to_dict()
    )
    assert len(result["items"]) == 3
    for number, item in enumerate(result["items"]):
        original = (
            np.asarray(Image.open(photographs / f"{number}.png"), dtype=float).transpose(2, 0, 1)
            / 255
        )
        np.testing.assert_allclose(plain(tmp_path / "run", item["original"]), original)
        assert item["target"] == "teapot"
    with pytest.raises(
        InputError, match="2 targets and 3 pictures: name one target for all, or one for each"
    ):
        make_experiment(loud_network, gradient(), encoding=encoding, targets=[0, 1])


def test_a_repeated_target_draws_other_numbers_and_the_first_draws_as_alone(
    loud_network: Network,
) -> None:
    twice = make_experiment(loud_network, gradient(), targets=["lemon", "teapot", "lemon"]).rows
    once = make_experiment(loud_network, gradient(), targets="lemon").rows
    assert len(set(twice.key.tolist())) == 3
    assert twice.key[0] == once.key[0]
    assert (
        make_experiment(loud_network, gradient(), targets="lemon", seed=4).rows.key[0]
        != once.key[0]
    )


def test_a_random_target_is_the_same_in_all_steps(loud_network: Network, tmp_path: Path) -> None:
    for seed in range(4):
        experiment = make_experiment(loud_network, gradient(40, 0.05), targets="random", seed=seed)
        (item,) = experiment.run(FolderRecord(tmp_path / str(seed))).to_dict()["items"]
        assert item["confidence"] > 0.9
        assert item["predicted"] == item["target"]


def test_an_encoding_without_a_size_takes_the_networks(
    loud_network: Network, tmp_path: Path
) -> None:
    (item,) = (
        make_experiment(loud_network, gradient(2), encoding=Fourier(), targets=0)
        .run(FolderRecord(tmp_path))
        .to_dict()["items"]
    )
    assert plain(tmp_path, item["file"]).shape == (3, 16, 16)


# -- interruptions ---------------------------------------------------------------------------------


class Cut(Exception):
    """Stands for a power cut."""


@pytest.fixture(params=["gradient", "gradient jittered", "lbfgs", "genetic", "genetic jittered"])
def build(request: pytest.FixtureRequest) -> Callable[[], Experiment]:
    """Builds the same experiment anew each time, as a second process would."""
    name, *jitter = request.param.split()
    parts = {"transform": Jitter(0.15)} if jitter else {}

    def make() -> Experiment:
        return make_experiment(
            wrapped(tiny_module(gain=8.0)), SEARCHES[name](), until=0.97, **parts
        )

    return make


def raise_cut() -> None:
    raise Cut


def assert_same(path: Path, result: dict[str, Any], whole: Path, expected: dict[str, Any]) -> None:
    assert timeless(result) == timeless(expected)
    assert files(path) == files(whole)
    assert timeless(lines(path)) == timeless(lines(whole))


@pytest.mark.usefixtures("often")
def test_a_resumed_run_is_the_uninterrupted_one(
    build: Callable[[], Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = build().run(FolderRecord(tmp_path / "whole", {"seed": 3})).to_dict()
    steps = len(lines(tmp_path / "whole"))
    for lag in (0, 2):  # how many steps were flushed to steps.jsonl after the last checkpoint
        path = tmp_path / f"cut{lag}"
        number = random.Random(lag).randrange(lag + 1, steps)
        monkeypatch.setattr(observer, "CHECKPOINT_EVERY", -1.0)
        experiment = at_step(
            build(), number - lag, lambda: monkeypatch.setattr(observer, "CHECKPOINT_EVERY", 1e9)
        )
        with pytest.raises(Cut):
            at_step(experiment, number, raise_cut).run(FolderRecord(path, {"seed": 3}))
        assert len(lines(path)) == number
        assert not (path / "result.json").exists()
        assert_same(
            path, build().run(FolderRecord(path, {"seed": 3})).to_dict(), tmp_path / "whole", whole
        )


@pytest.mark.usefixtures("often")
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    build: Callable[[], Experiment], tmp_path: Path
) -> None:
    whole = build().run(FolderRecord(tmp_path / "whole")).to_dict()
    for name, suffixes in (("one", [".safetensors"]), ("both", [".safetensors", ".previous"])):
        path = tmp_path / name
        with pytest.raises(Cut):
            at_step(build(), 3, raise_cut).run(FolderRecord(path))
        for suffix in suffixes:
            checkpoint = path / f"checkpoint{suffix}"
            checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
        assert_same(path, build().run(FolderRecord(path)).to_dict(), tmp_path / "whole", whole)


@pytest.mark.usefixtures("often")
def test_killed_twice_and_killed_before_any_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build() -> Experiment:
        return make_experiment(wrapped(tiny_module(gain=8.0)), gradient())

    whole = build().run(FolderRecord(tmp_path / "whole")).to_dict()
    path = tmp_path / "cut"
    monkeypatch.setattr(observer, "CHECKPOINT_EVERY", 1e9)
    with pytest.raises(Cut):
        at_step(build(), 3, raise_cut).run(FolderRecord(path))
    assert len(lines(path)) == 3
    monkeypatch.setattr(observer, "CHECKPOINT_EVERY", -1.0)
    for number in (5, 11):
        with pytest.raises(Cut):
            at_step(build(), number, raise_cut).run(FolderRecord(path))
    assert_same(path, build().run(FolderRecord(path)).to_dict(), tmp_path / "whole", whole)


@pytest.mark.usefixtures("often")
def test_another_configuration_may_not_resume(tmp_path: Path) -> None:
    def build() -> Experiment:
        return make_experiment(wrapped(tiny_module(gain=8.0)), gradient())

    identity = {"seed": 3, "search": {"rate": 0.02, "steps": 20}, "target": ["a", "b"]}
    with pytest.raises(Cut):
        at_step(build(), 4, raise_cut).run(FolderRecord(tmp_path, identity))
    for change, message in (
        ({"search": {"rate": 0.5, "steps": 20}}, r"search\.rate was 0\.02, is 0\.5"),
        ({"target": ["a"]}, r'target was \["a", "b"\], is \["a"\]'),
        ({"new": 1}, "new was null, is 1"),
    ):
        with pytest.raises(
            InputError, match=rf"unfinished run of another configuration \({message}\)"
        ):
            build().run(FolderRecord(tmp_path, {**identity, **change}))
    assert build().run(FolderRecord(tmp_path, identity)).to_dict()["status"] == "done"


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, about: tensors.pop("genome"),
        lambda tensors, about: tensors.pop("births"),
        lambda tensors, about: about.pop("score"),
        lambda tensors, about: about.update(history={"moments": [], "length": 1}),
        lambda tensors, about: about.update(history=None),
        lambda tensors, about: about.update(step="three"),
        lambda tensors, about: about.update(score=7),
        lambda tensors, about: about.update(unknown=1),
    ],
)
def test_a_checkpoint_of_another_form_is_refused_in_a_line(
    change: Callable[[dict, dict], object], tmp_path: Path
) -> None:
    experiment = make_experiment(wrapped(tiny_module()), gradient())
    problem, rows = experiment.problem, experiment.rows
    state = RunState.initial(problem.start(rows), experiment.search_method.init(problem, rows))
    tensors, about = state.tensors(), state.numbers()
    change(tensors, about)
    FolderRecord(tmp_path).checkpoint(tensors, about)
    with pytest.raises(InputError, match="its checkpoint holds no state of this run"):
        experiment.run(FolderRecord(tmp_path))


@pytest.mark.usefixtures("often")
def test_a_run_whose_number_of_pictures_has_changed_is_refused(tmp_path: Path) -> None:
    network = wrapped(tiny_module(gain=8.0))
    noisy_pictures(tmp_path / "pictures", 3)

    def build() -> Experiment:
        images = Perturbation(images=str(tmp_path / "pictures"))
        return Experiment(network, images, ClassScore("teapot"), gradient())

    with pytest.raises(Cut):
        at_step(build(), 2, raise_cut).run(FolderRecord(tmp_path / "run"))
    (tmp_path / "pictures/00.png").unlink()
    with pytest.raises(InputError, match="begun with 3 items and has 2 now"):
        build().run(FolderRecord(tmp_path / "run"))


@pytest.mark.parametrize("how", ["raised", "SIGINT", "SIGTERM"])
def test_ctrl_c_saves_images_and_can_be_resumed(
    build: Callable[[], Experiment], tmp_path: Path, how: str
) -> None:
    def stop() -> None:
        if how == "raised":
            raise KeyboardInterrupt
        signal.raise_signal(signal.Signals[how])

    whole = build().run(FolderRecord(tmp_path / "whole")).to_dict()
    before = signal.getsignal(signal.SIGINT)
    path = tmp_path / "stopped"
    record = FolderRecord(path)
    experiment = at_step(build(), 3, stop)
    run_result = experiment.run(record)
    result = run_result.to_dict()
    assert signal.getsignal(signal.SIGINT) is before
    assert result["status"] == "interrupted"
    assert len(result["items"]) == 5
    assert len(lines(path)) == (3 if how == "raised" else 4)  # the current step is completed
    for number, item in enumerate(result["items"]):
        assert item["steps"] <= 4
        scores = logits(experiment.network, path, item["file"])
        assert item["confidence"] == pytest.approx(
            np.exp(scores[number]) / np.exp(scores).sum(), abs=2e-6
        )
    record.finish(run_result)
    assert read_result(path, "done") is None
    run_result = build().run(FolderRecord(path))
    assert_same(path, run_result.to_dict(), tmp_path / "whole", whole)
    FolderRecord(path).finish(run_result)
    assert read_result(path, "done") is not None
    assert not list(path.glob("checkpoint*"))


def test_a_second_ctrl_c_raises_at_once(loud_network: Network, tmp_path: Path) -> None:
    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        at_step(make_experiment(loud_network, gradient()), 3, twice).run(FolderRecord(tmp_path))
    assert signal.getsignal(signal.SIGINT) is before


# -- comparisons -----------------------------------------------------------------------------------


def contenders(**options: Any) -> dict[str, Experiment]:
    network = wrapped(tiny_module(gain=8.0))
    options = {"until": 0.97, "budget": 60, **options}
    return {
        "ascent": make_experiment(network, gradient(100), **options),
        "evolution": make_experiment(
            network, genetic(100), encoding=Pixels(16, "uniform"), **options
        ),
    }


def test_contenders_have_equal_budgets_and_one_numbering(tmp_path: Path) -> None:
    result = Comparison(contenders()).run(FolderRecord(tmp_path)).to_dict()
    assert [item["contender"] for item in result["items"]] == ["ascent"] * 5 + ["evolution"] * 5
    assert [item["file"] for item in result["items"]] == [
        f"images/{number:03d}.png" for number in range(10)
    ]
    assert [item["target_index"] for item in result["items"]] == [*range(5), *range(5)]
    assert sorted(files(tmp_path)) == [f"images/{number:03d}.png" for number in range(10)]
    for name, search in (("ascent", "gradient"), ("evolution", "genetic")):
        items = [item for item in result["items"] if item["contender"] == name]
        contender = result["contenders"][name]
        assert contender["search"] == search
        assert contender["budget"] == 60
        assert contender["items"] == 5
        assert contender["success"] == sum(item["success"] for item in items)
        assert contender["forwards"] == sum(item["forwards"] for item in items)
        assert contender["passes"] == sum(
            item["forwards"] + 2 * item["backwards"] for item in items
        )
        assert contender["mean_confidence"] == pytest.approx(
            np.mean([item["confidence"] for item in items]), abs=1e-6
        )
        assert all(item["forwards"] + 2 * item["backwards"] <= 60 for item in items)
        assert [line["step"] for line in lines(tmp_path) if line["contender"] == name] == list(
            range(max(item["steps"] for item in items))
        )
    assert (result["status"], result["search"], result["encoding"]) == (
        "done",
        "gradient, genetic",
        "pixels",
    )


def test_each_contender_runs_as_it_would_alone(tmp_path: Path) -> None:
    result = Comparison(contenders()).run(FolderRecord(tmp_path / "both")).to_dict()
    alone = contenders()["evolution"].run(FolderRecord(tmp_path / "alone")).to_dict()
    for item, single in zip(result["items"][5:], alone["items"], strict=True):
        for word in ("confidence", "score", "steps", "forwards", "seed"):
            assert item[word] == single[word]
        np.testing.assert_array_equal(
            plain(tmp_path / "both", item["file"]), plain(tmp_path / "alone", single["file"])
        )


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize(
    ("name", "number", "checkpoint"),
    [("ascent", 4, -1.0), ("ascent", 4, 1e9), ("evolution", 3, -1.0), ("evolution", 3, 1e9)],
)
def test_a_comparison_resumes_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int, checkpoint: float
) -> None:
    whole = Comparison(contenders()).run(FolderRecord(tmp_path / "whole", {"a": 1})).to_dict()
    monkeypatch.setattr(observer, "CHECKPOINT_EVERY", checkpoint)
    path = tmp_path / "cut"
    experiment = contenders()
    at_step(experiment[name], number, raise_cut)
    with pytest.raises(Cut):
        Comparison(experiment).run(FolderRecord(path, {"a": 1}))
    experiment = contenders()
    if name == "evolution":  # the first contender is finished and must not run again
        at_step(experiment["ascent"], 0, raise_cut)
    result = Comparison(experiment).run(FolderRecord(path, {"a": 1})).to_dict()
    assert_same(path, result, tmp_path / "whole", whole)


def test_an_interrupted_comparison_can_be_resumed(tmp_path: Path) -> None:
    whole = Comparison(contenders()).run(FolderRecord(tmp_path / "whole")).to_dict()
    experiment = contenders()
    path = tmp_path / "stopped"
    at_step(experiment["ascent"], 2, lambda: signal.raise_signal(signal.SIGINT))
    record = FolderRecord(path)
    result = Comparison(experiment).run(record)
    assert result.status == "interrupted"
    assert {item.contender for item in result.items} == {"ascent"}
    record.finish(result)
    assert_same(
        path, Comparison(contenders()).run(FolderRecord(path)).to_dict(), tmp_path / "whole", whole
    )


def test_a_comparison_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="name at least one contender"):
        Comparison({})


def test_invalid_numbers_and_parts_are_refused(loud_network: Network) -> None:
    with pytest.raises(InputError, match="budget=0"):
        make_experiment(loud_network, gradient(), budget=0)
    with pytest.raises(InputError, match="memory=0"):
        make_experiment(loud_network, gradient(), memory=0)
    with pytest.raises(InputError, match="use search=gradient"):
        make_experiment(loud_network, lbfgs(), transform=Jitter())
    with pytest.raises(InputError, match="use search=genetic"):
        make_experiment(loud_network, gradient(), encoding=Blind(16))
    narrow = wrapped(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 5)))
    with pytest.raises(
        InputError, match=r"encoding\.size=24x24: tiny cannot read pictures of that size"
    ):
        make_experiment(narrow, gradient(), encoding=Pixels(24))
    assert OUTPUT in narrow.layers
