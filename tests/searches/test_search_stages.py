"""Searches in stages against the stages run one after the other, and resumed runs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from interrupted import at_step
from small_worlds import Analytic, evolved, rows_of, tiny_module, wrapped
from torch import Tensor
from torch.nn import functional

from synth.core import Images, Rows, Search, Transform
from synth.encodings.fourier import Fourier
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.engine import observer
from synth.engine.experiment import Experiment
from synth.engine.fitness import ImageProblem
from synth.errors import InputError
from synth.objectives.energy import Energy
from synth.objectives.scores import ClassScore
from synth.record.folder_record import FolderRecord
from synth.searches.genetic import Genetic
from synth.searches.gradient import Gradient
from synth.searches.lbfgs import LBFGS
from synth.searches.map_elites import MapElites
from synth.searches.operators.crossover import UniformCrossover
from synth.searches.operators.mutation import GaussianMutation
from synth.searches.operators.selection import Tournament
from synth.searches.stages import STREAM, Stage, Stages, octaves
from synth.transforms.affine import Chain, Jitter
from synth.transforms.crop import Crop


class Darker(Transform):
    """What a test tells apart from no transform."""

    stochastic = False

    def __call__(self, images: Images, rows: Rows) -> Images:
        return images * 0.5


def dreams(rate: float = 0.01, steps: int = 4) -> Gradient:
    return Gradient(steps, "normalised", rate, momentum=0.0)


def problem_of(
    encoding: Any = None, transform: Transform | None = None, layer: str = "conv2"
) -> ImageProblem:
    network = wrapped(tiny_module())
    encoding = encoding or Pixels(24, "uniform")
    bound = Energy(layer).bind(network)
    return ImageProblem(network, encoding, transform or Chain(), bound, bound)


def experiment_of(search: Search, transform: Transform | None = None, **words: Any) -> Experiment:
    return Experiment(
        wrapped(tiny_module()),
        Pixels(24, "uniform"),
        Energy(["conv1", "conv2"]),
        search,
        transform,
        **words,
    )


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saves after every step."""
    monkeypatch.setattr(observer, "CHECKPOINT_EVERY", -1.0)


def test_one_octave_is_the_search_itself() -> None:
    for transform in (None, Jitter(0.2)):
        problem, rows = problem_of(transform=transform), rows_of(2, "one octave")
        alone, _ = evolved(dreams(), problem, rows)
        staged, _ = evolved(octaves(dreams(), 1, 1.4, 4), problem, rows)
        for entry, other in zip(alone, staged, strict=True):
            assert torch.equal(entry.genome, other.genome)
            assert torch.equal(entry.score, other.score)


def test_octaves_are_those_of_the_dream_notebook_worked_out_by_hand() -> None:
    """Zero detail at the smallest size, stepped by g / mean|g|, enlarged, stepped again."""
    encoding, steps, rate = Perturbation("china", size=[24, 36]), 3, 0.02
    problem, rows = problem_of(encoding), rows_of(1, "dream")
    reports, _ = evolved(octaves(dreams(rate), 3, 1.5, steps), problem, rows)
    network = problem.network
    detail = torch.zeros(1, 3, 1, 1)
    output: list[Tensor] = []
    for size in ((11, 16), (16, 24), (24, 36)):
        base = encoding.pictures[0].at(size)[None]
        detail = (
            detail
            if detail.shape[2] == 1
            else functional.interpolate(detail, size, mode="bicubic", antialias=True)
        )
        detail = ((base + detail).clamp(0, 1) - base).expand(-1, -1, *size)
        for _ in range(steps):
            output.append(detail)
            picture = (base + detail).requires_grad_()
            values = network.read(picture, ["relu2"])["relu2"]
            (slope,) = torch.autograd.grad(
                values, picture, values.detach()
            )  # the gradient at the layer is the layer
            detail = (base + detail + rate * slope / slope.abs().mean()).clamp(0, 1) - base
    for entry, other in zip(reports[-steps:], output[-steps:], strict=True):
        torch.testing.assert_close(entry.genome, other, rtol=1e-4, atol=1e-5)
    whole = functional.interpolate(
        output[1], (24, 36), mode="bicubic", antialias=True
    )  # an early step, at full size
    base = encoding.pictures[0].at((24, 36))[None]
    torch.testing.assert_close(
        reports[1].genome, (base + whole).clamp(0, 1) - base, rtol=1e-4, atol=1e-5
    )


def test_sizes_and_transforms_of_the_stages_reach_the_network() -> None:
    problem, rows = problem_of(), rows_of(1, "sizes")
    sizes: list[tuple[int, ...]] = []
    read = problem.network.read
    problem.network.read = lambda images, layers, fast=False: (
        sizes.append(tuple(images.shape[2:])) or read(images, layers, fast=fast)
    )  # type: ignore[method-assign]
    search = Stages(
        dreams(),
        {"small": Stage(2, 0.5), "gone": None, "crop": Stage(1, 1.0, Crop(4)), "end": Stage(1)},
    )
    state = search.init(problem, rows)
    sizes.clear()
    for step in range(search.steps):
        state, report = search.step(problem, rows, state, step)
        assert report.genome.shape == (1, 3, 24, 24)
    assert sizes == [(12, 12), (12, 12), (20, 20), (24, 24)]


def test_a_stage_of_the_same_size_goes_on_where_the_one_before_ended() -> None:
    for encoding in (Pixels(24, "uniform"), Perturbation("china", size=24), Fourier(24)):
        problem, rows = problem_of(encoding), rows_of(2, "same size")
        plain, states = evolved(dreams(steps=5), problem, rows)
        staged, _ = evolved(Stages(dreams(), [Stage(2), Stage(3)]), problem, rows)
        torch.testing.assert_close(staged[-1].genome, plain[-1].genome, rtol=1e-4, atol=1e-6)
    staged, _ = evolved(Stages(dreams(), [Stage(2), Stage(1, 1.0, Darker())]), problem, rows)
    darker = problem.at(transform=Darker())
    torch.testing.assert_close(
        staged[2].score, darker.evaluate(states[1]["genome"], rows).scores[:, 0]
    )


def test_a_stage_may_bring_a_search_of_its_own() -> None:
    problem, rows = problem_of(), rows_of(1, "own search")
    search = Stages(dreams(0.01), [Stage(2), Stage(2, search=dreams(0.2))])
    reports, _ = evolved(search, problem, rows)
    moved = [
        float((after.genome - before.genome).abs().mean()) for before, after in pairwise(reports)
    ]
    assert moved[2] > 3 * moved[0]


def test_a_falling_rate_falls_in_every_stage() -> None:
    search = Stages(Gradient(100, "sgd", 1.0, 0.0, 0.0), [Stage(3), Stage(5)])
    assert [entry._rate(entry.steps - 1) for entry in search.searches] == [0.0, 0.0]
    assert [entry._rate(0) for entry in search.searches] == [1.0, 1.0]


def test_it_starts_from_a_genome_at_full_size() -> None:
    problem, rows = problem_of(), rows_of(1, "initial")
    initial = torch.rand(
        1, 3, 24, 24, generator=torch.Generator().manual_seed(0)
    ).round()  # bicubic overshoots it
    state = Stages(dreams(), [Stage(1, 0.5), Stage(1)]).init(problem, rows, initial)
    small = functional.interpolate(initial, (12, 12), mode="bicubic", antialias=True).clamp(0, 1)
    torch.testing.assert_close(state["genome"], small)
    assert torch.equal(octaves(dreams(), 1).init(problem, rows, initial)["genome"], initial)
    difference = torch.full_like(initial, 2.0)
    visible = Stages(dreams(), [Stage(1, 0.5), Stage(1)]).init(
        problem_of(Perturbation("china", size=24)), rows, difference
    )
    assert float(visible["genome"].abs().max()) <= 1


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("stop", [1, 3, 4, 7, 8])
@pytest.mark.parametrize("rule", ["normalised", "adam"])
def test_a_run_resumed_in_any_stage_is_the_run_undisturbed(
    stop: int, rule: str, tmp_path: Path
) -> None:
    def search() -> Stages:
        climb = Gradient(3, rule, 0.02, noise=0.01)
        return Stages(climb, [Stage(3, 0.5), Stage(4, 0.75, Jitter(0.3)), Stage(3)])

    whole = experiment_of(search(), Jitter(0.1)).run(FolderRecord(tmp_path / "whole")).to_dict()

    def killed() -> None:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        at_step(experiment_of(search(), Jitter(0.1)), stop, killed).run(
            FolderRecord(tmp_path / "cut")
        )
    resumed = experiment_of(search(), Jitter(0.1)).run(FolderRecord(tmp_path / "cut")).to_dict()
    for name in ("images/000.png", "images/001.png"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()
    keys = ("score", "forwards", "backwards", "steps")
    assert [[item[key] for key in keys] for item in resumed["items"]] == [
        [item[key] for key in keys] for item in whole["items"]
    ]


def test_items_that_are_done_leave_in_any_stage(tmp_path: Path) -> None:
    search = Stages(Gradient(10, "adam", 0.05), [Stage(10, 0.5), Stage(30)])
    network = wrapped(tiny_module(gain=6.0))
    experiment = Experiment(
        network,
        Pixels(16, "uniform"),
        ClassScore(["goldfish", "lemon", "teapot"], "log_probability"),
        search,
        monitor=ClassScore(["goldfish", "lemon", "teapot"], "probability"),
        until=0.9,
        seed=1,
    )
    result = experiment.run(FolderRecord(tmp_path)).to_dict()
    assert all(item["success"] for item in result["items"])
    assert len({item["steps"] for item in result["items"]}) > 1


def test_a_budget_beyond_the_schedule_stays_in_the_last_stage(tmp_path: Path) -> None:
    budget = 3 * 9
    result = (
        experiment_of(octaves(dreams(), 2, 1.5, 2), budget=budget)
        .run(FolderRecord(tmp_path))
        .to_dict()
    )
    assert [item["steps"] for item in result["items"]] == [9, 9]
    problem, rows = problem_of(transform=Jitter(0.2)), rows_of(1, "longer")
    search = octaves(dreams(), 2, 1.5, 2)
    reports, _ = evolved(search, problem, rows, 7)
    assert not torch.equal(reports[3].genome, reports[6].genome)
    one_step = Stages(dreams(), [Stage(2, 0.5), Stage(1)])
    reports, states = evolved(one_step, problem, rows, 6)
    for step in (4, 5):  # never begun again
        torch.testing.assert_close(reports[step].genome, states[step - 1]["genome"])


def test_stages_draw_differently() -> None:
    drawn: list[int] = []

    class Spy(Jitter):
        def __call__(self, images: Images, rows: Rows) -> Images:
            drawn.extend(rows.key.tolist())
            return super().__call__(images, rows)

    rows = rows_of(1, "streams")
    search = Stages(dreams(), [Stage(3), Stage(3), Stage(3)])
    problem = problem_of(transform=Spy(0.2))
    evolved(search, problem, rows)
    assert len(set(drawn[-9:])) == 9
    assert drawn[-9:] == [
        int((rows if place == 0 else rows.fold_in(STREAM + place)).fold_in(step).key[0])
        for place in range(3)
        for step in range(3)
    ]


def test_passes_are_those_of_the_dearest_stage() -> None:
    class Dear(Gradient):
        def passes(self, stochastic: bool, items: int = 1) -> int:
            return 7 if stochastic else 3

    assert octaves(Dear(), 2).passes(stochastic=False) == 3
    assert octaves(Dear(), 2).passes(stochastic=True) == 7
    assert Stages(Dear(), [Stage(1, transform=Jitter()), Stage(1)]).passes(stochastic=False) == 7
    assert Stages(Dear(), [Stage(1), Stage(1, search=LBFGS())]).passes(
        stochastic=False
    ) == LBFGS().passes(False)


def _genetic() -> Genetic:
    return Genetic(Tournament(2), UniformCrossover(0.8), GaussianMutation(0.2, 0.2), 4, 6)


@pytest.mark.parametrize(
    ("make", "report"),
    [
        (lambda: Stages(dreams(), []), "at least one stage"),
        (lambda: Stages(dreams(), {"only": None}), "at least one stage"),
        (lambda: Stages(dreams(), [Stage(0)]), "steps >= 1"),
        (lambda: Stages(dreams(), [Stage(1, 1.5), Stage(1)]), r"scale in \(0, 1\]"),
        (lambda: Stages(dreams(), [Stage(1, 0.5)]), "must be 1"),
        (lambda: octaves(dreams(), 0), "1 or more octaves"),
        (lambda: octaves(dreams(), 3, 1.0), "larger than the last"),
        (lambda: octaves(dreams(), 3, 1.4, 0), "1 step or more"),
        (lambda: Stages(octaves(dreams(), 2), [Stage(1)]), "stages of their own"),
        (
            lambda: Stages(MapElites(GaussianMutation(0.1, 0.1)), [Stage(1)]),
            "a shared population cannot go through stages",
        ),
        (lambda: experiment_of(Stages(_genetic(), [Stage(1), Stage(1)])), "keeps a population"),
        (
            lambda: experiment_of(Stages(dreams(), [Stage(1, 0.5), Stage(1)]), Crop(14)),
            "scale 0.5 pictures have 12x12",
        ),
    ],
)
def test_mistakes_are_said_in_one_line(make: Callable[[], Any], report: str) -> None:
    with pytest.raises(InputError, match=report) as message:
        make()
    assert "\n" not in str(message.value)


def test_octaves_too_small_for_the_network_are_refused_before_the_run() -> None:
    network = wrapped(tiny_module())
    with pytest.raises(InputError, match=r"fewer octaves \(search.count=\)"):
        Experiment(
            network, Pixels(24, "uniform"), Energy("conv2"), octaves(dreams(), 4, 2.0), Crop(7)
        )


def test_nothing_but_numbers_is_needed_of_a_problem_without_pictures() -> None:
    problem = Analytic(
        lambda genome, rows: -genome.square().sum(1), lambda rows: torch.ones(len(rows), 3)
    )
    search = Stages(Gradient(4, "sgd", 0.1, momentum=0.0), [Stage(2), Stage(2)])
    reports, _ = evolved(search, problem, rows_of(2, "numbers"))
    torch.testing.assert_close(reports[-1].genome, torch.full((2, 3), 0.8**3))
