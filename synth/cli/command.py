"""The console script ``synth``: composes a configuration, builds what it names, and runs it.

torch is not imported before the configuration has been composed and its keys have been checked, so
that a mistake is reported in under a second.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from synth.cli import complaints, folders, memory
from synth.cli.streams import guarded_streams
from synth.cli.words import prepared
from synth.config.building import build
from synth.config.composing import CONF, key_of
from synth.config.earlier import encoding_of, is_same_command
from synth.config.early import refuse_early
from synth.config.identity import digest, identity_of, recorded_identity, written_identity
from synth.config.networks import offer_classifiers
from synth.config.recording import record_configuration, restored_after_mistake
from synth.config.sharing import resolved
from synth.config.types import Config
from synth.config.unread import refuse_unread
from synth.errors import InputError, printable
from synth.record import lock, progress
from synth.record.renames import refuse_old_words
from synth.record.result import read_result

log = logging.getLogger("synth")

# exit codes
MISTAKE = 2
INTERRUPTED = 130


def main() -> None:
    """Runs the command line in ``sys.argv``.

    Raises:
        SystemExit: 2 where the user has to change something, 130 after Ctrl-C or SIGTERM.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions come to us instead of Hydra's own report
    with guarded_streams("synth"):
        _set_up_logging()
        _register_resolvers()
        typed = sys.argv[1:]
        failures: list[str] = []
        try:
            refuse_old_words(typed)
            offer_classifiers(CONF, typed)
            sys.argv[1:] = prepared(typed, CONF)
            _run_jobs(typed, failures)
        except KeyboardInterrupt:
            print("synth: interrupted.", file=sys.stderr)
            sys.exit(INTERRUPTED)
        except Exception as error:
            if not _reported(error, typed):
                raise
            sys.exit(MISTAKE)
        if any(failures):
            log.warning("%d of the runs failed", len(failures))
        if failures:
            sys.exit(MISTAKE)


def _register_resolvers() -> None:
    """What conf/ computes by ``${synth.NAME:...}``."""
    resolvers = OmegaConf.register_new_resolver
    resolvers("synth.run_folder", folders.run_folder, use_cache=True, replace=True)
    resolvers("synth.sweep", folders.sweep_name, use_cache=True, replace=True)
    resolvers("synth.point", folders.point, replace=True)
    resolvers("synth.encoding_of", encoding_of, replace=True)


def _run_jobs(typed: Sequence[str], failures: list[str]) -> None:
    """Runs the one job of the command line, or all points of a sweep; notes those that fail."""

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    def job(cfg: Config) -> None:
        hydra_cfg = HydraConfig.get()
        swept = hydra_cfg.mode.name == "MULTIRUN"
        point = f"{hydra_cfg.job.override_dirname}: " if swept else ""
        progress.live = not swept
        try:
            run(cfg)
        except BaseException as error:
            with suppress(OSError):  # only an empty folder can be removed
                os.rmdir(hydra_cfg.runtime.output_dir)
            if not isinstance(error, Exception) or not _reported(error, typed, point):
                raise
            failures.append(point)  # the other points of a sweep still run

    job()


def _reported(error: Exception, typed: Sequence[str], point: str = "") -> bool:
    """Prints the line about a mistake of the user's; False for an error of our own."""
    line = complaints.line(error, CONF, typed)
    if line is not None:
        print(printable(f"synth: {point}{line}"), file=sys.stderr)
    return line is not None


@dataclass(frozen=True)
class _Command:
    """One run that the command line asks for.

    Attributes:
        cfg: the configuration with its interpolations.
        settings: the same, resolved.
        recipe: name of the recipe.
        overrides: the words of the command line.
        folder: the run folder.
    """

    cfg: Config
    settings: dict[Any, Any]
    recipe: str
    overrides: Sequence[str]
    folder: Path

    @property
    def written(self) -> list[str]:
        """The keys that the user wrote."""
        return [key_of(override) for override in self.overrides]

    @property
    def contenders(self) -> list[str]:
        """Names of the experiments of a comparison; empty for any other run."""
        experiments = self.settings.get("experiments")
        return [str(name) for name in experiments] if isinstance(experiments, dict) else []


def run(cfg: Config) -> None:
    """Builds the object that the configuration names and runs it in Hydra's output folder.

    A folder with a finished run of the same configuration is left as it is.
    """
    hydra_cfg = HydraConfig.get()
    overrides = list(hydra_cfg.overrides.task)
    settings = resolved(cfg, [key_of(override) for override in overrides])
    choices = hydra_cfg.runtime.choices
    command = _Command(
        cfg,
        settings,
        recipe=choices["recipe"],
        overrides=overrides,
        folder=Path(os.path.relpath(hydra_cfg.runtime.output_dir)),
    )
    refuse_early(cfg, settings, command.written)
    identity = identity_of(cfg, command.recipe)
    if _is_repeated(command.folder, digest(identity)):
        log.info("%s is finished already", command.folder)
        return
    refuse_unread(cfg, settings, command.written, list(choices))
    finished = _is_finished(command, digest(identity))
    from synth.record.interrupt import signals_raised
    from synth.record.lock import Lock
    from synth.record.record import Record

    if finished and not Lock(command.folder).path.exists():
        _report_finished(command.folder)
        return
    with signals_raised(), Lock(command.folder):
        if _is_finished(command, digest(identity)):  # by another process, or without its end
            Record.remove_left_over(command.folder, command.contenders)
            _report_finished(command.folder, page=True)
        else:
            _run_in_folder(command, identity)


def _is_repeated(folder: Path, configuration: str) -> bool:
    """Whether the folder holds a finished run of this configuration, with nothing left to do.

    Without importing torch.
    """
    result = read_result(folder, "done")
    return (
        result is not None
        and result.get("configuration") == configuration
        and (folder / "index.html").exists()
        and not (folder / lock.NAME).exists()
    )


def _report_finished(folder: Path, page: bool = False) -> None:
    """Says so; makes the page where it is missing, or in any case if `page`."""
    from synth.gallery.page import build_run_page

    log.info("%s is finished already", folder)
    if page or not (folder / "index.html").exists():
        log.info("%s", build_run_page(folder))


def _is_finished(command: _Command, configuration: str) -> bool:
    """Whether the folder holds a finished run of this configuration.

    A run of an earlier version, whose parts had other names, counts by its command line.

    Raises:
        InputError: where it holds one of another configuration.
    """
    folder = command.folder
    result = read_result(folder, "done")
    if result is None:
        return False
    if result.get("configuration", configuration) != configuration and not is_same_command(
        folder, command.recipe, command.overrides
    ):
        raise InputError(
            f"folder={folder}: holds a finished run of another configuration; name another folder."
        )
    return True


def _run_in_folder(command: _Command, identity: dict[str, Any]) -> None:
    from synth.core import hardware
    from synth.gallery.page import build_run_page
    from synth.record.job import Job
    from synth.record.record import Record, versions

    folder = command.folder
    if is_same_command(folder, command.recipe, command.overrides):
        Record.begin_anew(folder, command.contenders)
    else:
        Record.refuse_other(
            folder, written_identity(command.cfg, command.recipe), recorded_identity(folder)
        )
    memory.keep_freed()
    memory.limit_to_machine()
    job = build(command.settings, command.written)
    if not isinstance(job, Job):
        raise InputError("_target_: it is not for a recipe to run; leave it as the recipe has it.")
    record = Record(folder, identity)
    with restored_after_mistake(folder):
        record_configuration(command.cfg, folder)
        log.info("%s -> %s", command.recipe, folder)
        result = job.run(record)
    result = replace(
        result,
        recipe=command.recipe,
        overrides=command.overrides,
        configuration=digest(identity),
        versions=result.versions or versions(),
        hardware=hardware.description(),
    )
    record.finish(result)
    log.info("%s", build_run_page(folder))
    if result.status == "interrupted":
        sys.exit(INTERRUPTED)


class _PrintableLines(logging.Formatter):
    """Escapes what names in a message may hold; a traceback stays as it is."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return printable(super().formatMessage(record))


def _set_up_logging() -> None:
    """Log lines on standard error, without a prefix."""
    handler = logging.StreamHandler()
    handler.setFormatter(_PrintableLines("%(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    # a class that Hydra cannot find is reported by us
    logging.getLogger("hydra.utils").addHandler(logging.NullHandler())


if __name__ == "__main__":
    main()
