"""Takes a network, a layer and pictures; gives the training loop its step: encode, draw, compare, judge, descend."""

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
from synth.data.augmentation import Augmentation
from synth.errors import InputError
from synth.networks.generator import UpConvolution
from synth.training.generator.discriminator import Discriminator
from synth.training.samples import draw_samples
from synth.training.task import Progress, Task

CHUNK = 100  # pictures validated at once
ACROSS, DOWN = 10, 4  # pictures of a sheet
BETAS = (
    0.5,
    0.99,
)  # of Adam: a discriminator makes the loss another one at every step, so it is forgotten soon
CALM = 0.999  # memory of the running mean of the weights


@dataclass(frozen=True)
class Losses:
    """What a drawing y of a picture x is measured by, each with its weight; 0 switches one off.

    `pixel`: sum (y - x)^2 over the variance of all pixels, a mean over them. `feature`: the mean over the layers of
    the comparators of ||Phi(y) - Phi(x)||^2 over the batch's mean of ||Phi(x)||^2. `adversarial`: minus the score of
    a discriminator that learns beside the generator, by the hinge loss (Lim & Ye 2017).

    Source: Dosovitskiy & Brox 2016, equation 2, in units of which each is about 1 where nothing is learned yet.
    """

    pixel: float = 1.0
    feature: float = 1.0
    adversarial: float = 0.1

    def __post_init__(self) -> None:
        for name in ("pixel", "feature", "adversarial"):
            if not 0 <= getattr(self, name) <= 1e6:
                raise InputError(
                    f"{name}={getattr(self, name)}: a weight of the loss, 0 (off) or more."
                )
        if self.pixel == self.feature == self.adversarial == 0:
            raise InputError(
                "pixel=0 feature=0 adversarial=0: nothing to learn; write a weight above 0."
            )


class GeneratorTask(Task):
    """Pictures drawn from what a layer says of them, learned by Adam.

    The generator that is measured and kept is a running mean of the one that learns, which evens out the to and fro
    with the discriminator.

    Args:
        comparators: networks and the layers at which drawings are compared, from the shallow to the deep.
        training, validation: uint8 ``[n, 3, size, size]`` on the generator's device.
        rate: Adam's, of the generator; the discriminator has half of it.
        low_precision: whether generator and discriminator run in bf16 autocast; validation is always fp32.
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
        self.network, self.layer, self.losses, self.augmentation = (
            network,
            layer,
            losses,
            augmentation,
        )
        self.comparators = comparators if losses.feature else ()
        self.generator, self.kept = generator, copy.deepcopy(generator).requires_grad_(False)
        self.training, self.validation, self._low, self._save = (
            training,
            validation,
            low_precision,
            save,
        )
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
        found: dict[str, nn.Module] = {"generator": self.generator, "kept": self.kept}
        return (
            found if self.discriminator is None else found | {"discriminator": self.discriminator}
        )

    def optimisers(self) -> dict[str, Optimizer]:
        return self._optimisers

    def train_step(self, batch: Tensor, progress: Progress) -> dict[str, Tensor]:
        images = self.augmentation(self.training, batch, progress.generator).float() / 255
        with torch.no_grad():
            code, wanted = self._look(images)
        with self._autocast():
            drawn = self.generator(code)
        pixel, feature = self._errors(drawn, images, wanted)
        terms = (
            {"pixel_error": pixel, "feature_error": feature}
            if self.comparators
            else {"pixel_error": pixel}
        )
        loss = self.losses.pixel * pixel + self.losses.feature * feature
        if self.discriminator is not None:
            terms["discriminator_loss"] = self._judge(images, drawn.detach(), code)
            self.discriminator.requires_grad_(False)
            with self._autocast():
                loss = loss - self.losses.adversarial * self.discriminator(drawn, code).mean()
            self.discriminator.requires_grad_(True)
        self._descend("generator", loss)
        with torch.no_grad():
            done = progress.epoch * (self.samples // len(batch)) + progress.step
            self._average(min(CALM, (done + 1) / (done + 10)))
        return {"loss": loss.detach(), **{name: term.detach() for name, term in terms.items()}}

    def _look(self, images: Tensor) -> tuple[Tensor, list[dict[str, Tensor]]]:
        """The code of `images` and what each comparator says of them; a network that is both is asked once."""
        code, wanted = None, []
        for comparator, layers in self.comparators:
            own = comparator is self.network
            found = comparator.read(images, dict.fromkeys((*layers, self.layer)) if own else layers)
            code = found[self.layer] if own else code
            wanted.append(found)
        return self.network.read(images, (self.layer,))[
            self.layer
        ] if code is None else code, wanted

    def _errors(
        self, drawn: Tensor, images: Tensor, wanted: Sequence[Mapping[str, Tensor]]
    ) -> tuple[Tensor, Tensor]:
        """The pixel error, and the feature error (0 without a comparator)."""
        pixel = (drawn - images).square().mean() / self.variance
        errors = [
            relative_error(value, known[name])
            for (comparator, layers), known in zip(self.comparators, wanted, strict=True)
            for name, value in comparator.read(drawn, layers).items()
        ]
        return pixel, torch.stack(errors).mean() if errors else torch.zeros_like(pixel)

    def _judge(self, images: Tensor, drawn: Tensor, code: Tensor) -> Tensor:
        """The discriminator's hinge loss, descended."""
        assert self.discriminator is not None
        with self._autocast():
            scores = self.discriminator(torch.cat([images, drawn]), torch.cat([code, code]))
        real, fake = scores.chunk(2)
        loss = functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()
        self._descend("discriminator", loss)
        return loss

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.training.device.type, torch.bfloat16, enabled=self._low)

    def _descend(self, name: str, loss: Tensor) -> None:
        optimiser = self._optimisers[name]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    def _average(self, memory: float) -> None:
        now = self.generator.state_dict()
        for name, mean in self.kept.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(now[name], 1 - memory)
            else:
                mean.copy_(now[name])

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Errors of the reconstructions of the validation pictures, and how often the network sees the same class."""
        pixel = feature = same = 0.0
        for some in self.validation.split(CHUNK):
            images = some.float() / 255
            code, wanted = self._look(images)
            drawn = self.kept(code)
            found = self._errors(drawn, images, wanted)
            pixel += float(found[0]) * len(some)
            feature += float(found[1]) * len(some)
            seen = [self.network(each).argmax(1) for each in (images, (drawn * 255).round() / 255)]
            same += float((seen[0] == seen[1]).sum())
        count = len(self.validation)
        loss = (self.losses.pixel * pixel + self.losses.feature * feature) / count
        found = {"validation_loss": loss, "validation_pixel_error": pixel / count}
        if self.comparators:
            found["validation_feature_error"] = feature / count
        return found | {"validation_agreement": same / count}

    def export(self, path: Path, row: Mapping[str, float | int]) -> None:
        self._save(path, self.kept.state_dict())

    def panels(self) -> dict[str, Sequence[str]]:
        return {
            "Errors (1: nothing learned)": (
                *("train_pixel_error", "validation_pixel_error"),
                *(("train_feature_error", "validation_feature_error") if self.comparators else ()),
            ),
            "Agreement of picture and reconstruction": ("validation_agreement",),
        }

    @torch.no_grad()
    def sample(self, folder: Path, epoch: int) -> None:
        """A sheet of validation pictures, each above its reconstruction."""
        many = ACROSS * DOWN
        chosen = self.validation[:: max(1, len(self.validation) // many)][:many].float() / 255
        drawn = self.kept(self.network.read(chosen, (self.layer,))[self.layer])
        draw_samples(folder, epoch, chosen, drawn, ACROSS)


def relative_error(seen: Tensor, wanted: Tensor) -> Tensor:
    """The mean of ||seen - wanted||^2 over the pictures, as a share of that of ||wanted||^2."""
    return (seen - wanted).square().mean() / wanted.square().mean().clamp_min(1e-12)
