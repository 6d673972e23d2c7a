"""The base class of probes: measurements of a network on pictures, without a search."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image
from torch import Tensor

from synth import data
from synth.core.network import Network
from synth.data.sheet import joined
from synth.errors import InputError
from synth.networks import reading
from synth.record.job import Job
from synth.record.record import Record, versions
from synth.record.result import Figure, Item, Json, NetworkInfo, Result

FOLDER = "figures"


@dataclass
class Measurement:
    """The result of a probe.

    Attributes:
        findings: numbers by name.
        items: one a picture, where it makes or evaluates pictures.
        figures: of the whole run.
        layers: records of the network's layers, where it lists them.
    """

    findings: dict[str, Json] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    layers: Sequence[Mapping[str, Json]] | None = None


class Probe(Job):
    """Measures a network.

    Args:
        network: the network.
        images: a folder, glob, list or name of pictures; none where the probe needs none.
        layers: names of layers; none where the probe chooses.

    Raises:
        InputError: for a picture or layer that does not exist.
    """

    needs_pictures: bool = False  # whether it is refused without `images`

    def __init__(
        self,
        network: Network,
        images: data.Sources | None = None,
        layers: str | Sequence[str] | None = None,
    ) -> None:
        if images is None and self.needs_pictures:
            raise InputError("images: this probe reads pictures; write images=FOLDER.")
        self.network = network
        self.pictures = [] if images is None else data.pictures(images)
        names = [layers] if isinstance(layers, str) else list(layers or ())
        self.layers = [network.layer(name) for name in names]

    @abstractmethod
    def measure(self, record: Record) -> Measurement:
        """Does the work; may save images, sheets and tensors in the folder of `record`."""

    def run(self, record: Record) -> Result:
        start = time.monotonic()
        measurement = self.measure(record)
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
        )

    def activations(
        self, layers: Sequence[str], reduce: Callable[[Tensor], Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Activations of all pictures at the network's size, in batches.

        Args:
            layers: names of layers; ``output`` means the logits.
            reduce: applied to each batch before it is kept (`synth.core.network.over_places`).

        Returns:
            By layer, float32 [n, ...] on the network's device.
        """
        return reading.activations(self.network, self.pictures, layers, reduce=reduce)

    def save_sheet(
        self,
        record: Record,
        number: int,
        parts: Sequence[tuple[Image.Image, str]],
        across: int,
        caption: str,
    ) -> Figure:
        """Saves pictures over their labels as one figure, rows of at most `across`."""
        sheet = data.from_image(joined(parts, across))
        return Figure(record.picture(number, sheet, {}, FOLDER), caption)
