"""Takes pictures in class folders, and numbers; gives a trained classifier: weights, model card, curves."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from synth.data.augmentation import Augmentation
from synth.data.class_folders import LabelledPictures, hold_out, read_class_folders
from synth.errors import InputError
from synth.record.atomic import disk_full_said, write_atomically
from synth.record.record import Record
from synth.training.classifier.architecture import (
    Builder,
    builder_of,
    fresh,
    load_into,
    parameters_of,
)
from synth.training.classifier.card import Training, model_card
from synth.training.classifier.class_names import class_names
from synth.training.classifier.measures import Measures, measure
from synth.training.classifier.task import ClassifierTask, Normalisation, logits_of
from synth.training.classifier.weights import ClassName, Description, read_weights, write_weights
from synth.training.loop import Plan
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

log = logging.getLogger(__name__)


class TrainClassifier(Trainer):
    """Trains a classifier from scratch, or from `weights`, and ships it with what is known of it.

    Args:
        images: directory with a folder of pictures for each class.
        validation: another such directory; None keeps `holdout` of `images` aside instead.
        architecture: name of a file in ``synth/networks``, or a builder called with `classes` and `dropout`.
        size: side of the square pictures in pixels; others are cropped and resized to it.
        epochs, batch, seed, early_stopping, keep_checkpoints: see `Plan`.
        rate: the one-cycle schedule's highest learning rate; momentum: Nesterov's; weight_decay: L2 on
            weights.
        dropout: probability in the fully connected layers; crop, mirror: see `Augmentation`.
        holdout: fraction (below 1) or number of pictures kept aside where there is no `validation`.
        weights: safetensors file or torch state dict to start from; its normalisation is kept, a head for
            other classes is replaced.
        random_labels: fraction of the training labels that are shuffled among themselves, the randomisation
            test of Zhang et al. 2017; shuffled, not drawn anew, so that each class keeps its number of
            pictures.
        names: TSV file with the columns wnid, imagenet_index, name.
        device: ``auto``, ``cpu``, ``cuda:0``; precision: ``auto``, ``float32``, ``bfloat16`` for the forward
            pass.
        command: what the card says it was trained with; None takes the process's own arguments.

    Raises:
        InputError: for any number out of its range, from the constructor; for pictures and files, from `run`.
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
        holdout: float | int = 0.1,
        weights: str | Path | None = None,
        keep_checkpoints: bool = False,
        random_labels: float | int = 0.0,
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
        plan = Plan(
            epochs, batch, seed, early_stopping=early_stopping, keep_checkpoints=keep_checkpoints
        )
        super().__init__(plan, device, precision, command)
        self.images, self.validation = Path(images).expanduser(), path_of(validation)
        self.holdout, self.size = holdout, size
        self.architecture, self.builder = builder_of(architecture)
        self.rate, self.momentum, self.weight_decay = (
            float(rate),
            float(momentum),
            float(weight_decay),
        )
        self.dropout, self.random_labels, self.seed = float(dropout), float(random_labels), seed
        self.augmentation = Augmentation(crop, mirror)
        self.weights, self.names = path_of(weights), path_of(names)

    def run(self, record: Record) -> dict[str, Any]:
        """Trains, or goes on with the training in the folder of `record`; leaves weights, card, curves, rows there.

        The checkpoint stays until the record is finished, so that nothing is lost before the result is written.

        Returns:
            The result record: ``items`` (none), ``findings``, ``figures``, ``status``.
        """
        folder = record.folder
        training, validation = self._pictures()
        classes = class_names(training.classes, self.names)
        skipped = len(training.skipped) + len(validation.skipped)
        network, said = self._network(training, classes)
        task = self._task(network, training, validation, said)
        loop = self.train(task, folder, self._settings(training, validation, said))
        rows = loop.rows
        with disk_full_said(
            folder, "The training is done and kept: free some space, give the same command again."
        ):
            found = self._ship(folder, network, said, validation)
            facts = self._facts(network, training, validation, len(rows), loop.seconds)
            card = model_card(replace(said, accuracy=found.top1), facts, found)
            write_atomically(folder / f"{self.architecture}.md", card.encode())
        findings = {
            **{"top1": found.top1, "top5": found.top5, "validation_loss": found.loss},
            **{"calibration_error": found.calibration_error, "mean_confidence": found.confidence},
            **{
                "parameters": facts.parameters,
                "parameters_per_sample": facts.parameters / facts.samples,
            },
            **{"epochs": len(rows), "stopped_early": loop.stopped_early, "skipped_files": skipped},
        }
        caption = f"{self.architecture} on {facts.samples:,} pictures: training and validation, epoch by epoch."
        return self.result(folder, findings, {"curves.png": caption})

    def _settings(
        self, training: LabelledPictures, validation: LabelledPictures, said: Description
    ) -> dict[str, Setting]:
        """What a checkpoint must agree with, beside the plan; where pictures and files lie may change.

        The first that differs is the one the user is told, so what follows from others comes after them.
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
            "precision": self.precision,
            **settings_of_pictures(
                training, validation, self.validation is not None, self.holdout, _fingerprint
            ),
            "names": short(hashlib.sha256(repr(said.classes).encode()).hexdigest())
            if self.names
            else None,
            "weights": setting_of_weights(self.weights),
            "normalisation": " ".join(f"{value:.3f}" for value in (*said.mean, *said.std)),
        }

    def _pictures(self) -> tuple[LabelledPictures, LabelledPictures]:
        log.info("Reading %s", self.images)
        training = read_class_folders(self.images, self.size)
        if len(training.classes) < 2:
            raise InputError(
                f"images={self.images}: one class folder only; a classifier needs two or more."
            )
        if self.validation is not None:
            validation = read_class_folders(
                self.validation, self.size, training.classes, word="validation"
            )
        else:
            kept, aside = hold_out(
                training.labels, self.holdout, torch.Generator().manual_seed(self.seed)
            )
            validation = training.select(aside)
            training = replace(training.select(kept), skipped=training.skipped)
        labels = shuffle_labels(
            training.labels, self.random_labels, torch.Generator().manual_seed(self.seed)
        )
        return _to(replace(training, labels=labels), self.device), _to(validation, self.device)

    def _network(
        self, training: LabelledPictures, classes: tuple[ClassName, ...]
    ) -> tuple[nn.Module, Description]:
        network = fresh(self.builder, len(classes), self.dropout, self.seed)
        before = (
            load_into(network, self.weights, self.architecture, classes) if self.weights else None
        )
        # What a network was trained on first fixed the scale its first layer expects.
        scale = (
            Normalisation(before.mean, before.std)
            if before
            else Normalisation.of(training.pictures)
        )
        said = Description(
            self.architecture, classes, self.size, scale.mean, scale.std, None, self.command
        )
        network.to(self.device, memory_format=torch.channels_last)
        self._try(
            network, training.pictures[:1], Normalisation(scale.mean, scale.std), len(classes)
        )
        return network, said

    def _try(
        self, network: nn.Module, picture: Tensor, normalise: Normalisation, classes: int
    ) -> None:
        """One picture through the network: a size that does not fit should fail before the first step."""
        try:
            shape = tuple(logits_of(network.eval(), picture, normalise).shape)
        except torch.OutOfMemoryError:  # a RuntimeError too, and not the size's fault
            raise
        except RuntimeError as error:
            raise InputError(
                f"size={self.size}: {self.architecture} cannot take this size: {error}"
            ) from error
        if shape != (1, classes):
            raise InputError(
                f"architecture={self.architecture}: gives {shape}, not (1, {classes}) logits."
            )

    def _task(
        self,
        network: nn.Module,
        training: LabelledPictures,
        validation: LabelledPictures,
        said: Description,
    ) -> ClassifierTask:
        def save(path: Path, row: Mapping[str, float | int]) -> None:
            write_weights(
                path, network.state_dict(), replace(said, accuracy=row["validation_accuracy"])
            )

        return ClassifierTask(
            *(network, training, validation, Normalisation(said.mean, said.std), self.augmentation),
            rate=self.rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            low_precision=self.low_precision,
            save=save,
        )

    def _ship(
        self, folder: Path, network: nn.Module, said: Description, validation: LabelledPictures
    ) -> Measures:
        """Writes the weights and measures what was written: fp16 may cost accuracy, users get the file."""
        path = folder / f"{self.architecture}.safetensors"
        write_weights(path, network.state_dict(), said)
        tensors, _ = read_weights(path)
        again = fresh(self.builder, len(said.classes), self.dropout, self.seed)
        again.load_state_dict(tensors)
        again.to(self.device, memory_format=torch.channels_last).eval()
        logits = logits_of(again, validation.pictures, Normalisation(said.mean, said.std))
        found = measure(logits, validation.labels)
        write_weights(path, tensors, replace(said, accuracy=found.top1))
        return found

    def _facts(
        self,
        network: nn.Module,
        training: LabelledPictures,
        validation: LabelledPictures,
        epochs: int,
        seconds: float,
    ) -> Training:
        return Training(
            images=named(self.images),
            samples=len(training.labels),
            validation=validated_on(self.images, self.validation),
            validation_samples=len(validation.labels),
            parameters=parameters_of(network),
            epochs=epochs,
            planned_epochs=self.plan.epochs,
            random_labels=self.random_labels,
            seconds=seconds,
            hardware=self.hardware,
        )


def shuffle_labels(labels: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """`labels` ``[n]``, a random `fraction` permuted among themselves; ``1/classes`` of these stay right."""
    chosen = torch.randperm(len(labels), generator=generator)[: round(fraction * len(labels))]
    shuffled = labels.clone()
    shuffled[chosen] = labels[chosen[torch.randperm(len(chosen), generator=generator)]]
    return shuffled


def _to(pictures: LabelledPictures, device: torch.device) -> LabelledPictures:
    return replace(
        pictures, pictures=pictures.pictures.to(device), labels=pictures.labels.to(device)
    )


def _fingerprint(*sets: LabelledPictures) -> str:
    """The number of pictures and a hash of their pixels, labels and classes."""
    return fingerprint(
        *(some.pictures for some in sets),
        about=[(some.classes, some.labels.tolist()) for some in sets],
    )
