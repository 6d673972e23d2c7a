"""The trainer of generators: `TrainGenerator`, the root of ``recipe=train_generator``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from synth.core.network import OUTPUT, Network
from synth.data.augmentation import Augmentation
from synth.data.class_folders import read_unlabelled
from synth.errors import InputError
from synth.files import path_of
from synth.networks import reading, weights_io
from synth.networks.generator import Origin, UpConvolution, read_generator, write_generator
from synth.networks.style_layers import code_layer, style_layers
from synth.record.atomic import report_full_disk, write_atomically
from synth.record.record import Record
from synth.record.result import Result
from synth.training.generator.card import Facts, generator_card
from synth.training.generator.task import GeneratorTask, Losses
from synth.training.loop import Loop
from synth.training.plan import Plan, Setting
from synth.training.samples import FOLDER, sheet_of
from synth.training.schedule import OneCycle
from synth.training.settings import setting_of_weights, settings_of_pictures
from synth.training.trainer import (
    DISK_FULL,
    Trainer,
    check_range,
    count_parameters,
    optional_path,
    short_path,
    validated_on,
)

FEWEST = 8  # pictures to train on: fewer give no usable statistics of the code
SAMPLED = 5000  # pictures that the statistics of the code are estimated from


class TrainGenerator(Trainer):
    """Trains an up-convolutional network to reconstruct pictures from the activations of a layer.

    Source: Dosovitskiy & Brox 2016, "Generating images with perceptual similarity metrics based on
    deep networks".

    Args:
        network: whose activations are the codes; it is not changed.
        images: folder of pictures, at any depth; labels are not needed.
        validation: another such folder; None holds out `holdout` of `images` instead.
        layer: where codes are read, after normalisation and ReLU where these follow; flat or
            spatial. By default the network's `code_layer`: fc6 of AlexNet.
        size: side of the pictures in pixels; None for the network's own.
        comparator: a second network whose features are compared; None for `network` alone.
        layers: where `network` compares; None for the first activation of each resolution, `layer`
            and the output.
        pixel: weight of the pixel loss; see `Losses`.
        feature: weight of the feature loss; see `Losses`.
        adversarial: weight of the adversarial loss; see `Losses`.
        width: channels before the last layer, 4 to 256; twice as many at each resolution below.
        weights: a generator to start from, the statistics of its code included.
        epochs: passes over the training set.
        batch: pictures a step, 2 or more.
        rate: highest learning rate of the one-cycle schedule.
        crop: width in pixels of the reflected border for random crops; 0 for none.
        mirror: whether half of the pictures are mirrored left to right.
        early_stopping: epochs of patience; None trains to the end.
        holdout: fraction (below 1) or number of pictures held out where there is no `validation`.
        keep_checkpoints: whether the weights of every epoch are kept.
        seed: of initial weights, held-out pictures, order and augmentation.
        device: that of the network.
        precision: of generator and discriminator: ``auto``, ``float32``, ``bfloat16``.
        command: the command line that the model card names; None for that of this process.

    Raises:
        InputError: for a number out of its range, from the constructor; for pictures and files,
            from `run`.
    """

    def __init__(
        self,
        network: Network,
        images: str | Path,
        validation: str | Path | None = None,
        layer: str | None = None,
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
        # batch normalisation needs statistics: a batch of one has none
        check_range("batch", batch, 2, 1 << 20)
        check_range("rate", rate, 1e-12, 1)
        check_range("width", width, 4, 256)
        self.check_device(network)
        self.network = network
        self.layer = network.rectified(code_layer(network) if layer is None else layer)
        self.images = path_of(images, "images")
        self.validation = optional_path(validation, "validation")
        self.holdout = holdout
        self.size = self._size(size)
        self.losses = Losses(float(pixel), float(feature), float(adversarial))
        self.comparators = self._comparators(comparator, layers)
        self.width = width
        self.rate = float(rate)
        self.augmentation = Augmentation(crop, mirror)
        self.weights = optional_path(weights, "weights")
        # without memory: the shape for the file; a shape that is impossible fails here
        with torch.device("meta"):
            self.shape = UpConvolution(self._code(), self.size, width)

    def run(self, record: Record) -> Result:
        """Trains, or resumes the training in the folder of `record`.

        Leaves there ``NETWORK.generator.safetensors``, its model card, ``curves.png``,
        ``steps.jsonl`` and a sheet of samples for each epoch.

        Returns:
            The result: findings, curves and the last sheet, no items.
        """
        folder = record.folder
        # before the pictures, which take minutes to read
        start = self._start()
        training, validation, skipped = self._pictures()
        generator = self._generator(training, start)
        task = self._task(generator, training, validation)
        loop = self.train(task, record, self._settings(training, validation))
        with report_full_disk(folder, DISK_FULL):
            path = self._file(folder)
            self._save(path, task.average.state_dict())
            saved, _ = read_generator(path, str(self.device))
            task.average.load_state_dict(saved.state_dict())
            facts = self._facts(task, generator, loop)
            card = self._card(generator, facts)
            write_atomically(path.with_suffix(".md"), card.encode())
        findings = facts.numbers() | {"stopped_early": loop.stopped_early, "skipped_files": skipped}
        pictures = f"{facts.samples:,} pictures"
        figures = {
            "curves.png": f"{self.network.name} {self.layer} on {pictures}, epoch by epoch.",
            f"{FOLDER}/{sheet_of(facts.epochs)}": (
                f"Pictures not trained on, each above its reconstruction from {self.layer}."
            ),
        }
        return self.result(folder, loop, findings, figures, self.network)

    def _facts(self, task: GeneratorTask, generator: UpConvolution, loop: Loop) -> Facts:
        return Facts(
            **task.validate(),
            parameters=count_parameters(generator),
            epochs=len(loop.rows),
            planned_epochs=self.plan.epochs,
            seconds=loop.seconds,
            samples=len(task.training),
            validation_samples=len(task.validation),
        )

    def _card(self, generator: UpConvolution, facts: Facts) -> str:
        return generator_card(
            self._origin(),
            generator,
            self.losses,
            self.comparators,
            facts,
            images=short_path(self.images),
            validation=validated_on(self.images, self.validation),
            hardware=self.hardware,
        )

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
                f"size: {self.network.name} reads {height}x{width}; "
                "write the side of square pictures."
            )
        side = height if size is None else size
        self._check_size(self.network, side)
        return side

    def _check_size(self, network: Network, side: int) -> None:
        if not network.reads((side, side)):
            height, width = network.size
            raise InputError(
                f"size={side}: {network.name} cannot read pictures of that size; "
                f"its own is {height}x{width}."
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
                "layers=[]: name the layers to compare at, or write null; "
                "feature=0 switches them off."
            )
        names = (
            [*style_layers(self.network), self.layer, OUTPUT]
            if layers is None
            else map(self.network.rectified, layers)
        )
        comparators = [(self.network, list(dict.fromkeys(names)))]
        if other is not None and other is not self.network:
            self.check_device(other)
            self._check_size(other, self.size)
            comparators.append((other, [*style_layers(other), OUTPUT]))
        return comparators

    def _pictures(self) -> tuple[Tensor, Tensor, int]:
        training, validation, skipped = read_unlabelled(
            self.images, self.validation, self.size, FEWEST, self.holdout, self.plan.seed
        )
        if len(training) < 2:  # batch normalisation needs two
            count = len(training) + len(validation)
            raise InputError(
                f"holdout={self.holdout}: leaves {len(training)} of {count} pictures to learn from."
            )
        return training.to(self.device), validation.to(self.device), skipped

    def _start(self) -> UpConvolution | None:
        """The generator in the file `weights`, with the same code; None where none is named."""
        if self.weights is None:
            return None
        before, origin = read_generator(self.weights, str(self.device), "weights")
        if before.code != self.shape.code:
            raise InputError(
                f"weights={self.weights}: draws from {list(before.code)} "
                f"({origin.network} {origin.layer}), but {self.network.name} {self.layer} gives "
                f"{list(self.shape.code)}; name another layer, or other weights."
            )
        return before

    def _generator(self, training: Tensor, start: UpConvolution | None) -> UpConvolution:
        with torch.random.fork_rng([]):
            torch.manual_seed(self.plan.seed)
            generator = UpConvolution(self.shape.code, self.size, self.width)
        generator.to(self.device, memory_format=torch.channels_last)
        if start is None or self.weights is None:
            generator.measure(self._codes(training))
            return generator
        weights_io.fill(
            generator,
            start.state_dict(),
            self.weights,
            f"a generator of width={self.width}",
            "weights",
        )
        return generator

    def _codes(self, training: Tensor) -> Tensor:
        """The codes of up to `SAMPLED` pictures, evenly spread over the training set."""
        sample = training[:: -(-len(training) // SAMPLED)]
        return reading.activations(self.network, sample, [self.layer], batch=250)[self.layer]

    def _task(
        self, generator: UpConvolution, training: Tensor, validation: Tensor
    ) -> GeneratorTask:
        with torch.random.fork_rng([]):
            torch.manual_seed(self.plan.seed)
            return GeneratorTask(
                self.network,
                self.layer,
                generator,
                self.comparators,
                training,
                validation,
                self.losses,
                self.augmentation,
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
