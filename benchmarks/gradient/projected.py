"""Results and cost of projected gradient beside Foolbox and torchattacks: pictures fooled, seconds.

The ImageNet pictures that SqueezeNet 1.1 predicts correctly, at its own 224 px, L-infinity 8/255,
the same module and step length for all sides, success counted on images rounded to 8 bits. Peers
attack a batch at once and take all their steps; here an image leaves once it is fooled, and both
ways are timed. SYNTH_PICTURES is the number of pictures that the peers attack too (default 32).
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
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient

with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
    warnings.simplefilter("ignore")  # its imports warn
    import torchattacks

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
PEER_PICTURES = int(os.environ.get("SYNTH_PICTURES", "32"))
EPSILON, RATE = 8 / 255, 2 / 255
STEPS = {None: 20, "random": 40}  # untargeted, and targeted at a class drawn for each picture
TIMED = 8  # pictures in a batch
ROUNDS = 5  # how often
# from clean images and classes, the true or the target classes, to adversarial images
Attack = Callable[[Tensor, Tensor], Tensor]


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
        correct, count = _correct(network, Path(folder))
        some = correct[:: max(1, len(correct) // PEER_PICTURES)][:PEER_PICTURES]
        table = []
        for target, steps in STEPS.items():
            what = f"projected gradient, L-inf 8/255, {steps} steps, SqueezeNet 1.1"
            what += ", towards a random class" if target else ""
            fooled, median_steps = _fooled(network, correct, target, steps)
            numbers = f"{fooled} of {len(correct)} fooled, median {median_steps:g} steps"
            table.append((f"{what}: the {len(correct)} of {count} pictures it gets right", numbers))
            table.append(
                (
                    f"the same, {len(some)} of them: synth, Foolbox, torchattacks",
                    _beside(network, some, target),
                )
            )
            what = f"the same, CPU seconds for {TIMED}: synth until fooled and saved; "
            what += "all steps: synth, Foolbox, torchattacks"
            table.append((what, _timed(network, some[:TIMED], target)))
        return table


def _correct(network: Network, folder: Path) -> tuple[list[str], int]:
    """The correctly predicted pictures under `folder`, and how many pictures there are."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in data.SUFFIXES)
    correct = []
    for path in paths:
        picture = data.picture(path)
        with torch.inference_mode():
            prediction = int(network(picture.at(network.size)[None]).argmax())
        if prediction == network.classes.index(picture.folder):
            correct.append(str(path))
    return correct, len(paths)


def _experiment(
    network: Network, paths: list[str], target: str | None, until: float | None
) -> Experiment:
    """The recipe."""
    objective = attack(target, images=paths, score="cross_entropy")
    search = Gradient(STEPS[target], "sign", RATE, momentum=0.0)
    encoding = Perturbation(images=paths, epsilon=EPSILON, start="random")
    return Experiment(
        network, encoding, objective, search, monitor=attack(target, images=paths), until=until
    )


def _fooled(
    network: Network, paths: list[str], target: str | None, steps: int
) -> tuple[int, float]:
    with tempfile.TemporaryDirectory() as folder:
        result = _experiment(network, paths, target, 0.0).run(FolderRecord(Path(folder)))
    fooled = [item.steps for item in result.items if item.success]
    return len(fooled), statistics.median(fooled)


def _beside(network: Network, paths: list[str], target: str | None) -> str:
    """How many of the same pictures each side fools, towards the same classes."""
    experiment = _experiment(network, paths, target, 0.0)
    images = experiment.problem.encoding.originals(experiment.rows)
    targets = experiment.problem.objective.target(experiment.rows)
    assert images is not None
    classes = torch.tensor([goal.index for goal in targets if goal is not None])
    with tempfile.TemporaryDirectory() as folder:
        items = experiment.run(FolderRecord(Path(folder))).items
    counts = [sum(item.success or False for item in items)]
    for attack_batch in (_foolbox(network, target), _torchattacks(network, target)):
        adversarial = torch.cat(
            [
                attack_batch(part, labels)
                for part, labels in zip(images.split(8), classes.split(8), strict=True)
            ]
        )
        with torch.inference_mode():
            predictions = network((adversarial * 255).round() / 255).argmax(1)
        counts.append(int(((predictions == classes) if target else (predictions != classes)).sum()))
    return ", ".join(map(str, counts))


def _timed(network: Network, paths: list[str], target: str | None) -> str:
    """Medians of CPU seconds in turns."""
    experiment, stopping = (_experiment(network, paths, target, until) for until in (None, 0.0))
    images = experiment.problem.encoding.originals(experiment.rows)
    targets = experiment.problem.objective.target(experiment.rows)
    assert images is not None
    classes = torch.tensor([goal.index for goal in targets if goal is not None])
    sides: list[Callable[[], object]] = [
        partial(_run, stopping),
        partial(_steps, experiment),
        partial(_foolbox(network, target), images, classes),
        partial(_torchattacks(network, target), images, classes),
    ]
    seconds: list[list[float]] = [[] for _ in sides]
    for _ in range(ROUNDS):
        for side, times in zip(sides, seconds, strict=True):
            start = time.process_time()
            side()
            times.append(time.process_time() - start)
    medians = [statistics.median(times) for times in seconds]
    ratios = [
        statistics.median(b / a for a, b in zip(seconds[1], times, strict=True))
        for times in seconds[2:]
    ]
    medians_text = ", ".join(f"{value:.1f}" for value in medians)
    ratios_text = f"{ratios[0]:.2f} and {ratios[1]:.2f}"
    return f"{medians_text}; with all steps they take {ratios_text} times as long"


def _run(experiment: Experiment) -> None:
    """A whole run until all are fooled, with saved images and predictions, unlike the peers."""
    with tempfile.TemporaryDirectory() as folder:
        experiment.run(FolderRecord(Path(folder)))


def _steps(experiment: Experiment) -> None:
    """All steps, as the peers take them."""
    search = experiment.search_method
    problem = experiment.problem
    rows = experiment.rows
    state = search.init(problem, rows)
    for step in range(search.steps):
        state, _ = search.step(problem, rows, state, step)


def _foolbox(network: Network, target: str | None) -> Attack:
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    attack_batch = foolbox.attacks.LinfPGD(abs_stepsize=RATE, steps=STEPS[target])

    def attacked(images: Tensor, classes: Tensor) -> Tensor:
        criterion = foolbox.criteria.TargetedMisclassification(classes) if target else classes
        return attack_batch(model, images, criterion, epsilons=EPSILON)[1]

    return attacked


def _torchattacks(network: Network, target: str | None) -> Attack:
    attack_batch = torchattacks.PGD(network, eps=EPSILON, alpha=RATE, steps=STEPS[target])
    if target:
        attack_batch.set_mode_targeted_by_label(quiet=True)
    return lambda images, classes: attack_batch(images, classes)
