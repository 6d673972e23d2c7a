"""A duel: searches on the same targets, seeds and networks, read at several budgets of passes.

Every rate has an interval, and success is counted on the saved file. One search an item answers all
budgets: no search is given its budget, so what it had reached after fewer passes is what a smaller
budget would have bought.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product

from rich.table import Table

from synth.core.network import Network
from synth.engine.experiment import Experiment
from synth.errors import InputError, nearest, printable, whole_numbers
from synth.jobs import _duel_figures
from synth.jobs._trials import TRANSFER, Trials
from synth.jobs.comparison import WIDTH, measure_distances, transferred
from synth.metrics.intervals import middle, text
from synth.metrics.naturalness import load_or_fit
from synth.record.job import Job
from synth.record.progress import plain_console
from synth.record.record import Record, versions
from synth.record.result import Item, Json, Result

log = logging.getLogger(__name__)


class Duel(Job):
    """Contenders against networks, on the same targets and seeds.

    An item is searched until it succeeds or the largest budget is spent; success at a smaller one
    is read from the same run. The passes of an item are those at which success was confirmed on its
    8-bit image. The cells of a map of elites are searched together and confirmed at the end alone:
    there the passes are those at which the score of a cell reached `until`, shared by all cells.

    `findings` hold a row for each contender and network. Rates have Wilson's interval; the median
    passes, in which a failure counts as more than the budget, and the median distance of successful
    images from natural pictures have a bootstrap interval. An image transfers where another network
    predicts its target too; only successful ones are given to it.

    Args:
        experiments: contenders by name, each called with ``network=``, ``budget=`` and ``seed=``;
            None entries are left out.
        network: the network that they read.
        transfer: a second one; None for none. Each is searched, and reads the images of the others.
        networks: further ones, by any name.
        contenders: names of those that take part; all where None.
        budgets: network passes an item, a forward 1 and a backward 2.
        seeds: of the random numbers, a trial of every item each.
        naturals: natural pictures to measure the distance from, as of `Comparison`.

    Raises:
        InputError: for an unknown contender, an empty list, a budget below one step, or a network
            without the classes.
    """

    def __init__(
        self,
        experiments: Mapping[str, Callable[..., Experiment] | None],
        network: Network,
        transfer: Network | None = None,
        networks: Mapping[str, Network | None] | None = None,
        contenders: Sequence[str] | str | None = None,
        budgets: Sequence[int] | int = (100, 1000),
        seeds: Sequence[int] | int = (0,),
        naturals: str | None = None,
    ) -> None:
        entries = {name: entry for name, entry in experiments.items() if entry is not None}
        names = [contenders] if isinstance(contenders, str) else contenders
        self.experiments = {name: entries[name] for name in _chosen(names, entries)}
        self.budgets = sorted(set(whole_numbers("budgets", budgets, 1)))
        self.seeds = whole_numbers("seeds", seeds, 0)
        if len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seeds={self.seeds}: the same seed twice is one trial; leave it out.")
        self.networks = _apart([network, transfer, *(networks or {}).values()])
        self.naturals = {
            name: load_or_fit(entry, naturals) for name, entry in self.networks.items()
        }
        for entry in self.networks.values():  # what cannot run is refused before anything does
            for name in self.experiments:
                self._experiment(name, entry, self.seeds[0], self.budgets[0])

    def _experiment(self, name: str, network: Network, seed: int, budget: int) -> Experiment:
        try:
            experiment = self.experiments[name](network=network, seed=seed, budget=budget)
        except InputError as error:
            if str(error).startswith("budget="):
                line = str(error).removesuffix(", or null.")
                raise InputError(f"budgets: {name}: {line}.") from error
            raise
        if experiment.until is None:
            raise InputError(
                f"experiments.{name}.until=null: a duel needs to know what success is."
            )
        return experiment

    def _part(self, network: str, name: str, seed: int) -> str:
        """The name of a search in the run folder: the contender's, where that tells it apart."""
        if len(self.networks) == len(self.seeds) == 1:
            return name
        return f"{name}-{[*self.networks].index(network)}-{seed}"

    def run(self, record: Record) -> Result:
        """Runs one search after the other, or resumes; gives the joint result."""
        start = time.monotonic()
        if len(self.seeds) == 1:
            log.warning(
                "seeds=%s: one seed; the intervals are over targets alone, write seeds=[0,1,2]",
                self.seeds,
            )
        items: list[Item] = []
        first: Result | None = None
        methods: dict[str, Json] = {}
        trials: dict[tuple[str, str], Trials] = {}
        for network, name, seed in product(self.networks, self.experiments, self.seeds):
            experiment = self._experiment(name, self.networks[network], seed, self.budgets[-1])
            share = record.of(self._part(network, name, seed), len(items))
            result = share.part_result()
            if result is None:
                log.info("%s on %s, seed %d", name, network, seed)
                result = experiment.run(share)
            share.keep_part_result(result)
            first = first or result
            for item in result.items:
                item.contender = name
                item.extra["network"] = network
            items += result.items
            methods[name] = {"search": result.search, "encoding": result.encoding}
            if result.status != "done":
                break
            entry = Trials(name, network, _criterion(experiment))
            self._measure(share, experiment, result, trials.setdefault((network, name), entry))
        assert first is not None
        rows = [*trials.values()]
        table = [row.numbers(self.budgets) for row in rows]
        _print(table, self.budgets)
        return Result(
            status=result.status,
            seconds=round(time.monotonic() - start, 3),
            network=first.network,
            device=first.device,
            versions=versions(),
            items=items,
            findings={"duel": table, "budgets": self.budgets, "seeds": self.seeds},
            figures=_duel_figures.draw(record, rows, self.budgets),
            contenders=methods,
            about={"success": _criteria(rows)},
        )

    def _measure(
        self, record: Record, experiment: Experiment, result: Result, trials: Trials
    ) -> None:
        """Adds the items of a search to the trials, with distances and transfer."""
        items, network = result.items, trials.network
        measure_distances(record, experiment.network, self.naturals[network], items)
        passes = _passes(record, experiment, items)
        for item, count in zip(items, passes, strict=True):
            item.extra["passes_to_success"] = count
            if item.success is None:  # a clean image that met the target before
                continue
            trials.passes.append(math.inf if count is None else count)
            if item.success and item.natural_distance is not None:
                trials.distances.append(item.natural_distance)
        for name, other in self.networks.items() if len(self.networks) > 1 else ():
            hits = trials.transfers.setdefault(name, [])
            if name == network:
                continue
            verdicts = transferred(record, experiment, items, other)
            for item, verdict in zip(items, verdicts, strict=True):
                if verdict is not None and item.success:
                    item.extra[f"{TRANSFER}{name}"] = verdict[1]
                    hits.append(verdict[1])
        trials.seconds += result.seconds or 0.0


def _passes(record: Record, experiment: Experiment, items: Sequence[Item]) -> list[int | None]:
    """Network passes to success of each item; None where it failed.

    A search with a population of all items goes on until all succeed, so its steps tell.
    """
    if not experiment.search_method.shared_population:
        return [item.passes if item.success else None for item in items]
    until, count = experiment.until, len(experiment.rows)
    assert until is not None
    first: dict[int, int] = {}
    for line in record.read_steps():
        passes = (int(str(line["forwards"])) + 2 * int(str(line["backwards"]))) // count
        values = line.get("items")
        for place, value in enumerate(values if isinstance(values, list) else ()):
            if value is not None and value >= until:
                first.setdefault(place, passes)
    each = len(items) // count
    return [
        first.get(place // each, item.passes) if item.success else None
        for place, item in enumerate(items)
    ]


def _criterion(experiment: Experiment) -> str:
    """What counts as success, in a few words: ``class on top at 0.99``."""
    targets = experiment.problem.objective.target(experiment.rows)
    untargeted = any(target is not None and target.untargeted for target in targets)
    words = "another class on top" if untargeted else "class on top"
    is_margin = experiment.problem.monitor.range == (-math.inf, math.inf)
    return words if is_margin else f"{words} at {experiment.until:g}"


def _criteria(rows: Sequence[Trials]) -> str:
    """Each criterion with the contenders that it holds for."""
    names: dict[str, dict[str, None]] = {}
    for row in rows:
        names.setdefault(row.criterion, {})[row.contender] = None
    parts = [f"{criterion} ({', '.join(names[criterion])})" for criterion in names]
    return f"on the saved file, {'; '.join(parts)}" if parts else ""


def _chosen(names: Sequence[str] | None, entries: Mapping[str, object]) -> Sequence[str]:
    """The contenders that take part, in the order of their names."""
    if not entries or (names is not None and not names):
        raise InputError(f"contenders=[]: name one or more of {', '.join(entries) or 'your own'}.")
    for name in names or ():
        if name not in entries:
            hint = nearest(name, entries) or f" Write some of {', '.join(entries)}."
            raise InputError(f"contenders: {name}: no such contender.{hint}")
    return [*entries] if names is None else [*dict.fromkeys(names)]


def _apart(networks: Sequence[Network | None]) -> dict[str, Network]:
    """Networks of different weights by name; a name that two of them have is numbered."""
    apart: dict[str, Network] = {}
    for network in networks:
        if network is None:
            continue
        if any(network.sha256 == other.sha256 for other in apart.values()):
            log.warning("%s is named twice: one network is no second one", network.name)
            continue
        number = sum(other.name == network.name for other in apart.values()) + 1
        apart[network.name if number == 1 else f"{network.name}_{number}"] = network
    return apart


def _print(table: Sequence[Mapping[str, Json]], budgets: Sequence[int]) -> None:
    """The contenders side by side, in the terminal."""
    success = {f"success_at_{budget}": f"success at {budget:,}" for budget in budgets}
    others = {"passes_to_success": "passes", "natural_distance": "distance"}
    transfers = dict.fromkeys(key for row in table for key in row if key.startswith(TRANSFER))
    others |= {key: f"to {key.removeprefix(TRANSFER)}" for key in transfers}
    printed = Table(box=None, header_style="bold", pad_edge=False)
    printed.add_column("contender", no_wrap=True)
    printed.add_column("on")
    for heading in (*success.values(), *others.values()):
        printed.add_column(printable(heading), justify="right")
    for row in table:
        cells = [text(row[key]) for key in success] + [middle(row.get(key)) for key in others]
        printed.add_row(printable(str(row["contender"])), printable(str(row["network"])), *cells)
    plain_console(piped_width=WIDTH).print(printed)
