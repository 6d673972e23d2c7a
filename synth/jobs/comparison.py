"""A comparison: several experiments on the same items and budget of network passes, one table.

Every saved image is also given to a second network (transfer), and its distance from natural
pictures is measured.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, median

import torch
from rich.table import Table
from torch import Tensor

from synth.core import Images, Target
from synth.core.network import Network
from synth.core.part import check_parts
from synth.core.prediction import NO_CLASS, predictions
from synth.engine.experiment import Experiment
from synth.errors import InputError, printable
from synth.metrics.naturalness import NaturalStatistics, load_or_fit
from synth.networks import reading
from synth.record.job import Job
from synth.record.progress import plain_console
from synth.record.record import Record, versions
from synth.record.result import Item, Json, NetworkInfo, Result

log = logging.getLogger(__name__)

COLUMNS = (
    "reached",
    "mean confidence",
    "passes to success",
    "seconds",
    "natural distance",
    "transfer",
)
WIDTH = 110  # columns, where the output is piped


class Comparison(Job):
    """Experiments with the same targets, one after the other; each runs as it would alone.

    Args:
        experiments: by name; None entries are left out.
        transfer: a second network that no search read; None for none.
        naturals: natural pictures to measure the distance from: a folder, or a file of their
            statistics; by default the statistics bundled with the network, and no distance where
            there are none.

    Raises:
        InputError: where no experiment is left.
    """

    def __init__(
        self,
        experiments: Mapping[str, Experiment | None],
        transfer: Network | None = None,
        naturals: str | None = None,
    ) -> None:
        self.experiments = {
            name: experiment for name, experiment in experiments.items() if experiment is not None
        }
        if not self.experiments:
            raise InputError("experiments: empty; name at least one contender.")
        check_parts("experiments", self.experiments, Experiment)
        networks = {
            experiment.network.sha256: experiment.network
            for experiment in self.experiments.values()
        }
        self.transfer = transfer
        if transfer is not None and transfer.sha256 in networks:
            log.warning(
                "transfer: %s is the network that is fooled, and no second one; left out. Write "
                "network@transfer=NAME for another",
                transfer.name,
            )
            self.transfer = None
        self.naturals = {
            sha256: load_or_fit(network, naturals) for sha256, network in networks.items()
        }

    def run(self, record: Record) -> Result:
        """Runs one experiment after the other, or resumes; gives the joint result."""
        start = time.monotonic()
        items: list[Item] = []
        contenders: dict[str, dict[str, Json]] = {}
        results: list[Result] = []
        for name, experiment in self.experiments.items():
            share = record.of(name, len(items))
            result = share.part_result() or experiment.run(share)
            share.keep_part_result(result)
            for item in result.items:
                item.contender = name
            self._measure(record, experiment, result.items)
            items += result.items
            contenders[name] = _row(experiment, result)
            results.append(result)
            if result.status != "done":
                break
        _print(contenders)
        return Result(
            status=results[-1].status,
            seconds=round(time.monotonic() - start, 3),
            network=_network(results),
            device=results[-1].device,
            versions=versions(),
            search=", ".join(dict.fromkeys(str(result.search) for result in results)),
            encoding=", ".join(dict.fromkeys(str(result.encoding) for result in results)),
            transfer=self.transfer and NetworkInfo(self.transfer.name, self.transfer.sha256),
            items=items,
            contenders=contenders,
            archive=next((result.archive for result in results if result.archive), None),
            # what success means, where all mean the same by it
            about=results[0].about
            if all(result.about == results[0].about for result in results)
            else None,
        )

    def _measure(self, record: Record, experiment: Experiment, items: Sequence[Item]) -> None:
        """Adds the distance from natural pictures and the transfer to every item with an image."""
        statistics = self.naturals[experiment.network.sha256]
        measure_distances(record, experiment.network, statistics, items)
        if self.transfer is not None:
            verdicts = transferred(record, experiment, items, self.transfer)
            for item, verdict in zip(items, verdicts, strict=True):
                if verdict is not None:
                    item.transfer_confidence, item.transfer_success = verdict


def measure_distances(
    record: Record,
    network: Network,
    statistics: NaturalStatistics | None,
    items: Sequence[Item],
) -> None:
    """Gives every item with an image its distance from natural pictures, where it has one."""
    saved = [item for item in items if item.file is not None]
    if statistics is None or not saved:
        return
    images = torch.stack([record.read_back(str(item.file)) for item in saved])
    for item, distance in zip(saved, statistics.distances(network, images).tolist(), strict=True):
        if math.isfinite(distance):
            item.natural_distance = round(distance, 4)


def transferred(
    record: Record, experiment: Experiment, items: Sequence[Item], network: Network
) -> list[tuple[float, bool] | None]:
    """Whether a second network meets the target of each item too, and its confidence there.

    None where there is no image, and where the network lacks the class or answers NaN. An
    untargeted item counts only where the network predicted the true class for the clean image.

    Args:
        record: of the run, which has the saved images.
        experiment: that made the items.
        items: all of them.
        network: the second one.

    Returns:
        Confidence and success of each item.
    """
    verdicts: list[tuple[float, bool] | None] = [None] * len(items)
    places = [place for place, item in enumerate(items) if item.file is not None]
    if not places:
        return verdicts
    images = torch.stack([record.read_back(str(items[place].file)) for place in places])
    each = len(items) // len(experiment.rows)  # images of a row
    index = torch.tensor([place // each for place in places], device=experiment.rows.item.device)
    targets = experiment.problem.objective.target(experiment.rows.select(index))
    for place, target, logits in zip(places, targets, _logits(network, images), strict=True):
        verdicts[place] = _verdict(record, experiment, items[place], target, network, logits)
    return verdicts


def _verdict(
    record: Record,
    experiment: Experiment,
    item: Item,
    target: Target | None,
    network: Network,
    logits: Tensor,
) -> tuple[float, bool] | None:
    """Confidence and success of one item, by the second network's `logits` [classes]."""
    best = int(predictions(logits))
    if target is None or target.index is None or best == NO_CLASS:
        return None
    index = experiment.network.classes.counterpart(target.index, network.classes)
    if index is None:
        return None
    confidence = float(logits.softmax(0)[index])
    hit = best == index
    if target.untargeted:
        if item.original is not None:
            clean = _logits(network, record.read_back(item.original)[None])[0]
            if int(predictions(clean)) != index:
                return None
        confidence, hit = 1.0 - confidence, not hit
    return round(confidence, 6), hit


def _network(results: Sequence[Result]) -> NetworkInfo | None:
    """The network of the experiments, with each precision that one of them searched in."""
    network = results[-1].network
    infos = [result.network for result in results if result.network is not None]
    precisions = [info.precision for info in infos if info.precision is not None]
    if network is None or not precisions:
        return network
    return replace(network, precision=", ".join(dict.fromkeys(precisions)))


def _logits(network: Network, images: Images) -> Tensor:
    """Logits of images of any size, [n, classes], on the CPU."""
    return reading.logits(network, images, size=network.size).cpu()


def _row(experiment: Experiment, result: Result) -> dict[str, Json]:
    """The numbers of one experiment, each over the items that have it.

    Passes to success are the median over the items that met their target; transfer rate and
    confidence are means; the distance from natural pictures is a median.
    """
    items = result.items
    passes = [item.passes for item in items if item.success]
    hits = [item.transfer_success for item in items if item.transfer_success is not None]
    confidences = [
        item.transfer_confidence for item in items if item.transfer_confidence is not None
    ]
    distances = [item.natural_distance for item in items if item.natural_distance is not None]
    return {
        "search": result.search,
        "encoding": result.encoding,
        **result.findings,
        "passes": sum(item.passes for item in items),
        "budget": experiment.budget,
        "seconds": result.seconds,
        "passes_to_success": median(passes) if passes else None,
        "transfer_success": round(fmean(hits), 6) if hits else None,
        "transfer_confidence": round(fmean(confidences), 6) if confidences else None,
        "natural_distance": round(median(distances), 4) if distances else None,
    }


def _print(contenders: Mapping[str, Mapping[str, Json]]) -> None:
    """The experiments side by side, in the terminal."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("contender")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for name, row in contenders.items():
        table.add_row(
            printable(name),
            "-" if row["success"] is None else f"{row['success']} of {row['items']}",
            _format(row["mean_confidence"], ".4f"),
            _format(row["passes_to_success"], ",.0f"),
            _format(row["seconds"], ".1f"),
            _format(row["natural_distance"], ".2f"),
            _format(row["transfer_success"], ".0%"),
        )
    plain_console(piped_width=WIDTH).print(table)


def _format(value: Json, form: str) -> str:
    return "-" if value is None else format(value, form)
