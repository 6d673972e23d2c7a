"""The task of stylizer training: the perceptual loss on random crops of photographs, by Adam."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from synth.core import Images
from synth.networks.stylizer import Stylizer
from synth.training.samples import draw_samples
from synth.training.stylizer.perceptual import PerceptualLoss
from synth.training.task import Progress, Task

SHEET = 6  # photographs on a sheet
SHIFT = 4  # random offsets in each direction, in pixels
CHUNK = 4  # photographs in one forward pass of the validation


class StylizerTask(Task):
    """Minimises the perceptual loss by Adam on random crops of photographs (Johnson et al. 2016).

    Args:
        stylizer: on its device; trained in place.
        training: photographs, uint8 ``[n, 3, size, size]``, on the same device.
        validation: photographs, uint8 ``[n, 3, size, size]``, on the same device.
        loss: for the crops.
        validation_loss: for whole photographs.
        crop: side of the random crops in pixels.
        mirror: whether half of them are mirrored left to right.
        rate: Adam's base rate.
        low_precision: whether the stylizer's forward pass runs in bfloat16 autocast in training;
            the loss network has a precision of its own.
        save: writes the stylizer's weights to a path, given the epoch's numbers.
    """

    def __init__(
        self,
        stylizer: Stylizer,
        training: Tensor,
        validation: Tensor,
        loss: PerceptualLoss,
        validation_loss: PerceptualLoss,
        *,
        crop: int,
        mirror: bool,
        rate: float,
        low_precision: bool,
        save: Callable[[Path, Mapping[str, float | int]], None],
    ) -> None:
        self.stylizer = stylizer
        self.training = training
        self.validation = validation
        self.loss = loss
        self.validation_loss = validation_loss
        self.crop = crop
        self.mirror = mirror
        self._low_precision = low_precision
        self._save = save
        self.optimiser = Adam(stylizer.parameters(), rate)

    @property
    def samples(self) -> int:
        return len(self.training)

    def modules(self) -> dict[str, nn.Module]:
        return {"stylizer": self.stylizer}

    def optimisers(self) -> dict[str, Optimizer]:
        return {"adam": self.optimiser}

    def train_step(self, batch: Tensor, progress: Progress) -> dict[str, Tensor]:
        photographs = random_crops(self.training, batch, self.crop, self.mirror, progress.generator)
        device = photographs.device.type
        with torch.autocast(device, torch.bfloat16, enabled=self._low_precision):
            drawn = self.stylizer(photographs)
        losses = self.loss(*random_shift(drawn, photographs, progress.generator))
        terms = {name: value.mean() for name, value in losses.items()}
        loss = torch.stack(list(terms.values())).sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return {"loss": loss.detach(), **{name: value.detach() for name, value in terms.items()}}

    def validate(self) -> dict[str, float]:
        means = mean_losses(self.stylizer, self.validation, self.validation_loss)
        return {
            "validation_loss": sum(means.values()),
            **{f"validation_{name}": value for name, value in means.items()},
        }

    def export(self, path: Path, row: Mapping[str, float | int]) -> None:
        self._save(path, row)

    def panels(self) -> dict[str, Sequence[str]]:
        return {
            "Loss (style + content + variation)": ("train_loss", "validation_loss"),
            "Its terms in validation (loss)": (
                "validation_style",
                "validation_content",
                "validation_tv",
            ),
        }

    @torch.inference_mode()
    def sample(self, folder: Path, epoch: int) -> None:
        """A sheet of the first validation photographs, each above its stylised version."""
        photographs = self.validation[:SHEET].float() / 255
        draw_samples(folder, epoch, photographs, self.stylizer(photographs), SHEET)


@torch.inference_mode()
def compute_losses(
    module: nn.Module, photographs: Tensor, loss: PerceptualLoss
) -> dict[str, Tensor]:
    """The terms of the loss of what a network makes of photographs.

    Args:
        module: a stylizer; `torch.nn.Identity` gives the loss of the photographs themselves.
        photographs: uint8 ``[n, 3, h, w]``.
        loss: for pictures of that size.

    Returns:
        The terms by name, ``[n]`` each.
    """
    parts = (chunk.float() / 255 for chunk in photographs.split(CHUNK))
    losses = [loss(module(part), part) for part in parts]
    return {name: torch.cat([terms[name] for terms in losses]) for name in losses[0]}


def mean_losses(module: nn.Module, photographs: Tensor, loss: PerceptualLoss) -> dict[str, float]:
    """The mean over the photographs of each term of `compute_losses`."""
    terms = compute_losses(module, photographs, loss)
    return {name: float(value.mean()) for name, value in terms.items()}


def random_crops(
    pictures: Tensor, batch: Tensor, crop: int, mirror: bool, generator: torch.Generator
) -> Images:
    """Crops at random positions.

    Args:
        pictures: uint8 ``[n, 3, h, w]``.
        batch: indices of the pictures, int64 ``[b]``.
        crop: side of a crop in pixels.
        mirror: whether each is mirrored left to right with probability 1/2; positions are the same
            without.
        generator: on the CPU; draws positions and mirroring.

    Returns:
        ``[b, 3, crop, crop]`` in [0, 1].
    """
    height, width = pictures.shape[-2:]
    count = len(batch)
    offsets = torch.arange(crop)
    down = torch.randint(0, height - crop + 1, (count, 1), generator=generator) + offsets
    across = torch.randint(0, width - crop + 1, (count, 1), generator=generator) + offsets
    flips = torch.rand(count, 1, generator=generator) < 0.5
    if mirror:
        across = torch.where(flips, across.flip(1), across)
    rows, down, across = (
        index.to(pictures.device, non_blocking=True) for index in (batch, down, across)
    )
    pixels = pictures.permute(0, 2, 3, 1)[rows[:, None, None], down[:, :, None], across[:, None, :]]
    return pixels.permute(0, 3, 1, 2).float() / 255


def random_shift(
    drawn: Images, photographs: Images, generator: torch.Generator
) -> tuple[Images, Images]:
    """Both without `SHIFT` - 1 rows and columns, which are removed from random sides.

    The strides of the loss network then fall on random positions. Without it the stylizer learns a
    fine grain in step with those strides, which lowers the loss but is no part of the style.
    """
    down, across = torch.randint(0, SHIFT, (2,), generator=generator).tolist()
    height, width = (side - SHIFT + 1 for side in drawn.shape[2:])
    window = (..., slice(down, down + height), slice(across, across + width))
    return drawn[window], photographs[window]
