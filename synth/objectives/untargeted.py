"""Away from what the network sees in the pictures that a perturbation starts from: any other class will do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from synth import data
from synth.core import Bound, Objective, Reading, Rows, Target
from synth.errors import InputError, nearest
from synth.networks.network import OUTPUT, Network
from synth.objectives.scores import lead

MEASURES = ("margin", "cross_entropy", "probability")
FOLDER = "folder"  # the label that each picture's own folder gives
BATCH = 64


class Untargeted(Objective):
    """How far a picture is from being seen as its original is, by one of three `measure`s.

    With scores z before the softmax, probabilities p and the original's class y, ``margin``: max_{j != y} z_j - z_y,
    above 0 exactly where the network is fooled (Carlini & Wagner 2017, with the sign of an ascent and no lower
    bound; a softmax shifts all scores alike, so log-probabilities give the same number). ``cross_entropy``:
    -log p_y. ``probability``: 1 - p_y.

    `image` is one picture, `images` several (an item each), the words of the perturbation that searches around them.
    y is what the network says of each at its own size, one look when the run begins that no budget counts; or it is
    `label`, a class by name, synset or index, or a list with one for each picture, or ``folder``: each picture shows
    what the folder that it lies in is named for, as in a data set. A picture that the network does not see as its
    `label` has a margin above 0 from the start.
    """

    def __init__(
        self,
        image: str | None = None,
        images: str | Sequence[str] | None = None,
        label: str | int | Sequence[str | int] | None = None,
        measure: str = "margin",
        weight: float = 1.0,
    ) -> None:
        if measure not in MEASURES:
            hint = nearest(measure, MEASURES) or f" There are {', '.join(MEASURES)}."
            raise InputError(f"objective measure={measure}: no such measure.{hint}")
        if (image is None) == (images is None):
            raise InputError("image: there is no picture to be led away from; write image=PATH, or images=FOLDER.")
        self.sets_out = True
        self.image, self.images, self.label, self.measure, self.weight = image, images, label, measure, weight

    def bind(self, network: Network) -> Bound:
        if self.label is not None and self.label != FOLDER:
            return _BoundUntargeted(network.classes.indices(self.label, network.name, "label"), self.measure, network)
        if self.image is not None:
            pictures = [data.picture(self.image)]
        else:
            assert self.images is not None
            pictures = data.pictures(self.images)
        shown = _seen(network, pictures) if self.label is None else _of_folders(network, pictures)
        return _BoundUntargeted(shown, self.measure, network)


class _BoundUntargeted(Bound):
    layers = (OUTPUT,)

    def __init__(self, indices: Sequence[int], measure: str, network: Network) -> None:
        self.measure = measure
        self.index = torch.tensor(indices, device=network.device)
        self.items = [Target(f"not {network.classes.label(i)}", i, away=True) for i in indices]

    def __call__(self, reading: Reading) -> Mapping[str, Tensor]:
        scores = reading.taps[OUTPUT]
        index = self._indices(reading.rows)[:, None]
        if self.measure == "margin":
            value = -lead(scores, index)
        elif self.measure == "cross_entropy":
            value = -functional.log_softmax(scores, dim=1).gather(1, index)
        else:
            value = 1.0 - functional.softmax(scores, dim=1).gather(1, index)
        return {self.measure: value}

    def _indices(self, rows: Rows) -> Tensor:
        return self.index.expand(len(rows)) if len(self.index) == 1 else self.index[rows.item]


def _seen(network: Network, pictures: Sequence[data.Picture]) -> list[int]:
    """The class that `network` sees in each picture at its own size."""
    parts = [pictures[first : first + BATCH] for first in range(0, len(pictures), BATCH)]
    scores = network.scores(torch.stack([picture.at(network.size) for picture in part]) for part in parts)
    return scores.argmax(1).tolist()


def _of_folders(network: Network, pictures: Sequence[data.Picture]) -> list[int]:
    """The class that the folder of each picture is named for."""
    found: dict[str, int] = {}
    for picture in pictures:
        if not picture.folder:
            raise InputError(
                f"label={FOLDER}: {picture.name} comes with synth and lies in no class folder; write its name."
            )
        if picture.folder not in found:
            try:
                found[picture.folder] = network.classes.index(picture.folder, network.name, "label")
            except InputError as error:
                raise InputError(
                    f"label={FOLDER}: {picture.name} lies in the folder {picture.folder}, and {network.name} has no "
                    "such class; name folders by class or synset."
                ) from error
    return [found[picture.folder] for picture in pictures]
