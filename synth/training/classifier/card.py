"""Takes what was trained, on what, and how well it does; gives a model card (Mitchell et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass

from synth.training.classifier.measures import BINS, Measures
from synth.training.classifier.weights import Description
from synth.training.trainer import duration


@dataclass(frozen=True)
class Training:
    """The facts of one training: pictures by number and directory, `seconds` on `hardware`."""

    images: str
    samples: int
    validation: str
    validation_samples: int
    parameters: int
    epochs: int
    planned_epochs: int
    random_labels: float
    seconds: float
    hardware: str


def model_card(said: Description, training: Training, found: Measures) -> str:
    """The card; `found` was measured on the saved file read back, so it holds for whoever loads that file."""
    stopped = (
        f" (stopped early, of {training.planned_epochs})"
        if training.epochs < training.planned_epochs
        else ""
    )
    labels = (
        f"{training.random_labels:.0%} of the training labels were shuffled. "
        if training.random_labels
        else ""
    )
    classes = ", ".join(name.name.split(",")[0] for name in said.classes)
    mean, std = (", ".join(f"{value:.4f}" for value in values) for values in (said.mean, said.std))
    return f"""# {said.architecture}

Classifies {said.size} x {said.size} RGB pictures into {len(said.classes)} classes. Trained from the command
below, by gradient descent alone; the weights are stored as fp16.

| measured on the saved file read back | |
|---|---|
| top-1 accuracy | {found.top1:.2%} |
| top-5 accuracy | {found.top5:.2%} |
| cross-entropy | {found.loss:.4f} nats |
| expected calibration error ({BINS} bins) | {found.calibration_error:.4f} |
| mean confidence | {found.confidence:.2%} |
| on | {training.validation_samples:,} pictures of {training.validation} |

## Training

| | |
|---|---|
| pictures | {training.samples:,} of {training.images} |
| parameters | {training.parameters:,} ({training.parameters / training.samples:.1f} a training picture) |
| epochs | {training.epochs}{stopped} |
| time | {duration(training.seconds)} on {training.hardware} |

```
{said.command or "(called from Python)"}
```

## Input

RGB in [0, 1], {said.size} x {said.size}, minus ({mean}), divided by ({std}): mean and
standard deviation of the training pictures. The safetensors metadata holds these numbers, and the classes in
label order.

## Use and limits

{labels}Meant for studying what a convolutional network has learned: its features, its class images, what
fools it. It knows only the classes below, gives one of them to any picture, also to noise, inherits the biases
of its pictures, and is not robust to changes that nobody trained it on: do not let it decide anything. Early
stopping, where it was used, looked at the same validation pictures as the table above.

Classes: {classes}.
"""
