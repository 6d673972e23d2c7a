"""A search over settings: Optuna asks for points of a sweep and is told a finding of each.

``synth -m class_ascent hydra/sweeper=optuna search.rate=interval(0.001,0.1)``. The study is kept in
a journal in the folder of the sweep: the same command again goes on with it, a point that a kill
has ended is run again, and one that is finished is read from its folder. Hydra's published sweeper
needs an Optuna before version 3.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from synth.errors import InputError, nearest
from synth.record.atomic import write_atomically
from synth.record.json_text import dumps
from synth.record.result import read_result

log = logging.getLogger("synth")

JOURNAL = "optuna.journal"
BEST = "best.json"


class OptunaSweeper(Sweeper):
    """Hydra's interface to a study of Optuna; its sampler is the tree-structured Parzen estimator.

    Args:
        finding: name of the finding that is optimised.
        direction: ``maximize`` or ``minimize``.
        trials: points in all, those of earlier commands included.
        parallel: points that are given to the launcher at once.
        startup: points drawn at random before the others go by the results so far.
        seed: of the search.

    Raises:
        InputError: where a number or the direction is out of range.
    """

    def __init__(
        self,
        finding: str,
        direction: str = "maximize",
        trials: int = 20,
        parallel: int = 1,
        startup: int = 10,
        seed: int = 0,
    ) -> None:
        if direction not in ("maximize", "minimize"):
            raise InputError(f"hydra.sweeper.direction={direction}: write maximize or minimize.")
        numbers = {"trials": trials, "parallel": parallel, "startup": startup}
        for name, number in numbers.items():
            if number < 1:
                raise InputError(f"hydra.sweeper.{name}={number}: write 1 or more.")
        self.finding = finding
        self.direction = direction
        self.trials = trials
        self.parallel = parallel
        self.startup = startup
        self.seed = seed

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.config = config
        self.hydra_context = hydra_context
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Runs points until there are as many as asked for; logs the best."""
        try:
            import optuna
        except ImportError as error:
            raise InputError(
                'hydra/sweeper=optuna: Optuna is not installed; pip install "synth[optuna]".'
            ) from error
        overrides = OverridesParser.create(self.hydra_context.config_loader).parse_overrides(
            arguments
        )
        fixed = [each.input_line for each in overrides if not each.is_sweep_override()]
        space = {
            each.get_key_element(): _distribution(each, optuna.distributions)
            for each in overrides
            if each.is_sweep_override()
        }
        if not space:
            raise InputError("hydra/sweeper=optuna: nothing varies; write key=interval(LOW,HIGH).")
        folder = Path(str(self.config.hydra.sweep.dir))
        folder.mkdir(parents=True, exist_ok=True)
        study = self._study(optuna, folder)
        batches: list[Sequence[JobReturn]] = []
        while (count := _finished(study)) < self.trials:
            batch = [study.ask(space) for _ in range(min(self.parallel, self.trials - count))]
            words = [
                [*map(str, fixed), *(f"{key}={value}" for key, value in trial.params.items())]
                for trial in batch
            ]
            self.validate_batch_is_legal(words)
            jobs = self.launcher.launch(words, initial_job_idx=batch[0].number)
            for trial, job in zip(batch, jobs, strict=True):
                value = self._value(job)
                state = None if value is not None else optuna.trial.TrialState.FAIL
                study.tell(trial, value, state=state)
            batches.append(jobs)
        self._report(study, folder)
        return batches

    def _study(self, optuna: Any, folder: Path) -> Any:
        """The study in the folder; what a killed command was running is asked for again."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        journal = optuna.storages.journal.JournalFileBackend(str(folder / JOURNAL))
        storage = optuna.storages.JournalStorage(journal)
        study = optuna.create_study(
            study_name=f"{self.finding} {self.direction}",
            storage=storage,
            direction=self.direction,
            load_if_exists=True,
        )
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=self.startup, seed=self.seed + len(study.trials)
        )
        states = optuna.trial.TrialState
        for trial in study.get_trials(states=[states.RUNNING]):
            study.enqueue_trial(trial.params)
            study.tell(trial.number, state=states.FAIL)
            study.set_user_attr(f"killed {trial.number}", True)
        return study

    def _value(self, job: JobReturn) -> float | None:
        """The finding of a point; None where it failed, or has none.

        Raises:
            InputError: where its result has no such finding.
        """
        _ = job.return_value  # raises what the run has raised
        assert job.hydra_cfg is not None
        result = read_result(Path(job.hydra_cfg.hydra.runtime.output_dir), "done")
        if result is None:
            return None
        findings = result["findings"]
        assert isinstance(findings, dict)
        if self.finding not in findings:
            hint = nearest(self.finding, findings) or f" There are {', '.join(findings)}."
            raise InputError(f"hydra.sweeper.finding={self.finding}: no such finding.{hint}")
        value = findings[self.finding]
        return float(value) if isinstance(value, int | float) else None

    def _report(self, study: Any, folder: Path) -> None:
        values = [trial for trial in study.trials if trial.value is not None]
        if not values:
            log.warning("none of the points has a value of %s", self.finding)
            return
        best = study.best_trial
        content = {"finding": self.finding, "value": best.value, "settings": best.params}
        write_atomically(folder / BEST, (dumps(content, indent=1) + "\n").encode())
        words = " ".join(f"{key}={value}" for key, value in best.params.items())
        log.info("best of %d: %s %.6g with %s", len(values), self.finding, best.value, words)


def _finished(study: Any) -> int:
    """How many points have run to their end, or failed."""
    killed = sum(name.startswith("killed ") for name in study.user_attrs)
    return sum(trial.state.is_finished() for trial in study.trials) - killed


def _distribution(override: Override, distributions: Any) -> Any:
    """Optuna's distribution of a word of the command line.

    Raises:
        InputError: where it has none.
    """
    value = override.value()
    if isinstance(value, IntervalSweep):
        is_log = "log" in value.tags
        low, high = value.start, value.end
        if isinstance(low, int) and isinstance(high, int):
            return distributions.IntDistribution(low, high, log=is_log)
        return distributions.FloatDistribution(low, high, log=is_log)
    if isinstance(value, ChoiceSweep | RangeSweep):
        return distributions.CategoricalDistribution(list(override.sweep_string_iterator()))
    raise InputError(f"{override.input_line}: write interval(LOW,HIGH) or choice(A,B).")
