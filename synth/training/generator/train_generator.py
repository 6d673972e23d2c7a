"""Takes a network, one of its layers and pictures; gives a trained generator: weights, model card, curves, samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from synth.core.network import OUTPUT, Network
from synth.data.augmentation import Augmentation
from synth.data.class_folders import read_unlabelled
from synth.errors import InputError
from synth.networks import reading, weights_io
from synth.networks.generator import Origin, UpConvolution, read_generator, write_generator
from synth.networks.style_layers import style_layers
from synth.record.atomic import disk_full_said, write_atomically
from synth.record.record import Record
from synth.training.classifier.architecture import parameters_of
from synth.training.generator.card import Found, generator_card
from synth.training.generator.task import GeneratorTask, Losses
from synth.training.loop import Plan
from synth.training.samples import FOLDER, sheet_of
from synth.training.schedule import OneCycle
from synth.training.trainer import (
    Setting,
    Trainer,
    check_range,
    named,
    path_of,
    setting_of_weights,
    settings_of_pictures,
    validated_on,
)

FEWEST = 8  # pictures to learn from, below which there are no statistics of a code to speak of
LOOKED_AT = 5000  # pictures that the statistics of the code are taken from


class TrainGenerator(Trainer):
    """Trains an up-convolutional network to draw pictures from what `layer` of `network` says of them.

    Args:
        network: whose codes are read; it is not changed.
        images: folder of pictures, searched through; validation: another, or None for `holdout` of `images`.
        layer: where codes are read, after normalisation and ReLU where these follow; flat or spatial.
        size: side of the pictures in pixels; None for the network's own.
        comparator: a network that drawings are compared by beside `network`; None for `network` alone.
        layers: where `network` compares; None for the first activation of each resolution, `layer` and the output.
        pixel, feature, adversarial: see `Losses`.
        width: channels before the last layer; twice as many at each resolution below.
        weights: a generator to start from, its code's statistics included.
        epochs, batch, seed, early_stopping, keep_checkpoints: see `Plan`.
        rate: the one-cycle schedule's highest learning rate; crop, mirror: see `Augmentation`.
        holdout: fraction (below 1) or number of pictures kept aside where there is no `validation`.
        device, precision, command: see `Trainer`; the device is the network's.

    Raises:
        InputError: for any number out of its range, from the constructor; for pictures and files, from `run`.

    Source: Dosovitskiy & Brox 2016, "Generating images with perceptual similarity metrics based on deep networks".
    """

    def __init__(
        self,
        network: Network,
        images: str | Path,
        validation: str | Path | None = None,
        layer: str = "fc6",
        size: int | None = None,
        comparator: Network | None = None,
        layers: Sequence[str] | None = None,
        pixel: float | int = 1.0,
        feature: float | int = 1.0,
        adversarial: float | int = 0.1,
        width: int = 20,
        weights: str | Path | None = None,
        epochs: int = 7,
        batch: int = 64,
        rate: float | int = 0.002,
        crop: int = 0,
        mirror: bool = True,
        early_stopping: int | None = None,
        holdout: float | int = 0.1,
        keep_checkpoints: bool = False,
        seed: int = 0,
        device: str = "auto",
        precision: str = "auto",
        command: str | None = None,
    ) -> None:
        schedule = OneCycle(warmup=0.05, end=0.01)
        plan = Plan(
            epochs,
            batch,
            seed,
            schedule,
            early_stopping=early_stopping,
            keep_checkpoints=keep_checkpoints,
        )
        super().__init__(plan, device, precision, command)
        check_range(
            "batch", batch, 2, 1 << 20
        )  # batch normalisation has nothing to go by in a batch of one
        check_range("rate", rate, 1e-12, 1)
        check_range("width", width, 4, 256)
        self.check_device(network)
        self.network, self.layer = network, network.rectified(layer)
        self.images, self.validation, self.holdout = (
            Path(images).expanduser(),
            path_of(validation),
            holdout,
        )
        self.size = self._size(size)
        self.losses = Losses(float(pixel), float(feature), float(adversarial))
        self.comparators = self._comparators(comparator, layers)
        self.width, self.rate, self.augmentation = width, float(rate), Augmentation(crop, mirror)
        self.weights = path_of(weights)
        with torch.device("meta"):  # the shape alone, for the file; what cannot be says so here
            self.shape = UpConvolution(self._code(), self.size, width)

    def run(self, record: Record) -> dict[str, Any]:
        """Trains, or goes on with the training in the folder of `record`; leaves weights, card, curves, samples there.

        Returns:
            The result record: ``items`` (none), ``findings``, ``figures``, ``status``.
        """
        folder = record.folder
        training, validation, skipped = self._pictures()
        generator = self._generator(training)
        task = self._task(generator, training, validation)
        loop = self.train(task, folder, self._settings(training, validation))
        with disk_full_said(
            folder, "The training is done and kept: free some space, give the same command again."
        ):
            self._save(self._file(folder), task.kept.state_dict())
            task.kept.load_state_dict(
                read_generator(self._file(folder), str(self.device))[0].state_dict()
            )
            found = Found(
                **task.validate(),
                parameters=parameters_of(generator),
                epochs=len(loop.rows),
                planned_epochs=self.plan.epochs,
                seconds=loop.seconds,
                samples=len(training),
                validation_samples=len(validation),
            )
            card = generator_card(
                *(self._origin(), generator, self.losses, self.comparators, found),
                images=named(self.images),
                validation=validated_on(self.images, self.validation),
                hardware=self.hardware,
            )
            write_atomically(self._file(folder).with_suffix(".md"), card.encode())
        findings = found.numbers() | {"stopped_early": loop.stopped_early, "skipped_files": skipped}
        sheet, pictures = f"{FOLDER}/{sheet_of(len(loop.rows))}", f"{found.samples:,} pictures"
        figures = {
            "curves.png": f"{self.network.name} {self.layer} on {pictures}, epoch by epoch.",
            sheet: f"Pictures it was not trained on, each above what it draws from {self.layer}.",
        }
        return self.result(folder, findings, figures)

    def _file(self, folder: Path) -> Path:
        return folder / f"{self.network.name}.generator.safetensors"

    def _origin(self) -> Origin:
        return Origin(self.network.name, self.layer, self.network.sha256, self.command)

    def _save(self, path: Path, tensors: dict[str, Tensor]) -> None:
        write_generator(path, self.shape, tensors, self._origin())

    def _size(self, size: int | None) -> int:
        height, width = self.network.size
        if size is None and height != width:
            raise InputError(
                f"size: {self.network.name} reads {height}x{width}; write the side of square pictures."
            )
        side = height if size is None else size
        self._check_size(self.network, side)
        return side

    def _check_size(self, network: Network, side: int) -> None:
        if not network.reads((side, side)):
            height, width = network.size
            raise InputError(
                f"size={side}: {network.name} cannot read pictures of that size; its own is {height}x{width}."
            )

    def _code(self) -> tuple[int, ...]:
        """The shape of the code at the pictures' size."""
        with torch.inference_mode():
            blank = torch.zeros(1, 3, self.size, self.size, device=self.network.device)
            return tuple(self.network.read(blank, (self.layer,))[self.layer].shape[1:])

    def _comparators(
        self, other: Network | None, layers: Sequence[str] | None
    ) -> list[tuple[Network, list[str]]]:
        if layers is not None and not layers:
            raise InputError(
                "layers=[]: name the layers to compare at, or write null; feature=0 switches them off."
            )
        chosen = (
            [*style_layers(self.network), self.layer, OUTPUT]
            if layers is None
            else map(self.network.rectified, layers)
        )
        found = [(self.network, list(dict.fromkeys(chosen)))]
        if other is not None and other is not self.network:
            self.check_device(other)
            self._check_size(other, self.size)
            found.append((other, [*style_layers(other), OUTPUT]))
        return found

    def _pictures(self) -> tuple[Tensor, Tensor, int]:
        of = (self.images, self.validation, self.size, FEWEST, self.holdout, self.plan.seed)
        training, validation, skipped = read_unlabelled(*of)
        if len(training) < 2:  # of which batch normalisation has nothing to go by
            count = len(training) + len(validation)
            raise InputError(
                f"holdout={self.holdout}: leaves {len(training)} of {count} pictures to learn from."
            )
        return training.to(self.device), validation.to(self.device), skipped

    def _generator(self, training: Tensor) -> UpConvolution:
        with torch.random.fork_rng([]):
            torch.manual_seed(self.plan.seed)
            generator = UpConvolution(self.shape.code, self.size, self.width)
        generator.to(self.device, memory_format=torch.channels_last)
        if self.weights is None:
            generator.measure(self._codes(training))
            return generator
        before, origin = read_generator(self.weights, str(self.device), "weights")
        if before.code != self.shape.code:
            raise InputError(
                f"weights={self.weights}: draws from {list(before.code)} ({origin.network} {origin.layer}), but "
                f"{self.network.name} {self.layer} gives {list(self.shape.code)}; name another layer, or other weights."
            )
        weights_io.fill(
            generator,
            before.state_dict(),
            self.weights,
            f"a generator of width={self.width}",
            "weights",
        )
        return generator

    def _codes(self, training: Tensor) -> Tensor:
        """The codes of up to 5,000 pictures, evenly spread."""
        some = training[:: -(-len(training) // LOOKED_AT)]
        return reading.activations(self.network, some, [self.layer], batch=250)[self.layer]

    def _task(
        self, generator: UpConvolution, training: Tensor, validation: Tensor
    ) -> GeneratorTask:
        with torch.random.fork_rng([]):
            torch.manual_seed(self.plan.seed)
            return GeneratorTask(
                *(self.network, self.layer, generator, self.comparators, training, validation),
                *(self.losses, self.augmentation),
                rate=self.rate,
                low_precision=self.low_precision,
                save=self._save,
            )

    def _settings(self, training: Tensor, validation: Tensor) -> dict[str, Setting]:
        """What a checkpoint must agree with, beside the plan."""
        compared = [
            f"{network.name} {network.sha256[:12]} {' '.join(layers)}"
            for network, layers in self.comparators
        ]
        return {
            "network": f"{self.network.name} {self.network.sha256[:12]}",
            "layer": self.layer,
            "size": self.size,
            "comparator": "; ".join(compared),
            "pixel": self.losses.pixel,
            "feature": self.losses.feature,
            "adversarial": self.losses.adversarial,
            "width": self.width,
            "rate": self.rate,
            "crop": self.augmentation.crop,
            "mirror": self.augmentation.mirror,
            "precision": self.precision,
            "weights": setting_of_weights(self.weights),
            **settings_of_pictures(training, validation, self.validation is not None, self.holdout),
        }
