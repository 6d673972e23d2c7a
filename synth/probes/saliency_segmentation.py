"""Segmentation without supervision: the object of a picture cut out by its saliency."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from synth import data
from synth.core.classes import Name
from synth.core.hardware import check_results_fit
from synth.core.network import OUTPUT, Network
from synth.core.prediction import NO_CLASS, label, predictions
from synth.core.types import Images
from synth.data.masks import IGNORED, OBJECT, Masks, centred_box, masks_of
from synth.probes.attributions import colours
from synth.probes.attributions.attribution import Attribution
from synth.probes.attributions.explained import Explained
from synth.probes.attributions.graph_cut import graph_cut, seeds, thresholded
from synth.probes.attributions.maps import SIDE, item_of, percent, tile
from synth.probes.attributions.methods import methods_of, title
from synth.probes.attributions.outlines import outlined
from synth.probes.attributions.score import Score
from synth.probes.probe import Measurement, Probe
from synth.probes.saliency_evaluation import interval
from synth.record.record import Record
from synth.record.result import Figure, Item, Json

log = logging.getLogger(__name__)

WHOLE, THRESHOLD, CUT, BOX = range(4)
NAMES = ("whole picture", "threshold", "graph cut", "centred box")
NO_MASK = 255
ACROSS = 4  # pictures in a row of a sheet
SHEETS = 24  # pictures that have one
OWN, TRUE = (0.86, 0.15, 0.15), (0.1, 0.75, 0.25)  # colours of outlines
MARKS = {1: (0.9, 0.1, 0.1), -1: (0.1, 0.35, 0.95)}  # of seeds


class SaliencySegmentation(Probe):
    """Cuts the object out of each picture by its saliency, and reads the network on the cut-out.

    Two ways, without any labels: the pixels above Otsu's threshold of the saliency, and a graph cut
    between the pixels of strongest and weakest saliency, with colours learned there. Where there
    are masks, their intersection over union is compared with that of a centred box of the same
    area. What is cut off becomes 0, black: all of it where the saliency is the same everywhere.

    Tensors ``saliency_segmentation``: ``saliency`` float32 [n, h, w]; ``masks`` bool [4, n, h, w]
    of the whole picture, the threshold, the graph cut, and the box; ``probabilities`` float32
    [4, n], of the class under each; ``objects`` uint8 [n, h, w], where there are masks: 0, 1, 2
    where it does not count, 255 without a mask; ``neurons`` int64 [n], the class.

    Source: Simonyan, Vedaldi & Zisserman 2014, "Deep inside convolutional networks".

    Args:
        network: the network.
        images: a folder, glob, list or name of pictures.
        masks: a folder of label maps with the names of the pictures.
        object: values of a label map that are the object; by default all but 0.
        ignore: value of pixels that do not count.
        method: of the saliency, a name of `synth.probes.attributions.methods`.
        target: the class that is explained; by default the one that is predicted.
        score: ``logit`` or ``probability``.
        samples: noisy copies, of SmoothGrad.
        seed: of the random numbers.

    Raises:
        InputError: no such method or class, masks of no picture, or pictures beyond the memory.
    """

    needs_pictures = True

    def __init__(
        self,
        network: Network,
        images: data.Sources,
        masks: str | Path | None = None,
        object: int | Sequence[int] | None = None,
        ignore: int | None = None,
        method: str = "vanilla",
        target: Name | None = None,
        score: str = "logit",
        samples: int = 25,
        seed: int = 0,
    ) -> None:
        super().__init__(network, images)
        self.score = Score(network, OUTPUT, score)
        self.unit = self.score.unit(target)
        self.name = method
        self.method = methods_of(network, [method], samples=samples, word="method")[method]
        self.masks = masks_of(masks, self.pictures, object, ignore)
        self.seed = seed
        height, width = network.size
        check_results_fit(
            9 * height * width * len(self.pictures),
            f"images: the maps of {len(self.pictures)} pictures",
            "name fewer",
        )

    def measure(self, record: Record) -> Measurement:
        tally = Segments(self.score, self.method, self.pictures.names, self.unit, self.seed)
        if self.masks is not None:
            tally.masks_of = self.masks
        # the graph cut takes longer than the network: checkpoints come in time
        self.scan(record, [OUTPUT], {"segments": tally}, batch=4)
        places = tally.places
        tensors = {
            "saliency": tally.saliency[places],
            "masks": tally.masks[:, places],
            "probabilities": tally.probabilities[:, places],
            "neurons": tally.neurons[places],
        }
        findings: dict[str, Json] = {"pictures": len(places)}
        empty = int((~tensors["masks"][CUT].flatten(1).any(1)).sum())
        if empty:
            findings["pictures_without_saliency"] = empty
            log.warning("%d of %d pictures have no saliency to cut by", empty, len(places))
        scores = None
        if self.masks is not None:
            tensors["objects"] = objects = tally.objects[places]
            scores = intersection_over_union(tensors["masks"], objects)
            findings |= {
                "pictures_without_mask": int((objects[:, 0, 0] == NO_MASK).sum()),
                "masks_without_picture": self.masks.unused,
                "masks_without_object": int(
                    ((objects != NO_MASK).all(2).all(1) & ~(objects == OBJECT).any(2).any(1)).sum()
                ),
            }
        record.tensors("saliency_segmentation", tensors)
        table = self._table(tally, places, scores)
        findings["cut_out_predicted"] = table[CUT]["class_predicted"]
        if scores is not None:
            findings |= {"iou": table[CUT]["iou"], "iou_box": table[BOX]["iou"]}
        findings["segmentations"] = table
        items, figures = [], []
        for number, place in enumerate(places.tolist()):
            image = self.pictures.picture(place).at(self.network.size)
            own = None if scores is None else scores[:, number].tolist()
            item = self._item(record, number, place, image, tally, own)
            items.append(item)
            if number < SHEETS:
                figures.append(self._sheet(record, number, place, image, tally, item, own))
        return Measurement(findings, items, figures)

    def _table(
        self, tally: Segments, places: Tensor, scores: Tensor | None
    ) -> list[dict[str, Json]]:
        """A record for each way of cutting."""
        rows: list[dict[str, Json]] = []
        same = tally.predicted[:, places] == tally.neurons[places]
        for way, name in enumerate(NAMES):
            areas = tally.masks[way, places].float().mean((1, 2))
            row: dict[str, Json] = {"cut": name, "area": round(float(areas.mean()), 4)}
            if scores is not None:
                row |= _mean("iou", scores[way], self.seed)
            row["class_predicted"] = round(float(same[way].float().mean()), 4)
            rows.append(row | _mean("probability", tally.probabilities[way, places], self.seed))
        if scores is not None:
            objects = tally.objects[places]
            drawn = objects[(objects[:, 0, 0] != NO_MASK) & (objects == OBJECT).any(2).any(1)]
            share = float((drawn == OBJECT).float().mean()) if len(drawn) else 0.0
            box = centred_box(self.network.size, share).expand(1, len(places), -1, -1)
            rows.append(
                {"cut": "centred box of the objects' mean area", "area": round(share, 4)}
                | _mean("iou", intersection_over_union(box, objects)[0], self.seed)
            )
        return rows

    def _item(
        self,
        record: Record,
        number: int,
        place: int,
        image: Tensor,
        tally: Segments,
        scores: Sequence[float] | None,
    ) -> Item:
        """The cut-out, beside the picture as its original."""
        neuron = int(tally.neurons[place])
        item = item_of(self.score, self.pictures.names[place], tally.logits[place], neuron)
        item.original = record.picture(number, image, {}, "originals")
        item.original_predicted, item.original_confidence = item.predicted, item.confidence
        best = int(tally.predicted[CUT, place])
        item.predicted = label(self.network.classes, best)
        item.predicted_index = None if best == NO_CLASS else best
        item.predicted_confidence = None
        item.confidence = round(float(tally.probabilities[CUT, place]), 6)
        item.extra["area"] = round(float(tally.masks[CUT, place].float().mean()), 4)
        for way in (THRESHOLD, CUT, BOX):
            if scores is not None and scores[way] == scores[way]:
                item.extra[f"iou_{NAMES[way].replace(' ', '_')}"] = round(scores[way], 4)
        item.file = record.picture(number, image * tally.masks[CUT, place], item.to_dict())
        return item

    def _sheet(
        self,
        record: Record,
        number: int,
        place: int,
        image: Tensor,
        tally: Segments,
        item: Item,
        scores: Sequence[float] | None,
    ) -> Figure:
        saliency = tally.saliency[place]
        framed = image
        legend = "outline of the cut"
        if self.masks is not None and int(tally.objects[place, 0, 0]) != NO_MASK:
            framed = outlined(framed, tally.objects[place] == OBJECT, TRUE, SIDE)
            legend = "cut (red), mask (green)"
        framed = outlined(framed, tally.masks[CUT, place], OWN, SIDE)
        parts = [
            (image, f"{item.target}{percent(item.original_confidence)}"),
            (colours.grey(saliency), f"saliency ({title(self.name)})"),
            *self._cut(image, tally, place, THRESHOLD, scores),
            (framed, legend),
            (_marked(image, seeds(saliency)), "seeds: object red, rest blue"),
            *self._cut(image, tally, place, CUT, scores),
        ]
        caption = (
            f"{item.image}: the object by the saliency of {item.target}, without labels. Above, a "
            "threshold; below, a graph cut between the strongest (red) and weakest (blue) pixels, "
            "by their colours. Right, what the network predicts of the cut-out."
        )
        tiles = [(tile(picture), words) for picture, words in parts]
        return self.save_sheet(record, number, tiles, ACROSS, caption)

    def _cut(
        self,
        image: Tensor,
        tally: Segments,
        place: int,
        way: int,
        scores: Sequence[float] | None,
    ) -> list[tuple[Tensor, str]]:
        """The mask of a picture and its cut-out, with their labels."""
        mask = tally.masks[way, place]
        measured = scores is not None and scores[way] == scores[way]
        agreement = f", IoU {scores[way]:.2f}" if measured and scores else ""
        extent = "" if bool(mask.any()) else ": nothing is salient"
        predicted = label(self.network.classes, int(tally.predicted[way, place]))
        own = label(self.network.classes, int(tally.neurons[place]))
        probability = percent(float(tally.probabilities[way, place]))
        words = f"{own}{probability}" if predicted == own else f"{predicted}; {own}{probability}"
        return [
            (mask.float().expand(3, -1, -1), f"{NAMES[way]}{extent}{agreement}"),
            (image * mask, words),
        ]


class Segments(Explained):
    """Saliency, masks, and what the network makes of the cut-outs, of all pictures of a pass.

    Args:
        score: what is explained.
        method: of the saliency.
        names: as of `Explained`, like all that follows.
        unit: the class that is explained.
        seed: of random numbers.

    Attributes:
        saliency: magnitudes, float32 [n, h, w], on the CPU, as all that follows.
        masks: bool [4, n, h, w], of `NAMES`.
        objects: uint8 [n, h, w], the true masks; `NO_MASK` where there is none.
        probabilities: float32 [4, n], of the class that is explained.
        predicted: int64 [4, n].
        masks_of: the true masks, where there are some.
    """

    def __init__(
        self,
        score: Score,
        method: Attribution,
        names: Sequence[str],
        unit: int | None,
        seed: int,
    ) -> None:
        super().__init__(score, names, unit, seed, "attribution")
        self.method = method
        self.masks_of: Masks | None = None
        count, size = len(names), score.network.size
        self.saliency = torch.zeros(count, *size)
        self.masks = torch.zeros(len(NAMES), count, *size, dtype=torch.bool)
        self.objects = torch.full((count, *size), NO_MASK, dtype=torch.uint8)
        self.probabilities = torch.zeros(len(NAMES), count)
        self.predicted = torch.zeros(len(NAMES), count, dtype=torch.int64)

    @property
    def tensors(self) -> dict[str, Tensor]:
        return {
            "saliency": self.saliency,
            "masks": self.masks,
            "objects": self.objects,
            "probabilities": self.probabilities,
            "predicted": self.predicted,
        }

    def explain(self, places: Tensor, images: Images, neurons: Tensor, keys: Tensor) -> None:
        network = self.score.network
        values = self.method(self.score, images, neurons, keys)
        saliency = self.method.maps(values).abs().nan_to_num(0, 0, 0).cpu()
        self.saliency[places] = saliency
        for place, image, own in zip(places.tolist(), images.cpu(), saliency, strict=True):
            cut = graph_cut(image, seeds(own))
            box = centred_box(network.size, float(cut.float().mean()))
            ways = (torch.ones_like(cut), thresholded(own), cut, box)
            self.masks[:, place] = torch.stack(ways)
            mask = None if self.masks_of is None else self.masks_of.at(place, network.size)
            if mask is not None:
                self.objects[place] = mask
        with torch.inference_mode():
            for way, masks in enumerate(self.masks[:, places].to(images.device)):
                logits = network(images * masks[:, None])
                own = logits.softmax(1).gather(1, neurons[:, None])[:, 0]
                self.probabilities[way, places] = own.cpu()
                self.predicted[way, places] = predictions(logits).cpu()


def intersection_over_union(masks: Tensor, objects: Tensor) -> Tensor:
    """The IoU of masks with objects, float32 [k, n]; NaN of a picture without mask or object.

    Args:
        masks: bool [k, n, h, w].
        objects: uint8 [n, h, w], as of `SaliencySegmentation`.
    """
    counts = objects < IGNORED
    inside = objects == OBJECT
    common = (masks & inside).flatten(2).sum(2)
    union = ((masks | inside) & counts).flatten(2).sum(2)
    scores = common / union.clamp(min=1)
    return torch.where(inside.flatten(1).any(1), scores, torch.nan)


def _mean(name: str, values: Tensor, seed: int) -> dict[str, Json]:
    """The mean of what was measured [n], and its 95 % interval; None without enough of it."""
    measured = values[~values.isnan()]
    low, high = interval(measured, seed) if len(measured) > 1 else (None, None)
    mean = float(measured.mean()) if len(measured) else None
    return {
        key: None if number is None else round(number, 4)
        for key, number in ((name, mean), (f"{name}_low", low), (f"{name}_high", high))
    }


def _marked(image: Tensor, marks: Tensor) -> Tensor:
    """The image, pale, with its seeds in their colours."""
    shown = 0.5 + 0.5 * image.mean(0, keepdim=True).expand(3, -1, -1)
    for mark, colour in MARKS.items():
        shown = torch.where(marks == mark, torch.tensor(colour)[:, None, None], shown)
    return shown
