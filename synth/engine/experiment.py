"""Takes the four parts of a synthesis; runs the search, and leaves the run folder with measured pictures.

The loop that every search shares: items, budgets, stop rules, freezing what is done, checkpoints, resume,
progress. A search only steps.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from synth.core import Encoding, Objective, Rows, Search, State, StepReport, Transform, ones
from synth.core.network import Network
from synth.engine.compatibility import check_compatible, items_rows, refuse_what_is_there
from synth.engine.fitness import ImageProblem
from synth.engine.metric import Metric, Outcome
from synth.engine.state import ConfidenceHistory, RunState
from synth.engine.verdict import summary
from synth.engine.writing import archive_record, save_strips, write_items
from synth.errors import InputError
from synth.objectives.weighted import WeightedSum
from synth.record import progress
from synth.record.interrupt import Interrupt
from synth.record.record import Record, versions
from synth.transforms.affine import Chain

log = logging.getLogger(__name__)

CHECKPOINT_EVERY = 10.0  # seconds
FLUSH_EVERY = 0.5
MEMORY = (
    128,
    4096,
)  # MiB a chunk on a CPU, where small ones stay in the cache, and on a GPU, which wants large ones
# Convolutions differ in the last bits between batch sizes. The picture is measured again from its file, in
# another batch: what counts as reached must be reached there too.
MARGIN = 1e-5


class Experiment:
    """A search, an encoding, an objective and a network, and when to stop.

    `until` is the value of the watched number at which an item is done, confirmed on its 8-bit picture (a
    pass that is counted); None lets every item run all steps. `monitor` is what is watched, the objective itself
    where it is None. `budget` is the network passes of an item, a forward counting 1 and a backward 2: where it is
    given, an item goes on until it is spent, however many steps that takes.
    `memory` is the size of a chunk's activations in MiB, by default what suits the device; `exact` makes an item
    bit-equal alone and in any batch; `views` is how often a picture is shown, each time under another draw of the
    transform, for one score. `metrics` look at what was found, and add to the findings.
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
    ) -> None:
        if budget is not None and budget < 1:
            raise InputError(f"budget={budget}: write 1 or more network passes, or null.")
        if memory is not None and memory < 1:
            raise InputError(f"memory={memory}: write 1 or more MiB, or null.")
        if views < 1:
            raise InputError(f"views={views}: write 1 or more.")
        objective = (
            objective if isinstance(objective, WeightedSum) else WeightedSum({"score": objective})
        )
        bound = objective.bind(network)
        monitored = bound if monitor is None else monitor.bind(network)
        encoding = (encoding if encoding.size is not None else encoding.at(network.size)).to(
            network.device
        )
        encoding = encoding.bind(network)
        assert encoding.size is not None
        network.check_size(encoding.size, (*bound.layers, *monitored.layers))
        same, bound = monitored is bound, bound.at(encoding.size)
        monitored = bound if same else monitored.at(encoding.size)
        self.network, self.search, self.until, self.budget, self.seed = (
            network,
            search,
            until,
            budget,
            seed,
        )
        self.problem = ImageProblem(
            network, encoding, transform or Chain(), bound, monitored,
            (memory or MEMORY[network.device.type == "cuda"]) << 20, exact, views,
        )  # fmt: skip
        self.rows = items_rows(bound.items, encoding.names, seed, network.device)
        check_compatible(self.problem, search, self.rows, monitor is not None)
        if objective.needs_original and encoding.originals(self.rows) is None:
            raise InputError(f"image: encoding={_name(encoding)} does not set out from a picture, so nothing reads it; "
                             "write encoding=perturbation, or leave image= out.")  # fmt: skip
        # a step takes a pass at least: of each item, or of all together
        self.steps = (
            search.steps
            if budget is None
            else budget * (len(self.rows) if search.shared_population else 1)
        )
        few = self.rows if search.shared_population else self.rows.select(slice(1))
        self.search.init(self.problem, few)  # what does not fit is refused before a run begins
        refuse_what_is_there(self.problem, self.rows)
        self.metrics = [measure for measure in (metrics or {}).values() if measure is not None]
        for measure in self.metrics:
            measure.check(self.problem, self.rows)
        if budget is not None and budget < self._max_passes():
            raise InputError(
                f"budget={budget}: one step of {_name(search)} can take {self._max_passes()} network passes of an item; "
                "write that or more, or null."
            )

    def run(self, record: Record) -> dict[str, Any]:
        """Runs to the end, or resumes; gives the result record. Ctrl-C lets the step end, and saves what was found."""
        began = time.monotonic()
        now = self._resumed(record) or self._begun()
        resumed = now.elapsed  # what earlier calls spent
        with (
            Interrupt() as interrupt,
            progress.Steps(record.part or _name(self.search), self.steps) as bar,
        ):
            try:
                self._loop(record, now, interrupt, bar, began - now.elapsed)
            except KeyboardInterrupt:
                if interrupt.asked:  # the second Ctrl-C: at once, from the last checkpoint on
                    raise
                interrupt.asked = True
        status = "interrupted" if interrupt.asked else "done"
        if interrupt.asked:
            self._save(record, now)
            log.warning("interrupted at step %d of %d and saved; the same command with folder=%s goes on from there",
                        now.step, self.steps, record.folder)  # fmt: skip
        record.steps(now.lines)
        items = write_items(
            record, self.problem, self.rows, now, self.until, self.seed, _name(self.search)
        )
        line = self.search.ancestors(now.state)
        if line is not None:
            save_strips(record, self.problem, self.rows, line, items)
        self._save_genomes(record, now)
        result = {
            "status": status,
            "seconds": round(time.monotonic() - began + resumed, 3),
            "network": {"name": self.network.name, "sha256": self.network.sha256},
            "device": str(self.network.device),
            "versions": versions(),
            "search": _name(self.search),
            "encoding": _name(self.problem.encoding),
            "items": items,
            "findings": summary(items),
        }
        outcome = Outcome(record, self.problem, self.rows, now, items)
        for measure in self.metrics:
            found = dict(measure(outcome))
            result["figures"] = result.get("figures", []) + found.pop("figures", [])
            result["findings"] |= found
        if self.search.shared_population:
            result["archive"] = archive_record(now, self.problem.objective.target(self.rows), items)
        told = [item["success"] for item in items if item["success"] is not None]
        reached = (
            f"{sum(told)} of {len(told)} reached their target" if told else f"{len(items)} pictures"
        )
        log.info(
            "%s on %s: %s in %.1f s",
            result["search"],
            result["encoding"],
            reached,
            result["seconds"],
        )
        self._tell_silent(now)
        return result

    # -- the loop ------------------------------------------------------------------------------------

    def _loop(
        self, record: Record, now: RunState, interrupt: Interrupt, bar: progress.Steps, began: float
    ) -> None:
        saved = flushed = time.monotonic()
        while now.active and now.step < self.steps and not interrupt.asked:
            rows = self.rows.select(torch.tensor(now.active, device=self.rows.item.device))
            state, step = self.search.step(self.problem, rows, now.state, now.step)
            self._log_step(now, rows, step, began)
            now.state = self._drop_finished(now, rows, state, step)
            now.step += 1
            time_now = time.monotonic()
            if time_now - flushed > FLUSH_EVERY:
                bar.at(now.step, now.said(self.until))
                record.steps(now.lines)
                now.lines, flushed = [], time_now
            if time_now - saved > CHECKPOINT_EVERY:
                self._save(record, now)
                saved = time_now

    def _save(self, record: Record, now: RunState) -> None:
        record.steps(now.lines)
        now.lines = []
        tensors = {f"state.{name}": value for name, value in now.state.items()}
        record.checkpoint({**tensors, "genome": now.genome, "births": now.lineage()}, now.numbers())

    def _log_step(self, now: RunState, rows: Rows, step: StepReport, began: float) -> None:
        """Keeps what the step says of each item; the transfer of its numbers waits for the device to be done."""
        numbers = (
            torch.stack([step.score, step.monitor, step.forwards, step.backwards]).double().tolist()
        )
        now.elapsed = time.monotonic() - began
        now.genome[rows.item] = step.genome
        for place, item in enumerate(now.active):
            now.score[item], now.monitor[item] = numbers[0][place], numbers[1][place]
            now.forwards[item] += int(numbers[2][place])
            now.backwards[item] += int(numbers[3][place])
            now.steps[item], now.seconds[item] = now.step + 1, round(now.elapsed, 4)
        line = {
            "step": now.step,
            "best": max(now.monitor),
            "mean": now.mean,
            "terms": _means(step.terms),
            "forwards": sum(now.forwards),
            "backwards": sum(now.backwards),
            "seconds": round(now.elapsed, 4),
        }
        if step.statistics:
            line["statistics"] = _means(
                {name: value.double() for name, value in step.statistics.items()}
            )
        if len(now.monitor) <= 16:
            line["items"] = [round(value, 6) for value in now.monitor]
        now.lines.append(line)
        if step.births is not None:
            now.births.append(step.births)
        if self.search.shared_population:
            now.history.note(now.step, line["forwards"] + 2 * line["backwards"], now.monitor)

    def _drop_finished(self, now: RunState, rows: Rows, state: State, step: StepReport) -> State:
        """`state` without the items that are done: confirmed at `until`, or out of budget."""
        done: set[int] = set()
        if self.until is not None:
            hits = [
                place for place, item in enumerate(now.active) if now.monitor[item] >= self.until
            ]
            if self.search.shared_population and len(hits) < len(now.active):
                hits = []
            if hits:
                index = torch.tensor(hits, device=rows.item.device)
                who = rows.select(index)
                confirmed = self.problem.confirmed(step.genome[index], who).tolist()
                for place, value in zip(hits, confirmed, strict=True):
                    now.forwards[now.active[place]] += self.problem.encoding.images_per_genome
                    if value >= _needed(self.until):
                        done.add(place)
                if self.search.shared_population and len(done) < len(now.active):
                    done = set()
        if self.budget is not None:
            for place, item in enumerate(now.active):
                if now.forwards[item] + 2 * now.backwards[item] + self._max_passes() > self.budget:
                    done.add(place)
        if not done:
            return state
        if self.search.shared_population:  # all go on or none
            now.active = []
            return state
        kept = [place for place in range(len(now.active)) if place not in done]
        now.active = [now.active[place] for place in kept]
        index = torch.tensor(kept, dtype=torch.int64, device=rows.item.device)
        return {name: value[index] for name, value in state.items()}

    def _max_passes(self) -> int:
        """The most passes that an item can take until the budget is looked at again: a step, and its 8-bit picture."""
        images = self.problem.encoding.images_per_genome
        step = (
            self.search.passes(self.problem.stochastic, len(self.rows))
            * images
            * self.problem.views
        )
        return step + images * (self.until is not None)

    # -- beginning and resuming ----------------------------------------------------------------------

    def _begun(self) -> RunState:
        count = len(self.rows)
        return RunState(
            genome=self.problem.start(self.rows), state=self.search.init(self.problem, self.rows),
            score=[0.0] * count, monitor=[0.0] * count, forwards=[0] * count, backwards=[0] * count,
            steps=[0] * count, seconds=[0.0] * count, active=list(range(count)),
        )  # fmt: skip

    def _resumed(self, record: Record) -> RunState | None:
        found = record.resume()
        if found is None:
            return None
        tensors, about = found
        tensors = {name: value.to(self.network.device) for name, value in tensors.items()}
        about.pop("steps_bytes")
        for word in (
            "score",
            "monitor",
        ):  # JSON knows no minus infinity: the score of a cell that is empty
            about[word] = [-math.inf if value is None else value for value in about[word]]
        genome, births, history = tensors.pop("genome"), tensors.pop("births"), about.pop("history")
        state = {name.removeprefix("state."): value for name, value in tensors.items()}
        now = RunState(
            genome, state, **about, births=[births], history=ConfidenceHistory(**history)
        )
        log.info("resumed at step %d of %d", now.step, self.steps)
        return now

    # -- leaving -------------------------------------------------------------------------------------

    def _tell_silent(self, now: RunState) -> None:
        """Says of which items nothing is known but silence: a unit behind a ReLU that no picture ever woke.

        They end with a score of exactly 0 and no gradient, by one more look that no budget counts.
        """
        zeros = [item for item, score in enumerate(now.score) if score == 0.0 and now.steps[item]]
        if not zeros or not self.search.gradient:
            return
        rows = self.rows.select(torch.tensor(zeros, device=self.rows.item.device))
        gradient = self.problem.evaluate(now.genome[rows.item], rows, ones).gradient
        assert gradient is not None
        silent = rows.select((gradient[0].flatten(1) == 0).all(1))
        if len(silent):
            names = ", ".join(
                target.name
                for target in self.problem.objective.target(silent)[:8]
                if target is not None
            )
            log.warning("%d of %d items ended with score 0 and no gradient to climb (%s); another seed=, start or unit "
                        "may have one", len(silent), len(self.rows), names or "unnamed")  # fmt: skip

    def _save_genomes(self, record: Record, now: RunState) -> None:
        """Saves the genomes, where they mean more than the picture does, and who came of whom."""
        if self.problem.encoding.scalable:
            record.tensors("genomes", {"genome": now.genome})
        births = now.lineage()
        if len(births):
            record.tensors("lineage", {"births": births})


def _means(values: Mapping[str, Tensor]) -> dict[str, float]:
    """The mean of each over the items, in one transfer from the device."""
    means = torch.stack([value.mean() for value in values.values()]).tolist() if values else []
    return dict(zip(values, means, strict=True))


def _name(part: object) -> str:
    return type(part).__name__.lower()


def _needed(until: float) -> float:
    """What the 8-bit picture must have for `until` to count as reached; a probability ends at 1."""
    return min(until + MARGIN, 1.0 - 1e-7) if until <= 1 else until + MARGIN
