"""The experiment: the loop around a search, and the run folder that it writes.

Budgets, stopping rules, dropping of finished items, checkpoints, resume and progress are here, once
for all searches; a search only takes steps. `Experiment.search` works in memory, `Experiment.run`
writes the result to a run folder.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from synth.core import Encoding, Objective, Rows, Search, StepReport, Transform, ones
from synth.core.network import Network
from synth.core.part import check_parts
from synth.core.weighted_sum import WeightedSum
from synth.engine.compatibility import Parts, check_compatible, items_rows, refuse_already_met
from synth.engine.fitness import ImageProblem
from synth.engine.memory import check_memory
from synth.engine.metric import FigureMaker, Metric, Outcome
from synth.engine.observer import Observer, RecordObserver
from synth.engine.search_result import SearchResult
from synth.engine.state import RunState, step_line
from synth.engine.verdict import criterion, summary
from synth.engine.writing import (
    archive_record,
    compare_with_clean,
    judge_items,
    read_saved,
    save_images,
    save_strips,
)
from synth.errors import InputError
from synth.record import progress
from synth.record.interrupt import Interrupt
from synth.record.job import Job
from synth.record.record import Record, versions
from synth.record.result import NetworkInfo, Result, name_of, option_of
from synth.transforms.affine import Chain

log = logging.getLogger(__name__)

REPORT_EVERY = 0.5  # seconds between updates of the progress bar and of steps.jsonl
# MiB of activations in a chunk. Where freed memory is kept for the next chunk (config/process.py),
# a step of SqueezeNet at 224 px is a tenth faster in chunks of 16 than of 4.
CPU_MEMORY, CUDA_MEMORY = 512, 4096
# Convolutions differ in the last bits between batch sizes. The image is measured again from its
# file, in another batch, where the value must still reach `until`.
MARGIN = 1e-5


class Experiment(Job):
    """A search, an encoding, an objective and a network, and when to stop.

    Args:
        network: the classifier that is read.
        encoding: how a genome is decoded to an image.
        objective: what the search maximises.
        search: how genomes are changed.
        transform: random change of the images before the network reads them; none by default.
        monitor: the objective that `until` applies to; `objective` by default.
        until: monitored value at which an item is finished, confirmed on its 8-bit image by one
            forward pass, which is counted; None lets every item take all steps.
        budget: network passes an item, a forward counting 1 and a backward 2; where it is given, an
            item goes on until it is spent, however many steps that takes.
        seed: of all random numbers, 0 or more.
        memory: MiB of activations in one chunk; by default what suits the device.
        exact: whether an item is bit-equal alone and in any batch, at the price of padding.
        views: how many random transforms of an image are averaged for one score (expectation over
            transformation, Athalye et al. 2018).
        metrics: measure the result and add to the findings, by name; None entries are left out.
        figures: draw the result, by name; None entries are left out.

    Attributes:
        begun: a state, searched elsewhere, from which `run` goes on; None to begin at step 0.

    Raises:
        InputError: where the parts are incompatible (`RULES` in engine/compatibility.py), or a
            number is out of range.
    """

    def __init__(
        self,
        network: Network,
        encoding: Encoding,
        objective: Objective,
        search: Search,
        transform: Transform | None = None,
        monitor: Objective | None = None,
        until: float | None = None,
        budget: int | None = None,
        seed: int = 0,
        memory: int | None = None,
        exact: bool = False,
        views: int = 1,
        metrics: Mapping[str, Metric | None] | None = None,
        figures: Mapping[str, FigureMaker | None] | None = None,
    ) -> None:
        if budget is not None and budget < 1:
            raise InputError(f"budget={budget}: write 1 or more network passes, or null.")
        if memory is not None and memory < 1:
            raise InputError(f"memory={memory}: write 1 or more MiB, or null.")
        if views < 1:
            raise InputError(f"views={views}: write 1 or more.")
        check_parts("metrics", metrics or {}, Metric)
        check_parts("figures", figures or {}, FigureMaker)
        if not isinstance(objective, WeightedSum):
            objective = WeightedSum({"score": objective})
        self.network = network
        self.search_method = search
        self.until = until
        self.budget = budget
        self.seed = seed
        if memory is None:
            memory = CUDA_MEMORY if network.device.type == "cuda" else CPU_MEMORY
        self.begun: RunState | None = None
        self.problem = _problem(
            network, encoding, objective, monitor, transform, memory << 20, exact, views, search
        )
        _check_until(until, self.problem.monitor.range)
        self.rows = items_rows(
            self.problem.objective.items, self.problem.encoding.names, seed, network.device
        )
        check_compatible(
            Parts(self.problem, objective, search, self.rows, monitoring=monitor is not None)
        )
        check_memory(self.problem, search, self.rows)
        # a step takes at least one pass: of each item, or of all together
        items = len(self.rows) if search.shared_population else 1
        self.steps = search.steps if budget is None else budget * items
        # what the search cannot do is refused before a run begins
        search.init(self.problem, self.rows.select(slice(items)))
        refuse_already_met(self.problem, self.rows)
        self.metrics = [metric for metric in (metrics or {}).values() if metric is not None]
        self.figures = [figure for figure in (figures or {}).values() if figure is not None]
        for part in (*self.metrics, *self.figures):
            part.check(self.problem, self.rows)
        if budget is not None and budget < self._max_passes():
            raise InputError(
                f"budget={budget}: one step of {option_of(search)} can take {self._max_passes()} "
                "network passes of an item; write that or more, or null."
            )

    # -- in memory -------------------------------------------------------------------------------

    def search(self, observer: Observer | None = None) -> SearchResult:
        """Searches to the end, in memory. The first Ctrl-C lets the current step end.

        Args:
            observer: called with the state after every step; may supply a state to resume from.
                By default nothing is written or resumed.

        Returns:
            Genomes, scores and passes of all items.
        """
        start = time.monotonic()
        observer = observer or Observer()
        state = observer.resume()
        if state is None:
            state = RunState.initial(
                self.problem.start(self.rows), self.search_method.init(self.problem, self.rows)
            )
        elif state is not observer.begun:
            if len(state.genome) != len(self.rows):
                raise InputError(
                    f"the run was begun with {len(state.genome)} items and has {len(self.rows)} "
                    "now; give back its pictures as they were, or name another folder."
                )
            log.info("resumed at step %d of %d", state.step, self.steps)
        title = observer.title or name_of(self.search_method)
        with Interrupt() as interrupt, progress.Steps(title, self.steps) as bar:
            try:
                self._loop(state, observer, interrupt, bar, start - state.elapsed)
            except KeyboardInterrupt:
                if interrupt.requested:  # the second Ctrl-C: at once, from the last checkpoint on
                    raise
                interrupt.requested = True
        if interrupt.requested:
            observer.checkpoint(state)
        observer.flush(state)
        return SearchResult(self.problem, self.rows, state, interrupt.requested)

    # -- with a run folder -----------------------------------------------------------------------

    def run(self, record: Record) -> Result:
        """Searches, or resumes what is in the folder; saves, measures and draws the result."""
        start = time.monotonic()
        observer = RecordObserver(record, self.problem, self.begun)
        result = self.search(observer)
        state = result.state
        if result.interrupted:
            log.warning(
                "interrupted at step %d of %d%s",
                state.step,
                self.steps,
                f" and saved; the same command with folder={record.folder} goes on from there"
                if record.resumable
                else "",
            )
        items = save_images(record, result, self.seed, name_of(self.search_method))
        places, saved = read_saved(record, items, self.network.device)
        judge_items(items, result, places, saved, self.until)
        compare_with_clean(record, items, result, places, saved)
        line = self.search_method.ancestors(state.search_state)
        if line is not None:
            save_strips(record, result, line, items)
        self._save_genomes(record, state)
        # what metrics and figures take is not the search's
        seconds = round(time.monotonic() - start + observer.resumed_seconds, 3)
        outcome = Outcome(record, self.problem, self.rows, state, items)
        findings = summary(items)
        for metric in self.metrics:
            findings |= metric(outcome)
        figures = list(outcome.figures)
        for maker in self.figures:
            figures += maker(outcome)
        archive = None
        if self.search_method.shared_population:
            archive = archive_record(state, self.problem.objective.target(self.rows), items)
        successes = [item.success for item in items if item.success is not None]
        log.info(
            "%s on %s: %s in %.1f s",
            name_of(self.search_method),
            name_of(self.problem.encoding),
            f"{sum(successes)} of {len(successes)} reached their target"
            if successes
            else f"{len(items)} picture{'s' if len(items) != 1 else ''}",
            seconds,
        )
        self._warn_dead_units(state)
        targets = self.problem.objective.target(self.rows)
        success = criterion(targets, self.until, self.problem.monitor.range)
        success = next((part.criterion for part in self.metrics if part.criterion), success)
        return Result(
            status="interrupted" if result.interrupted else "done",
            seconds=seconds,
            network=network_info(self.problem),
            device=str(self.network.device),
            versions=versions(),
            search=name_of(self.search_method),
            encoding=name_of(self.problem.encoding),
            items=items,
            findings=findings,
            figures=figures,
            archive=archive,
            about={"success": success} if success else None,
        )

    # -- the loop --------------------------------------------------------------------------------

    def _loop(
        self,
        state: RunState,
        observer: Observer,
        interrupt: Interrupt,
        bar: progress.Steps,
        start: float,
    ) -> None:
        last_report = time.monotonic()
        while state.active and state.step < self.steps and not interrupt.requested:
            rows = self.rows.select(torch.tensor(state.active, device=self.rows.item.device))
            state.search_state, report = self.search_method.step(
                self.problem, rows, state.search_state, state.step
            )
            self._log_step(state, rows, report, start)
            observer.report(state, report)
            self._drop_finished(state, rows, report)
            state.step += 1
            if time.monotonic() - last_report > REPORT_EVERY:
                bar.at(state.step, state.summary(self.until))
                observer.flush(state)
                last_report = time.monotonic()
            observer.step(state)

    def _log_step(self, state: RunState, rows: Rows, report: StepReport, start: float) -> None:
        """Keeps the numbers of a step; their one transfer waits for the device to finish it.

        The time is taken after that transfer, since a GPU works asynchronously.
        """
        means = [value.mean() for value in report.terms.values()]
        means += [value.double().mean() for value in report.statistics.values()]
        score, monitor, forwards, backwards, *means = _fetched(
            [report.score, report.monitor, report.forwards, report.backwards], means
        )
        state.elapsed = time.monotonic() - start
        state.genome[rows.item] = report.genome
        for place, item in enumerate(state.active):
            state.score[item] = score[place]
            state.monitor[item] = monitor[place]
            state.forwards[item] += int(forwards[place])
            state.backwards[item] += int(backwards[place])
            state.steps[item] = state.step + 1
            state.seconds[item] = round(state.elapsed, 4)
        line = step_line(
            state.step,
            state.monitor,
            dict(zip(report.terms, means, strict=False)),
            sum(state.forwards),
            sum(state.backwards),
            state.elapsed,
            dict(zip(report.statistics, means[len(report.terms) :], strict=True)),
        )
        state.lines.append(line)
        if report.births is not None:
            state.births.append(report.births)
        if self.search_method.shared_population:
            passes = sum(state.forwards) + 2 * sum(state.backwards)
            state.history.note(state.step, passes, state.monitor)

    def _drop_finished(self, state: RunState, rows: Rows, report: StepReport) -> None:
        """Removes the items that are finished: confirmed at `until`, or out of budget."""
        finished = self._confirmed(state, rows, report)
        if self.budget is not None:
            for place, item in enumerate(state.active):
                passes = state.forwards[item] + 2 * state.backwards[item]
                if passes + self._max_passes() > self.budget:
                    finished.add(place)
        if not finished:
            return
        if self.search_method.shared_population:  # all items go on, or none
            state.active = []
        else:
            state.drop_finished(finished)

    def _confirmed(self, state: RunState, rows: Rows, report: StepReport) -> set[int]:
        """The places of the active items that reach `until` on their 8-bit image as well."""
        if self.until is None:
            return set()
        hits = [
            place for place, item in enumerate(state.active) if state.monitor[item] >= self.until
        ]
        all_or_none = self.search_method.shared_population
        if not hits or (all_or_none and len(hits) < len(state.active)):
            return set()
        index = torch.tensor(hits, device=rows.item.device)
        values = self.problem.confirmed(report.genome[index], rows.select(index)).tolist()
        for place in hits:
            state.forwards[state.active[place]] += self.problem.encoding.images_per_genome
        required = _required(self.until)
        finished = {place for place, value in zip(hits, values, strict=True) if value >= required}
        return set() if all_or_none and len(finished) < len(state.active) else finished

    def _max_passes(self) -> int:
        """The most passes of an item before the budget is checked again."""
        images = self.problem.encoding.images_per_genome
        step = self.search_method.passes(self.problem.stochastic, len(self.rows))
        return step * images * self.problem.views + images * (self.until is not None)

    # -- afterwards ------------------------------------------------------------------------------

    def _warn_dead_units(self, state: RunState) -> None:
        """Warns about dead units: items whose activation and gradient stayed exactly zero.

        A unit behind a ReLU that no image activates. One more evaluation, which no budget counts.
        """
        zeros = [
            item for item, score in enumerate(state.score) if score == 0.0 and state.steps[item]
        ]
        if not zeros or not self.search_method.gradient:
            return
        rows = self.rows.select(torch.tensor(zeros, device=self.rows.item.device))
        gradient = self.problem.evaluate(state.genome[rows.item], rows, ones).gradient
        assert gradient is not None
        dead = rows.select((gradient[0].flatten(1) == 0).all(1))
        if len(dead):
            targets = self.problem.objective.target(dead)[:8]
            names = ", ".join(target.name for target in targets if target is not None)
            log.warning(
                "%d of %d items ended with score 0 and no gradient to climb (%s): dead units; "
                "another seed=, start or unit may have one",
                len(dead),
                len(self.rows),
                names or "unnamed",
            )

    def _save_genomes(self, record: Record, state: RunState) -> None:
        """Saves the genomes, where they hold more than the images do, and the lineage."""
        if self.problem.encoding.scalable:
            record.tensors("genomes", {"genome": state.genome})
        births = state.lineage()
        if len(births):
            record.tensors("lineage", {"births": births})


def _problem(
    network: Network,
    encoding: Encoding,
    objective: Objective,
    monitor: Objective | None,
    transform: Transform | None,
    memory: int,
    exact: bool,
    views: int,
    search: Search,
) -> ImageProblem:
    """The parts bound to the network and to the size of the images."""
    bound = objective.bind(network)
    monitored = bound if monitor is None else monitor.bind(network)
    if encoding.size is None:
        encoding = encoding.at(network.size)
    encoding = encoding.to(network.device).bind(network)
    assert encoding.size is not None
    network.check_size(encoding.size, (*bound.layers, *monitored.layers))
    sized = bound.at(encoding.size)
    return ImageProblem(
        network=network,
        encoding=encoding,
        transform=transform or Chain(),
        objective=sized,
        monitor=sized if monitored is bound else monitored.at(encoding.size),
        memory=memory,
        exact=exact,
        views=views,
        precise=search.precise,
    )


def _check_until(until: float | None, reach: tuple[float, float]) -> None:
    """Raises InputError where what is monitored can never get to `until`, or is always there."""
    low, high = reach
    if until is not None and not low < until <= high:
        raise InputError(
            f"until={until}: what it monitors lies from {low:g} to {high:g}; write a number "
            "between, or null."
        )


def network_info(problem: ImageProblem) -> NetworkInfo:
    """The network of a problem, as a result names it."""
    return NetworkInfo(problem.network.name, problem.network.sha256, problem.precision)


def _fetched(rows: Sequence[Tensor], numbers: Sequence[Tensor]) -> list[Any]:
    """`rows`, each [n], as lists and single `numbers`, in one transfer from the device."""
    size = len(rows[0])
    parts = [row.double() for row in rows] + [number.double().view(1) for number in numbers]
    values = torch.cat(parts).tolist()
    ends = [size * place for place in range(len(rows) + 1)]
    return [values[first:end] for first, end in pairwise(ends)] + values[ends[-1] :]


def _required(until: float) -> float:
    """The value that the 8-bit image must have for `until` to count; a probability ends at 1."""
    return min(until + MARGIN, 1.0 - 1e-7) if until <= 1 else until + MARGIN
