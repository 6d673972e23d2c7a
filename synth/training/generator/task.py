"""The task of generator training: feature inversion by pixel, feature and adversarial loss."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam, Optimizer

from synth.core.network import Network
from synth.core.prediction import NO_CLASS, predictions
from synth.data.augmentation import Augmentation
from synth.errors import InputError
from synth.networks.generator import UpConvolution
from synth.training.generator.discriminator import Discriminator
from synth.training.samples import draw_samples
from synth.training.task import Progress, Task

CHUNK = 100  # pictures in one forward pass of the validation
ACROSS = 10  # pictures in a row of a sheet
DOWN = 4  # rows of a sheet
# Adam's: a discriminator changes the loss at every step, so old gradients are forgotten soon
BETAS = (0.5, 0.99)
DECAY = 0.999  # of the exponential moving average of the weights


@dataclass(frozen=True)
class Losses:
    """Weights of the loss between a picture x and its reconstruction y; 0 switches a term off.

    Source: Dosovitskiy & Brox 2016, equation 2, in units of which each is about 1 before training.

    Args:
        pixel: ``sum (y - x)^2`` over the variance of all pixels, a mean over the pixels.
        feature: the mean over the layers of the comparators of ``||Phi(y) - Phi(x)||^2`` over the
            batch's mean of ``||Phi(x)||^2``.
        adversarial: minus the score of a discriminator that is trained alongside with the hinge
            loss (Lim & Ye 2017).

    Raises:
        InputError: for a weight out of 0 .. 1e6, or where all are 0.
    """

    pixel: float = 1.0
    feature: float = 1.0
    adversarial: float = 0.1

    def __post_init__(self) -> None:
        weights = {"pixel": self.pixel, "feature": self.feature, "adversarial": self.adversarial}
        for name, weight in weights.items():
            if not 0 <= weight <= 1e6:
                raise InputError(f"{name}={weight}: a weight of the loss, 0 (off) or more.")
        if self.pixel == self.feature == self.adversarial == 0:
            raise InputError(
                "pixel=0 feature=0 adversarial=0: nothing to learn; write a weight above 0."
            )


class GeneratorTask(Task):
    """Trains a generator by Adam to reconstruct pictures from the activations of a layer.

    The generator that is validated and exported is the exponential moving average of the one that
    is trained, which evens out the oscillation of adversarial training.

    Args:
        network: whose activations are the codes; it is not changed.
        layer: where codes are read.
        generator: on its device; trained in place.
        comparators: networks and the layers at which pictures are compared, from shallow to deep.
        training: uint8 ``[n, 3, size, size]`` on the generator's device.
        validation: uint8 ``[n, 3, size, size]`` on the generator's device.
        losses: weights of the loss.
        augmentation: random crops and mirroring of the training pictures.
        rate: Adam's base rate for the generator; the discriminator has half of it.
        low_precision: whether generator and discriminator run in bfloat16 autocast in training;
            validation is always float32.
        save: writes a generator's weights to a path.
    """

    def __init__(
        self,
        network: Network,
        layer: str,
        generator: UpConvolution,
        comparators: Sequence[tuple[Network, Sequence[str]]],
        training: Tensor,
        validation: Tensor,
        losses: Losses,
        augmentation: Augmentation,
        *,
        rate: float,
        low_precision: bool,
        save: Callable[[Path, Mapping[str, Tensor]], None],
    ) -> None:
        self.network = network
        self.layer = layer
        self.losses = losses
        self.augmentation = augmentation
        self.comparators = comparators if losses.feature else ()
        self.generator = generator
        self.average = copy.deepcopy(generator).requires_grad_(False)
        self.training = training
        self.validation = validation
        self._low_precision = low_precision
        self._save = save
        self.variance = float((training[:: max(1, len(training) // 2000)].float() / 255).var())
        self._optimisers: dict[str, Optimizer] = {
            "generator": Adam(generator.parameters(), rate, BETAS)
        }
        self.discriminator: Discriminator | None = None
        if losses.adversarial:
            self.discriminator = Discriminator(generator.code, generator.size).to(training.device)
            self.discriminator.to(memory_format=torch.channels_last)
            self._optimisers["discriminator"] = Adam(
                self.discriminator.parameters(), rate / 2, BETAS
            )

    @property
    def samples(self) -> int:
        return len(self.training)

    def modules(self) -> dict[str, nn.Module]:
        modules: dict[str, nn.Module] = {"generator": self.generator, "average": self.average}
        if self.discriminator is not None:
            modules["discriminator"] = self.discriminator
        return modules

    def optimisers(self) -> dict[str, Optimizer]:
        return self._optimisers

    def train_step(self, batch: Tensor, progress: Progress) -> dict[str, Tensor]:
        images = self.augmentation(self.training, batch, progress.generator).float() / 255
        with torch.no_grad():
            code, targets = self._encode(images, fast=True)
        with self._autocast():
            drawn = self.generator(code)
        pixel, feature = self._errors(drawn, images, targets)
        terms = {"pixel_error": pixel}
        if self.comparators:
            terms["feature_error"] = feature
        loss = self.losses.pixel * pixel + self.losses.feature * feature
        if self.discriminator is not None:
            terms["discriminator_loss"] = self._train_discriminator(images, drawn.detach(), code)
            self.discriminator.requires_grad_(False)
            with self._autocast():
                loss = loss - self.losses.adversarial * self.discriminator(drawn, code).mean()
            self.discriminator.requires_grad_(True)
        self._descend("generator", loss)
        with torch.no_grad():
            steps_done = progress.epoch * (self.samples // len(batch)) + progress.step
            self._update_average(min(DECAY, (steps_done + 1) / (steps_done + 10)))
        return {"loss": loss.detach(), **{name: term.detach() for name, term in terms.items()}}

    def _encode(self, images: Tensor, fast: bool = False) -> tuple[Tensor, list[dict[str, Tensor]]]:
        """The codes of `images`, and their activations in each comparator.

        Where the network is a comparator too, one forward pass serves both.

        Args:
            images: RGB in [0, 1].
            fast: whether the networks' copies for searches are read.
        """
        code = None
        targets = []
        for comparator, layers in self.comparators:
            same = comparator is self.network
            names = dict.fromkeys((*layers, self.layer)) if same else layers
            activations = comparator.read(images, names, fast=fast)
            code = activations[self.layer] if same else code
            targets.append(activations)
        if code is None:
            code = self.network.read(images, (self.layer,), fast=fast)[self.layer]
        return code, targets

    def _errors(
        self, drawn: Tensor, images: Tensor, targets: Sequence[Mapping[str, Tensor]]
    ) -> tuple[Tensor, Tensor]:
        """The pixel error, and the feature error (0 without a comparator)."""
        pixel = (drawn - images).square().mean() / self.variance
        errors = [
            relative_error(value, target[name])
            for (comparator, layers), target in zip(self.comparators, targets, strict=True)
            for name, value in comparator.read(drawn, layers, fast=drawn.requires_grad).items()
        ]
        return pixel, torch.stack(errors).mean() if errors else torch.zeros_like(pixel)

    def _train_discriminator(self, images: Tensor, drawn: Tensor, code: Tensor) -> Tensor:
        """Takes one step of the discriminator; returns its hinge loss."""
        assert self.discriminator is not None
        with self._autocast():
            scores = self.discriminator(torch.cat([images, drawn]), torch.cat([code, code]))
        real, fake = scores.chunk(2)
        loss = functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()
        self._descend("discriminator", loss)
        return loss

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self.training.device.type, torch.bfloat16, enabled=self._low_precision
        )

    def _descend(self, name: str, loss: Tensor) -> None:
        optimiser = self._optimisers[name]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    def _update_average(self, decay: float) -> None:
        state = self.generator.state_dict()
        for name, mean in self.average.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(state[name], 1 - decay)
            else:
                mean.copy_(state[name])

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Errors of the reconstructions, and how often both get the same predicted class."""
        pixel = feature = same = 0.0
        for batch in self.validation.split(CHUNK):
            images = batch.float() / 255
            code, targets = self._encode(images)
            drawn = self.average(code)
            errors = self._errors(drawn, images, targets)
            pixel += float(errors[0]) * len(batch)
            feature += float(errors[1]) * len(batch)
            eight_bit = (drawn * 255).round() / 255
            labels = predictions(self.network(images))
            agrees = (labels == predictions(self.network(eight_bit))) & (labels != NO_CLASS)
            same += float(agrees.sum())
        count = len(self.validation)
        loss = (self.losses.pixel * pixel + self.losses.feature * feature) / count
        metrics = {"validation_loss": loss, "validation_pixel_error": pixel / count}
        if self.comparators:
            metrics["validation_feature_error"] = feature / count
        return metrics | {"validation_agreement": same / count}

    def export(self, path: Path, row: Mapping[str, float | int]) -> None:
        self._save(path, self.average.state_dict())

    def panels(self) -> dict[str, Sequence[str]]:
        errors = ["train_pixel_error", "validation_pixel_error"]
        if self.comparators:
            errors += ["train_feature_error", "validation_feature_error"]
        return {
            "Errors (1: nothing learned)": errors,
            "Agreement of picture and reconstruction": ("validation_agreement",),
        }

    @torch.no_grad()
    def sample(self, folder: Path, epoch: int) -> None:
        """A sheet of validation pictures, each above its reconstruction."""
        count = ACROSS * DOWN
        stride = max(1, len(self.validation) // count)
        images = self.validation[::stride][:count].float() / 255
        drawn = self.average(self.network.read(images, (self.layer,))[self.layer])
        draw_samples(folder, epoch, images, drawn, ACROSS)


def relative_error(values: Tensor, target: Tensor) -> Tensor:
    """The mean of ``||values - target||^2`` over the pictures, over that of ``||target||^2``."""
    return (values - target).square().mean() / target.square().mean().clamp_min(1e-12)
