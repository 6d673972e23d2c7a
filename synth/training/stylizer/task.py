"""Takes a stylizer, photographs and a loss; gives the training loop its step: cut, draw, compare, descend."""

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

SHOWN = 6  # photographs on a sheet
NUDGE = 4  # places in each direction
CHUNK = 4  # photographs validated at once


class StylizerTask(Task):
    """The perceptual loss descended by Adam, on windows of photographs (Johnson et al. 2016).

    Args:
        stylizer: on its device.
        training, validation: photographs, uint8 ``[n, 3, size, size]``, on the same device.
        loss, validation_loss: for the windows, and for whole photographs.
        crop: side of the windows, which are cut out at random places.
        mirror: whether half of them, on average, are turned left to right.
        low_precision: whether the stylizer's forward pass runs in bf16 autocast; the loss network has its own.
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
        self.stylizer, self.training, self.validation = stylizer, training, validation
        self.loss, self.validation_loss, self.crop, self.mirror = (
            loss,
            validation_loss,
            crop,
            mirror,
        )
        self._low, self._save = low_precision, save
        self.optimiser = Adam(stylizer.parameters(), rate)

    @property
    def samples(self) -> int:
        return len(self.training)

    def modules(self) -> dict[str, nn.Module]:
        return {"stylizer": self.stylizer}

    def optimisers(self) -> dict[str, Optimizer]:
        return {"adam": self.optimiser}

    def train_step(self, batch: Tensor, progress: Progress) -> dict[str, Tensor]:
        photographs = windows(self.training, batch, self.crop, self.mirror, progress.generator)
        with torch.autocast(photographs.device.type, torch.bfloat16, enabled=self._low):
            drawn = self.stylizer(photographs)
        found = self.loss(*nudged(drawn, photographs, progress.generator))
        terms = {name: value.mean() for name, value in found.items()}
        loss = torch.stack(list(terms.values())).sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return {"loss": loss.detach(), **{name: value.detach() for name, value in terms.items()}}

    def validate(self) -> dict[str, float]:
        means = mean_losses(self.stylizer, self.validation, self.validation_loss)
        return {
            "validation_loss": sum(means.values()),
            **{f"validation_{name}": one for name, one in means.items()},
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
        """The first photographs of the validation above what is made of them: ``samples/epoch_003.png``."""
        photographs = self.validation[:SHOWN].float() / 255
        draw_samples(folder, epoch, photographs, self.stylizer(photographs), SHOWN)


@torch.inference_mode()
def losses(drawer: nn.Module, photographs: Tensor, loss: PerceptualLoss) -> dict[str, Tensor]:
    """The terms of `loss`, [n] each, of what `drawer` makes of `photographs`, uint8 [n, 3, h, w]."""
    parts = (chunk.float() / 255 for chunk in photographs.split(CHUNK))
    found = [loss(drawer(part), part) for part in parts]
    return {name: torch.cat([terms[name] for terms in found]) for name in found[0]}


def mean_losses(drawer: nn.Module, photographs: Tensor, loss: PerceptualLoss) -> dict[str, float]:
    """The same, each term's mean over the photographs."""
    return {name: float(value.mean()) for name, value in losses(drawer, photographs, loss).items()}


def windows(
    pictures: Tensor, batch: Tensor, crop: int, mirror: bool, generator: torch.Generator
) -> Images:
    """Windows of `crop` pixels a side out of `pictures`, uint8 [n, 3, h, w], at random places: [b, 3, crop, crop].

    `batch` [b] says which pictures, `generator` (on the CPU) draws the places and, with `mirror`, who is mirrored.
    """
    height, width = pictures.shape[-2:]
    count, device = len(batch), pictures.device
    down = torch.randint(0, height - crop + 1, (count, 1), generator=generator) + torch.arange(crop)
    across = torch.randint(0, width - crop + 1, (count, 1), generator=generator) + torch.arange(
        crop
    )
    flips = torch.rand(count, 1, generator=generator) < 0.5
    if mirror:
        across = torch.where(flips, across.flip(1), across)
    rows, down, across = (index.to(device, non_blocking=True) for index in (batch, down, across))
    pixels = pictures.permute(0, 2, 3, 1)[rows[:, None, None], down[:, :, None], across[:, None, :]]
    return pixels.permute(0, 3, 1, 2).float() / 255


def nudged(drawn: Images, photographs: Images, generator: torch.Generator) -> tuple[Images, Images]:
    """Both less `NUDGE` - 1 rows and columns, taken from random sides: where the loss network's strides fall is chance.

    Without it a grain grows that only the network can see, in step with its strides.
    """
    down, across = torch.randint(0, NUDGE, (2,), generator=generator).tolist()
    height, width = (side - NUDGE + 1 for side in drawn.shape[2:])
    place = (..., slice(down, down + height), slice(across, across + width))
    return drawn[place], photographs[place]
