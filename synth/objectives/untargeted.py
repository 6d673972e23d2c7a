"""Away from what the network sees in the pictures that a perturbation starts from: any other class will do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from synth import data
from synth.core import BoundObjective, Objective, Readout, Rows, Target
from synth.core.network import OUTPUT, Network
from synth.errors import InputError, nearest
from synth.networks import reading
from synth.objectives.scores import lead

SCORES = ("margin", "cross_entropy", "probability")
FOLDER = "folder"  # the label that each picture's own folder gives


class Untargeted(Objective):
    """How far a picture is from being seen as its original is, by one of three `score`s.

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
        score: str = "margin",
        weight: float = 1.0,
    ) -> None:
        if score not in SCORES:
            hint = nearest(score, SCORES) or f" There are {', '.join(SCORES)}."
            raise InputError(f"objective score={score}: no such score.{hint}")
        if (image is None) == (images is None):
            raise InputError(
                "image: there is no picture to be led away from; write image=PATH, or images=FOLDER."
            )
        self.needs_original = True
        self.image, self.images, self.label, self.score, self.weight = (
            image,
            images,
            label,
            score,
            weight,
        )

    def bind(self, network: Network) -> BoundObjective:
        if self.label is not None and self.label != FOLDER:
            return _BoundUntargeted(
                network.classes.indices(self.label, network.name, "label"), self.score, network
            )
        if self.image is not None:
            pictures = [data.picture(self.image)]
        else:
            assert self.images is not None
            pictures = data.pictures(self.images)
        shown = _seen(network, pictures) if self.label is None else _of_folders(network, pictures)
        return _BoundUntargeted(shown, self.score, network)


class _BoundUntargeted(BoundObjective):
    layers = (OUTPUT,)

    def __init__(self, indices: Sequence[int], score: str, network: Network) -> None:
        self.score = score
        self.index = torch.tensor(indices, device=network.device)
        self.items = [
            Target(f"not {network.classes.label(i)}", i, untargeted=True) for i in indices
        ]

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        scores = readout.activations[OUTPUT]
        index = self._indices(readout.rows)[:, None]
        if self.score == "margin":
            value = -lead(scores, index)
        elif self.score == "cross_entropy":
            value = -functional.log_softmax(scores, dim=1).gather(1, index)
        else:
            value = 1.0 - functional.softmax(scores, dim=1).gather(1, index)
        return {self.score: value}

    def _indices(self, rows: Rows) -> Tensor:
        return self.index.expand(len(rows)) if len(self.index) == 1 else self.index[rows.item]


def _seen(network: Network, pictures: Sequence[data.Picture]) -> list[int]:
    """The class that `network` sees in each picture at its own size."""
    return reading.logits(network, pictures).argmax(1).tolist()


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
