"""What projected gradient reaches and costs beside Foolbox and torchattacks: pictures fooled, and seconds.

The ImageNet pictures that SqueezeNet 1.1 gets right, at its own 224 px, L-infinity 8/255, the same module and step
length for all sides, success counted on pictures rounded to 8 bits. Peers attack a batch at once and take all their
steps; here a picture leaves once it is fooled, and both ways are timed. SYNTH_PICTURES names how many pictures are
attacked by the peers too (default 32).
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import statistics
import tarfile
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import foolbox
import torch
from torch import Tensor

from synth import data
from synth.core.network import Network
from synth.encodings.perturbation import Perturbation
from synth.engine.experiment import Experiment
from synth.networks.torchvision import torchvision
from synth.objectives.attack import attack
from synth.record.record import Record
from synth.searches.gradient import Gradient

with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
    warnings.simplefilter("ignore")  # what it imports says much
    import torchattacks

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
FEW = int(os.environ.get("SYNTH_PICTURES", "32"))
EPSILON, RATE = 8 / 255, 2 / 255
STEPS = {
    None: 20,
    "random": 40,
}  # away from what is there, and towards a class drawn for each picture
TIMED, ROUNDS = 8, 5  # pictures in a batch, and how often
Attack = Callable[
    [Tensor, Tensor], Tensor
]  # pictures and classes: those that are there, or those that are wanted


def rows() -> list[tuple[str, str]]:
    """Fooled pictures of each side, and seconds, as rows of a table."""
    logging.getLogger("synth").setLevel(logging.ERROR)
    network = torchvision(
        "squeezenet1_1", str(SHARED / "weights" / "squeezenet1_1.fp16.safetensors")
    )
    network.eval()  # or torchattacks would give it back in training mode, with its dropout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(SHARED / "data" / "imagenet_samples_500.tar") as archive:
            archive.extractall(folder, filter="data")
        right, count = _right(network, Path(folder))
        some = right[:: max(1, len(right) // FEW)][:FEW]
        found = []
        for target, steps in STEPS.items():
            what = f"projected gradient, L-inf 8/255, {steps} steps, SqueezeNet 1.1"
            what += ", towards a random class" if target else ""
            fooled, middle = _fooled(network, right, target, steps)
            of = f"{fooled} of {len(right)} fooled, median {middle:g} steps"
            found.append((f"{what}: the {len(right)} of {count} pictures it gets right", of))
            found.append(
                (
                    f"the same, {len(some)} of them: synth, Foolbox, torchattacks",
                    _beside(network, some, target),
                )
            )
            what = f"the same, CPU seconds for {TIMED}: synth until fooled and saved; "
            what += "all steps: synth, Foolbox, torchattacks"
            found.append((what, _timed(network, some[:TIMED], target)))
        return found


def _right(network: Network, folder: Path) -> tuple[list[str], int]:
    """The pictures under `folder` that are seen as what their folder is named for, and how many there are."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in data.SUFFIXES)
    right = []
    for path in paths:
        picture = data.picture(path)
        with torch.inference_mode():
            seen = int(network(picture.at(network.size)[None]).argmax())
        if seen == network.classes.index(picture.folder):
            right.append(str(path))
    return right, len(paths)


def _experiment(
    network: Network, paths: list[str], target: str | None, until: float | None
) -> Experiment:
    """The recipe."""
    aim = attack(target, images=paths, measure="cross_entropy")
    search = Gradient(STEPS[target], "sign", RATE, momentum=0.0)
    encoding = Perturbation(images=paths, epsilon=EPSILON, start="random")
    return Experiment(
        network, encoding, aim, search, monitor=attack(target, images=paths), until=until
    )


def _fooled(
    network: Network, paths: list[str], target: str | None, steps: int
) -> tuple[int, float]:
    with tempfile.TemporaryDirectory() as folder:
        items = _experiment(network, paths, target, 0.0).run(Record(Path(folder))).to_dict()["items"]
    fooled = [item["steps"] for item in items if item["success"]]
    return len(fooled), statistics.median(fooled)


def _beside(network: Network, paths: list[str], target: str | None) -> str:
    """How many of the same pictures each side fools, towards the same classes."""
    experiment = _experiment(network, paths, target, 0.0)
    images = experiment.problem.encoding.originals(experiment.rows)
    targets = experiment.problem.objective.target(experiment.rows)
    assert images is not None
    classes = torch.tensor([one.index for one in targets if one is not None])
    with tempfile.TemporaryDirectory() as folder:
        items = experiment.run(Record(Path(folder))).to_dict()["items"]
    told = [sum(item["success"] or False for item in items)]
    for one in (_foolbox(network, target), _torchattacks(network, target)):
        made = torch.cat(
            [one(part, of) for part, of in zip(images.split(8), classes.split(8), strict=True)]
        )
        with torch.inference_mode():
            seen = network((made * 255).round() / 255).argmax(1)
        told.append(int(((seen == classes) if target else (seen != classes)).sum()))
    return ", ".join(map(str, told))


def _timed(network: Network, paths: list[str], target: str | None) -> str:
    """Medians of CPU seconds in turns."""
    experiment, stopping = (_experiment(network, paths, target, until) for until in (None, 0.0))
    images = experiment.problem.encoding.originals(experiment.rows)
    targets = experiment.problem.objective.target(experiment.rows)
    assert images is not None
    classes = torch.tensor([one.index for one in targets if one is not None])
    sides: list[Callable[[], object]] = [
        partial(_run, stopping),
        partial(_steps, experiment),
        partial(_foolbox(network, target), images, classes),
        partial(_torchattacks(network, target), images, classes),
    ]
    seconds: list[list[float]] = [[] for _ in sides]
    for _ in range(ROUNDS):
        for side, taken in zip(sides, seconds, strict=True):
            began = time.process_time()
            side()
            taken.append(time.process_time() - began)
    middle = [statistics.median(taken) for taken in seconds]
    ratios = [
        statistics.median(b / a for a, b in zip(seconds[1], taken, strict=True))
        for taken in seconds[2:]
    ]
    said = ", ".join(f"{value:.1f}" for value in middle)
    return f"{said}; with all steps they take {ratios[0]:.2f} and {ratios[1]:.2f} times as long"


def _run(experiment: Experiment) -> None:
    """A whole run until every picture is fooled, saved and measured on the saved files, which the peers do not."""
    with tempfile.TemporaryDirectory() as folder:
        experiment.run(Record(Path(folder)))


def _steps(experiment: Experiment) -> None:
    """All steps, as the peers take them."""
    search, problem, rows = experiment.search_method, experiment.problem, experiment.rows
    state = search.init(problem, rows)
    for step in range(search.steps):
        state, _ = search.step(problem, rows, state, step)


def _foolbox(network: Network, target: str | None) -> Attack:
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    one = foolbox.attacks.LinfPGD(abs_stepsize=RATE, steps=STEPS[target])

    def attacked(images: Tensor, classes: Tensor) -> Tensor:
        criterion = foolbox.criteria.TargetedMisclassification(classes) if target else classes
        return one(model, images, criterion, epsilons=EPSILON)[1]

    return attacked


def _torchattacks(network: Network, target: str | None) -> Attack:
    one = torchattacks.PGD(network, eps=EPSILON, alpha=RATE, steps=STEPS[target])
    if target:
        one.set_mode_targeted_by_label(quiet=True)
    return lambda images, classes: one(images, classes)
