"""The trainer of image classifiers: `TrainClassifier`, the root of ``recipe=train_classifier``."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from synth.data.augmentation import Augmentation
from synth.data.class_folders import LabelledPictures
from synth.errors import InputError
from synth.files import path_of
from synth.networks.architectures import Builder
from synth.record.atomic import report_full_disk, write_atomically
from synth.record.record import Record
from synth.record.result import Result
from synth.training.classifier.architecture import builder_of, fresh, load_into
from synth.training.classifier.card import Facts, model_card
from synth.training.classifier.class_names import class_names, read_names
from synth.training.classifier.corruption import check_pixels, corrupt_pixels, shuffle_labels
from synth.training.classifier.metrics import ClassificationMetrics, measure_classification
from synth.training.classifier.pictures import check_enough, fingerprint_of, read_pictures
from synth.training.classifier.task import (
    ClassifierTask,
    Normalisation,
    check_size,
    logits_of,
    plain_sample,
)
from synth.training.classifier.weights import ClassName, Description, read_weights, write_weights
from synth.training.loop import Loop
from synth.training.plan import Plan, Setting
from synth.training.settings import (
    setting_of_weights,
    settings_of_pictures,
    short_hash,
)
from synth.training.trainer import (
    DISK_FULL,
    Trainer,
    check_range,
    count_parameters,
    optional_path,
    short_path,
    validated_on,
)

log = logging.getLogger(__name__)

# what early stopping compares, by the user's word
MONITORED = {"loss": "validation_loss", "accuracy": "validation_accuracy"}


class TrainClassifier(Trainer):
    """Trains a classifier from scratch or from `weights`; leaves weights, model card and curves.

    Args:
        images: directory with a folder of pictures for each class.
        validation: another such directory; None holds out `holdout` of `images` instead.
        architecture: name of an architecture of `synth.networks.architectures`, or a function of
            ``classes`` and ``dropout`` that returns a module.
        size: side of the square pictures in pixels, 8 to 4096; others are cropped to a square and
            resized.
        epochs: passes over the training set.
        batch: pictures a step.
        rate: highest learning rate of the one-cycle schedule.
        momentum: Nesterov momentum, in [0, 1).
        weight_decay: L2 coefficient on kernels and matrices.
        dropout: probability in the fully connected layers, in [0, 0.99].
        crop: width in pixels of the reflected border for random crops; 0 for none.
        mirror: whether half of the pictures are mirrored left to right.
        early_stopping: epochs of patience; None trains to the end.
        early_stopping_by: what has to get better, the validation ``loss`` or ``accuracy``.
        holdout: fraction (below 1) or number of pictures held out where there is no `validation`.
        weights: safetensors file or torch state dict to start from (fine-tuning); its
            normalisation is kept, a head for other classes is replaced.
        keep_checkpoints: every how many epochs the weights are kept, and after the last one; True
            for each epoch, False for none.
        random_labels: fraction in [0, 1] of the training labels that are shuffled among themselves,
            the randomisation test of Zhang et al. 2017; shuffled, not drawn anew, so that each
            class keeps its number of pictures.
        pixels: of training and validation pictures: ``plain``, ``shuffled`` (the places of all
            pictures in one order), ``random`` (in another order for each picture) or ``gaussian``
            (noise of the training pictures' mean and deviation).
        critical_samples: radius, in [0, 1], of the critical samples that each batch has as
            additional examples with the labels of their pictures; None for none. A picture has one
            where the network as it is predicts another label within the radius.
        critical_steps: of the search for them.
        names: TSV file with the columns wnid, imagenet_index, name.
        seed: of initial weights, held-out pictures, order and augmentation.
        device: ``auto``, ``cpu``, ``cuda:0``.
        precision: of the training forward pass: ``auto``, ``float32``, ``bfloat16``.
        command: the command line that the model card names; None for that of this process.

    Raises:
        InputError: for a number out of its range, from the constructor; for pictures and files,
            from `run`.
    """

    def __init__(
        self,
        images: str | Path,
        validation: str | Path | None = None,
        architecture: str | Builder = "mini_alexnet",
        size: int = 64,
        epochs: int = 30,
        batch: int = 128,
        rate: float | int = 0.08,
        momentum: float | int = 0.9,
        weight_decay: float | int = 5e-4,
        dropout: float | int = 0.4,
        crop: int = 6,
        mirror: bool = True,
        early_stopping: int | None = None,
        early_stopping_by: str = "loss",
        holdout: float | int = 0.1,
        weights: str | Path | None = None,
        keep_checkpoints: bool | int = False,
        random_labels: float | int = 0.0,
        pixels: str = "plain",
        critical_samples: float | int | None = None,
        critical_steps: int = 2,
        names: str | Path | None = None,
        seed: int = 0,
        device: str = "auto",
        precision: str = "auto",
        command: str | None = None,
    ) -> None:
        check_range("size", size, 8, 4096)
        check_range("rate", rate, 1e-12, 1e6)
        check_range("momentum", momentum, 0, 0.9999)
        check_range("weight_decay", weight_decay, 0, 1e6)
        check_range("dropout", dropout, 0, 0.99)
        check_range("random_labels", random_labels, 0, 1)
        if critical_samples is not None:
            check_range("critical_samples", critical_samples, 1e-6, 1)
        check_range("critical_steps", critical_steps, 1, 1000)
        if early_stopping_by not in MONITORED:
            raise InputError(f"early_stopping_by={early_stopping_by}: write loss or accuracy.")
        plan = Plan(
            epochs, batch, seed, early_stopping=early_stopping, keep_checkpoints=keep_checkpoints
        )
        super().__init__(plan, device, precision, command)
        self.images = path_of(images, "images")
        self.validation = optional_path(validation, "validation")
        self.holdout = holdout
        self.size = size
        self.architecture, self.builder = builder_of(architecture, size)
        self.rate = float(rate)
        self.momentum = float(momentum)
        self.weight_decay = float(weight_decay)
        self.dropout = float(dropout)
        self.random_labels = float(random_labels)
        self.pixels = check_pixels(pixels)
        self.critical_samples = None if critical_samples is None else float(critical_samples)
        self.critical_steps = critical_steps
        self.monitored = MONITORED[early_stopping_by]
        self.seed = seed
        self.augmentation = Augmentation(crop, mirror)
        self.weights = optional_path(weights, "weights")
        self.names = optional_path(names, "names")

    def run(self, record: Record) -> Result:
        """Trains, or resumes the training in the folder of `record`.

        Leaves there ``ARCHITECTURE.safetensors``, its model card ``ARCHITECTURE.md``,
        ``curves.png`` and ``steps.jsonl``. The checkpoint stays until the record is finished, so
        that nothing is lost before the result is written.

        Returns:
            The result: findings and curves, no items.
        """
        folder = record.folder
        # before the pictures, which take minutes to read
        start = read_weights(self.weights) if self.weights else None
        names = read_names(self.names) if self.names else {}
        training, validation = self._pictures()
        classes = class_names(training.classes, self.names, names)
        network, description = self._network(training, classes, start)
        task = self._task(network, training, validation, description)
        loop = self.train(task, record, self._settings(training, validation, description))
        with report_full_disk(folder, DISK_FULL):
            metrics, plain = self._ship(folder, network, description, training, validation)
            facts = self._facts(network, training, validation, loop, plain.top1)
            card = model_card(replace(description, accuracy=metrics.top1), facts, metrics)
            write_atomically(folder / f"{self.architecture}.md", card.encode())
        findings = {
            "top1": metrics.top1,
            "top5": metrics.top5,
            "train_top1": plain.top1,
            "validation_loss": metrics.loss,
            "calibration_error": metrics.calibration_error,
            "mean_confidence": metrics.confidence,
            "parameters": facts.parameters,
            "parameters_per_sample": facts.parameters / facts.samples,
            "epochs": facts.epochs,
            "stopped_early": loop.stopped_early,
            "skipped_files": len(training.skipped) + len(validation.skipped),
        }
        if loop.stopped_in_warmup:
            findings["stopped_in_warmup"] = True
        caption = (
            f"{self.architecture} on {facts.samples:,} pictures: training and validation, "
            "epoch by epoch. Blue: training pictures as they are, without augmentation and dropout."
        )
        return self.result(folder, loop, findings, {"curves.png": caption})

    def _settings(
        self, training: LabelledPictures, validation: LabelledPictures, description: Description
    ) -> dict[str, Setting]:
        """What a checkpoint must agree with, beside the plan.

        The first difference is reported to the user, so settings that follow from others come after
        them.
        """
        return {
            "architecture": self.architecture,
            "size": self.size,
            "rate": self.rate,
            "momentum": self.momentum,
            "weight_decay": self.weight_decay,
            "dropout": self.dropout,
            "crop": self.augmentation.crop,
            "mirror": self.augmentation.mirror,
            "random_labels": self.random_labels,
            # those that are newer than some checkpoints are None where they change nothing
            "pixels": None if self.pixels == "plain" else self.pixels,
            "critical_samples": self.critical_samples,
            "critical_steps": self.critical_steps if self.critical_samples else None,
            "early_stopping_by": (
                None
                if self.plan.early_stopping is None or self.monitored == MONITORED["loss"]
                else "accuracy"
            ),
            "precision": self.precision,
            **settings_of_pictures(
                training, validation, self.validation is not None, self.holdout, fingerprint_of
            ),
            "names": _hash_of_names(description) if self.names else None,
            "weights": setting_of_weights(self.weights),
            "normalisation": " ".join(
                f"{value:.3f}" for value in (*description.mean, *description.std)
            ),
        }

    def _pictures(self) -> tuple[LabelledPictures, LabelledPictures]:
        training, validation = read_pictures(
            self.images,
            self.validation,
            self.holdout,
            self.size,
            torch.Generator().manual_seed(self.seed),
        )
        check_enough(self.images, training)
        labels = shuffle_labels(
            training.labels, self.random_labels, torch.Generator().manual_seed(self.seed)
        )
        training, validation = (
            replace(
                part,
                pictures=corrupt_pixels(
                    part.pictures, self.pixels, training.pictures, self.seed, name
                ),
            )
            for part, name in ((training, "training"), (validation, "validation"))
        )
        return _to(replace(training, labels=labels), self.device), _to(validation, self.device)

    def _network(
        self,
        training: LabelledPictures,
        classes: tuple[ClassName, ...],
        start: tuple[dict[str, Tensor], Description | None] | None,
    ) -> tuple[nn.Module, Description]:
        network = fresh(self.builder, len(classes), self.dropout, self.seed)
        before = None
        if start is not None:
            tensors, before = start
            assert self.weights is not None
            load_into(network, self.weights, tensors, before, self.architecture, classes)
        # the first layer expects the scale of the pictures that it was first trained on
        scale = (
            Normalisation(before.mean, before.std)
            if before
            else Normalisation.of(training.pictures)
        )
        description = Description(
            self.architecture, classes, self.size, scale.mean, scale.std, None, self.command
        )
        network.to(self.device, memory_format=torch.channels_last)
        check_size(network, training.pictures[:1], scale, len(classes), self.architecture)
        return network, description

    def _task(
        self,
        network: nn.Module,
        training: LabelledPictures,
        validation: LabelledPictures,
        description: Description,
    ) -> ClassifierTask:
        def save(path: Path, row: Mapping[str, float | int]) -> None:
            accuracy = row["validation_accuracy"]
            write_weights(path, network.state_dict(), replace(description, accuracy=accuracy))

        return ClassifierTask(
            network,
            training,
            validation,
            Normalisation(description.mean, description.std),
            self.augmentation,
            rate=self.rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            low_precision=self.low_precision,
            save=save,
            critical_samples=self.critical_samples,
            critical_steps=self.critical_steps,
            monitored=self.monitored,
        )

    def _ship(
        self,
        folder: Path,
        network: nn.Module,
        description: Description,
        training: LabelledPictures,
        validation: LabelledPictures,
    ) -> tuple[ClassificationMetrics, ClassificationMetrics]:
        """Writes the weights and measures the file read back, since fp16 may cost accuracy.

        Returns:
            Metrics on validation pictures, and on training pictures as they are.
        """
        path = folder / f"{self.architecture}.safetensors"
        write_weights(path, network.state_dict(), description)
        tensors, _ = read_weights(path)
        saved = fresh(self.builder, len(description.classes), self.dropout, self.seed)
        saved.load_state_dict(tensors)
        saved.to(self.device, memory_format=torch.channels_last).eval()
        normalise = Normalisation(description.mean, description.std)
        metrics, plain = (
            measure_classification(logits_of(saved, part.pictures, normalise), part.labels)
            for part in (validation, plain_sample(training))
        )
        write_weights(path, tensors, replace(description, accuracy=metrics.top1))
        return metrics, plain

    def _facts(
        self,
        network: nn.Module,
        training: LabelledPictures,
        validation: LabelledPictures,
        loop: Loop,
        train_top1: float,
    ) -> Facts:
        return Facts(
            images=short_path(self.images),
            samples=len(training.labels),
            validation=validated_on(self.images, self.validation),
            validation_samples=len(validation.labels),
            parameters=count_parameters(network),
            epochs=len(loop.rows),
            planned_epochs=self.plan.epochs,
            random_labels=self.random_labels,
            pixels=self.pixels,
            train_top1=train_top1,
            seconds=loop.seconds,
            hardware=self.hardware,
        )


def _to(pictures: LabelledPictures, device: torch.device) -> LabelledPictures:
    return replace(
        pictures, pictures=pictures.pictures.to(device), labels=pictures.labels.to(device)
    )


def _hash_of_names(description: Description) -> str:
    return short_hash(hashlib.sha256(repr(description.classes).encode()).hexdigest())
