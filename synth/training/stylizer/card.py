"""The model card of a trained stylizer (Mitchell et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from synth.errors import printable
from synth.networks.stylizer import About
from synth.record.card import model_head
from synth.training.trainer import duration


@dataclass(frozen=True)
class Facts:
    """What the card states about the training.

    Attributes:
        images: the training set in words.
        samples: number of training photographs.
        validation: the validation set in words.
        validation_samples: number of validation photographs.
        parameters: number of trainable parameters.
        crop: side of the random crops in pixels.
        layers: names of the style layers.
        content_layer: name of the content layer.
        weights: weight of each term of the loss.
        epochs: epochs trained.
        batch: photographs a step.
        seconds: training time.
        hardware: device, threads and precision.
    """

    images: str
    samples: int
    validation: str
    validation_samples: int
    parameters: int
    crop: int
    layers: str
    content_layer: str
    weights: Mapping[str, float]
    epochs: int
    batch: int
    seconds: float
    hardware: str


def stylizer_card(
    about: About, facts: Facts, baseline: Mapping[str, float], losses: Mapping[str, float]
) -> str:
    """The card in Markdown.

    Args:
        about: the metadata of the weights file.
        facts: about the training.
        baseline: mean terms of the loss of the validation photographs themselves.
        losses: mean terms of the loss of what the saved file makes of them.
    """
    rows = "\n".join(
        f"| {name} | {facts.weights[name]:g} | {baseline[name]:.4f} | {losses[name]:.4f} |"
        for name in losses
    )
    columns = "weight | photographs as they are | what the saved file makes of them"
    sums = f"{sum(baseline.values()):.4f} | {sum(losses.values()):.4f}"
    style = printable(about.style)
    samples = f"{facts.samples:,} of {facts.images}, at {about.size} x {about.size}"
    measured = {name: round(losses[name], 4) for name in losses}
    head = model_head("stylizer", "image-to-image", facts.validation, measured)
    return f"""{head}
# stylizer

Paints any picture in the style of `{style}`, in one pass of a convolutional network (Johnson,
Alahi & Fei-Fei 2016; {about.norm} normalisation). Trained with the command below; the weights are
stored as fp16.

| loss, read from {about.network} | {columns} |
|---|---|---|---|
{rows}
| sum | | {sums} |

Means over {facts.validation_samples:,} pictures of {facts.validation}, {about.size} x {about.size}
pixels. The loss is that of `recipe=style_transfer`: Gram matrices at {facts.layers}; content at
{facts.content_layer}.

## Training

| | |
|---|---|
| photographs | {samples}, in random crops of {facts.crop} |
| parameters | {facts.parameters:,} |
| epochs | {facts.epochs}, {facts.batch} a step |
| time | {duration(facts.seconds)} on {facts.hardware} |

```
{printable(about.command) or "(called from Python)"}
```

## Input and output

RGB in [0, 1], any size from 8 x 8 on; the output has the same size. Brush strokes have the size
that they have at {about.size} pixels: a larger picture gets more of them, not larger ones. The
safetensors metadata holds the network's shape and this command.

## Use and limits

One file, one style. It is no search: it generalises from photographs like those above, and
`recipe=style_transfer` reaches a lower loss on any one picture, at hundreds of times the cost.
Frames of a film are painted independently, so that textures may flicker. The loss is read from a
network trained on ImageNet, and the style is limited to what its features represent.
"""
