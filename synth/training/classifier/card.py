"""The model card of a trained classifier (Mitchell et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass

from synth.errors import printable
from synth.record.card import model_head
from synth.training.classifier.metrics import BINS, ClassificationMetrics
from synth.training.classifier.weights import Description
from synth.training.trainer import duration


@dataclass(frozen=True)
class Facts:
    """What the card states about the training.

    Attributes:
        images: the training set in words.
        samples: number of training pictures.
        validation: the validation set in words.
        validation_samples: number of validation pictures.
        parameters: number of trainable parameters.
        epochs: epochs trained.
        planned_epochs: epochs of the plan; more where training stopped early.
        random_labels: fraction of the training labels that were shuffled.
        pixels: of the pictures, a word of `corruption.PIXELS`.
        train_top1: accuracy on training pictures as they are, in [0, 1].
        seconds: training time.
        hardware: device, threads and precision.
    """

    images: str
    samples: int
    validation: str
    validation_samples: int
    parameters: int
    epochs: int
    planned_epochs: int
    random_labels: float
    pixels: str
    train_top1: float
    seconds: float
    hardware: str


def model_card(description: Description, facts: Facts, metrics: ClassificationMetrics) -> str:
    """The card in Markdown.

    Args:
        description: the metadata of the weights file.
        facts: about the training.
        metrics: measured on the saved file read back, so that they hold for whoever loads it.
    """
    stopped = (
        f" (stopped early, of {facts.planned_epochs})"
        if facts.epochs < facts.planned_epochs
        else ""
    )
    labels = (
        f"{facts.random_labels:.0%} of the training labels were shuffled. "
        if facts.random_labels
        else ""
    )
    if facts.pixels != "plain":
        labels += f"The pictures have {facts.pixels} pixels, not their own. "
    classes = printable(", ".join(name.name.split(",")[0] for name in description.classes))
    mean = ", ".join(f"{value:.4f}" for value in description.mean)
    std = ", ".join(f"{value:.4f}" for value in description.std)
    side = f"{description.size} x {description.size}"
    per_sample = facts.parameters / facts.samples
    measured = {
        "top-1 accuracy": round(metrics.top1, 4),
        "top-5 accuracy": round(metrics.top5, 4),
        "cross-entropy": round(metrics.loss, 4),
        "expected calibration error": round(metrics.calibration_error, 4),
    }
    name = description.architecture
    head = model_head(name, "image-classification", facts.validation, measured)
    return f"""{head}
# {name}

Classifies {side} RGB pictures into {len(description.classes)} classes. Trained with
the command below; the weights are stored as fp16.

| measured on the saved file read back | |
|---|---|
| top-1 accuracy | {metrics.top1:.2%} |
| top-5 accuracy | {metrics.top5:.2%} |
| top-1 accuracy, training pictures as they are | {facts.train_top1:.2%} |
| cross-entropy | {metrics.loss:.4f} nats |
| expected calibration error ({BINS} bins) | {metrics.calibration_error:.4f} |
| mean confidence | {metrics.confidence:.2%} |
| on | {facts.validation_samples:,} pictures of {facts.validation} |

## Training

| | |
|---|---|
| pictures | {facts.samples:,} of {facts.images} |
| parameters | {facts.parameters:,} ({per_sample:.1f} a training picture) |
| epochs | {facts.epochs}{stopped} |
| time | {duration(facts.seconds)} on {facts.hardware} |

```
{printable(description.command) or "(called from Python)"}
```

## Input

RGB in [0, 1], {side}, minus ({mean}), divided by ({std}): mean and
standard deviation of the training pictures. The safetensors metadata holds these numbers, and the
classes in label order.

## Use and limits

{labels}Meant for research on convolutional networks: their features, their class images,
adversarial examples. It assigns one of the classes below to any picture, also to noise, inherits
the biases of its training set, and is not robust to changes that it was not trained on: do not use
it for decisions. Early stopping, where it was used, selected on the same validation pictures as the
table above.

Classes: {classes}.
"""
