"""Learning against memorising: one architecture trained on true and on meaningless data."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor, nn

from synth.core.hardware import device_of, low_precision
from synth.core.randomness import key_of
from synth.data.augmentation import Augmentation
from synth.data.class_folders import LabelledPictures, hold_out
from synth.errors import InputError, nearest, whole_numbers
from synth.files import path_of
from synth.jobs import _memorization_figures
from synth.jobs._memorization_curves import (
    ALONE,
    CRITICAL,
    MEMORISED,
    NONE,
    RANDOM,
    TRUE,
    Curves,
    Training,
)
from synth.record.atomic import write_atomically
from synth.record.job import Job
from synth.record.record import Record, versions
from synth.record.result import MALFORMED, Json, Result
from synth.training.classifier.architecture import builder_of, fresh
from synth.training.classifier.corruption import corrupt_pixels, shuffle_labels
from synth.training.classifier.critical_samples import find_critical
from synth.training.classifier.pictures import check_enough, fingerprint_of, read_pictures
from synth.training.classifier.task import ClassifierTask, Normalisation, check_size
from synth.training.classifier.weights import ClassName, Description, write_weights
from synth.training.loop import Loop
from synth.training.plan import Plan, Setting
from synth.training.trainer import check_range, count_parameters, optional_path

log = logging.getLogger(__name__)

# the pixels of each kind of data, a word of `corrupt_pixels`
DATA = {
    TRUE: "plain",
    RANDOM: "plain",
    "shuffled_pixels": "shuffled",
    "random_pixels": "random",
    "gaussian": "gaussian",
}
SETTINGS = (NONE, "weight_decay", "dropout", "augmentation", "all")
MEASURED = 7  # how many times, or more, the critical sample ratio is measured in a training
CHUNK = 100  # pictures of one search for critical samples
CURVES = {  # tensors by their numbers in a training's epochs
    "train_loss": "train_plain_loss",
    "train_accuracy": "train_plain_accuracy",
    "validation_loss": "validation_loss",
    "validation_accuracy": "validation_accuracy",
    "weight_norm": "weight_norm",
}
TRAININGS = "trainings"  # folder of what unfinished trainings left


class Memorization(Job):
    """Trains one architecture on five kinds of data, each with and without regularisation.

    The data are true labels, random labels, shuffled pixels (one permutation of all pictures),
    random pixels (a permutation each) and Gaussian noise (Zhang et al. 2017). Losses and accuracies
    are those of training pictures as they are, without augmentation and dropout. Without
    regularisation, the critical sample ratio is measured through the training: the share of
    training pictures near which another label is predicted (Arpit et al. 2017). At last the network
    is trained with critical samples as additional examples and dropout, on true and random labels.

    Tensors ``memorization``: ``train_loss``, ``train_accuracy``, ``validation_loss``,
    ``validation_accuracy`` and ``weight_norm`` float32 [trainings, epochs], in the order of the
    finding `trainings`. Weights of the first seed: ``weights/DATA.safetensors`` without
    regularisation, and ``weights/DATA-critical_samples.safetensors``.

    Source: Zhang et al. 2017, "Understanding deep learning requires rethinking generalization";
    Arpit et al. 2017, "A closer look at memorization in deep networks".

    Args:
        images: folder with a folder of pictures for each class.
        validation: another such folder; None holds out `holdout` of the images.
        holdout: fraction or number of pictures held out, without `validation`.
        pictures: how many of `images` are trained on, the same share of each class; None for all.
        architecture: name of an architecture of `synth.networks.architectures`.
        size: side of the pictures in pixels.
        data: some of the five kinds.
        settings: some of ``none``, ``weight_decay``, ``dropout``, ``augmentation``, ``all``.
        seeds: a training of each kind.
        epochs: passes over the training set.
        batch: pictures a step.
        rate: highest learning rate of the one-cycle schedule.
        weight_decay: L2 coefficient where it is on.
        dropout: probability in the fully connected layers, where it is on.
        crop: width of the reflected border for random crops, with mirroring the augmentation.
        radius: of the neighbourhood in which critical samples are searched, in [0, 1].
        critical_pictures: training pictures for which that is done.
        critical_steps: of that search.
        training_radius: of the critical samples that are additional examples; None trains none.
        training_steps: of the search for these.
        training_dropout: beside them, and in a training without them, which shows what it does
            alone.
        device: ``auto``, ``cpu``, ``cuda:0``.
        precision: of the training forward pass: ``auto``, ``float32``, ``bfloat16``.

    Raises:
        InputError: for a number out of its range or an unknown word, from the constructor; for
            pictures, from `run`.
    """

    def __init__(
        self,
        images: str | Path,
        validation: str | Path | None = None,
        holdout: float | int = 0.2,
        pictures: int | None = 1000,
        architecture: str = "micro_alexnet",
        size: int = 24,
        data: Sequence[str] | str = tuple(DATA),
        settings: Sequence[str] | str = SETTINGS[:-1],
        seeds: Sequence[int] | int = (0,),
        epochs: int = 35,
        batch: int = 100,
        rate: float | int = 0.1,
        weight_decay: float | int = 5e-4,
        dropout: float | int = 0.4,
        crop: int = 1,
        radius: float | int = 0.01,
        critical_pictures: int = 200,
        critical_steps: int = 10,
        training_radius: float | int | None = 0.12,
        training_steps: int = 2,
        training_dropout: float | int = 0.6,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        check_range("size", size, 8, 4096)
        check_range("batch", batch, 2, 10**9)  # of one picture there is no batch statistic
        check_range("rate", rate, 1e-12, 1e6)
        check_range("weight_decay", weight_decay, 0, 1e6)
        check_range("dropout", dropout, 0, 0.99)
        check_range("training_dropout", training_dropout, 0, 0.99)
        check_range("radius", radius, 1e-6, 1)
        check_range("critical_pictures", critical_pictures, 1, 10**9)
        check_range("critical_steps", critical_steps, 1, 1000)
        check_range("training_steps", training_steps, 1, 1000)
        if training_radius is not None:
            check_range("training_radius", training_radius, 1e-6, 1)
        if pictures is not None:
            check_range("pictures", pictures, 2, 10**9)
        self.images = path_of(images, "images")
        self.validation = optional_path(validation, "validation")
        self.holdout, self.pictures, self.size = holdout, pictures, size
        self.architecture, self.builder = builder_of(architecture, size)
        self.data = _chosen("data", data, tuple(DATA))
        self.settings = _chosen("settings", settings, SETTINGS)
        self.seeds = whole_numbers("seeds", seeds, 0)
        if len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seeds={self.seeds}: name each seed once, at least one of them.")
        self.plan = Plan(epochs, batch)
        self.rate, self.weight_decay, self.dropout = (
            float(rate),
            float(weight_decay),
            float(dropout),
        )
        self.augmentation = Augmentation(crop, mirror=True)
        self.radius, self.critical_pictures = float(radius), critical_pictures
        self.critical_steps = critical_steps
        self.training_radius = None if training_radius is None else float(training_radius)
        self.training_steps = training_steps
        self.training_dropout = float(training_dropout)
        self.device = device_of(device)
        self.low_precision = low_precision(precision, self.device)

    @property
    def trainings(self) -> list[Training]:
        """All of them, in order."""
        each = [*product(self.data, self.settings)]
        if self.training_radius is not None:
            each += [
                (data, setting)
                for setting in (ALONE, CRITICAL)
                for data in (TRUE, RANDOM)
                if data in self.data
            ]
        return [Training(*pair, seed) for seed in self.seeds for pair in each]

    def run(self, record: Record) -> Result:
        """Trains one network after the other, or goes on after the last one that was finished."""
        start = time.monotonic()
        training, validation = self._read()
        digest = fingerprint_of(training, validation)
        every: list[Curves] = []
        for entry in self.trainings:
            share = record.of(entry.name, 0)
            folder = record.folder / TRAININGS / entry.name
            curves = self._finished(record, share.part_result(), entry, digest)
            if curves is None:
                curves, seconds = self._train(share, folder, entry, training, validation)
                findings: dict[str, Json] = {
                    "rows": curves.rows,
                    "critical": curves.critical,
                    "pictures": digest,
                }
                share.keep_part_result(Result("done", seconds, findings=findings))
                log.info("%s", self._line(curves, seconds))
            shutil.rmtree(folder, ignore_errors=True)
            every.append(curves)
        with suppress(OSError):  # where the user has files there, it stays
            (record.folder / TRAININGS).rmdir()
        findings = self._findings(every, training, validation)
        record.tensors(
            "memorization",
            {
                name: torch.tensor([[row[key] for row in curves.rows] for curves in every])
                for name, key in CURVES.items()
            },
        )
        return Result(
            status="done",
            seconds=round(time.monotonic() - start, 3),
            device=str(self.device),
            versions=versions(),
            findings=findings,
            figures=_memorization_figures.draw(record, every, self.radius, self.training_radius),
        )

    # -- data ------------------------------------------------------------------------------------

    def _read(self) -> tuple[LabelledPictures, LabelledPictures]:
        """The training and the validation pictures as they are, on the CPU."""
        draws = torch.Generator().manual_seed(key_of("memorization"))
        training, validation = read_pictures(
            self.images, self.validation, self.holdout, self.size, draws
        )
        count, skipped = len(training.labels), training.skipped
        if self.pictures is not None and self.pictures < count:
            training = training.select(hold_out(training.labels, self.pictures, draws)[1])
        elif self.pictures is not None and self.pictures > count:
            log.warning("pictures=%d: there are %d to train on", self.pictures, count)
        check_enough(self.images, training)
        return replace(training, skipped=skipped), validation

    def _corrupted(
        self, entry: Training, training: LabelledPictures, validation: LabelledPictures
    ) -> tuple[LabelledPictures, LabelledPictures]:
        """The data of a training, on the device."""
        parts = []
        for part, name in ((training, "training"), (validation, "validation")):
            pixels = corrupt_pixels(
                part.pictures, DATA[entry.data], training.pictures, entry.seed, name
            )
            labels = part.labels
            if entry.data == RANDOM and part is training:
                draws = torch.Generator().manual_seed(key_of(entry.seed, RANDOM))
                labels = shuffle_labels(labels, 1.0, draws)
            moved = pixels.to(self.device), labels.to(self.device)
            parts.append(LabelledPictures(*moved, part.classes))
        return parts[0], parts[1]

    # -- one training ----------------------------------------------------------------------------

    def _train(
        self,
        record: Record,
        folder: Path,
        entry: Training,
        training: LabelledPictures,
        validation: LabelledPictures,
    ) -> tuple[Curves, float]:
        """Trains a network, or goes on in `folder`; gives its curves and the seconds it took."""
        own, other = self._corrupted(entry, training, validation)
        on = {entry.setting}
        if entry.setting == "all":
            on = set(SETTINGS)
        dropout = self.dropout if "dropout" in on else 0.0
        if entry.setting in (ALONE, CRITICAL):
            dropout = self.training_dropout
        network = fresh(self.builder, len(own.classes), dropout, entry.seed)
        network.to(self.device, memory_format=torch.channels_last)
        scale = Normalisation.of(own.pictures)
        check_size(network, own.pictures[:1], scale, len(own.classes), self.architecture)

        def measure(path: Path, row: Mapping[str, float | int]) -> None:
            ratio, labels = self._critical(network, scale, own.pictures)
            about = {"epoch": row["step"], "ratio": ratio, "labels": labels}
            write_atomically(path.with_suffix(".json"), json.dumps(about).encode())

        task = ClassifierTask(
            network,
            own,
            other,
            scale,
            self.augmentation if "augmentation" in on else Augmentation(),
            rate=self.rate,
            momentum=0.9,
            weight_decay=self.weight_decay if "weight_decay" in on else 0.0,
            low_precision=self.low_precision,
            save=measure,
            critical_samples=self.training_radius if CRITICAL in on else None,
            critical_steps=self.training_steps,
        )
        measured = entry.data in (TRUE, RANDOM) and entry.setting in (NONE, CRITICAL)
        plan = replace(
            self.plan,
            seed=entry.seed,
            keep_checkpoints=max(1, self.plan.epochs // MEASURED) if measured else False,
            settings={**self._settings(), "images": fingerprint_of(own, other)},
        )
        loop = Loop(task, folder, plan, entry.title, record.folder, record.report)
        rows = loop.run()
        files = (folder / "checkpoints").glob("*.json")
        critical = sorted(
            (json.loads(file.read_text()) for file in files), key=lambda entry: entry["epoch"]
        )
        if entry.seed == self.seeds[0] and entry.setting in (NONE, CRITICAL):
            self._keep(record, entry, network, scale, own, rows[-1]["validation_accuracy"])
        return Curves(entry, rows, critical), loop.seconds

    def _settings(self) -> dict[str, Setting]:
        """What a checkpoint of a training must agree with, beside the plan and the pictures."""
        return {
            "architecture": self.architecture,
            "size": self.size,
            "rate": self.rate,
            "weight_decay": self.weight_decay,
            "dropout": self.dropout,
            "crop": self.augmentation.crop,
            "radius": self.radius,
            "critical_pictures": self.critical_pictures,
            "critical_steps": self.critical_steps,
            "training_radius": self.training_radius,
            "training_steps": self.training_steps,
            "training_dropout": self.training_dropout,
            "precision": "bfloat16" if self.low_precision else "float32",
        }

    def _critical(
        self, network: nn.Module, scale: Normalisation, pictures: Tensor
    ) -> tuple[float, float]:
        """The critical sample ratio of training pictures, and the labels near one on average."""
        count = min(self.critical_pictures, len(pictures))
        some = pictures[torch.arange(count) * len(pictures) // count]
        generator = torch.Generator().manual_seed(key_of("critical"))
        critical = labels = 0.0
        for chunk in some.split(CHUNK):
            near = find_critical(
                lambda images: network(scale.scaled(images)).float(),
                chunk.float() / 255,
                self.radius,
                self.critical_steps,
                generator,
            )
            critical += float(near.critical.sum())
            labels += float(near.labels.sum())
        return critical / count, labels / count

    def _keep(
        self,
        record: Record,
        entry: Training,
        network: nn.Module,
        scale: Normalisation,
        data: LabelledPictures,
        accuracy: float,
    ) -> None:
        """Writes the weights of a trained network, for probes."""
        name = entry.data if entry.setting == NONE else f"{entry.data}-{entry.setting}"
        path = record.folder / "weights" / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        description = Description(
            self.architecture,
            tuple(map(ClassName, data.classes)),
            self.size,
            scale.mean,
            scale.std,
            accuracy,
        )
        write_weights(path, network.state_dict(), description)

    def _finished(
        self, record: Record, result: Result | None, entry: Training, digest: str
    ) -> Curves | None:
        """The curves of a training that an earlier attempt has finished."""
        if result is None:
            return None
        try:
            if result.findings["pictures"] != digest:
                raise InputError(
                    f"folder={record.folder}: its run was begun with other pictures; name another "
                    "folder."
                )
            return Curves(entry, result.findings["rows"], result.findings["critical"])
        except MALFORMED as error:
            raise record.malformed() from error

    # -- findings --------------------------------------------------------------------------------

    def _line(self, curves: Curves, seconds: float) -> str:
        train, other = curves.last("train_plain_accuracy"), curves.last("validation_accuracy")
        return (
            f"{curves.training.title}: {100 * train:.1f} % of the training pictures, "
            f"{100 * other:.1f} % of the validation pictures  {seconds:.0f} s"
        )

    def _findings(
        self,
        every: Sequence[Curves],
        training: LabelledPictures,
        validation: LabelledPictures,
    ) -> dict[str, Json]:
        parameters = count_parameters(fresh(self.builder, len(training.classes), 0.0, 0))
        findings: dict[str, Json] = {
            "pictures": len(training.labels),
            "classes": len(training.classes),
            "validation_pictures": len(validation.labels),
            "validation_of": str(self.validation or "held out"),
            "parameters": parameters,
            "parameters_per_sample": round(parameters / len(training.labels), 2),
            "seeds": len(self.seeds),
        }
        if training.skipped:
            findings["skipped_files"] = len(training.skipped)
        randoms = [
            curves
            for curves in every
            if curves.training.data == RANDOM and curves.training.setting in SETTINGS
        ]
        if randoms:
            fewest = min(curves.last("train_plain_accuracy") for curves in randoms)
            findings["random_labels_memorised"] = round(fewest, 4)
            short = [
                curves.training.title
                for curves in randoms
                if curves.last("train_plain_accuracy") < MEMORISED
            ]
            findings["trainings_too_short"] = len(short)
            if short:
                log.warning(
                    "epochs=%d: too short to memorise, less than %.0f %% of the training pictures "
                    "have their random label in: %s; write more epochs",
                    self.plan.epochs,
                    100 * MEMORISED,
                    "; ".join(short),
                )
        findings |= self._critical_findings(every, len(training.labels))
        findings["trainings"] = [_row(curves) for curves in every]
        return findings

    def _critical_findings(self, every: Sequence[Curves], pictures: int) -> dict[str, Json]:
        """Critical sample ratios, and what training with critical samples changed.

        Args:
            every: all trainings.
            pictures: how many were trained on.
        """
        findings: dict[str, Json] = {}
        by_name = {curves.training.name: curves for curves in every}
        pairs = [
            (by_name[f"{TRUE}-{NONE}-{seed}"], by_name[f"{RANDOM}-{NONE}-{seed}"])
            for seed in self.seeds
            if {TRUE, RANDOM} <= {*self.data} and NONE in self.settings
        ]
        if not pairs:
            return findings
        ratios = [[curves.critical[-1] for curves in pair] for pair in pairs]
        for place, data in enumerate((TRUE, RANDOM)):
            findings[f"critical_sample_ratio_{data}"] = round(
                fmean(pair[place]["ratio"] for pair in ratios), 4
            )
            findings[f"labels_near_a_sample_{data}"] = round(
                fmean(pair[place]["labels"] for pair in ratios), 3
            )
        higher = sum(other["ratio"] > true["ratio"] for true, other in ratios)
        findings["seeds_with_more_on_random_labels"] = higher
        findings["radius"] = self.radius
        findings["critical_pictures"] = min(self.critical_pictures, pictures)
        if self.training_radius is not None:
            for setting, end in ((CRITICAL, ""), (ALONE, "_dropout_alone")):
                for place, (data, name) in enumerate(
                    ((TRUE, "validation_accuracy"), (RANDOM, "train_plain_accuracy"))
                ):
                    falls = [
                        pair[place].last(name) - by_name[f"{data}-{setting}-{seed}"].last(name)
                        for pair, seed in zip(pairs, self.seeds, strict=True)
                    ]
                    findings[f"{data}_fall{end}"] = round(fmean(falls), 4)
            findings["training_radius"] = self.training_radius
            findings["training_dropout"] = self.training_dropout
        return findings


def _row(curves: Curves) -> dict[str, Json]:
    """A training's record in the table."""
    entry = curves.training
    row: dict[str, Json] = {
        "data": entry.data.replace("_", " "),
        "regularisation": entry.setting.replace("_", " "),
        "seed": entry.seed,
        "train_accuracy": round(curves.last("train_plain_accuracy"), 4),
        "validation_accuracy": round(curves.last("validation_accuracy"), 4),
        "train_loss": round(curves.last("train_plain_loss"), 5),
        "weight_norm": round(curves.last("weight_norm"), 2),
        "memorised_in_epoch": curves.memorised_in,
    }
    last = curves.critical[-1] if curves.critical else None
    row["critical_sample_ratio"] = last and round(last["ratio"], 4)
    row["labels_near_a_sample"] = last and round(last["labels"], 3)
    return row


def _chosen(word: str, names: Sequence[str] | str, among: Sequence[str]) -> list[str]:
    chosen = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    if not chosen:
        raise InputError(f"{word}=[]: name at least one of {', '.join(among)}.")
    for name in chosen:
        if name not in among:
            hint = nearest(name, among) or f" There are {', '.join(among)}."
            raise InputError(f"{word}={name}: no such word.{hint}")
    return chosen
