"""The base class of probes: measurements of a network on pictures, without a search.

A probe implements `Probe.measure`. What it adds up over many pictures is a `Tally`, and
`Probe.scan` makes the pass: batches are decoded while the network reads the ones before, every
tally sees each batch once, and a pass that is killed goes on from its last checkpoint.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from PIL import Image
from torch import Tensor

from synth import data
from synth.core.network import Network
from synth.data.collection import Batch, Collection
from synth.data.sheet import joined
from synth.errors import InputError
from synth.record import progress
from synth.record.interrupt import Interrupt
from synth.record.job import Job
from synth.record.record import Record, versions
from synth.record.result import Figure, Item, Json, NetworkInfo, Result

log = logging.getLogger(__name__)

FOLDER = "figures"
BATCH = 32  # pictures a forward pass
CHECKPOINT_EVERY = 10.0  # seconds; more where a checkpoint takes long


@dataclass
class Measurement:
    """The result of a probe.

    Attributes:
        findings: numbers by name.
        items: one a picture, where it makes or evaluates pictures.
        figures: of the whole run.
        layers: records of the network's layers, where it lists them.
        about: what `success` of its items means, where they have one.
    """

    findings: dict[str, Json] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    layers: Sequence[Mapping[str, Json]] | None = None
    about: Mapping[str, str] | None = None


class Tally(ABC):
    """What a pass over many pictures adds up, in memory that does not grow with their number."""

    @abstractmethod
    def add(self, batch: Batch, activations: Mapping[str, Tensor]) -> None:
        """Adds a batch.

        Args:
            batch: the pictures.
            activations: by layer, float32 [b, ...] on the network's device.
        """

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """All of it as tensors by name, for a checkpoint."""

    @abstractmethod
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes the place of what `state` gave."""


class Probe(Job):
    """Measures a network.

    Args:
        network: the network.
        images: a folder, glob, list or name of pictures; none where the probe needs none.
        layers: names of layers; none where the probe chooses.

    Attributes:
        needs_pictures: whether it is refused without `images`.

    Raises:
        InputError: for a picture or layer that does not exist.
    """

    needs_pictures: bool = False

    def __init__(
        self,
        network: Network,
        images: data.Sources | None = None,
        layers: str | Sequence[str] | None = None,
    ) -> None:
        if images is None and self.needs_pictures:
            raise InputError("images: this probe reads pictures; write images=FOLDER.")
        self.network = network
        self.collection = None if images is None else Collection(images)
        names = [layers] if isinstance(layers, str) else list(layers or ())
        self.layers = [network.layer(name) for name in names]
        self._passes: dict[str, dict[str, Tensor]] = {}  # the tallies of passes that have ended
        self._digests: dict[str, str] = {}  # of the pictures of each pass

    @abstractmethod
    def measure(self, record: Record) -> Measurement:
        """Does the work; may save images, sheets and tensors with `record`."""

    def run(self, record: Record) -> Result:
        start = time.monotonic()
        measurement = self.measure(record)
        if self.collection is not None and self.collection.skipped:
            measurement.findings["skipped_files"] = len(self.collection.skipped)
        return Result(
            status="done",
            seconds=round(time.monotonic() - start, 3),
            network=NetworkInfo(self.network.name, self.network.sha256),
            device=str(self.network.device),
            versions=versions(),
            items=measurement.items,
            findings=measurement.findings,
            figures=measurement.figures,
            layers=measurement.layers,
            about=measurement.about,
        )

    # -- for measure -----------------------------------------------------------------------------

    def scan(
        self,
        record: Record,
        layers: Sequence[str],
        tallies: Mapping[str, Tally],
        title: str = "pictures",
        batch: int = BATCH,
    ) -> None:
        """One pass over all pictures at the network's size, in float32.

        Ctrl-C ends it after a checkpoint, from which the same command goes on.

        Args:
            record: where checkpoints go.
            layers: whose activations are read; ``output`` means the logits.
            tallies: by name; each sees every batch once.
            title: of the bar, and of the pass, where a probe makes several.
            batch: pictures a forward pass.

        Raises:
            KeyboardInterrupt: by the first Ctrl-C, when the batch is done and saved.
            InputError: the pictures are not those of the pass that is resumed.
        """
        collection = self.pictures
        self._digests[title] = collection.digest
        done = self._resumed(record, title, tallies)
        last, pause = time.monotonic(), CHECKPOINT_EVERY
        with Interrupt() as interrupt, progress.Steps(title, len(collection)) as bar:
            for part in collection.batches(self.network.size, batch, done):
                with torch.inference_mode():
                    activations = self.network.read(part.images.to(self.network.device), layers)
                    for tally in tallies.values():
                        tally.add(part, activations)
                done = int(part.places[-1]) + 1
                bar.at(done, "")
                if interrupt.requested or time.monotonic() - last > pause:
                    start = time.monotonic()
                    self._checkpoint(record, title, tallies, done)
                    last = time.monotonic()
                    pause = CHECKPOINT_EVERY * (1 + last - start)  # a tenth of the time at most
                if interrupt.requested and done < len(collection):
                    log.warning(
                        "interrupted after %d of %d pictures%s",
                        done,
                        len(collection),
                        f" and saved; the same command with folder={record.folder} goes on"
                        if record.resumable
                        else "",
                    )
                    raise KeyboardInterrupt
        self._passes[title] = _states(title, tallies)

    def _checkpoint(
        self, record: Record, title: str, tallies: Mapping[str, Tally], done: int
    ) -> None:
        states = [_states(title, tallies), *self._passes.values()]
        tensors = {key: value.cpu() for state in states for key, value in state.items()}
        about = {
            "title": title,
            "pictures": done,
            "passes": [*self._passes],
            "digests": self._digests,
            "skipped": self.pictures.skipped,
        }
        record.checkpoint(tensors, about)

    def _resumed(self, record: Record, title: str, tallies: Mapping[str, Tally]) -> int:
        """The place of the first picture that is not in the tallies of this pass."""
        checkpoint = record.resume()
        if checkpoint is None:
            return 0
        tensors, about = checkpoint
        try:
            finished = title in about["passes"]
            if not finished and title != about["title"]:
                return 0
            if about["digests"][title] != self.pictures.digest:
                raise InputError(
                    f"folder={record.folder}: its run was begun with other pictures; name another "
                    "folder."
                )
            for name, tally in tallies.items():
                start = f"{title}.{name}."
                state = {
                    key.removeprefix(start): value.to(self.network.device)
                    for key, value in tensors.items()
                    if key.startswith(start)
                }
                tally.restore(state)
            if finished:
                return len(self.pictures)
            self.pictures.skipped = list(about["skipped"])
            return int(about["pictures"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise record.malformed() from error

    @property
    def pictures(self) -> Collection:
        """The collection of a probe that needs pictures."""
        assert self.collection is not None
        return self.collection

    def save_sheet(
        self,
        record: Record,
        number: int,
        parts: Sequence[tuple[Image.Image, str]],
        across: int,
        caption: str,
        units: Sequence[str] | None = None,
    ) -> Figure:
        """Saves pictures over their labels as one figure, rows of at most `across`.

        The page names the command that shows more of the `units` in it.
        """
        sheet = data.from_image(joined(parts, across))
        return Figure(record.picture(number, sheet, {}, FOLDER), caption, units)


def units_of(unit: int | Sequence[int] | None, counts: Mapping[str, int]) -> list[int] | None:
    """The units that are asked for of every layer; None where there are none named.

    Args:
        unit: a unit, or a list of them.
        counts: how many units each layer has.

    Raises:
        InputError: an empty list, or a unit that a layer lacks.
    """
    if unit is None:
        return None
    units = [unit] if isinstance(unit, int) else list(unit)
    if not units:
        raise InputError("unit=[]: name at least one unit.")
    for layer, count in counts.items():
        for number in units:
            if not 0 <= number < count:
                raise InputError(f"unit={number}: {layer} has units 0 to {count - 1}.")
    return units


def by_layer(tensors: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors of layers under one name each: ``mean`` of a single layer, else ``conv1.mean``."""
    return {
        name if len(tensors) == 1 else f"{layer}.{name}": value
        for layer, named in tensors.items()
        for name, value in named.items()
    }


def _states(title: str, tallies: Mapping[str, Tally]) -> dict[str, Tensor]:
    """The states of the tallies of a pass, by the names that they have in a checkpoint."""
    return {
        f"{title}.{name}.{key}": value
        for name, tally in tallies.items()
        for key, value in tally.state().items()
    }
