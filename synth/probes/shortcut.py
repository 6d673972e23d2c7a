"""Shortcuts: classes whose saliency falls beside the object."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure as Plot
from torch import Tensor

from synth import data
from synth.core.hardware import check_results_fit
from synth.core.network import OUTPUT, Network
from synth.core.prediction import predictions
from synth.core.randomness import key_of
from synth.data.collection import Batch, Collection
from synth.data.masks import IGNORED, OBJECT, REST, centred_box, masks_of
from synth.errors import InputError
from synth.probes.attributions import colours
from synth.probes.attributions.fills import check_fill, fill
from synth.probes.attributions.maps import percent, tile
from synth.probes.attributions.methods import methods_of, title
from synth.probes.attributions.outlines import outlined
from synth.probes.attributions.score import Score
from synth.probes.probe import Measurement, Probe, Tally
from synth.probes.saliency_evaluation import interval
from synth.record.plots import INK, save_plot, style
from synth.record.record import Record
from synth.record.result import Figure, Json

log = logging.getLogger(__name__)

MOST_NAMED = 4  # folders in a message
SHEETS = 6  # classes that have one
SIDE = 320  # pixels of a picture in a sheet
EXAMPLES = 5  # pictures in a sheet
MOST_AVERAGED = 100  # pictures of a class whose mean is shown
BARS = 24  # classes in the chart
WHOLE, REST_ALONE, OBJECT_ALONE = range(3)
BAR, EVEN, BOX = "#1d4ed8", "#c2410c", (0.1, 0.75, 0.25)


class Shortcut(Probe):
    """The share of each class's saliency that falls outside of the object.

    The object is given by a mask or, without masks, taken to be in a centred box. A class that the
    network knows by something beside it, a watermark, a colour of the ground, a border, comes first
    in the table: classes are ordered by the share of the saliency outside less the share of the
    pixels outside, which is 0 where all pixels are equally salient. Beside it stands the
    probability of the class for whole pictures, with the object covered, and with the rest covered.
    A picture whose saliency is 0 everywhere, as of a probability that is 1 to the last digit, is
    left out.

    Tensors ``shortcut``: ``outside`` and ``pixels_outside`` float32 [n], ``labels`` int64 [n], of
    the pictures measured; ``probabilities`` float32 [3, n], of whole pictures, with the object
    covered, with the rest covered; ``classes`` int64 [k] in the order of the table and ``maps``
    float32 [k, h, w], the mean map of each, of mean 1.

    Source: Geirhos et al. 2020, "Shortcut learning in deep neural networks"; Lapuschkin et al.
    2019, "Unmasking Clever Hans predictors".

    Args:
        network: the network.
        images: a folder with a folder of pictures a class, named as it.
        masks: a folder of label maps with the names of the pictures.
        object: values of a label map that are the object; by default all but 0.
        ignore: value of pixels that do not count.
        box: without masks, the share of the picture that the centred box takes.
        method: of the saliency, a name of `synth.probes.attributions.methods`.
        score: of the class ``logit`` or ``probability``.
        fill: what covers the object or the rest, a word of `fills`.
        samples: noisy copies, of SmoothGrad.
        seed: of the random numbers.

    Raises:
        InputError: no folder is named as a class, no such method, or masks of no picture.
    """

    needs_pictures = True

    def __init__(
        self,
        network: Network,
        images: data.Sources,
        masks: str | Path | None = None,
        object: int | Sequence[int] | None = None,
        ignore: int | None = None,
        box: float = 0.5,
        method: str = "vanilla",
        score: str = "logit",
        fill: str = "average",
        samples: int = 25,
        seed: int = 0,
    ) -> None:
        super().__init__(network, images)
        if not 0 < box < 1:
            raise InputError(f"box={box}: write a share of the picture between 0 and 1.")
        self.score = Score(network, OUTPUT, score)
        self.name = method
        self.method = methods_of(network, [method], samples=samples, word="method")[method]
        self.fill = check_fill(fill)
        self.labels = labels_of(self.pictures, network)
        self.box = centred_box(network.size, box)
        self.masks = masks_of(masks, self.pictures, object, ignore)
        self.seed = seed
        self.classes = self.labels[self.labels >= 0].unique()
        height, width = network.size
        check_results_fit(
            4 * height * width * len(self.classes),
            f"images: the mean maps of {len(self.classes)} classes",
            "name fewer",
        )

    def object_of(self, place: int) -> Tensor | None:
        """Object and rest of a picture, uint8 [h, w] as of `Masks`; None where nobody knows."""
        if self.masks is None:
            return self.box.to(torch.uint8)
        mask = self.masks.at(place, self.network.size)
        return mask if mask is not None and bool((mask == OBJECT).any()) else None

    def measure(self, record: Record) -> Measurement:
        tally = Outside(self)
        self.scan(record, [OUTPUT], {"outside": tally}, batch=self.score.rows)
        places = tally.read.nonzero()[:, 0]
        blank = int(tally.blank.sum())
        if not len(places):
            raise InputError(
                f"score={self.score.kind}: the saliency of all pictures is 0 everywhere; write "
                "score=logit, or another method=."
                if blank
                else "masks: no picture of a class has an object in its mask."
            )
        excess = tally.outside - tally.pixels
        rows = [
            (index, places[self.labels[places] == index])
            for index in self.classes.tolist()
            if bool((self.labels[places] == index).any())
        ]
        rows.sort(key=lambda row: -float(excess[row[1]].mean()))
        table = [self._row(tally, index, own) for index, own in rows]
        order = torch.tensor([index for index, _ in rows])
        maps = tally.maps[torch.searchsorted(self.classes, order)]
        record.tensors(
            "shortcut",
            {
                "outside": tally.outside[places],
                "pixels_outside": tally.pixels[places],
                "labels": self.labels[places],
                "probabilities": tally.probabilities[:, places],
                "classes": order,
                "maps": maps / maps.mean((1, 2), keepdim=True).clamp(min=1e-30),
            },
        )
        findings: dict[str, Json] = {
            "pictures": len(places),
            "classes": len(rows),
            "most_outside": table[0]["class"],
            "most_outside_share": table[0]["outside"],
            "outside": round(float(tally.outside[places].mean()), 4),
            "pixels_outside": round(float(tally.pixels[places].mean()), 4),
        }
        if bool((self.labels < 0).any()):
            findings["pictures_of_no_class"] = int((self.labels < 0).sum())
        if blank:
            findings["pictures_without_saliency"] = blank
            log.warning("%d pictures have no saliency and are left out", blank)
        if self.masks is not None:
            findings["pictures_without_mask"] = len(self.masks.missing)
            findings["masks_without_picture"] = self.masks.unused
        findings["classes_by_saliency_outside"] = table
        figures = [self._chart(record, table)]
        for number, (index, own) in enumerate(rows[:SHEETS]):
            figures.append(
                self._sheet(record, number, index, own, maps[number], tally, table[number])
            )
        return Measurement(findings, [], figures)

    def _row(self, tally: Outside, index: int, places: Tensor) -> dict[str, Json]:
        """A class's record in the table."""
        outside = tally.outside[places]
        low, high = interval(outside, self.seed) if len(places) > 1 else (None, None)
        whole, rest, alone = tally.probabilities[:, places].mean(1).tolist()
        correct = tally.correct[:, places].float().mean(1).tolist()
        numbers = {
            "outside": float(outside.mean()),
            "outside_low": low,
            "outside_high": high,
            "pixels_outside": float(tally.pixels[places].mean()),
            "probability": whole,
            "object_covered": rest,
            "rest_covered": alone,
            "accuracy": correct[WHOLE],
            "accuracy_object_covered": correct[REST_ALONE],
        }
        rounded = {
            key: None if number is None else round(number, 4) for key, number in numbers.items()
        }
        name = self.network.classes.label(index)
        return {"class": name, "pictures": len(places), **rounded}

    def _chart(self, record: Record, table: Sequence[Mapping[str, Json]]) -> Figure:
        shown = table[:BARS]
        plot = Plot(figsize=(11, 1.2 + 0.32 * len(shown)), dpi=150, layout="constrained")
        axes = plot.add_subplot()
        for number, row in enumerate(shown):
            outside, even = (100 * float(str(row[key])) for key in ("outside", "pixels_outside"))
            axes.barh(number, outside, height=0.62, color=BAR, alpha=0.85)
            axes.plot([even, even], [number - 0.42, number + 0.42], color=EVEN, linewidth=2.5)
            if row["outside_low"] is not None:
                ends = [100 * float(str(row[f"outside_{end}"])) for end in ("low", "high")]
                axes.plot(ends, [number, number], color=INK, linewidth=1.6)
        names = [f"{row['class']} ({row['pictures']})" for row in shown]
        axes.set_yticks(range(len(shown)), names)
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        style(axes, "x", labelsize=11)
        axes.set_title(
            "Saliency outside of the object (%)", loc="left", color=INK, fontweight="bold"
        )
        where = "the centred box" if self.masks is None else "the object"
        caption = (
            f"The share of each class's saliency ({title(self.name)}) that falls outside {where}, "
            "with its 95 % interval; the orange mark is the share of the pixels there. "
            f"The first {len(shown)} of {len(table)} classes."
        )
        return save_plot(record, plot, "classes", caption)

    def _sheet(
        self,
        record: Record,
        number: int,
        index: int,
        own: Tensor,
        mean: Tensor,
        tally: Outside,
        row: Mapping[str, Json],
    ) -> Figure:
        name, excess = self.network.classes.label(index), tally.outside - tally.pixels
        size, some = self.network.size, own[:MOST_AVERAGED].tolist()
        pictures = torch.stack([self.pictures.picture(place).at(size) for place in some])
        means = [pictures.mean(0), colours.grey(mean)]
        if self.masks is None:
            means = [outlined(picture, self.box, BOX, SIDE) for picture in means]
        parts, below = [(means[0], "mean picture")], [(means[1], "mean saliency")]
        for place in own[excess[own].argsort(descending=True, stable=True)][:EXAMPLES].tolist():
            image = self.pictures.picture(place).at(size)
            saliency = tally.saliency(image[None], torch.tensor([place]))[0].cpu()
            mask = self.object_of(place)
            assert mask is not None
            parts.append(
                (outlined(image, mask == OBJECT, BOX, SIDE), percent(tally.prob(place)).strip())
            )
            share = percent(float(tally.outside[place])).strip()
            below.append(
                (outlined(colours.grey(saliency), mask == OBJECT, BOX, SIDE), f"{share} outside")
            )
        outside, covered = (100 * float(str(row[key])) for key in ("outside", "object_covered"))
        most = f" (the picture's of {len(some)})" if len(some) < len(own) else ""
        caption = (
            f"{name}: {outside:.0f} % of the saliency lies outside of the outline. Left, the means "
            f"of {len(own)} pictures{most}, then those with the most outside. The class's mean "
            f"probability is {100 * float(str(row['probability'])):.0f} %, with the object covered "
            f"{covered:.0f} %."
        )
        tiles = [(tile(picture, SIDE), words) for picture, words in (*parts, *below)]
        return self.save_sheet(record, number, tiles, len(parts), caption)


class Outside(Tally):
    """Saliency inside and outside of the objects of all pictures of a pass.

    Args:
        probe: whose score, method, labels and objects are measured.

    Attributes:
        outside: share of the saliency, float32 [n], on the CPU, as all that follows.
        pixels: share of the pixels outside, float32 [n].
        probabilities: float32 [3, n], of the class for whole pictures, with the object covered,
            and with the rest covered.
        correct: whether it is predicted, bool [3, n].
        maps: the sum of each class's maps, each of sum 1, float32 [classes, h, w].
        read: which pictures are measured, bool [n].
        blank: which are not because their map is 0 everywhere, bool [n].
    """

    def __init__(self, probe: Shortcut) -> None:
        self.probe = probe
        names = probe.pictures.names
        count = len(names)
        self.keys = torch.tensor([key_of("attribution", probe.seed, name) for name in names])
        self.outside, self.pixels = torch.zeros(count), torch.zeros(count)
        self.probabilities = torch.zeros(3, count)
        self.correct = torch.zeros(3, count, dtype=torch.bool)
        self.maps = torch.zeros(len(probe.classes), *probe.network.size)
        self.read = torch.zeros(count, dtype=torch.bool)
        self.blank = torch.zeros(count, dtype=torch.bool)

    def prob(self, place: int) -> float:
        """The probability of a picture's class."""
        return float(self.probabilities[WHOLE, place])

    @torch.inference_mode(False)
    def saliency(self, images: Tensor, places: Tensor) -> Tensor:
        """The magnitudes [b, h, w] of the maps of pictures of known classes."""
        probe, device = self.probe, self.probe.network.device
        neurons, keys = probe.labels[places].to(device), self.keys[places].to(device)
        values = probe.method(probe.score, images.to(device), neurons, keys)
        return probe.method.maps(values).abs().nan_to_num(0, 0, 0)

    @torch.inference_mode(False)
    def add(self, batch: Batch, activations: Mapping[str, Tensor]) -> None:
        probe, device = self.probe, self.probe.network.device
        objects = {
            row: mask
            for row, place in enumerate(batch.places.tolist())
            if probe.labels[place] >= 0 and (mask := probe.object_of(place)) is not None
        }
        if not objects:
            return
        rows = [*objects]
        places = batch.places[rows]
        images = batch.images[rows].to(device)
        masks = torch.stack([*objects.values()]).to(device)
        neurons = probe.labels[places].to(device)
        saliency = self.saliency(images, places)
        counted = saliency * (masks != IGNORED)
        sums = counted.sum((1, 2))
        outside = (counted * (masks == REST)).sum((1, 2)) / sums.clamp(min=1e-30)
        pixels = (masks == REST).sum((1, 2)) / (masks != IGNORED).sum((1, 2))
        self.outside[places], self.pixels[places] = outside.cpu(), pixels.cpu()
        whole = saliency.sum((1, 2), keepdim=True).clamp(min=1e-30)
        classes = torch.searchsorted(probe.classes, probe.labels[places])
        self.maps.index_add_(0, classes, (saliency / whole).cpu())
        cover = fill(probe.fill, images, probe.network, self.keys[places].to(device))
        inside = (masks == OBJECT)[:, None]
        with torch.inference_mode():
            for kind, logits in enumerate(
                (
                    activations[OUTPUT][rows],
                    probe.network(torch.where(inside, cover, images)),
                    probe.network(torch.where(inside, images, cover)),
                )
            ):
                own = logits.softmax(1).gather(1, neurons[:, None])[:, 0]
                self.probabilities[kind, places] = own.cpu()
                self.correct[kind, places] = (predictions(logits) == neurons).cpu()
        self.read[places], self.blank[places] = (sums > 0).cpu(), (sums == 0).cpu()

    def state(self) -> dict[str, Tensor]:
        return {
            "outside": self.outside,
            "pixels": self.pixels,
            "probabilities": self.probabilities,
            "correct": self.correct,
            "maps": self.maps,
            "read": self.read,
            "blank": self.blank,
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        for name, own in self.state().items():
            own.copy_(state[name])


def labels_of(pictures: Collection, network: Network, word: str = "images") -> Tensor:
    """The class of each picture by the name of its folder, int64 [n]; -1 where it names none.

    Args:
        pictures: the collection.
        network: whose classes they are.
        word: the user's key for the pictures, for error messages.

    Raises:
        InputError: no folder is named as a class.
    """
    indices: dict[str, int] = {}
    for name in dict.fromkeys(pictures.folders):
        try:
            indices[name] = network.classes.index(name, network.name)
        except InputError:
            indices[name] = -1
    others = [name for name, index in indices.items() if index < 0]
    if len(others) == len(indices):
        names = ", ".join(name for name in others[:MOST_NAMED] if name)
        raise InputError(
            f"{word}: no folder of the pictures{f' ({names})' if names else ''} is named as a "
            f"class of {network.name}; put the pictures of each class into a folder with its name "
            "or synset."
        )
    if others:
        more = ", ..." if len(others) > MOST_NAMED else ""
        log.warning(
            "%s: %d folders are no class of %s and left out: %s%s",
            *(word, len(others), network.name, ", ".join(others[:MOST_NAMED]), more),
        )
    return torch.tensor([indices[name] for name in pictures.folders])
