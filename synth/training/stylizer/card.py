"""Takes what a stylizer was trained on, and what it reaches; gives its model card (Mitchell et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from synth.networks.stylizer import About
from synth.training.trainer import duration


@dataclass(frozen=True)
class Facts:
    """The facts of one training: photographs by number and directory, the loss's layers and the shares of its terms."""

    images: str
    samples: int
    validation: str
    validation_samples: int
    parameters: int
    crop: int
    layers: str
    content_layer: str
    shares: Mapping[str, float]
    epochs: int
    batch: int
    seconds: float
    hardware: str


def stylizer_card(
    about: About, facts: Facts, before: Mapping[str, float], found: Mapping[str, float]
) -> str:
    """The card: terms of the loss of held-out photographs as they are, and of what the saved file makes of them."""
    rows = "\n".join(
        f"| {name} | {facts.shares[name]:g} | {before[name]:.4f} | {found[name]:.4f} |"
        for name in found
    )
    return f"""# stylizer

Paints any picture in the style of `{about.style}`, in one pass of a convolutional network (Johnson, Alahi & Fei-Fei
2016; {about.norm} normalisation). Trained from the command below; the weights are stored as fp16.

| loss, read from {about.network} | weight | photographs as they are | what the saved file makes of them |
|---|---|---|---|
{rows}
| sum | | {sum(before.values()):.4f} | {sum(found.values()):.4f} |

Means over {facts.validation_samples:,} pictures of {facts.validation}, {about.size} x {about.size} pixels. The loss is
that of `recipe=style_transfer`: Gram matrices at {facts.layers}; content at {facts.content_layer}.

## Training

| | |
|---|---|
| photographs | {facts.samples:,} of {facts.images}, at {about.size} x {about.size}, in windows of {facts.crop} |
| parameters | {facts.parameters:,} |
| epochs | {facts.epochs}, {facts.batch} a step |
| time | {duration(facts.seconds)} on {facts.hardware} |

```
{about.command or "(called from Python)"}
```

## Input and output

RGB in [0, 1], any size from 8 x 8 on; the same size comes back. Strokes are as large as at {about.size} pixels: a
larger picture gets more of them, not larger ones. The safetensors metadata holds the network's shape and this command.

## Use and limits

One file, one style. It is no search: what it draws is what it learned to draw of photographs like those above, and
`recipe=style_transfer` goes further on any one picture, at hundreds of times the cost. Frames of a film are painted
one by one, so that textures may flicker. The loss network saw the world through ImageNet, and so does the style.
"""
