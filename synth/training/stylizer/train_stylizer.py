"""Takes a style and a folder of photographs; gives a stylizer: weights, model card, curves, sheets of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from synth.core.network import Network
from synth.data.class_folders import read_unlabelled
from synth.errors import InputError
from synth.networks.stylizer import SMALLEST, About, Stylizer, read_stylizer, write_stylizer
from synth.objectives.gram import GramMatch
from synth.objectives.priors import TotalVariation
from synth.record.atomic import disk_full_said, write_atomically
from synth.record.record import Record
from synth.training.classifier.architecture import parameters_of
from synth.training.loop import Plan
from synth.training.samples import FOLDER, sheet_of
from synth.training.stylizer.card import Facts, stylizer_card
from synth.training.stylizer.perceptual import PerceptualLoss
from synth.training.stylizer.task import NUDGE, StylizerTask, mean_losses
from synth.training.trainer import (
    Setting,
    Trainer,
    check_range,
    fingerprint,
    named,
    path_of,
    setting_of_weights,
    settings_of_pictures,
    short,
    validated_on,
)

FEWEST = 12  # photographs that a network can learn anything from, one of them kept aside
NAME = "stylizer"


class TrainStylizer(Trainer):
    """Trains a network to paint any picture in one style in one pass, and ships it with what is known of it.

    Args:
        network: whose features the loss is read from.
        style: the picture whose style is learned, or several: the style is then the mean of their statistics.
        images: a folder of photographs, at any depth.
        validation: another one; None keeps `holdout` of `images` aside instead.
        style_weight, content_weight, tv_weight, layers, layer, style_scale: of the loss, as recipe=style_transfer has
            them; there the content weighs less, for that search sets out from it.
        size: side of the square photographs in pixels, and the longer side of the style beside them.
        crop: side of the windows that are trained on, cut out at random; None takes whole photographs.
        mirror: whether half of them are turned left to right.
        width, blocks, norm: see `Stylizer`.
        epochs, batch, seed, early_stopping, keep_checkpoints: see `Plan`; rate: Adam's highest learning rate.
        holdout: fraction (below 1) or number of photographs kept aside where there is no `validation`.
        weights: a stylizer's file to start from, of the same shape.
        device, precision, command: see `Trainer`.

    Raises:
        InputError: for any number out of its range, from the constructor; for pictures and files, from `run`.
    """

    def __init__(
        self,
        network: Network,
        style: str | Sequence[str],
        images: str | Path,
        validation: str | Path | None = None,
        style_weight: float | int = 1.0,
        content_weight: float | int = 0.3,
        tv_weight: float | int = 0.15,
        layers: str | Sequence[str] | None = None,
        layer: str | None = None,
        style_scale: float | int = 1.0,
        size: int = 256,
        crop: int | None = 128,
        mirror: bool = True,
        width: int = 16,
        blocks: int = 5,
        norm: str = "instance",
        epochs: int = 40,
        batch: int = 4,
        rate: float | int = 2e-3,
        early_stopping: int | None = None,
        keep_checkpoints: bool = False,
        holdout: float | int = 0.05,
        weights: str | Path | None = None,
        seed: int = 0,
        device: str = "auto",
        precision: str = "float32",
        command: str | None = None,
    ) -> None:
        check_range("rate", rate, 1e-12, 1e6)
        weights_of = {"style": style_weight, "content": content_weight, "tv": tv_weight}
        for name, value in weights_of.items():
            check_range(f"{name}_weight", value, 0, 1e6)
        check_range("style_scale", style_scale, 0.01, 100)
        least = SMALLEST + NUDGE
        check_range("size", size, least, 2048)
        if crop is not None and not least <= crop <= size:
            raise InputError(
                f"crop={crop}: the side of a window; write {least} to {size}, the size of the photographs."
            )
        super().__init__(
            Plan(
                epochs,
                batch,
                seed,
                early_stopping=early_stopping,
                keep_checkpoints=keep_checkpoints,
            ),
            *(device, precision, command),
        )
        self.check_device(network)
        self.network, self.holdout = network, holdout
        self.images, self.validation = Path(images).expanduser(), path_of(validation)
        self.size, self.crop, self.mirror, self.rate = (
            size,
            size if crop is None else crop,
            mirror,
            float(rate),
        )
        self.shape = (width, blocks, norm)
        self.weights, self.seed = path_of(weights), seed
        self.shares = {name: float(value) for name, value in weights_of.items()}
        self.scale, self.style, self.layers, self.layer = float(style_scale), style, layers, layer
        self.pictures = GramMatch(style).styles  # held, so that each is read once
        Stylizer(*self.shape)  # a shape that cannot be is said before anything is read
        self.whole, self.windows = (self._loss(side) for side in (self.size, self.crop - NUDGE + 1))
        self.styles = ", ".join(picture.name for picture in self.pictures)

    def run(self, record: Record) -> dict[str, Any]:
        """Trains, or goes on with the training in the folder of `record`; leaves weights, card, curves, sheets there.

        Returns:
            The result record: ``items`` (none), ``findings``, ``figures``, ``status``.
        """
        folder = record.folder
        training, validation, skipped = self._photographs()
        stylizer = self._stylizer()
        about = About(
            *self.shape,
            self.styles,
            self.size,
            self.network.name,
            self.network.sha256,
            self.command,
        )

        def save(path: Path, _: Mapping[str, float | int]) -> None:
            write_stylizer(path, stylizer.state_dict(), about)

        task = StylizerTask(
            *(stylizer, training, validation, self.windows, self.whole),
            crop=self.crop,
            mirror=self.mirror,
            rate=self.rate,
            low_precision=self.low_precision,
            save=save,
        )
        loop = self.train(task, folder, self._settings(training, validation))
        with disk_full_said(
            folder, "The training is done and kept: free some space, give the same command again."
        ):
            save(folder / f"{NAME}.safetensors", {})
            again, _ = read_stylizer(folder / f"{NAME}.safetensors", str(self.device))
            found = mean_losses(again, validation, self.whole)
            before = mean_losses(torch.nn.Identity(), validation, self.whole)
            facts = self._facts(
                len(training),
                len(validation),
                parameters_of(stylizer),
                len(loop.rows),
                loop.seconds,
            )
            card = stylizer_card(about, facts, before, found)
            write_atomically(folder / f"{NAME}.md", card.encode())
        findings = {
            "validation_loss": sum(found.values()),
            "photographs_loss": sum(before.values()),
            **found,
            "parameters": facts.parameters,
            "epochs": len(loop.rows),
            "stopped_early": loop.stopped_early,
            "skipped_files": skipped,
        }
        figures = {
            f"{FOLDER}/{sheet_of(len(loop.rows))}": f"Photographs not trained on, in the style of {self.styles}.",
            "curves.png": f"The loss on {len(training):,} photographs, epoch by epoch.",
        }
        return self.result(folder, findings, figures)

    def _loss(self, side: int) -> PerceptualLoss:
        """The loss of pictures of `side`: of whole photographs, or of windows, beside which the style is as large."""
        style = GramMatch(
            self.style,
            layers=self.layers,
            style_scale=self.scale * self.size / side,
            weight=self.shares["style"],
        )
        variation = TotalVariation(per_pixel=True, weight=self.shares["tv"])
        try:
            return PerceptualLoss(
                self.network, style, self.shares["content"], variation, (side, side), self.layer
            )
        except InputError as error:
            word = "size" if side == self.size else "crop"
            raise InputError(str(error).replace("encoding.size", word)) from error

    def _photographs(self) -> tuple[Tensor, Tensor, int]:
        """Photographs to train on and to validate, uint8 [n, 3, size, size], and how many files were unreadable."""
        of = (self.images, self.validation, self.size, FEWEST, self.holdout, self.seed)
        training, validation, skipped = read_unlabelled(*of)
        return training.to(self.device), validation.to(self.device), skipped

    def _stylizer(self) -> Stylizer:
        """A fresh one whose weights depend on the seed alone, or that of the file `weights`."""
        if self.weights is not None:
            stylizer, _ = read_stylizer(self.weights, str(self.device))
            shape = (stylizer.width, stylizer.blocks, stylizer.norm)
            if shape != self.shape:
                width, blocks, norm = shape
                raise InputError(
                    f"weights={self.weights}: write width={width} blocks={blocks} norm={norm}, as it has."
                )
            return stylizer.requires_grad_(True)
        with torch.random.fork_rng([]):
            torch.manual_seed(self.seed)
            stylizer = Stylizer(*self.shape)
        return stylizer.to(self.device, memory_format=torch.channels_last)

    def _settings(self, training: Tensor, validation: Tensor) -> dict[str, Setting]:
        """What a checkpoint must agree with, beside the plan; where pictures and files lie may change."""
        return {
            "style": fingerprint(
                torch.stack([one.at((self.size, self.size)) for one in self.pictures])
            ),
            "style_scale": self.scale,
            "network": f"{self.network.name}, {short(self.network.sha256)}, {self.network.precision}",
            "size": self.size,
            "crop": self.crop,
            "mirror": self.mirror,
            "rate": self.rate,
            **{f"{name}_weight": value for name, value in self.shares.items()},
            "layers": " ".join(self.whole.layers),
            "layer": self.whole.layer,
            **dict(zip(("width", "blocks", "norm"), self.shape, strict=True)),
            "precision": self.precision,
            **settings_of_pictures(training, validation, self.validation is not None, self.holdout),
            "weights": setting_of_weights(self.weights),
        }

    def _facts(
        self, samples: int, held_out: int, parameters: int, epochs: int, seconds: float
    ) -> Facts:
        return Facts(
            images=named(self.images),
            samples=samples,
            validation=validated_on(self.images, self.validation),
            validation_samples=held_out,
            parameters=parameters,
            crop=self.crop,
            layers=", ".join(self.whole.style_layers),
            content_layer=self.whole.layer,
            shares=self.shares,
            epochs=epochs,
            batch=self.plan.batch,
            seconds=seconds,
            hardware=self.hardware,
        )
