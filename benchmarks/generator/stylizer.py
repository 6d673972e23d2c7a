"""The bundled stylizer: cost and loss beside the search that it replaces.

Photographs of ImageNet that it was not trained on, 256 x 256. The search is recipe=style_transfer
with its own settings, in the same style, on the same photograph, with the same network and the same
loss, the weight of the content included; both are measured by that loss without the search's
jitter. A time is that of the forward pass, or of the steps, without reading and writing files.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from benchmarks.generator.material import SHARED, SYNTH, squeezenet
from synth import data
from synth.core.weighted_sum import WeightedSum
from synth.data.class_folders import hold_out, read_folder
from synth.encodings.canvas import canvas
from synth.engine.experiment import Experiment
from synth.networks.stylizer import SHIPPED, read_stylizer
from synth.objectives.features import FeatureMatch
from synth.objectives.gram import GramMatch
from synth.objectives.priors import TotalVariation
from synth.searches.gradient import Gradient
from synth.training.stylizer.perceptual import PerceptualLoss
from synth.transforms.affine import Jitter

STYLE = str(SHIPPED.with_suffix(".jpg"))
# as it was trained
SIZE = 256
CONTENT = 0.3
VARIATION = 0.15
HOLDOUT = 0.05
SEED = 0
COUNT = 7
STEPS = 300
MEASURED_STEPS = (10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 150, 200, 250, 300)
ROUNDS = 9
EPOCHS = 2


def rows() -> list[tuple[str, str]]:
    """The ratio of times, the losses, and what instance normalisation does to them."""
    stylizer_losses = []
    stylizer_seconds = []
    search_seconds = []
    search_losses = []
    with tempfile.TemporaryDirectory() as folder:
        photographs = _held_out(Path(folder) / "photographs")
        variation = TotalVariation(per_pixel=True, weight=VARIATION)
        loss = PerceptualLoss(squeezenet(), GramMatch(STYLE), CONTENT, variation, (SIZE, SIZE))
        stylizer, _ = read_stylizer(device="cpu")
        for photograph in photographs:
            stylized, seconds = _pass(stylizer, photograph)
            stylizer_losses.append(_sum(loss, stylized, photograph))
            stylizer_seconds.append(seconds)
            losses, seconds = _search(loss, photograph, Path(folder) / "content.png")
            search_losses.append(losses)
            search_seconds.append(seconds)
        norms = {norm: _trained(Path(folder), norm) for norm in ("instance", "batch")}
    ratio = median(
        search_time / pass_time
        for search_time, pass_time in zip(search_seconds, stylizer_seconds, strict=True)
    )
    after = {
        steps: median(losses_of_one[steps] for losses_of_one in search_losses)
        for steps in MEASURED_STEPS
    }
    reached = sorted(
        next((steps for steps in MEASURED_STEPS if losses_of_one[steps] <= loss_of_pass), STEPS)
        for losses_of_one, loss_of_pass in zip(search_losses, stylizer_losses, strict=True)
    )
    what = (
        f"stylizer, {SIZE} x {SIZE}, {torch.get_num_threads()} threads, "
        f"medians over {COUNT} photographs"
    )
    return [
        (f"{what}: a pass", f"{1000 * median(stylizer_seconds):.0f} ms"),
        (f"the same: {STEPS} steps of style_transfer / a pass", f"{ratio:.0f}"),
        (
            "the same: loss of a pass; of style_transfer after 50, 100 and 300 steps",
            f"{median(stylizer_losses):.3f}; {after[50]:.3f}, {after[100]:.3f}, {after[300]:.3f}",
        ),
        (
            "the same: steps after which style_transfer is as low as a pass",
            f"{median(reached):.0f} ({reached[0]} to {reached[-1]})",
        ),
        (
            f"the same: loss after {EPOCHS} epochs of training, instance / batch normalisation",
            f"{norms['instance']:.3f} / {norms['batch']:.3f}",
        ),
    ]


def _held_out(folder: Path) -> Tensor:
    """Held-out photographs of the training, [n, 3, h, w]; unpacks all photographs to `folder`."""
    with tarfile.open(SHARED / "data" / "imagenet_samples_500.tar") as tar:
        tar.extractall(folder, filter="data")
    pictures, _ = read_folder(folder, SIZE)
    labels = torch.zeros(len(pictures), dtype=torch.int64)
    _, held_out = hold_out(labels, HOLDOUT, torch.Generator().manual_seed(SEED))
    return pictures[held_out[:COUNT]].float() / 255


def _sum(loss: PerceptualLoss, image: Tensor, photograph: Tensor) -> float:
    """The loss of an image in 8 bits, as it is saved."""
    with torch.no_grad():
        return float(sum(loss((image * 255).round() / 255, photograph[None]).values()))


def _pass(stylizer: torch.nn.Module, photograph: Tensor) -> tuple[Tensor, float]:
    """The stylized image, and the seconds of a pass, the median over rounds."""
    times = []
    with torch.inference_mode():
        for _ in range(ROUNDS):
            start_time = time.perf_counter()
            stylized = stylizer(photograph[None])
            times.append(time.perf_counter() - start_time)
    return stylized, median(times)


def _search(loss: PerceptualLoss, photograph: Tensor, file: Path) -> tuple[dict[int, float], float]:
    """Losses of recipe=style_transfer by number of steps, and the seconds of all steps."""
    data.to_image(photograph).save(file)
    objective = WeightedSum(
        {
            "style": GramMatch(STYLE),
            "content": FeatureMatch(content=str(file), weight=CONTENT),
            "tv": TotalVariation(per_pixel=True, weight=VARIATION),
        }
    )
    start = canvas(str(file), content=str(file), longest=SIZE)
    experiment = Experiment(
        loss.network, start, objective, Gradient(STEPS, rule="adam", rate=0.02), Jitter(0.015)
    )
    problem = experiment.problem
    search = experiment.search_method
    rows_of_experiment = experiment.rows
    state = search.init(problem, rows_of_experiment)
    losses = {}
    seconds = 0.0
    for step in range(STEPS + 1):
        start_time = time.perf_counter()
        # the report is about the genome before the step
        state, report = search.step(problem, rows_of_experiment, state, step)
        seconds += (time.perf_counter() - start_time) * (step < STEPS)
        if step in MEASURED_STEPS:
            losses[step] = _sum(loss, problem.images(report.genome, rows_of_experiment), photograph)
    return losses, seconds


def _trained(folder: Path, norm: str) -> float:
    """The validation loss of a short training with that normalisation, else alike."""
    run = folder / f"run_{norm}"
    squeezenet = [
        "network=squeezenet1_1",
        f"network.weights={SHARED}/weights/squeezenet1_1.fp16.safetensors",
    ]
    command = [
        SYNTH,
        "recipe=train_stylizer",
        f"style={STYLE}",
        f"images={folder}/photographs",
        *squeezenet,
        f"norm={norm}",
        f"epochs={EPOCHS}",
        f"content_weight={CONTENT}",
        f"holdout={HOLDOUT}",
        f"folder={run}",
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return json.loads((run / "result.json").read_text())["findings"]["validation_loss"]
