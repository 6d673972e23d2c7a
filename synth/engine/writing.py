"""Takes what a search found; saves its pictures, measures them on the saved files, and saves where they came from."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from synth import data
from synth.core import Images, Rows, Target
from synth.core.lineage import Ancestors
from synth.core.network import Network
from synth.engine.fitness import ImageProblem
from synth.engine.state import RunState
from synth.engine.verdict import evaluate_images, is_hit, judge, logits_of
from synth.record.record import Record

log = logging.getLogger(__name__)

AMPLIFY_BELOW = 0.25  # a largest change of a pixel; up to here the difference has a picture of its own, where it is amplified


def write_items(
    record: Record,
    problem: ImageProblem,
    rows: Rows,
    found: RunState,
    until: float | None,
    seed: int,
    search: str,
) -> list[dict[str, Any]]:
    """Saves every picture and measures it on the saved file, read back from the disk: a record an item.

    An item that nothing was found for (a cell of a map that stayed empty) has no file. Where a genome is kept as
    several pictures, each has a record; they share the passes.
    """
    network = problem.network
    images = problem.images(found.genome, rows)
    originals, began = problem.encoding.originals(rows), problem.encoding.initial_images(rows)
    each = len(images) // len(rows)
    source = problem.encoding.picture_index(rows)
    if (
        each != problem.encoding.images_per_genome
    ):  # what is kept was made from no one picture: the first stands for it
        source = torch.zeros(len(images), dtype=torch.int64, device=rows.item.device)
    rows = rows.repeat(each) if each > 1 else rows
    targets = problem.objective.target(rows)
    parts = {"network": network.name, "weights": network.sha256, "search": search,
             "encoding": type(problem.encoding).__name__.lower()}  # fmt: skip
    names = problem.encoding.names or ()
    items: list[dict[str, Any]] = []
    there = [i for i in range(len(rows)) if found.score[i // each] != -math.inf]
    for i, target in enumerate(targets):
        row = i // each
        about = {"target": target.name if target else None, "target_index": target.index if target else None,
                 "seed": seed, "score": found.score[row], "steps": found.steps[row],
                 "forwards": _share(found.forwards[row], i % each, each),
                 "backwards": _share(found.backwards[row], i % each, each)}  # fmt: skip
        if len(names) == len(found.score) > 1:
            about["image"] = names[row]
        if each > 1:
            about["facet"] = i % each
        if target is not None and target.niche:
            about["niche"] = target.niche
        item: dict[str, Any] = {"file": None, **about}
        if found.score[row] != -math.inf:
            item["file"] = record.picture(i, images[i], about | parts)
        if began is not None:
            item["original"] = record.picture(i, began[row], {}, "originals")
        items.append(item)
    for item in items:
        item.update(
            predicted=None, confidence=None, success=False, seconds=None, linf=None, l2=None
        )
    if not there:
        return items
    who = rows.select(torch.tensor(there, device=rows.item.device))
    saved = torch.stack([record.read_back(items[i]["file"]) for i in there]).to(network.device)
    scores, monitored = evaluate_images(network, problem.monitor, saved, who, source[there])
    for place, i in enumerate(there):
        items[i].update(
            judge(scores[place], targets[i], network.classes, until, float(monitored[place]))
        )
        items[i].update(seconds=found.seconds[i // each])
        if originals is not None:
            away = saved[place] - originals[i // each]
            most = float(away.abs().max())
            items[i].update(linf=round(most, 6), l2=round(float(away.norm()), 6))
            if 0 < most <= AMPLIFY_BELOW:
                items[i]["amplified"] = round(0.5 / most, 4)
                items[i]["difference"] = record.picture(i, data.amplified(away), {}, "differences")
    if originals is not None:
        _compared(items, targets, network, originals.repeat_interleave(each, 0))
    return items


def _share(passes: int, place: int, count: int) -> int:
    """What picture `place` of `count` has of `passes`: equal parts, the first ones taking what is left over."""
    return (passes + count - 1 - place) // count


def _compared(
    items: list[dict[str, Any]],
    targets: Sequence[Target | None],
    network: Network,
    originals: Images,
) -> None:
    """Adds what the network saw before anything was done; what it saw rightly already is said and not counted."""
    scores = logits_of(network, originals)
    for item, target, before in zip(items, targets, scores, strict=True):
        best = int(before.argmax())
        item["original_predicted"] = network.classes.label(best)
        item["original_confidence"] = round(float(before.softmax(0)[best]), 6)
        if is_hit(before, target):
            item.update(already=True, success=None)
    already = [
        f"{item['target']} ({item['original_predicted']})" for item in items if item.get("already")
    ]
    if already:
        log.warning("%d of %d pictures are seen as wanted before anything is done, and not counted: %s%s", len(already),
                    len(items), ", ".join(already[:5]), " ..." if len(already) > 5 else "")  # fmt: skip


def save_strips(
    record: Record, problem: ImageProblem, rows: Rows, line: Ancestors, items: list[dict[str, Any]]
) -> None:
    """Saves the line of each item as a film strip, a frame an ancestor, from the first one on to itself."""
    each = len(items) // len(rows)
    for place, item in enumerate(items):
        i, facet = divmod(place, each)
        count = int(line.count[i])
        if item["file"] is None:
            continue
        images = problem.images(
            line.genomes[i, :count], rows.select(torch.full((count,), i, device=rows.item.device))
        )
        images = images[facet::each]
        item["strip"] = record.picture(
            place, torch.cat(list(images), dim=2), {"target": item["target"]}, "strips"
        )
        told = torch.stack(
            [line.id[i, :count], line.step[i, :count], line.cell[i, :count]], dim=1
        ).tolist()
        item["ancestors"] = [
            {"id": who, "step": step, "target": items[cell * each]["target"], "score": score}
            for (who, step, cell), score in zip(told, line.score[i, :count].tolist(), strict=True)
        ]
        item["generations"] = int(line.generations[i])


def archive_record(
    found: RunState, targets: Sequence[Target | None], items: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The course of every cell of a map, as result.json keeps it.

    A cell is called by its class or its niche, by both where several classes have niches. The last moment is that of
    the saved files, where the cells are scored by a probability.
    """
    several = len({target.name for target in targets if target is not None}) > 1
    names = []
    for i, target in enumerate(targets):
        parts = (
            (target.name if several or not target.niche else "", target.niche)
            if target
            else (str(i),)
        )
        names.append(", ".join(filter(None, parts)))
    last = [None if value == -math.inf else round(value, 4) for value in found.monitor]
    if all(value is None or 0 <= value <= 1 for value in last):
        last = [
            item["confidence"] and round(item["confidence"], 4)
            for item in items[:: len(items) // len(targets)]
        ]
    return found.history.archive(
        names, [found.step, sum(found.forwards) + 2 * sum(found.backwards), last]
    )
