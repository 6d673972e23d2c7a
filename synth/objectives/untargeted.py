"""Untargeted adversarial objective: away from the label of the clean image, to any other class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from synth import data
from synth.core import BoundObjective, Objective, Readout, Target
from synth.core.network import OUTPUT, Network
from synth.errors import InputError
from synth.objectives._layers import clean_labels, select_index
from synth.objectives.scores import check_score, margin_of, range_of

SCORES = ("margin", "cross_entropy", "probability")
FOLDER = "folder"  # the label of each picture is the name of the folder that it is in


class Untargeted(Objective):
    """How far the prediction of the network is from the label y of the clean image.

    With logits z and probabilities p the `score` is one of

    - ``margin``: max_{j != y} z_j - z_y, above 0 exactly where the network is fooled (Carlini &
      Wagner 2017, with the sign of an ascent and without lower bound; since a softmax shifts all
      logits alike, log-probabilities give the same number);
    - ``cross_entropy``: -log p_y;
    - ``probability``: 1 - p_y.

    By default y is what the network predicts for the clean image at its own size, from one forward
    pass in `bind` that counts towards no budget. A picture that the network does not classify as
    its `label` has a margin above 0 from the start.

    Args:
        image: the clean image, a path or the name of a bundled picture; as the perturbation's.
        images: several of them, an item each, in place of `image`.
        label: y: a class by name, synset or index, a list with one for each picture, or ``folder``:
            the class that the picture's folder is named for, as in a data set. By default what the
            network predicts.
        score: ``margin``, ``cross_entropy`` or ``probability``.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: for an unknown score, or where not exactly one of `image` and `images` is given;
            in `bind`, for a label that is no class of the network.
    """

    needs_original = True

    def __init__(
        self,
        image: data.Source | None = None,
        images: data.Sources | None = None,
        label: str | int | Sequence[str | int] | None = None,
        score: str = "margin",
        weight: float = 1.0,
    ) -> None:
        check_score(score, SCORES)
        if (image is None) == (images is None):
            raise InputError(
                "image: an untargeted attack starts from one clean image, or from several; write "
                "image=PATH, or images=FOLDER."
            )
        self.image = image
        self.images = images
        self.label = label
        self.score = score
        self.weight = weight

    def bind(self, network: Network) -> BoundObjective:
        return _BoundUntargeted(self._labels(network), self.score, network)

    def _labels(self, network: Network) -> list[int]:
        """The class of each picture, or a single one for all."""
        if self.label is not None and self.label != FOLDER:
            return network.classes.indices(self.label, network.name, "label")
        if self.image is not None:
            pictures = [data.picture(self.image)]
        else:
            assert self.images is not None
            pictures = data.pictures(self.images)
        if self.label == FOLDER:
            return _folder_labels(network, pictures)
        return clean_labels(network, pictures).tolist()


class _BoundUntargeted(BoundObjective):
    layers = (OUTPUT,)

    def __init__(self, labels: Sequence[int], score: str, network: Network) -> None:
        self.score = score
        self.range = range_of(score)
        self.index = torch.tensor(labels, device=network.device)
        self.items = [Target(f"not {network.classes.label(i)}", i, untargeted=True) for i in labels]

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        logits = readout.activations[OUTPUT]
        index = select_index(self.index, readout.rows.item)[:, None]
        if self.score == "margin":
            value = -margin_of(logits, index)
        elif self.score == "cross_entropy":
            value = -functional.log_softmax(logits, dim=1).gather(1, index)
        else:
            value = 1.0 - functional.softmax(logits, dim=1).gather(1, index)
        return {self.score: value}


def _folder_labels(network: Network, pictures: Sequence[data.Picture]) -> list[int]:
    """The class that the folder of each picture is named for."""
    labels: dict[str, int] = {}
    for picture in pictures:
        folder = picture.folder
        if not folder:
            raise InputError(
                f"label={FOLDER}: {picture.name} is a bundled picture, in no class folder; write "
                "label=NAME."
            )
        if folder not in labels:
            try:
                labels[folder] = network.classes.index(folder, network.name, "label")
            except InputError as error:
                raise InputError(
                    f"label={FOLDER}: {picture.name} lies in the folder {folder}, and "
                    f"{network.name} has no such class; name folders by class or synset."
                ) from error
    return [labels[picture.folder] for picture in pictures]
