"""Smallest L2 changes that fool mini AlexNet beside Foolbox: medians over 50 validation pictures.

All sides search around the same batch of pictures of Tiny ImageNet that the network predicts
correctly, in floating point, through the same module; each image that a side returns is predicted
by one forward pass, and measured, here. SYNTH_ROUNDS is how often all are timed, in turn (default
3; the slowest takes a minute or two).
"""

from __future__ import annotations

import os
import statistics
import tarfile
import tempfile
import time
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
from synth.networks.bundled import bundled
from synth.objectives.alternatives import Alternatives
from synth.objectives.attack import attack
from synth.searches.deepfool import DeepFool
from synth.searches.minimal_norm import MinimalNorm

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
ROUNDS = int(os.environ.get("SYNTH_ROUNDS", "3"))
COUNT = 50  # pictures
EVERY = 25  # which pictures of the data set are tried: every class has 25
WHAT = "smallest change that fools mini AlexNet, L2, 50 validation pictures"
Attack = Callable[[], Tensor]


def rows() -> list[tuple[str, str]]:
    """Median lengths and CPU seconds of each side, and their ratios, as rows of a table."""
    # in evaluation mode as its module: Foolbox checks the outer one
    network = bundled("mini_alexnet", device="cpu").eval()
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(SHARED / "data" / "tiny_imagenet_100_val.tar") as archive:
            archive.extractall(folder, filter="data")
        paths, images, labels = _correct(network, Path(folder))
        sides: dict[str, Attack] = {
            "DeepFool": partial(_ours, network, paths, DeepFool()),
            "MinimalNorm": partial(_ours, network, paths, MinimalNorm()),
        }
        peers = {
            "Foolbox DeepFool": foolbox.attacks.L2DeepFoolAttack(),
            "Foolbox DDN, 100 steps": foolbox.attacks.DDNAttack(steps=100),
            "Foolbox C&W, 5 x 200 steps": foolbox.attacks.L2CarliniWagnerAttack(
                binary_search_steps=5, steps=200
            ),
        }
        sides |= {
            name: partial(_theirs, network, images, labels, peer) for name, peer in peers.items()
        }
        lengths, seconds = _measured(network, images, labels, sides)
    table = [
        (f"{WHAT}: {name}", f"median {lengths[name]:.4f}, {statistics.median(seconds[name]):.1f} s")
        for name in sides
    ]
    for engine, peer_name in (
        ("DeepFool", "Foolbox DeepFool"),
        ("MinimalNorm", "Foolbox DeepFool"),
        ("MinimalNorm", "Foolbox DDN, 100 steps"),
        ("MinimalNorm", "Foolbox C&W, 5 x 200 steps"),
    ):
        ratio = lengths[engine] / lengths[peer_name]
        pace = statistics.median(
            a / b for a, b in zip(seconds[engine], seconds[peer_name], strict=True)
        )
        table.append(
            (f"the same, {engine} over {peer_name}", f"length x {ratio:.3f}, time x {pace:.2f}")
        )
    return table


def _correct(network: Network, folder: Path) -> tuple[list[str], Tensor, Tensor]:
    """Correctly predicted pictures: their paths, images [n, 3, h, w] and labels [n]."""
    paths, images, labels = [], [], []
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in data.SUFFIXES)
    for path in files[::EVERY]:
        picture = data.picture(path)
        image, label = picture.at(network.size), network.classes.index(path.parent.name)
        with torch.inference_mode():
            correct = int(network(image[None]).argmax()) == label
        if correct and len(paths) < COUNT:
            paths.append(str(path))
            images.append(image)
            labels.append(label)
    return paths, torch.stack(images), torch.tensor(labels)


def _ours(network: Network, paths: list[str], search: DeepFool | MinimalNorm) -> Tensor:
    """All steps of a search that are needed, reading and decoding of the pictures included."""
    encoding = Perturbation(images=paths, eight_bit=False)
    experiment = Experiment(
        network, encoding, Alternatives(images=paths), search, monitor=attack(images=paths)
    )
    state = search.init(experiment.problem, experiment.rows)
    for step in range(search.steps):
        state, report = search.step(experiment.problem, experiment.rows, state, step)
        if isinstance(search, DeepFool) and not state["open"].any():
            break
    return experiment.problem.images(report.genome, experiment.rows)


def _theirs(
    network: Network, images: Tensor, labels: Tensor, peer: foolbox.attacks.Attack
) -> Tensor:
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    return peer(model, images, labels, epsilons=None)[1]


def _measured(
    network: Network, images: Tensor, labels: Tensor, sides: dict[str, Attack]
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """The median norm of each side, infinite where it fails, and its seconds in each round."""
    lengths: dict[str, float] = {}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            start = time.process_time()
            changed = side()
            seconds[name].append(time.process_time() - start)
            with torch.inference_mode():
                fooled = network(changed).argmax(1) != labels
            norms = (changed - images).flatten(1).norm(dim=1)
            lengths[name] = statistics.median(torch.where(fooled, norms, torch.inf).tolist())
    return lengths, seconds
