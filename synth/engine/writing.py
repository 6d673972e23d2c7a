"""Saving of search results: images, predictions measured on the saved files, lines of ancestors."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from synth import data
from synth.core import Images, Target
from synth.core.lineage import Ancestors
from synth.core.prediction import NO_CLASS, label, predictions
from synth.engine.search_result import SearchResult
from synth.engine.state import RunState
from synth.engine.verdict import evaluate_images, is_hit, judge
from synth.networks import reading
from synth.record.record import Record
from synth.record.result import Item, Json, name_of

log = logging.getLogger(__name__)

# up to this largest change of a pixel the difference is saved as a picture too, amplified
AMPLIFY_BELOW = 0.25


def save_images(record: Record, result: SearchResult, seed: int, search: str) -> list[Item]:
    """Saves every image, with its clean image where it started from one.

    Args:
        record: the run folder.
        result: what the search found.
        seed: of the run.
        search: name of the search.

    Returns:
        One item an image, without predictions. An item without a genome (an empty cell of a map)
        has no file. Where a genome is kept as several images each has an item, and they share the
        network passes.
    """
    problem, state = result.problem, result.state
    images = result.images
    initial_images = problem.encoding.initial_images(result.rows)
    images_per_row = len(images) // len(result.rows)
    provenance = {
        "network": problem.network.name,
        "weights": problem.network.sha256,
        "search": search,
        "encoding": name_of(problem.encoding),
    }
    names = problem.encoding.names or ()
    items = []
    for i, target in enumerate(_targets(result, images_per_row)):
        row, place = divmod(i, images_per_row)
        item = Item(
            target=target.name if target else None,
            target_index=target.index if target else None,
            niche=target.niche or None if target else None,
            image=names[row] if len(names) == len(state.score) > 1 else None,
            facet=place if images_per_row > 1 else None,
            seed=seed,
            score=state.score[row],
            steps=state.steps[row],
            forwards=_share(state.forwards[row], place, images_per_row),
            backwards=_share(state.backwards[row], place, images_per_row),
            success=False,
        )
        if state.score[row] != -math.inf:
            item.file = record.picture(i, images[i], _about(item) | provenance)
            item.seconds = state.seconds[row]
        if initial_images is not None:
            item.original = record.picture(i, initial_images[row], {}, "originals")
        items.append(item)
    _warn_not_finite(images[[item.file is not None for item in items]])
    return items


def _warn_not_finite(images: Images) -> None:
    """Warns where pixels are no numbers: 8 bits have black and white for them."""
    broken = int((~images.flatten(1).isfinite().all(1)).sum())
    if broken:
        log.warning(
            "%d of %d images hold NaN or infinity, saved as black or white: the search has "
            "diverged, or the network answers NaN; lower the rate or the weights of the terms",
            broken,
            len(images),
        )


def read_saved(
    record: Record, items: Sequence[Item], device: torch.device
) -> tuple[list[int], Images]:
    """The saved images as any reader of the files gets them.

    Returns:
        Which items have one, and the images [m, 3, h, w] on `device`.
    """
    places = [i for i, item in enumerate(items) if item.file is not None]
    images = [record.read_back(str(items[i].file)) for i in places]
    return places, torch.stack(images).to(device) if images else torch.zeros(0, 3, 1, 1)


def judge_items(
    items: Sequence[Item],
    result: SearchResult,
    places: Sequence[int],
    saved: Images,
    until: float | None,
) -> None:
    """Fills in predictions, confidence and success, measured on the saved images.

    Args:
        items: of the run.
        result: what the search found.
        places: which items have an image.
        saved: these images [m, 3, h, w], read back from their files.
        until: the monitored value that an item has to reach.
    """
    if not places:
        return
    problem = result.problem
    images_per_row = len(items) // len(result.rows)
    index = torch.tensor(places, device=result.rows.item.device)
    rows = (result.rows.repeat(images_per_row) if images_per_row > 1 else result.rows).select(index)
    picture_index = _picture_index(result, len(items))[index]
    logits, values = evaluate_images(problem.network, problem.monitor, saved, rows, picture_index)
    targets = _targets(result, images_per_row)
    for row, i in enumerate(places):
        verdict = judge(logits[row], targets[i], problem.network.classes, until, float(values[row]))
        items[i].predicted = verdict.predicted
        items[i].predicted_index = verdict.predicted_index
        items[i].predicted_confidence = verdict.predicted_confidence
        items[i].confidence = verdict.confidence
        items[i].success = verdict.success
    unanswered = sum(items[i].predicted is None for i in places)
    if unanswered:
        log.warning(
            "%s answers NaN or infinity for %d of %d images: no class is predicted for them, and "
            "none of them is a success",
            problem.network.name,
            unanswered,
            len(places),
        )


def compare_with_clean(
    record: Record,
    items: Sequence[Item],
    result: SearchResult,
    places: Sequence[int],
    saved: Images,
) -> None:
    """Fills in the distance to the clean image, and the prediction for the clean image.

    An item whose clean image meets the target already is marked and not counted. Small differences
    are saved as pictures, amplified. Does nothing where the encoding has no clean images.

    Args:
        record: the run folder.
        items: of the run.
        result: what the search found.
        places: which items have an image.
        saved: these images [m, 3, h, w], read back from their files.
    """
    originals = result.problem.encoding.originals(result.rows)
    if originals is None:
        return
    images_per_row = len(items) // len(result.rows)
    for row, i in enumerate(places):
        difference = saved[row] - originals[i // images_per_row]
        largest = float(difference.abs().max())
        items[i].linf = round(largest, 6)
        items[i].l2 = round(float(difference.norm()), 6)
        if 0 < largest <= AMPLIFY_BELOW:
            items[i].amplified = round(0.5 / largest, 4)
            picture = data.amplified(difference)
            items[i].difference = record.picture(i, picture, {}, "differences")
    _predict_clean(items, result, originals.repeat_interleave(images_per_row, 0))


def _predict_clean(items: Sequence[Item], result: SearchResult, originals: Images) -> None:
    """Adds the prediction for each clean image; an item whose target it meets is not counted."""
    network = result.problem.network
    targets = _targets(result, len(items) // len(result.rows))
    for item, target, logits in zip(
        items, targets, reading.logits(network, originals, cached=True), strict=True
    ):
        best = int(predictions(logits))
        item.original_predicted = label(network.classes, best)
        if best != NO_CLASS:
            item.original_confidence = round(float(logits.softmax(0)[best]), 6)
        if is_hit(logits, target):
            item.already = True
            item.success = None
    already = [f"{item.target} ({item.original_predicted})" for item in items if item.already]
    if already:
        log.warning(
            "%d of %d clean images already meet their target and are not counted: %s%s",
            len(already),
            len(items),
            ", ".join(already[:5]),
            " ..." if len(already) > 5 else "",
        )


def save_strips(record: Record, result: SearchResult, line: Ancestors, items: list[Item]) -> None:
    """Saves the line of ancestors of each item as a film strip, the first ancestor first."""
    images_per_row = len(items) // len(result.rows)
    for place, item in enumerate(items):
        i, facet = divmod(place, images_per_row)
        count = int(line.count[i])
        if item.file is None:
            continue
        rows = result.rows.select(torch.full((count,), i, device=result.rows.item.device))
        images = result.problem.images(line.genomes[i, :count], rows)[facet::images_per_row]
        strip = torch.cat(list(images), dim=2)
        item.strip = record.picture(place, strip, {"target": item.target}, "strips")
        ancestors = torch.stack([line.id[i, :count], line.step[i, :count], line.cell[i, :count]], 1)
        item.ancestors = [
            {
                "id": number,
                "step": step,
                "target": items[cell * images_per_row].target,
                "score": score,
            }
            for (number, step, cell), score in zip(
                ancestors.tolist(), line.score[i, :count].tolist(), strict=True
            )
        ]
        item.generations = int(line.generations[i])


def archive_record(
    state: RunState, targets: Sequence[Target | None], items: Sequence[Item]
) -> dict[str, Json]:
    """The history of every cell of a map of elites, as result.json holds it.

    A cell is named by its class or its niche, by both where several classes have niches. The last
    moment is measured on the saved files, where the cells are scored by a probability.
    """
    several = len({target.name for target in targets if target is not None}) > 1
    names = []
    for i, target in enumerate(targets):
        if target is None:
            names.append(str(i))
            continue
        name = target.name if several or not target.niche else ""
        names.append(", ".join(filter(None, (name, target.niche))))
    last = [None if value == -math.inf else round(value, 4) for value in state.monitor]
    if all(value is None or 0 <= value <= 1 for value in last):
        first_images = items[:: len(items) // len(targets)]
        last = [item.confidence and round(item.confidence, 4) for item in first_images]
    passes = sum(state.forwards) + 2 * sum(state.backwards)
    return state.history.archive(names, [state.step, passes, last])


def _about(item: Item) -> dict[str, Json]:
    """The provenance of the image, for the text key of its PNG."""
    about: dict[str, Json] = {
        "target": item.target,
        "target_index": item.target_index,
        "seed": item.seed,
        "score": item.score,
        "steps": item.steps,
        "forwards": item.forwards,
        "backwards": item.backwards,
    }
    optional = {"image": item.image, "facet": item.facet, "niche": item.niche}
    return about | {name: value for name, value in optional.items() if value is not None}


def _targets(result: SearchResult, images_per_row: int) -> list[Target | None]:
    """The target of each image, where every row has `images_per_row` of them."""
    targets = result.problem.objective.target(result.rows)
    return [target for target in targets for _ in range(images_per_row)]


def _picture_index(result: SearchResult, count: int) -> Tensor:
    """Which picture of the encoding each of `count` images was made from, int64 [count].

    Where a row is kept as more images than it is decoded to, they come from no single picture: the
    first stands for all.
    """
    encoding, rows = result.problem.encoding, result.rows
    if count // len(rows) == encoding.images_per_genome:
        return encoding.picture_index(rows)
    return torch.zeros(count, dtype=torch.int64, device=rows.item.device)


def _share(passes: int, place: int, count: int) -> int:
    """The share of image `place` of `count` in `passes`; the first ones take the remainder."""
    return (passes + count - 1 - place) // count
