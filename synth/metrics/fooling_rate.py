"""The fooling rate of a universal perturbation on training and held-out pictures; transfer."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from PIL import Image
from torch import Tensor

from synth import data
from synth.core import Images, Rows, Target
from synth.core.network import Network
from synth.core.prediction import NO_CLASS, differ, label, predictions
from synth.data.sheet import joined, sized
from synth.encodings.universal import Universal
from synth.engine.fitness import ImageProblem
from synth.engine.metric import Metric, Outcome
from synth.errors import InputError
from synth.networks import reading
from synth.record.result import Figure, Json

log = logging.getLogger(__name__)

FOLDER = "figures"
BATCH = 64
SIGN_DRAWS = 3  # draws of random signs, over which their rate is averaged
SIDE = 192  # pixels of a picture in the sheet
STREAM = 17  # of the random signs
RATES = ("fooling_rate_train", "fooling_rate_heldout", "target_rate_train", "target_rate_heldout")


@dataclass(frozen=True)
class Predictions:
    """Predicted classes of m pictures.

    Attributes:
        clean: int64 [m], without the perturbation; `NO_CLASS` where the network answers NaN.
        perturbed: int64 [m], with it.
    """

    clean: Tensor
    perturbed: Tensor

    @property
    def fooling_rate(self) -> float | None:
        """The share whose class changes (Moosavi-Dezfooli et al. 2017); None of no pictures."""
        return _share(differ(self.clean, self.perturbed))

    def target_rate(self, index: int | None) -> float | None:
        """The share predicted as class `index` of those that were not before; None without one."""
        return None if index is None else _share(self.perturbed[self.clean != index] == index)


class FoolingRate(Metric):
    """The share of pictures whose predicted class a universal perturbation changes.

    Every picture is rounded to 8 bits before it is classified. No pass is counted in a budget.

    Findings: ``fooling_rate_train`` and ``fooling_rate_heldout``; ``random_signs``, the rate of
    random signs of the same strength on the held-out pictures (the training pictures where none are
    held out); with a target class ``target_rate_train`` and ``target_rate_heldout``, the share of
    the pictures of other classes that are predicted as it; ``dominant_labels``, the most frequent
    predictions; and ``transfer``, the rates of other networks, with the perturbation scaled to
    their size. Of several perturbations the rates are means, and each item has its own.

    Saves a figure of pictures without and with the perturbation, and the perturbation itself as
    ``perturbation.safetensors``, float32 [n, 3, h, w], multiples of 1/255: add it to pictures in
    [0, 1] and clip.

    Args:
        transfer: another network, or several by name.
        sheet: pictures in the figure, 0 (no figure) or more.
        labels: how many of the most frequent predictions are listed, 1 or more.

    Raises:
        InputError: where `sheet` or `labels` is out of range.
    """

    def __init__(
        self,
        transfer: Network | Mapping[str, Network | None] | None = None,
        sheet: int = 8,
        labels: int = 8,
    ) -> None:
        if sheet < 0 or labels < 1:
            raise InputError(
                f"metrics.fooling_rate: sheet={sheet}, labels={labels}; write sheet >= 0 and "
                "labels >= 1."
            )
        networks = transfer.values() if isinstance(transfer, Mapping) else [transfer]
        self.transfer = [network for network in networks if network is not None]
        self.sheet = sheet
        self.labels = labels

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        if not isinstance(problem.encoding, Universal):
            raise InputError(
                "metrics.fooling_rate: it counts what one perturbation does to many pictures; "
                "write encoding=universal, or metrics.fooling_rate=null."
            )
        if any(other.sha256 == problem.network.sha256 for other in self.transfer):
            log.warning(
                "transfer: %s is the network that is fooled, and no second one; left out. Write "
                "network@transfer=NAME for another",
                problem.network.name,
            )

    def __call__(self, outcome: Outcome) -> Mapping[str, Json]:
        problem, encoding, items = outcome.problem, outcome.problem.encoding, outcome.items
        assert isinstance(encoding, Universal)
        assert encoding.size is not None
        network, targets = problem.network, problem.objective.target(outcome.rows)
        perturbations = encoding.levels(outcome.state.genome)
        split = encoding.split(encoding.size)
        train = predict(network, split.train, perturbations)
        held_out = predict(network, split.held_out, perturbations)
        pictures, predictions = split.train, train
        if len(split.held_out):
            pictures, predictions = split.held_out, held_out
        for place, item in enumerate(items):
            perturbation = perturbations[place]
            item.extra |= rates(train[place], held_out[place], _index(targets[place]))
            # the file shows the perturbation alone; the class predicted for that is meaningless
            item.success = None
            item.confidence = None
            item.linf = round(float(perturbation.abs().max()), 6)
            item.l2 = round(float(perturbation.norm()), 6)
            item.amplified = round(float(encoding.amplified(perturbation[None])), 4)
        outcome.record.tensors("perturbation", {"perturbation": perturbations})
        outcome.figures.extend(self._sheets(outcome, pictures, perturbations, predictions))
        signs = predict(network, pictures, random_signs(encoding, outcome.rows))
        findings: dict[str, Json] = {
            # a rate is measured, not a success an item
            "success": None,
            "mean_confidence": None,
            "median_confidence": None,
        }
        for name in RATES:
            if name in items[0].extra:
                findings[name] = _mean([item.extra.get(name) for item in items])
        findings["random_signs"] = _mean([prediction.fooling_rate for prediction in signs])
        findings["pictures_train"] = len(split.train)
        findings["pictures_heldout"] = len(split.held_out)
        findings["dominant_labels"] = dominant_labels(network, predictions, self.labels)
        others = [other for other in self.transfer if other.sha256 != network.sha256]
        if others:
            findings["transfer"] = [
                _transfer(other, outcome, encoding, perturbations, targets) for other in others
            ]
        return findings

    def _sheets(
        self,
        outcome: Outcome,
        pictures: Tensor,
        perturbations: Tensor,
        predictions: Sequence[Predictions],
    ) -> list[Figure]:
        """A sheet a perturbation: pictures and predictions without it and with it."""
        if not self.sheet:
            return []
        encoding, network = outcome.problem.encoding, outcome.problem.network
        assert isinstance(encoding, Universal)
        assert encoding.size is not None
        kind = "Held-out" if len(encoding.split(encoding.size).held_out) else "Training"
        figures = []
        for place, prediction in enumerate(predictions):
            target = outcome.items[place].target
            sheet = draw_sheet(network, pictures, perturbations[place], prediction, self.sheet)
            file = outcome.record.picture(place, data.from_image(sheet), {"target": target}, FOLDER)
            caption = (
                f"{kind} pictures and the predictions of {network.name}, without the perturbation "
                f"and with it: {target}."
            )
            figures.append(Figure(file, caption))
        return figures


def rates(train: Predictions, held_out: Predictions, index: int | None) -> dict[str, float]:
    """The rates that exist: none of no pictures, no target rate without a target `index`."""
    values = (
        train.fooling_rate,
        held_out.fooling_rate,
        train.target_rate(index),
        held_out.target_rate(index),
    )
    return {name: rate for name, rate in zip(RATES, values, strict=True) if rate is not None}


def predict(network: Network, pictures: Tensor, perturbations: Tensor) -> list[Predictions]:
    """Predictions for `pictures` under each of several perturbations.

    Args:
        network: the classifier.
        pictures: uint8 [m, 3, h, w].
        perturbations: [k, 3, h, w].
    """
    clean = _labels(network, pictures)
    return [
        Predictions(clean, _labels(network, pictures, perturbation))
        for perturbation in perturbations
    ]


def _labels(network: Network, pictures: Tensor, perturbation: Tensor | None = None) -> Tensor:
    """The predicted class of each picture, int64 [m], with the perturbation where one is given."""
    batches = (perturb(part.to(network.device), perturbation) for part in pictures.split(BATCH))
    return predictions(reading.logits(network, batches, cached=perturbation is None))


def perturb(pictures: Tensor, perturbation: Tensor | None) -> Images:
    """Pictures uint8 [m, 3, h, w] plus `perturbation` [3, h, w], in [0, 1], rounded to 8 bits."""
    images = pictures.float() / 255.0
    if perturbation is None:
        return images
    return ((images + perturbation).clamp(0, 1) * 255.0).round() / 255.0


def random_signs(encoding: Universal, rows: Rows) -> Tensor:
    """Random corners of the encoding's ball, for comparison: [SIGN_DRAWS, 3, h, w]."""
    assert encoding.size is not None
    draws = rows.select(slice(1)).fold_in(STREAM).split(SIGN_DRAWS)
    return encoding.levels(encoding.ball.start("signs", draws, (3, *encoding.size)))


def dominant_labels(
    network: Network, predictions: Sequence[Predictions], most: int
) -> list[dict[str, Json]]:
    """The classes predicted most often under a perturbation: shares with and without it."""
    shares = []
    for labels in (
        [prediction.perturbed for prediction in predictions],
        [prediction.clean for prediction in predictions],
    ):
        every = torch.cat(labels)
        counts = every[every != NO_CLASS].bincount(minlength=len(network.classes)).double()
        shares.append(counts / len(every))
    perturbed, clean = shares
    order = perturbed.argsort(descending=True, stable=True)[:most].tolist()
    return [
        {
            "label": network.classes.label(i),
            "share": round(float(perturbed[i]), 4),
            "share_without": round(float(clean[i]), 4),
        }
        for i in order
        if perturbed[i] > 0
    ]


def draw_sheet(
    network: Network, pictures: Tensor, perturbation: Tensor, prediction: Predictions, most: int
) -> Image.Image:
    """Some pictures over their predicted classes, and below the same with the perturbation.

    Args:
        network: that predicts.
        pictures: uint8 [m, 3, h, w].
        perturbation: [3, h, w].
        prediction: for all of `pictures`.
        most: pictures in a row.
    """
    chosen: list[int] | slice = slice(None)
    if len(pictures) > most:
        chosen = [place * len(pictures) // most for place in range(most)]
    rows = (
        (perturb(pictures[chosen], None), prediction.clean[chosen]),
        (perturb(pictures[chosen], perturbation.cpu()), prediction.perturbed[chosen]),
    )
    parts = [
        (sized(data.to_image(image), SIDE, SIDE), label(network.classes, index) or "no class")
        for images, labels in rows
        for image, index in zip(images, labels.tolist(), strict=True)
    ]
    return joined(parts, len(parts) // 2)


def _transfer(
    other: Network,
    outcome: Outcome,
    encoding: Universal,
    perturbations: Tensor,
    targets: Sequence[Target | None],
) -> dict[str, Json]:
    """The rates of another network at its own size, on held-out pictures where there are any."""
    scaled = encoding.at(other.size)
    split = scaled.split(other.size)
    pictures = split.held_out if len(split.held_out) else split.train
    scaled_perturbations = scaled.levels(encoding.transfer(perturbations, scaled)).to(other.device)
    predictions = predict(other, pictures, scaled_perturbations)
    signs = predict(other, pictures, random_signs(scaled, outcome.rows).to(other.device))
    row: dict[str, Json] = {
        "network": other.name,
        "fooling_rate": _mean([prediction.fooling_rate for prediction in predictions]),
        "random_signs": _mean([prediction.fooling_rate for prediction in signs]),
    }
    indices = [_index(target) for target in targets]
    if any(index is not None for index in indices):
        classes = outcome.problem.network.classes
        counterparts = [
            None if index is None else classes.counterpart(index, other.classes)
            for index in indices
        ]
        row["target_rate"] = _mean(
            [
                prediction.target_rate(index)
                for prediction, index in zip(predictions, counterparts, strict=True)
            ]
        )
    return row


def _index(target: Target | None) -> int | None:
    return None if target is None else target.index


def _share(mask: Tensor) -> float | None:
    return round(float(mask.float().mean()), 4) if len(mask) else None


def _mean(rates: Sequence[Json]) -> float | None:
    numbers = [float(rate) for rate in rates if isinstance(rate, (int, float))]
    return round(fmean(numbers), 4) if numbers else None
