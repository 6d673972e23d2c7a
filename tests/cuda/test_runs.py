"""Searches on a GPU: the same bits when repeated or resumed, and no wait within a step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from gpu import network_on
from interrupted import at_step
from parts import names, part
from waits import Waits, no_waiting

from synth.core.network import Network
from synth.engine.experiment import Experiment
from synth.objectives.every_class import EveryClass
from synth.objectives.scores import ClassScore
from synth.record.folder_record import FolderRecord
from synth.transforms.affine import Jitter

TARGETS = ["goldfish", "lemon"]
STEPS = 4
# a line search or a decision boundary is followed by numbers that the host reads
WAITING_SEARCHES = ("lbfgs", "deepfool", "minimal_norm")
STEPPING = [name for name in names("search") if name not in WAITING_SEARCHES]
# waits of a step: whether a gradient is all zero and needs a push; how many elites are replaced
# (and how many cells climb)
MOST_WAITS = {"gradient": 1, "octaves": 1, "stages": 1, "map_elites": 2, "map_elites_memetic": 3}
# beyond those, in branches for a CPU alone
MORE_ON_CPU = {"genetic": 5}


def experiment_of(
    search: str,
    network: Network,
    encoding: str = "pixels",
    jitter: bool = False,
    size: int | None = None,
) -> Experiment:
    """A short run of the parts that these YAML files describe, towards two classes."""
    method = part("search", search)
    objective = ClassScore(TARGETS, "log_probability")
    experiment = Experiment(
        network,
        part("encoding", encoding, *([f"encoding.size={size}"] if size else [])),
        EveryClass(TARGETS) if method.shared_population else objective,
        method,
        transform=Jitter(0.1) if jitter else None,
    )
    experiment.steps = STEPS
    return experiment


@pytest.mark.cuda
@pytest.mark.parametrize("search", names("search"))
def test_a_search_repeats_its_bits(search: str, gpu_network: Network) -> None:
    first, second = (experiment_of(search, gpu_network).search() for _ in range(2))
    assert torch.equal(first.state.genome, second.state.genome)
    assert first.state.score == second.state.score


@pytest.mark.cuda
@pytest.mark.parametrize("encoding", names("encoding"))
def test_an_encoding_repeats_its_bits(encoding: str, gpu_network: Network) -> None:
    search = "gradient" if part("encoding", encoding).differentiable else "genetic"
    first, second = (
        experiment_of(search, gpu_network, encoding, jitter=True).search() for _ in range(2)
    )
    assert torch.equal(first.state.genome, second.state.genome)


@pytest.mark.cuda
@pytest.mark.parametrize("search", ["gradient", "genetic", "cma", "map_elites"])
def test_a_resumed_run_is_the_uninterrupted_one(
    search: str, gpu_network: Network, tmp_path: Path, often: None
) -> None:
    whole = experiment_of(search, gpu_network).run(FolderRecord(tmp_path / "whole"))

    def cut() -> None:
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        at_step(experiment_of(search, gpu_network), 2, cut).run(FolderRecord(tmp_path / "cut"))
    resumed = experiment_of(search, gpu_network).run(FolderRecord(tmp_path / "cut"))
    for item, other in zip(whole.items, resumed.items, strict=True):
        images = [(tmp_path / name / str(item.file)).read_bytes() for name in ("whole", "cut")]
        assert images[0] == images[1]
        assert (item.score, item.confidence) == (other.score, other.confidence)


@pytest.mark.cuda
def test_a_gradient_search_ends_where_that_of_a_cpu_ends(device: str) -> None:
    scores = [
        experiment_of("gradient", network_on(place, precision="float32")).search().state.score
        for place in ("cpu", device)
    ]
    assert scores[1] == pytest.approx(scores[0], rel=0.01, abs=0.01)


@pytest.mark.cuda
@pytest.mark.parametrize("search", [name for name in STEPPING if name not in MOST_WAITS])
def test_a_step_does_not_wait_for_the_device(
    search: str, gpu_network: Network, device: str
) -> None:
    experiment = experiment_of(search, gpu_network)
    problem, rows = experiment.problem, experiment.rows
    state = experiment.search_method.init(problem, rows)
    for step in range(2):  # what is made once, at first use
        state, _ = experiment.search_method.step(problem, rows, state, step)
    with no_waiting(device):
        for step in range(2, STEPS):
            state, _ = experiment.search_method.step(problem, rows, state, step)


@pytest.mark.parametrize("search", STEPPING)
def test_a_step_has_few_operations_that_would_wait(search: str) -> None:
    """On the CPU: such operations are known by their names."""
    experiment = experiment_of(search, network_on("cpu"), size=8)
    problem, rows = experiment.problem, experiment.rows
    state = experiment.search_method.init(problem, rows)
    for step in range(2):
        state, _ = experiment.search_method.step(problem, rows, state, step)
    with Waits() as waits:
        for step in range(2, STEPS):
            state, _ = experiment.search_method.step(problem, rows, state, step)
    most = MOST_WAITS.get(search, 0) + MORE_ON_CPU.get(search, 0)
    assert len(waits.lines) <= (STEPS - 2) * most, waits.lines


def test_an_operation_that_waits_is_noticed() -> None:
    values, mask = torch.arange(4.0), torch.tensor([True, False, True, True])
    with Waits() as waits:
        values[mask]
        values[mask] = 1.0
        values.nonzero()
        float(values[0])
        values.repeat_interleave(torch.tensor([1, 2, 0, 1]))
        values[torch.tensor([1, 2])].add(torch.where(mask, values, 0.0)[:2])
        values.repeat_interleave(torch.tensor([1, 2, 0, 1]), output_size=4)
    names_of = [line.partition(" ")[0] for line in waits.lines]
    assert names_of[0] == "index"
    assert {"nonzero", "_local_scalar_dense"} <= set(names_of)
    assert names_of.count("repeat_interleave") == 1
    assert len(names_of) >= 5
