"""Takes several experiments on the same items; runs each at the same budget, and leaves one table over all."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from synth.errors import InputError
from synth.experiment import Experiment
from synth.record import Record, versions

log = logging.getLogger(__name__)


class Comparison:
    """Named `experiments` that face the same targets. Each runs as it would alone; one page shows them side by side."""

    def __init__(self, experiments: Mapping[str, Experiment]) -> None:
        if not experiments:
            raise InputError("experiments: empty; name at least one contender.")
        self.experiments = dict(experiments)

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
            items += [{"contender": name, **item} for item in found["items"]]
            numbers = found["findings"]
            contenders[name] = {
                "search": found["search"], "encoding": found["encoding"], **numbers,
                "passes": numbers["forwards"] + 2 * numbers["backwards"],
                "budget": experiment.budget, "seconds": found["seconds"],
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
            "items": items,
            "contenders": contenders,
            "findings": {},
        }


def _table(contenders: Mapping[str, Mapping[str, Any]]) -> None:
    """The contenders side by side, in the terminal."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("contender")
    for column in ("fooled", "mean confidence", "median", "forwards", "backwards", "passes", "seconds"):
        table.add_column(column, justify="right")
    for name, found in contenders.items():
        table.add_row(
            name,
            "-" if found["success"] is None else f"{found['success']} of {found['items']}",
            *(
                "-" if found[word] is None else f"{found[word]:.4f}"
                for word in ("mean_confidence", "median_confidence")
            ),
            *(f"{found[word]:,}" for word in ("forwards", "backwards", "passes")),
            f"{found['seconds']:.1f}",
        )
    Console(width=None if Console().is_terminal else 110).print(table)
