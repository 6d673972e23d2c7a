"""What the stylizer in the box costs and reaches, beside the search that it takes the place of.

Photographs of ImageNet that it was not trained on, 256 x 256. The search is recipe=style_transfer with its own
settings, in the same style, on the same photograph, with the same network and the same loss, the weight of the content
included; both are measured by that loss without the search's nudge. A time is that of the pictures' way through the
network, or of the steps, without reading and writing files.
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

from benchmarks.generator.material import SHARED, SYNTH, other
from synth import data
from synth.data.class_folders import hold_out, read_folder
from synth.encodings.canvas import canvas
from synth.engine.experiment import Experiment
from synth.networks.stylizer import SHIPPED, read_stylizer
from synth.objectives.features import FeatureMatch
from synth.objectives.gram import GramMatch
from synth.objectives.priors import TotalVariation
from synth.objectives.weighted import WeightedSum
from synth.searches.gradient import Gradient
from synth.training.stylizer.perceptual import PerceptualLoss
from synth.transforms.affine import Jitter

STYLE = str(SHIPPED.with_suffix(".jpg"))
SIZE, CONTENT, VARIATION, HOLDOUT, SEED = 256, 0.3, 0.15, 0.05, 0  # as it was trained
COUNT, STEPS, LOOKS = 7, 300, (10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 150, 200, 250, 300)
ROUNDS, EPOCHS = 9, 2


def rows() -> list[tuple[str, str]]:
    """The ratio of times, the losses, and what instance normalisation does to them."""
    own, ours, theirs, searched = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        photographs = _held_out(Path(folder) / "photographs")
        variation = TotalVariation(per_pixel=True, weight=VARIATION)
        loss = PerceptualLoss(other(), GramMatch(STYLE), CONTENT, variation, (SIZE, SIZE))
        stylizer, _ = read_stylizer(device="cpu")
        for one in photographs:
            drawn, seconds = _pass(stylizer, one)
            own.append(_sum(loss, drawn, one))
            ours.append(seconds)
            found, seconds = _search(loss, one, Path(folder) / "content.png")
            searched.append(found)
            theirs.append(seconds)
        norms = {norm: _trained(Path(folder), norm) for norm in ("instance", "batch")}
    ratio = median(long / short for long, short in zip(theirs, ours, strict=True))
    after = {steps: median(each[steps] for each in searched) for steps in LOOKS}
    reached = sorted(
        next((steps for steps in LOOKS if each[steps] <= mine), STEPS)
        for each, mine in zip(searched, own, strict=True)
    )
    what = f"stylizer, {SIZE} x {SIZE}, {torch.get_num_threads()} threads, medians over {COUNT} photographs"
    return [
        (f"{what}: a pass", f"{1000 * median(ours):.0f} ms"),
        (f"the same: {STEPS} steps of style_transfer / a pass", f"{ratio:.0f}"),
        ("the same: loss of a pass; of style_transfer after 50, 100 and 300 steps",
         f"{median(own):.3f}; {after[50]:.3f}, {after[100]:.3f}, {after[300]:.3f}"),
        ("the same: steps after which style_transfer is as low as a pass",
         f"{median(reached):.0f} ({reached[0]} to {reached[-1]})"),
        (f"the same: loss after {EPOCHS} epochs of training, instance / batch normalisation",
         f"{norms['instance']:.3f} / {norms['batch']:.3f}"),
    ]  # fmt: skip


def _held_out(folder: Path) -> Tensor:
    """Photographs that the training kept aside, [n, 3, h, w]; all of them lie in `folder` then."""
    with tarfile.open(SHARED / "data" / "imagenet_samples_500.tar") as tar:
        tar.extractall(folder, filter="data")
    pictures, _ = read_folder(folder, SIZE)
    labels = torch.zeros(len(pictures), dtype=torch.int64)
    _, aside = hold_out(labels, HOLDOUT, torch.Generator().manual_seed(SEED))
    return pictures[aside[:COUNT]].float() / 255


def _sum(loss: PerceptualLoss, image: Tensor, photograph: Tensor) -> float:
    """The loss of a picture as it would be saved, in 8 bits."""
    with torch.no_grad():
        return float(sum(loss((image * 255).round() / 255, photograph[None]).values()))


def _pass(stylizer: torch.nn.Module, photograph: Tensor) -> tuple[Tensor, float]:
    """What it draws, and the seconds of a pass, the median over rounds."""
    spent = []
    with torch.inference_mode():
        for _ in range(ROUNDS):
            began = time.perf_counter()
            drawn = stylizer(photograph[None])
            spent.append(time.perf_counter() - began)
    return drawn, median(spent)


def _search(loss: PerceptualLoss, photograph: Tensor, file: Path) -> tuple[dict[int, float], float]:
    """The loss after so many steps of recipe=style_transfer, and the seconds of all of them."""
    data.to_image(photograph).save(file)
    objective = WeightedSum({
        "style": GramMatch(STYLE),
        "content": FeatureMatch(content=str(file), weight=CONTENT),
        "tv": TotalVariation(per_pixel=True, weight=VARIATION),
    })  # fmt: skip
    start = canvas(str(file), content=str(file), longest=SIZE)
    experiment = Experiment(
        loss.network, start, objective, Gradient(STEPS, rule="adam", rate=0.02), Jitter(0.015)
    )
    problem, search, who = experiment.problem, experiment.search_method, experiment.rows
    state, found, seconds = search.init(problem, who), {}, 0.0
    for step in range(STEPS + 1):
        began = time.perf_counter()
        state, said = search.step(
            problem, who, state, step
        )  # of the genome before this step is what it says
        seconds += (time.perf_counter() - began) * (step < STEPS)
        if step in LOOKS:
            found[step] = _sum(loss, problem.images(said.genome, who), photograph)
    return found, seconds


def _trained(folder: Path, norm: str) -> float:
    """The validation loss of a short training with that normalisation: same command, same seed, same steps."""
    run = folder / f"run_{norm}"
    squeezenet = [
        "network=squeezenet1_1",
        f"network.weights={SHARED}/weights/squeezenet1_1.fp16.safetensors",
    ]
    command = [SYNTH, "recipe=train_stylizer", f"style={STYLE}", f"images={folder}/photographs", *squeezenet,
               f"norm={norm}", f"epochs={EPOCHS}", f"content_weight={CONTENT}", f"holdout={HOLDOUT}",
               f"folder={run}"]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return json.loads((run / "result.json").read_text())["findings"]["validation_loss"]
