"""Takes several experiments on the same items; runs each at the same budget, and leaves one table over all."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from synth.core import Images, Target
from synth.core.network import Network
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.metrics.naturalness import load_or_fit
from synth.networks import reading
from synth.record.record import Record, versions

log = logging.getLogger(__name__)



class Comparison:
    """Named `experiments` that face the same targets. Each runs as it would alone; one page shows them side by side.

    A contender that is None is left out. Every saved picture is then read back from its file and shown to `transfer`,
    a second network whose gradients and answers nobody used (None: to none), and its distance from natural pictures
    is measured in the network it was made for. `naturals` is a folder of those, or a file of what they are like; None
    takes what came with the network, and where nothing did there is no distance.
    """

    def __init__(
        self,
        experiments: Mapping[str, Experiment | None],
        transfer: Network | None = None,
        naturals: str | None = None,
    ) -> None:
        left = {name: one for name, one in experiments.items() if one is not None}
        if not left:
            raise InputError("experiments: empty; name at least one contender.")
        self.experiments, self.transfer = left, transfer
        if transfer is not None and any(
            transfer.sha256 == one.network.sha256 for one in left.values()
        ):
            log.warning("transfer: %s is the network that is fooled, and no second one; left out. Write "
                        "network@transfer=NAME for another", transfer.name)  # fmt: skip
            self.transfer = None
        networks = {one.network.sha256: one.network for one in left.values()}
        self.naturals = {
            sha256: load_or_fit(network, naturals) for sha256, network in networks.items()
        }

    def run(self, record: Record) -> dict[str, Any]:
        """Runs one contender after the other, or resumes; gives the joint result record."""
        began, first = time.monotonic(), 0
        items: list[dict[str, Any]] = []
        contenders: dict[str, Any] = {}
        status = "done"
        for name, experiment in self.experiments.items():
            share = record.of(name, first)
            found = share.part_result() or experiment.run(share)
            share.keep_part_result(found)
            first += len(found["items"])
            numbers = found["findings"]
            seen = self._seen(record, experiment, found["items"])
            own = [
                {"contender": name, **item, **more}
                for item, more in zip(found["items"], seen, strict=True)
            ]
            items += own
            contenders[name] = {
                "search": found["search"], "encoding": found["encoding"], **numbers,
                "passes": numbers["forwards"] + 2 * numbers["backwards"],
                "budget": experiment.budget, "seconds": found["seconds"], **_summary(own),
            }  # fmt: skip
            last = found
            if found["status"] != "done":
                status = found["status"]
                break
        _table(contenders)
        return {
            "status": status,
            "seconds": round(time.monotonic() - began, 3),
            "network": last["network"],
            "device": last["device"],
            "versions": versions(),
            "search": ", ".join(dict.fromkeys(one["search"] for one in contenders.values())),
            "encoding": ", ".join(dict.fromkeys(one["encoding"] for one in contenders.values())),
            "transfer": self.transfer
            and {"name": self.transfer.name, "sha256": self.transfer.sha256},
            "items": items,
            "contenders": contenders,
            "findings": {},
        }

    def _seen(
        self, record: Record, experiment: Experiment, items: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """What the second network says of each saved picture, and how far it lies from natural ones.

        None where there is no picture: a cell of a map may stay empty.
        """
        none = {"transfer_confidence": None, "transfer_success": None, "natural_distance": None}
        seen: list[dict[str, Any]] = [dict(none) for _ in items]
        there = [place for place, item in enumerate(items) if item["file"] is not None]
        if not there:
            return seen
        images = torch.stack([record.read_back(items[place]["file"]) for place in there])
        known = self.naturals[experiment.network.sha256]
        if known is not None:
            for place, away in zip(
                there, known.distances(experiment.network, images).tolist(), strict=True
            ):
                seen[place]["natural_distance"] = round(away, 4)
        if self.transfer is not None:
            rows = experiment.rows.select(torch.tensor(there, device=experiment.rows.item.device))
            targets = experiment.problem.objective.target(rows)
            begun = [items[place].get("original") for place in there]
            before = [None if name is None else record.read_back(name) for name in begun]
            for place, said in zip(
                there, self._transferred(experiment, targets, images, before), strict=True
            ):
                seen[place].update(said)
        return seen

    def _transferred(
        self,
        experiment: Experiment,
        targets: Sequence[Target | None],
        images: Images,
        before: Sequence[Any],
    ) -> list[dict[str, Any]]:
        """Whether the second network meets the target of each picture too, and its confidence in that.

        None where it lacks the class. To lead it away from a class counts only where it saw that class in the
        original; who knows nothing of goldfish is not fooled about one.
        """
        network = self.transfer
        assert network is not None
        chances = _probabilities(network, images)
        said = []
        for target, chance, original in zip(targets, chances, before, strict=True):
            none = {"transfer_confidence": None, "transfer_success": None}
            index = None
            if target is not None and target.index is not None:
                index = experiment.network.classes.counterpart(target.index, network.classes)
            if index is None:
                said.append(none)
                continue
            confidence, hit = float(chance[index]), int(chance.argmax()) == index
            assert target is not None
            if target.untargeted:
                if (
                    original is not None
                    and int(_probabilities(network, original[None])[0].argmax()) != index
                ):
                    said.append(none)
                    continue
                confidence, hit = 1.0 - confidence, not hit
            said.append({"transfer_confidence": round(confidence, 6), "transfer_success": hit})
        return said


def _probabilities(network: Network, images: Images) -> torch.Tensor:
    """What `network` says of pictures of any size, [n, classes], on the CPU."""
    return reading.logits(network, images, size=network.size).softmax(1).cpu()


def _summary(items: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """A contender's numbers over its items, each over those that have it.

    Passes of those that met their target (the median), share and mean confidence of the second network, the median
    distance from natural pictures.
    """
    passes = [item["forwards"] + 2 * item["backwards"] for item in items if item["success"]]
    hits = [item["transfer_success"] for item in items if item["transfer_success"] is not None]
    sure = [
        item["transfer_confidence"] for item in items if item["transfer_confidence"] is not None
    ]
    far = [item["natural_distance"] for item in items if item["natural_distance"] is not None]
    return {
        "passes_to_success": median(passes) if passes else None,
        "transfer_success": round(fmean(hits), 6) if hits else None,
        "transfer_confidence": round(fmean(sure), 6) if sure else None,
        "natural_distance": round(median(far), 4) if far else None,
    }


COLUMNS = (
    "reached",
    "mean confidence",
    "passes to success",
    "seconds",
    "natural distance",
    "transfer",
)


def _table(contenders: Mapping[str, Mapping[str, Any]]) -> None:
    """The contenders side by side, in the terminal."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("contender")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for name, found in contenders.items():
        table.add_row(
            name,
            "-" if found["success"] is None else f"{found['success']} of {found['items']}",
            _said(found["mean_confidence"], ".4f"),
            _said(found["passes_to_success"], ",.0f"),
            f"{found['seconds']:.1f}",
            _said(found["natural_distance"], ".2f"),
            _said(found["transfer_success"], ".0%"),
        )
    Console(width=None if Console().is_terminal else 110).print(table)


def _said(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
