"""Takes a universal perturbation that was found; counts the pictures it changes what a network sees in, and in which
way: those it was made from, those kept aside, and by other networks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from synth import data
from synth.core import Images, Rows, Target
from synth.core.network import Network
from synth.data.sheet import joined, sized
from synth.encodings.universal import Universal
from synth.engine.fitness import ImageProblem
from synth.engine.metric import Metric, Outcome
from synth.errors import InputError
from synth.networks import reading

log = logging.getLogger(__name__)

FOLDER = "figures"
BATCH = 64
SIGNS = 3  # draws of random signs, for the mean of their rates
SIDE = 192  # pixels of a picture in the sheet
STREAM = 17  # of the random signs
RATES = ("fooling_rate_train", "fooling_rate_heldout", "target_rate_train", "target_rate_heldout")


@dataclass(frozen=True)
class Seen:
    """What a network sees in pictures without (`before` [m]) and with a perturbation (`after` [m]), class indices."""

    before: Tensor
    after: Tensor

    @property
    def fooled(self) -> float | None:
        """The share whose class is another: the fooling rate of Moosavi-Dezfooli et al. 2017. None of none."""
        return _share(self.after != self.before)

    def hit(self, index: int | None) -> float | None:
        """The share of those that are seen as the class `index` now, of those that were not before."""
        return None if index is None else _share(self.after[self.before != index] == index)


class FoolingRate(Metric):
    """How many pictures a perturbation fools the network in, among those it was made from and those kept aside.

    A picture counts where the predicted class with the perturbation is not the one without it; every picture is
    rounded to 8 bits before it is looked at. Adds to the findings ``fooling_rate_train`` and ``fooling_rate_heldout``;
    ``random_signs``, the rate that random signs of the same strength have on the pictures kept aside (on the others
    where there are none); ``target_rate_train`` and ``target_rate_heldout`` where there is a target, the share of the
    pictures of other classes that are seen as it; ``dominant_labels``, what most are seen as; and, where `transfer`
    names other networks (one, or several by name), ``transfer``: the rates in each, with the perturbation brought to
    its size. Of several perturbations the rates are means, and each has its own at its item.

    Leaves a figure of at most `sheet` pictures without and with the perturbation, and the perturbation as numbers in
    ``perturbation.safetensors``, float32 [n, 3, h, w], whole 255ths: add it to pictures in [0, 1] and cut. No look is
    counted in a budget.
    """

    def __init__(
        self,
        transfer: Network | Mapping[str, Network | None] | None = None,
        sheet: int = 8,
        labels: int = 8,
    ) -> None:
        if sheet < 0 or labels < 1:
            raise InputError(
                f"metrics.fooling_rate: sheet={sheet}, labels={labels}; write sheet >= 0 and labels >= 1."
            )
        named = (
            {"transfer": transfer}
            if transfer is None or isinstance(transfer, Network)
            else transfer
        )
        self.transfer = [network for network in named.values() if network is not None]
        self.sheet, self.labels = sheet, labels

    def check(self, problem: ImageProblem, rows: Rows) -> None:
        if not isinstance(problem.encoding, Universal):
            raise InputError(
                "metrics.fooling_rate: it counts what one perturbation does to many pictures; write "
                "encoding=universal, or metrics.fooling_rate=null."
            )
        if any(other.sha256 == problem.network.sha256 for other in self.transfer):
            log.warning("transfer: %s is the network that is fooled, and no second one; left out. Write "
                        "network@transfer=NAME for another", problem.network.name)  # fmt: skip

    def __call__(self, outcome: Outcome) -> Mapping[str, Any]:
        problem, encoding, items = outcome.problem, outcome.problem.encoding, outcome.items
        assert isinstance(encoding, Universal)
        assert encoding.size is not None
        network, targets = problem.network, problem.objective.target(outcome.rows)
        changes, split = encoding.levels(outcome.course.genome), encoding.split(encoding.size)
        known, kept = looks(network, split.train, changes), looks(network, split.held_out, changes)
        aside, told = (split.held_out, kept) if len(split.held_out) else (split.train, known)
        for place, item in enumerate(items):
            index, change = _index(targets[place]), changes[place]
            # the file shows the perturbation alone: how surely that is seen as the target says nothing of the pictures
            item.update(rates(known[place], kept[place], index), success=None, confidence=None)
            item.update(linf=round(float(change.abs().max()), 6), l2=round(float(change.norm()), 6))
            item["amplified"] = round(float(encoding.amplified(change[None])), 4)
        outcome.record.tensors("perturbation", {"perturbation": changes})
        signs = looks(network, aside, random_signs(encoding, outcome.rows))
        # it is a share, not a yes or no, and has no one confidence
        found: dict[str, Any] = {
            "success": None,
            "mean_confidence": None,
            "median_confidence": None,
        }
        found |= {
            name: _mean([item.get(name) for item in items]) for name in RATES if name in items[0]
        }
        found |= {"random_signs": _mean([look.fooled for look in signs]),
                  "pictures_train": len(split.train), "pictures_heldout": len(split.held_out),
                  "dominant_labels": dominant(network, told, self.labels)}  # fmt: skip
        others = [other for other in self.transfer if other.sha256 != network.sha256]
        if others:
            found["transfer"] = [
                _transferred(other, outcome, encoding, changes, targets) for other in others
            ]
        kind = "kept aside" if len(split.held_out) else "it was made from"
        caption = f"Pictures {kind} and what {network.name} sees in them, without the perturbation and with it"
        found["figures"] = []
        for place, look in enumerate(told if self.sheet else ()):
            sheet = drawn(network, aside, changes[place], look, self.sheet)
            file = outcome.record.picture(
                place, data.from_image(sheet), {"target": items[place]["target"]}, FOLDER
            )
            found["figures"].append(
                {"file": file, "caption": f"{caption}: {items[place]['target']}."}
            )
        return found


def rates(known: Seen, kept: Seen, index: int | None) -> dict[str, float]:
    """The RATES that there are: of no pictures there are none, nor of a target where there is none."""
    found = (known.fooled, kept.fooled, known.hit(index), kept.hit(index))
    return {name: rate for name, rate in zip(RATES, found, strict=True) if rate is not None}


def looks(network: Network, pictures: Tensor, changes: Tensor) -> list[Seen]:
    """What `network` sees in uint8 `pictures` [m, 3, h, w] without and with each of `changes` [k, 3, h, w]."""
    before = predicted(network, pictures)
    return [Seen(before, predicted(network, pictures, change)) for change in changes]


def predicted(network: Network, pictures: Tensor, change: Tensor | None = None) -> Tensor:
    """The class that `network` sees in each of the uint8 `pictures` [m, 3, h, w], with `change` where one is given."""
    batches = (changed(part.to(network.device), change) for part in pictures.split(BATCH))
    return reading.logits(network, batches).argmax(1)


def changed(pictures: Tensor, change: Tensor | None) -> Images:
    """Pictures uint8 [m, 3, h, w] plus `change` [3, h, w], as they would be saved: RGB in [0, 1], rounded to 8 bits."""
    images = pictures.float() / 255.0
    return images if change is None else ((images + change).clamp(0, 1) * 255.0).round() / 255.0


def random_signs(encoding: Universal, rows: Rows) -> Tensor:
    """Perturbations of the same strength that know nothing of a network: corners of the ball, [SIGNS, 3, h, w]."""
    assert encoding.size is not None
    spread = rows.select(slice(1)).fold_in(STREAM).split(SIGNS)
    return encoding.levels(encoding.ball.start("signs", spread, (3, *encoding.size)))


def dominant(network: Network, told: Sequence[Seen], most: int) -> list[dict[str, Any]]:
    """The classes that pictures with a perturbation are seen as most often: their shares, with and without it."""
    after, before = (
        torch.cat([getattr(look, when) for look in told])
        .bincount(minlength=len(network.classes))
        .double()
        for when in ("after", "before")
    )
    shares = [(after / after.sum()).tolist(), (before / before.sum()).tolist()]
    order = after.argsort(descending=True, stable=True)[:most].tolist()
    return [
        {
            "label": network.classes.label(i),
            "share": round(shares[0][i], 4),
            "share_without": round(shares[1][i], 4),
        }
        for i in order
        if shares[0][i] > 0
    ]


def drawn(network: Network, pictures: Tensor, change: Tensor, look: Seen, most: int) -> Image.Image:
    """At most `most` of the `pictures`, from all over, in a row, and in a second row the same with `change`.

    Under each stands what `network` sees in it; `look` says that of all `pictures`.
    """
    some = (
        [place * len(pictures) // most for place in range(most)]
        if len(pictures) > most
        else slice(None)
    )
    parts = [
        (sized(data.to_image(image), SIDE, SIDE), network.classes.label(index))
        for images, labels in (
            (changed(pictures[some], None), look.before[some]),
            (changed(pictures[some], change.cpu()), look.after[some]),
        )
        for image, index in zip(images, labels.tolist(), strict=True)
    ]
    return joined(parts, len(parts) // 2)


def _transferred(
    other: Network,
    outcome: Outcome,
    encoding: Universal,
    changes: Tensor,
    targets: Sequence[Target | None],
) -> dict[str, Any]:
    """The rates of `other`, on the pictures kept aside where there are any, at its own size; means over `changes`."""
    there = encoding.at(other.size)
    split = there.split(other.size)
    pictures = split.held_out if len(split.held_out) else split.train
    found = looks(other, pictures, there.levels(encoding.transfer(changes, there)).to(other.device))
    signs = looks(other, pictures, random_signs(there, outcome.rows).to(other.device))
    row: dict[str, Any] = {
        "network": other.name,
        "fooling_rate": _mean([look.fooled for look in found]),
        "random_signs": _mean([look.fooled for look in signs]),
    }
    if any(_index(target) is not None for target in targets):
        known = outcome.problem.network.classes
        places = [
            None if (i := _index(target)) is None else known.counterpart(i, other.classes)
            for target in targets
        ]
        row["target_rate"] = _mean(
            [look.hit(place) for look, place in zip(found, places, strict=True)]
        )
    return row


def _index(target: Target | None) -> int | None:
    return None if target is None else target.index


def _share(mask: Tensor) -> float | None:
    return round(float(mask.float().mean()), 4) if len(mask) else None


def _mean(rates: Sequence[float | None]) -> float | None:
    told = [rate for rate in rates if rate is not None]
    return round(fmean(told), 4) if told else None
