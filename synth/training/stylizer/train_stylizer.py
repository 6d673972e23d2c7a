"""The trainer of stylizers: `TrainStylizer`, the root of ``recipe=train_stylizer``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from synth.core.network import Network
from synth.data.class_folders import read_unlabelled
from synth.errors import InputError
from synth.files import path_of
from synth.networks.stylizer import SMALLEST, About, Stylizer, read_stylizer, write_stylizer
from synth.objectives.gram import GramMatch
from synth.objectives.priors import TotalVariation
from synth.record.atomic import report_full_disk, write_atomically
from synth.record.record import Record
from synth.record.result import Result
from synth.training.loop import Loop
from synth.training.plan import Plan, Setting
from synth.training.samples import FOLDER, sheet_of
from synth.training.settings import (
    fingerprint,
    setting_of_weights,
    settings_of_pictures,
    short_hash,
)
from synth.training.stylizer.card import Facts, stylizer_card
from synth.training.stylizer.perceptual import PerceptualLoss
from synth.training.stylizer.task import SHIFT, StylizerTask, mean_losses
from synth.training.trainer import (
    DISK_FULL,
    Trainer,
    check_range,
    count_parameters,
    optional_path,
    short_path,
    validated_on,
)

FEWEST = 12  # photographs to train on, those held out included
NAME = "stylizer"  # of the weights file and the model card


class TrainStylizer(Trainer):
    """Trains a network to paint any picture in one style in a single forward pass.

    Args:
        network: whose activations the loss is read from.
        style: name or path of the picture whose style is learned, or several: the style is then the
            mean of their Gram matrices.
        images: folder of photographs, at any depth.
        validation: another such folder; None holds out `holdout` of `images` instead.
        style_weight: weight of the style term.
        content_weight: weight of the content term; higher than in ``recipe=style_transfer``, whose
            search starts from the content.
        tv_weight: weight of the total variation.
        layers: of the style; None for the network's own choice, one for each resolution.
        layer: of the content; None for the network's default.
        style_scale: longer side of the style picture as a multiple of `size`.
        size: side of the square photographs in pixels, up to 2048.
        crop: side of the random crops that are trained on; None for whole photographs.
        mirror: whether half of the crops are mirrored left to right.
        width: channels of the first layer; see `Stylizer`.
        blocks: residual blocks; see `Stylizer`.
        norm: ``instance`` or ``batch`` normalisation.
        epochs: passes over the training set.
        batch: photographs a step.
        rate: Adam's highest learning rate in the one-cycle schedule.
        early_stopping: epochs of patience; None trains to the end.
        keep_checkpoints: whether the weights of every epoch are kept.
        holdout: fraction (below 1) or number of photographs held out where there is no
            `validation`.
        weights: a stylizer's file to start from, of the same shape.
        seed: of initial weights, held-out photographs, order and crops.
        device: that of the network.
        precision: of the stylizer's training forward pass: ``auto``, ``float32``, ``bfloat16``.
        command: the command line that the model card names; None for that of this process.

    Raises:
        InputError: for a number out of its range, from the constructor; for pictures and files,
            from `run`.
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
        term_weights = {"style": style_weight, "content": content_weight, "tv": tv_weight}
        for name, value in term_weights.items():
            check_range(f"{name}_weight", value, 0, 1e6)
        check_range("style_scale", style_scale, 0.01, 100)
        smallest = SMALLEST + SHIFT
        check_range("size", size, smallest, 2048)
        if crop is not None and not smallest <= crop <= size:
            raise InputError(
                f"crop={crop}: the side of a window; write {smallest} to {size}, "
                "the size of the photographs."
            )
        plan = Plan(
            epochs, batch, seed, early_stopping=early_stopping, keep_checkpoints=keep_checkpoints
        )
        super().__init__(plan, device, precision, command)
        self.check_device(network)
        self.network = network
        self.holdout = holdout
        self.images = path_of(images, "images")
        self.validation = optional_path(validation, "validation")
        self.size = size
        self.crop = size if crop is None else crop
        self.mirror = mirror
        self.rate = float(rate)
        self.shape = (width, blocks, norm)
        self.weights = optional_path(weights, "weights")
        self.seed = seed
        self.term_weights = {name: float(value) for name, value in term_weights.items()}
        self.scale = float(style_scale)
        self.style = style
        self.layers = layers
        self.layer = layer
        self.pictures = GramMatch(style).styles  # kept, so that each is read once
        Stylizer(*self.shape)  # an impossible shape fails before anything is read
        self.whole_loss = self._loss(self.size)
        self.crop_loss = self._loss(self.crop - SHIFT + 1)
        self.styles = ", ".join(picture.name for picture in self.pictures)

    def run(self, record: Record) -> Result:
        """Trains, or resumes the training in the folder of `record`.

        Leaves there ``stylizer.safetensors``, its model card ``stylizer.md``, ``curves.png``,
        ``steps.jsonl`` and a sheet of samples for each epoch.

        Returns:
            The result: findings, the last sheet and curves, no items.
        """
        folder = record.folder
        stylizer = self._stylizer()  # before the photographs, which take minutes to read
        training, validation, skipped = self._photographs()
        task = self._task(stylizer, training, validation)
        loop = self.train(task, record, self._settings(training, validation))
        with report_full_disk(folder, DISK_FULL):
            path = folder / f"{NAME}.safetensors"
            self._save(path, task.stylizer)
            saved, about = read_stylizer(path, str(self.device))
            losses = mean_losses(saved, validation, self.whole_loss)
            baseline = mean_losses(torch.nn.Identity(), validation, self.whole_loss)
            facts = self._facts(task, loop)
            card = stylizer_card(about, facts, baseline, losses)
            write_atomically(folder / f"{NAME}.md", card.encode())
        findings = {
            "validation_loss": sum(losses.values()),
            "photographs_loss": sum(baseline.values()),
            **losses,
            "parameters": facts.parameters,
            "epochs": facts.epochs,
            "stopped_early": loop.stopped_early,
            "skipped_files": skipped,
        }
        figures = {
            f"{FOLDER}/{sheet_of(facts.epochs)}": (
                f"Photographs not trained on, in the style of {self.styles}."
            ),
            "curves.png": f"The loss on {facts.samples:,} photographs, epoch by epoch.",
        }
        return self.result(folder, loop, findings, figures, self.network)

    def _task(self, stylizer: Stylizer, training: Tensor, validation: Tensor) -> StylizerTask:
        """The task of training `stylizer` on photographs, uint8 ``[n, 3, size, size]``."""
        return StylizerTask(
            stylizer,
            training,
            validation,
            self.crop_loss,
            self.whole_loss,
            crop=self.crop,
            mirror=self.mirror,
            rate=self.rate,
            low_precision=self.low_precision,
            save=lambda path, row: self._save(path, stylizer),
        )

    def _save(self, path: Path, stylizer: Stylizer) -> None:
        about = About(
            *self.shape,
            self.styles,
            self.size,
            self.network.name,
            self.network.sha256,
            self.command,
        )
        write_stylizer(path, stylizer.state_dict(), about)

    def _loss(self, side: int) -> PerceptualLoss:
        """The loss of pictures of `side`; the style has the same scale in photographs and crops."""
        style = GramMatch(
            self.style,
            layers=self.layers,
            style_scale=self.scale * self.size / side,
            weight=self.term_weights["style"],
        )
        variation = TotalVariation(per_pixel=True, weight=self.term_weights["tv"])
        try:
            return PerceptualLoss(
                self.network,
                style,
                self.term_weights["content"],
                variation,
                (side, side),
                self.layer,
            )
        except InputError as error:
            word = "size" if side == self.size else "crop"
            raise InputError(str(error).replace("encoding.size", word)) from error

    def _photographs(self) -> tuple[Tensor, Tensor, int]:
        """Training and validation set, and how many files were unreadable."""
        training, validation, skipped = read_unlabelled(
            self.images, self.validation, self.size, FEWEST, self.holdout, self.seed
        )
        return training.to(self.device), validation.to(self.device), skipped

    def _stylizer(self) -> Stylizer:
        """A stylizer whose weights depend on the seed alone, or that of the file `weights`."""
        if self.weights is not None:
            stylizer, _ = read_stylizer(self.weights, str(self.device))
            shape = (stylizer.width, stylizer.blocks, stylizer.norm)
            if shape != self.shape:
                width, blocks, norm = shape
                raise InputError(
                    f"weights={self.weights}: write width={width} blocks={blocks} norm={norm}, "
                    "as it has."
                )
            return stylizer.requires_grad_(True)
        with torch.random.fork_rng([]):
            torch.manual_seed(self.seed)
            stylizer = Stylizer(*self.shape)
        return stylizer.to(self.device, memory_format=torch.channels_last)

    def _settings(self, training: Tensor, validation: Tensor) -> dict[str, Setting]:
        """What a checkpoint must agree with, beside the plan."""
        side = (self.size, self.size)
        styles = torch.stack([picture.at(side) for picture in self.pictures])
        network = self.network
        return {
            "style": fingerprint(styles),
            "style_scale": self.scale,
            "network": f"{network.name}, {short_hash(network.sha256)}, {network.precision}",
            "size": self.size,
            "crop": self.crop,
            "mirror": self.mirror,
            "rate": self.rate,
            **{f"{name}_weight": value for name, value in self.term_weights.items()},
            "layers": " ".join(self.whole_loss.layers),
            "layer": self.whole_loss.layer,
            **dict(zip(("width", "blocks", "norm"), self.shape, strict=True)),
            "precision": self.precision,
            **settings_of_pictures(training, validation, self.validation is not None, self.holdout),
            "weights": setting_of_weights(self.weights),
        }

    def _facts(self, task: StylizerTask, loop: Loop) -> Facts:
        return Facts(
            images=short_path(self.images),
            samples=len(task.training),
            validation=validated_on(self.images, self.validation),
            validation_samples=len(task.validation),
            parameters=count_parameters(task.stylizer),
            crop=self.crop,
            layers=", ".join(self.whole_loss.style_layers),
            content_layer=self.whole_loss.layer,
            weights=self.term_weights,
            epochs=len(loop.rows),
            batch=self.plan.batch,
            seconds=loop.seconds,
            hardware=self.hardware,
        )
