"""The model card of a trained generator (Mitchell et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from synth.core.network import Network
from synth.errors import printable
from synth.networks.generator import Origin, UpConvolution
from synth.record.card import model_head
from synth.training.generator.task import Losses
from synth.training.trainer import duration


@dataclass(frozen=True)
class Facts:
    """Metrics of the saved file read back, and facts of the training.

    Attributes:
        validation_loss: weighted sum of pixel and feature error.
        validation_pixel_error: 1 for a constant picture of the mean colour.
        validation_agreement: fraction of pictures whose reconstruction gets the same predicted
            class, in [0, 1].
        parameters: number of trainable parameters.
        epochs: epochs trained.
        planned_epochs: epochs of the plan; more where training stopped early.
        seconds: training time.
        samples: number of training pictures.
        validation_samples: number of validation pictures.
        validation_feature_error: relative error of the features; None without a feature loss.
    """

    validation_loss: float
    validation_pixel_error: float
    validation_agreement: float
    parameters: int
    epochs: int
    planned_epochs: int
    seconds: float
    samples: int
    validation_samples: int
    validation_feature_error: float | None = None

    def numbers(self) -> dict[str, float | int]:
        """The part of them that are findings of the run."""
        others = ("samples", "validation_samples", "planned_epochs", "seconds")
        return {
            name: value
            for name, value in asdict(self).items()
            if value is not None and name not in others
        }


def generator_card(
    origin: Origin,
    generator: UpConvolution,
    losses: Losses,
    comparators: Sequence[tuple[Network, Sequence[str]]],
    facts: Facts,
    *,
    images: str,
    validation: str,
    hardware: str,
) -> str:
    """The card in Markdown.

    Args:
        origin: network and layer whose codes the generator draws from.
        generator: for its shape.
        losses: weights of the loss.
        comparators: networks and layers of the feature loss.
        facts: metrics and facts.
        images: the training set in words.
        validation: the validation set in words.
        hardware: device, threads and precision.
    """
    shape = " x ".join(str(length) for length in generator.code)
    side = f"{generator.size} x {generator.size}"
    stopped = (
        f" (stopped early, of {facts.planned_epochs})"
        if facts.epochs < facts.planned_epochs
        else ""
    )
    compared = "; ".join(
        f"{network.name} at {', '.join(layers)}" for network, layers in comparators
    )
    error = facts.validation_feature_error
    feature = "" if error is None else f"| feature error | {error:.4f} |\n"
    predicts = f"{origin.network} predicts the same class in picture and reconstruction"
    measured = {
        "agreement": round(facts.validation_agreement, 4),
        "pixel error": round(facts.validation_pixel_error, 4),
        **({} if error is None else {"feature error": round(error, 4)}),
    }
    name = f"{origin.network}.generator"
    head = model_head(name, "unconditional-image-generation", validation, measured)
    return f"""{head}
# {name}

Draws {side} RGB pictures from codes of {shape}: the activations of a picture at `{origin.layer}` of
{origin.network}. An up-convolutional network after Dosovitskiy & Brox 2016; the weights are
stored as fp16.

| measured on the saved file read back | |
|---|---|
| agreement: {predicts} | {facts.validation_agreement:.2%} |
| pixel error (1: the mean colour everywhere) | {facts.validation_pixel_error:.4f} |
{feature}| on | {facts.validation_samples:,} pictures of {validation} |

## Training

| | |
|---|---|
| pictures | {facts.samples:,} of {images}, without labels |
| loss | {losses.pixel:g} pixel + {losses.feature:g} feature + {losses.adversarial:g} adversarial |
| features compared | {compared if losses.feature else "none"} |
| parameters | {facts.parameters:,} |
| epochs | {facts.epochs}{stopped} |
| time | {duration(facts.seconds)} on {hardware} |

```
{printable(origin.command) or "(called from Python)"}
```

## Input

A code: the activations of the layer, after its ReLU where it has one. `mean`, `deviation` and
`least` in the file are the mean, the standard deviation and the smallest value of each unit over
the training pictures; a search draws its first codes by them and clips by them. The network's
weights had the SHA-256 {origin.sha256[:16]}.

## Use and limits

Meant as a prior for searches: images that maximise a unit, among those that this network can draw.
It has learned the statistics of its training pictures, so everything that it draws resembles them a
little, also where the unit does not ask for it; and it keeps only the information that the layer
keeps.
"""
