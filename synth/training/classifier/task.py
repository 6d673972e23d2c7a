"""The task of classifier training: augmentation, cross-entropy, SGD with Nesterov momentum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Optimizer

from synth.core.hardware import is_out_of_memory
from synth.data.augmentation import Augmentation
from synth.data.class_folders import LabelledPictures
from synth.errors import InputError
from synth.training.classifier.critical_samples import find_critical
from synth.training.classifier.metrics import measure_classification
from synth.training.task import Progress, Task

CHUNK = 250  # pictures in one forward pass of the validation
MOST_PLAIN = 5000  # training pictures that the accuracy is measured on, as they are


@dataclass(frozen=True)
class Normalisation:
    """Subtracts the mean and divides by the standard deviation, per channel.

    Args:
        mean: of RGB in [0, 1].
        std: of RGB in [0, 1].
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def of(cls, pictures: Tensor) -> Normalisation:
        """Mean and standard deviation over all pixels of `pictures`, uint8 ``[n, 3, h, w]``."""
        total = torch.zeros(3, dtype=torch.float64)
        squares = torch.zeros(3, dtype=torch.float64)
        for chunk in pictures.split(1000):
            values = chunk.float() / 255
            total += values.mean((0, 2, 3)).cpu().double() * len(chunk)
            squares += values.square().mean((0, 2, 3)).cpu().double() * len(chunk)
        mean = total / len(pictures)
        std = (squares / len(pictures) - mean.square()).clamp_min(1e-6).sqrt()
        (r, g, b), (sr, sg, sb) = mean.tolist(), std.tolist()
        return cls((r, g, b), (sr, sg, sb))

    def __call__(self, pictures: Tensor) -> Tensor:
        """Normalised float32 pictures from uint8 ones, ``[n, 3, h, w]``."""
        return self.scaled(pictures.float() / 255)

    def scaled(self, images: Tensor) -> Tensor:
        """Normalised images from RGB in [0, 1], ``[n, 3, h, w]``."""
        return (images - _channels(self.mean, images.device)) / _channels(self.std, images.device)


@lru_cache
def _channels(values: tuple[float, float, float], device: torch.device) -> Tensor:
    """Cached, because copying to a GPU in every step would make the host wait."""
    with torch.inference_mode(False):  # the search for critical samples goes back through them
        return torch.tensor(values, device=device).view(1, 3, 1, 1)


@torch.inference_mode()
def logits_of(network: nn.Module, pictures: Tensor, normalise: Normalisation) -> Tensor:
    """Logits, float32 ``[n, classes]``, of uint8 pictures ``[n, 3, h, w]``, chunk by chunk."""
    return torch.cat([network(normalise(chunk)).float() for chunk in pictures.split(CHUNK)])


def check_size(
    network: nn.Module,
    picture: Tensor,
    normalise: Normalisation,
    classes: int,
    architecture: str,
) -> None:
    """Reads one picture, so that a size that does not fit fails before the first step.

    Args:
        network: on its device; is left in evaluation mode.
        picture: uint8 [1, 3, h, w].
        normalise: applied before the network.
        classes: how many logits it should give.
        architecture: its name, for messages.

    Raises:
        InputError: it cannot read the picture, or gives other logits.
    """
    try:
        shape = tuple(logits_of(network.eval(), picture, normalise).shape)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise InputError(
            f"size={picture.shape[2]}: {architecture} cannot take this size: {error}"
        ) from error
    if shape != (1, classes):
        raise InputError(f"architecture={architecture}: gives {shape}, not (1, {classes}) logits.")


class ClassifierTask(Task):
    """Minimises the cross-entropy by SGD with Nesterov momentum and L2 weight decay.

    The decay is the classical L2 penalty, ``weight_decay * w`` added to the gradient, of matrices
    and kernels only. Biases and the two vectors of a batch normalisation are exempt, because
    shrinking them does not make the function simpler (Goyal et al. 2017, section 5.3).

    Args:
        network: on its device, in channels_last memory format.
        training: pictures and labels on the same device.
        validation: pictures and labels on the same device.
        normalise: applied before the network.
        augmentation: random crops and mirroring of the training pictures.
        critical_samples: radius of the critical samples that each batch has as additional examples,
            None for none; see `synth.training.classifier.critical_samples`.
        critical_steps: of the search for them.
        monitored: what early stopping compares, ``validation_loss`` or ``validation_accuracy``.
        rate: base learning rate.
        momentum: of Nesterov, in [0, 1); 0 is plain SGD.
        weight_decay: L2 coefficient.
        low_precision: whether the training forward pass runs in bfloat16 autocast; validation is
            always float32.
        save: writes the network's weights to a path, given the epoch's numbers.
    """

    def __init__(
        self,
        network: nn.Module,
        training: LabelledPictures,
        validation: LabelledPictures,
        normalise: Normalisation,
        augmentation: Augmentation,
        *,
        rate: float,
        momentum: float,
        weight_decay: float,
        low_precision: bool,
        save: Callable[[Path, Mapping[str, float | int]], None],
        critical_samples: float | None = None,
        critical_steps: int = 2,
        monitored: str = "validation_loss",
    ) -> None:
        self.network = network
        self.training = training
        self.validation = validation
        self.normalise = normalise
        self.augmentation = augmentation
        self.plain = plain_sample(training)
        self.critical_samples = critical_samples
        self.critical_steps = critical_steps
        self.monitored = monitored
        self.maximised = monitored == "validation_accuracy"
        self._low_precision = low_precision
        self._save = save
        decayed = [weight for weight in network.parameters() if weight.ndim > 1]
        exempt = [weight for weight in network.parameters() if weight.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": weight_decay},
            {"params": exempt, "weight_decay": 0.0},
        ]
        self.optimiser = SGD(groups, rate, momentum=momentum, nesterov=momentum > 0)

    @property
    def samples(self) -> int:
        return len(self.training.labels)

    def modules(self) -> dict[str, nn.Module]:
        return {"network": self.network}

    def optimisers(self) -> dict[str, Optimizer]:
        return {"sgd": self.optimiser}

    def train_step(self, batch: Tensor, progress: Progress) -> dict[str, Tensor]:
        labels = self.training.labels[batch.to(self.training.labels.device, non_blocking=True)]
        pictures = self.augmentation(self.training.pictures, batch, progress.generator)
        if self.critical_samples is not None:
            return self._critical_step(pictures, labels, self.critical_samples, progress.generator)
        with torch.autocast(labels.device.type, torch.bfloat16, enabled=self._low_precision):
            logits = self.network(self.normalise(pictures))
        loss = functional.cross_entropy(logits.float(), labels)
        self._descend(loss)
        hits = logits.detach().argmax(1) == labels
        return {"loss": loss.detach(), "accuracy": hits.float().mean()}

    def _critical_step(
        self, pictures: Tensor, labels: Tensor, radius: float, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """A step on a batch and on the critical samples near it, all weighing the same."""
        images = pictures.float() / 255
        self.network.eval()  # what it says; statistics and dropout belong to the step below
        near = find_critical(
            lambda images: self.network(self.normalise.scaled(images)).float(),
            images,
            radius,
            self.critical_steps,
            generator,
        )
        self.network.train()
        both = torch.cat([images, near.images]).contiguous(memory_format=torch.channels_last)
        weights = torch.cat([torch.ones_like(labels), near.critical]).float()
        with torch.autocast(labels.device.type, torch.bfloat16, enabled=self._low_precision):
            logits = self.network(self.normalise.scaled(both))
        losses = functional.cross_entropy(logits.float(), labels.repeat(2), reduction="none")
        loss = (weights * losses).sum() / weights.sum()
        self._descend(loss)
        hits = logits.detach()[: len(labels)].argmax(1) == labels
        return {
            "loss": loss.detach(),
            "accuracy": hits.float().mean(),
            "critical": near.critical.float().mean(),
        }

    def _descend(self, loss: Tensor) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()

    def validate(self) -> dict[str, float]:
        logits = logits_of(self.network, self.validation.pictures, self.normalise)
        metrics = measure_classification(logits, self.validation.labels)
        plain = measure_classification(
            logits_of(self.network, self.plain.pictures, self.normalise), self.plain.labels
        )
        return {
            "train_plain_loss": plain.loss,
            "train_plain_accuracy": plain.top1,
            "weight_norm": weight_norm(self.network),
            "validation_loss": metrics.loss,
            "validation_accuracy": metrics.top1,
            "validation_top5": metrics.top5,
        }

    def export(self, path: Path, row: Mapping[str, float | int]) -> None:
        self._save(path, row)

    def panels(self) -> dict[str, Sequence[str]]:
        return {
            "Loss (cross-entropy, nats)": ("train_loss", "train_plain_loss", "validation_loss"),
            "Accuracy": (
                "train_accuracy",
                "train_plain_accuracy",
                "validation_accuracy",
                "validation_top5",
            ),
        }


def plain_sample(training: LabelledPictures) -> LabelledPictures:
    """The training pictures that the accuracy is measured on without augmentation and dropout.

    All of them, or `MOST_PLAIN` that are drawn by a seed of their own.
    """
    count = len(training.labels)
    if count <= MOST_PLAIN:
        return training
    rows = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:MOST_PLAIN]
    return training.select(rows.sort().values.to(training.labels.device))


def weight_norm(network: nn.Module) -> float:
    """The Euclidean norm of all matrices and kernels, which weight decay shrinks."""
    squares = [
        weight.detach().double().square().sum()
        for weight in network.parameters()
        if weight.ndim > 1
    ]
    return torch.stack(squares).sum().sqrt().item() if squares else 0.0
