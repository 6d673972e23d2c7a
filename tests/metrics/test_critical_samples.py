"""Critical samples counted by hand, and the steps of their search against the paper's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_worlds import noisy_pictures

from synth.core.network import Network
from synth.encodings.perturbation import Perturbation
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.engine.fitness import ImageProblem
from synth.errors import InputError
from synth.metrics.critical_samples import CriticalSamples
from synth.objectives.scores import ClassScore
from synth.objectives.untargeted import Untargeted
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient

COUNT, RADIUS = 12, 0.6 / 255
SEARCH = {"rule": "sign", "rate": 0.25 / 255, "momentum": 0.0, "noise": 0.2 / 255}


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(noisy_pictures(tmp_path / "pictures", COUNT))


def make_experiment(network: Network, folder: str, radius: float = RADIUS) -> Experiment:
    aim = Untargeted(images=folder, score="cross_entropy")
    return Experiment(
        network,
        Perturbation(images=folder, epsilon=radius, eight_bit=False),
        aim,
        Gradient(6, **SEARCH),
        monitor=Untargeted(images=folder),
        until=0.0,
        metrics={"it": CriticalSamples()},
    )


def test_the_ratio_is_that_of_images_with_another_label(
    loud_network: Network, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = {}
    plain = ImageProblem.images

    def recording_images(problem: ImageProblem, genome: torch.Tensor, rows: object) -> torch.Tensor:
        record["genome"] = genome
        record["pictures"] = problem.encoding.originals(rows)
        return plain(problem, genome, rows)

    monkeypatch.setattr(ImageProblem, "images", recording_images)
    result = (
        make_experiment(loud_network, folder, 6 / 255).run(FolderRecord(tmp_path / "out")).to_dict()
    )
    with torch.no_grad():
        labels = [
            loud_network(images).argmax(1)
            for images in (record["pictures"], record["pictures"] + record["genome"])
        ]
    critical = (labels[0] != labels[1]).tolist()
    assert 0 < sum(critical) < COUNT
    assert [item["critical"] for item in result["items"]] == critical
    assert [item["success"] for item in result["items"]] == critical
    assert result["findings"]["critical_sample_ratio"] == pytest.approx(
        sum(critical) / COUNT, abs=1e-6
    )
    assert result["findings"]["radius"] == pytest.approx(6 / 255)
    assert result["findings"]["success"] == sum(critical)


def test_the_steps_are_those_of_the_paper(loud_network: Network, folder: str) -> None:
    experiment = make_experiment(loud_network, folder)
    problem, rows = experiment.problem, experiment.rows
    state = experiment.search_method.init(problem, rows)
    originals = problem.encoding.originals(rows)
    with torch.no_grad():
        labels = loud_network(originals).argmax(1)
    images = originals.clone()
    noises = []
    for step in range(3):
        images.requires_grad_()
        (gradient,) = torch.autograd.grad(
            torch.nn.functional.cross_entropy(loud_network(images), labels), images
        )
        state, _ = experiment.search_method.step(problem, rows, state, step)
        reached = originals + state["genome"]
        # where nothing was clipped
        noise = (reached - images.detach() - 0.25 / 255 * gradient.sign()) / (0.2 / 255)
        inside = ((reached - originals).abs() < RADIUS * 0.999) & (reached > 0) & (reached < 1)
        noises.append(noise[inside])
        assert float((reached - originals).abs().max()) <= RADIUS * 1.00001
        images = reached.detach()
    # one step of 0.25 seldom reaches the radius of 0.6: only 4 % of a normal are clipped
    first = noises[0]
    assert len(first) > 0.95 * images.numel()
    assert abs(float(first.mean())) < 0.1
    assert float(first.std()) == pytest.approx(1.0, abs=0.1)


def test_what_cannot_be_measured_is_refused_before_the_run(
    loud_network: Network, folder: str
) -> None:
    with pytest.raises(
        InputError, match="critical samples lie around pictures; write encoding=perturbation"
    ):
        Experiment(
            loud_network,
            Pixels(),
            ClassScore("lemon"),
            Gradient(2),
            metrics={"it": CriticalSamples()},
        )
    with pytest.raises(
        InputError, match=r"encoding\.epsilon=null: critical samples lie within a radius"
    ):
        Experiment(
            loud_network,
            Perturbation(images=folder),
            Untargeted(images=folder),
            Gradient(2),
            metrics={"it": CriticalSamples()},
        )
