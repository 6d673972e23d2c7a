"""How small a change fools mini AlexNet, in L2, beside Foolbox: medians over 50 validation pictures it gets right.

All sides search around the same batch of pictures of Tiny ImageNet in floating point, through the same module; each
picture that a side returns is judged by one forward, and measured, here. SYNTH_ROUNDS is how often all are timed, in
turn (default 3; the slowest takes a minute or two).
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
COUNT, EVERY = 50, 25  # pictures, and which of those of the data set are tried: all classes have 25
WHAT = "smallest change that fools mini AlexNet, L2, 50 validation pictures"
Attack = Callable[[], Tensor]


def rows() -> list[tuple[str, str]]:
    """Median lengths and CPU seconds of each side, and their ratios, as rows of a table."""
    network = bundled(
        "mini_alexnet", device="cpu"
    ).eval()  # as the module inside is: Foolbox asks the outer one
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(SHARED / "data" / "tiny_imagenet_100_val.tar") as archive:
            archive.extractall(folder, filter="data")
        paths, images, labels = _right(network, Path(folder))
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
        lengths, seconds = _raced(network, images, labels, sides)
    found = [
        (f"{WHAT}: {name}", f"median {lengths[name]:.4f}, {statistics.median(seconds[name]):.1f} s")
        for name in sides
    ]
    for ours, theirs in (
        ("DeepFool", "Foolbox DeepFool"),
        ("MinimalNorm", "Foolbox DeepFool"),
        ("MinimalNorm", "Foolbox DDN, 100 steps"),
        ("MinimalNorm", "Foolbox C&W, 5 x 200 steps"),
    ):
        ratio = lengths[ours] / lengths[theirs]
        pace = statistics.median(a / b for a, b in zip(seconds[ours], seconds[theirs], strict=True))
        found.append(
            (f"the same, {ours} over {theirs}", f"length x {ratio:.3f}, time x {pace:.2f}")
        )
    return found


def _right(network: Network, folder: Path) -> tuple[list[str], Tensor, Tensor]:
    """Pictures that are seen as what their folder is named for: their paths, themselves [n, 3, h, w], and classes."""
    paths, images, labels = [], [], []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in data.SUFFIXES)[
        ::EVERY
    ]:
        picture = data.picture(path)
        image, label = picture.at(network.size), network.classes.index(path.parent.name)
        with torch.inference_mode():
            right = int(network(image[None]).argmax()) == label
        if right and len(paths) < COUNT:
            paths.append(str(path))
            images.append(image)
            labels.append(label)
    return paths, torch.stack(images), torch.tensor(labels)


def _ours(network: Network, paths: list[str], search: DeepFool | MinimalNorm) -> Tensor:
    """The steps of a search until there is nothing left to do, reading and decoding of the pictures included."""
    encoding = Perturbation(images=paths, eight_bit=False)
    made = Experiment(
        network, encoding, Alternatives(images=paths), search, monitor=attack(images=paths)
    )
    state = search.init(made.problem, made.rows)
    for step in range(search.steps):
        state, said = search.step(made.problem, made.rows, state, step)
        if isinstance(search, DeepFool) and not state["open"].any():
            break
    return made.problem.images(said.genome, made.rows)


def _theirs(
    network: Network, images: Tensor, labels: Tensor, peer: foolbox.attacks.Attack
) -> Tensor:
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    return peer(model, images, labels, epsilons=None)[1]


def _raced(
    network: Network, images: Tensor, labels: Tensor, sides: dict[str, Attack]
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """The median length of what each side finds (infinite where it fools nobody), and its seconds in each round."""
    lengths: dict[str, float] = {}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            began = time.process_time()
            changed = side()
            seconds[name].append(time.process_time() - began)
            with torch.inference_mode():
                fooled = network(changed).argmax(1) != labels
            away = (changed - images).flatten(1).norm(dim=1)
            lengths[name] = statistics.median(torch.where(fooled, away, torch.inf).tolist())
    return lengths, seconds
