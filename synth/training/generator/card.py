"""Takes what a generator was trained for, on what, and how well it does; gives its model card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from synth.core.network import Network
from synth.networks.generator import Origin, UpConvolution
from synth.training.generator.task import Losses
from synth.training.trainer import duration


@dataclass(frozen=True)
class Found:
    """What was measured on the saved file read back, and the facts of the training; `seconds` of finished epochs."""

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
        """The findings of the run."""
        facts = ("samples", "validation_samples", "planned_epochs", "seconds")
        return {
            name: value
            for name, value in asdict(self).items()
            if value is not None and name not in facts
        }


def generator_card(
    origin: Origin,
    generator: UpConvolution,
    losses: Losses,
    comparators: Sequence[tuple[Network, Sequence[str]]],
    found: Found,
    *,
    images: str,
    validation: str,
    hardware: str,
) -> str:
    """The card."""
    shape = " x ".join(str(length) for length in generator.code)
    side = f"{generator.size} x {generator.size}"
    stopped = (
        f" (stopped early, of {found.planned_epochs})"
        if found.epochs < found.planned_epochs
        else ""
    )
    compared = "; ".join(
        f"{network.name} at {', '.join(layers)}" for network, layers in comparators
    )
    error = found.validation_feature_error
    feature = "" if error is None else f"| feature error | {error:.4f} |\n"
    return f"""# {origin.network}.generator

Draws {side} RGB pictures from codes of {shape}: what `{origin.layer}` of {origin.network} says of a picture. An
up-convolutional network after Dosovitskiy & Brox 2016; the weights are stored as fp16.

| measured on the saved file read back | |
|---|---|
| agreement: {origin.network} sees the same class in picture and reconstruction | {found.validation_agreement:.2%} |
| pixel error (1: the mean colour everywhere) | {found.validation_pixel_error:.4f} |
{feature}| on | {found.validation_samples:,} pictures of {validation} |

## Training

| | |
|---|---|
| pictures | {found.samples:,} of {images}, without labels |
| loss | {losses.pixel:g} pixel + {losses.feature:g} feature + {losses.adversarial:g} adversarial |
| features compared | {compared if losses.feature else "none"} |
| parameters | {found.parameters:,} |
| epochs | {found.epochs}{stopped} |
| time | {duration(found.seconds)} on {hardware} |

```
{origin.command or "(called from Python)"}
```

## Input

A code as the layer gives it, after its ReLU where it has one. `mean`, `deviation` and `least` in the file are the mean,
the standard deviation and the smallest value of each unit over the training pictures: codes are measured by them, and
a search draws its first codes and clips by them. The network's weights had the SHA-256 {origin.sha256[:16]}.

## Use and limits

Meant as a prior for searches: what maximises a neuron, among pictures that this network can draw. It has learned the
look of its training pictures, so everything that it draws looks a little like them, also where the neuron does not ask
for it; and it keeps only what the layer keeps.
"""
