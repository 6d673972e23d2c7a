"""A command of the console script ``synth``: runs what it names, lists it or explains it.

torch is not imported before the configuration has been composed and its keys have been checked, so
that a mistake is reported in under a second.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from synth.cli import complaints, folders, help, listing, rerun
from synth.cli.folding import Folding
from synth.cli.streams import guarded_streams
from synth.cli.words import overrides_of, prepared, with_recipe
from synth.config import exchange
from synth.config.command import command_of, run_in_folder
from synth.config.composing import CONF
from synth.config.earlier import encoding_of
from synth.config.networks import offer_classifiers
from synth.config.plugins import use_folders, without_folders
from synth.config.types import Config
from synth.errors import printable
from synth.record import progress
from synth.record.atomic import write_atomically
from synth.record.renames import refuse_old_words

log = logging.getLogger("synth")

# exit codes
MISTAKE = 2
INTERRUPTED = 130
ERROR = "error.txt"  # in the folder of a point that failed


def run_command(words: Sequence[str]) -> None:
    """Runs a command line.

    Args:
        words: of the command line, without the name of the script.

    Raises:
        SystemExit: 2 where the user has to change something, 130 after Ctrl-C or SIGTERM.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions come to us instead of Hydra's own report
    with guarded_streams("synth"):
        _set_up_logging()
        _register_resolvers()
        typed = list(words)
        failures: list[str] = []
        try:
            use_folders(CONF, typed)
            command, *rest = without_folders(typed) or [""]
            if command == "help" or {"-h", "--help"} & {command, *rest}:
                names = [word for word in (command, *rest) if word and not word.startswith("-")]
                help.run(names[command == "help" :][:1], CONF)
            elif command == "list":
                listing.run(rest, CONF)
            elif command == "rerun":
                again = rerun.prepared(rest, CONF)
                if again.files:
                    log.info("%s names what is read: %s", again.source, " ".join(again.files))
                typed = again.words
                folders = _run_jobs(typed, failures)
                for line in again.comparison(folders[-1]) if not failures else ():
                    print(printable(line))
            else:
                typed = with_recipe(typed, CONF)
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


def _run_jobs(typed: Sequence[str], failures: list[str]) -> list[Path]:
    """Runs the one job of the command line, or all points of a sweep; notes those that fail.

    Returns:
        The run folders.
    """
    refuse_old_words(typed)
    offer_classifiers(CONF, typed)
    sys.argv[1:] = prepared(typed, CONF)
    job = _Job(typed, Folding(overrides_of(sys.argv[1:])))
    exchange.outcomes.clear()
    hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(job)()
    failures += [point for point in exchange.outcomes if point is not None]  # of all processes
    failures += [] if exchange.outcomes else job.failures
    return job.done


class _Job:
    """What Hydra calls for a single run, and for each point of a sweep, in any process.

    Args:
        typed: the words of the command line.
        folding: of the points.
    """

    def __init__(self, typed: Sequence[str], folding: Folding) -> None:
        self.typed = typed
        self.folding = folding
        self.done: list[Path] = []
        self.failures: list[str] = []
        self._last = ""  # what was printed last

    def __setstate__(self, state: dict[str, Any]) -> None:  # in a worker of a launcher
        vars(self).update(state)
        _set_up_logging()
        _register_resolvers()

    def __call__(self, cfg: Config) -> str | None:
        """Runs a point; a mistake of the user's is printed, and recorded in a sweep.

        Returns:
            The words of a point that failed, else None.
        """
        hydra_cfg = HydraConfig.get()
        swept = hydra_cfg.mode.name == "MULTIRUN"
        folder = Path(hydra_cfg.runtime.output_dir)
        point = f"{hydra_cfg.job.override_dirname}: " if swept else ""
        progress.live = not swept
        try:
            self.done.append(run(cfg, self.folding if swept else None))
        except BaseException as error:
            line = (
                complaints.line(error, CONF, self.typed) if isinstance(error, Exception) else None
            )
            if swept and line is not None:
                self._record(folder, line)
            else:
                with suppress(OSError):  # only an empty folder can be removed
                    folder.rmdir()
            if line is None:
                raise
            if line != self._last:  # not that the same process is at all points
                _report(error, point + line)
            self._last = line
            self.failures.append(point)  # the other points of a sweep still run
            return point
        (folder / ERROR).unlink(missing_ok=True)
        return None

    def _record(self, folder: Path, line: str) -> None:
        """Leaves the error of a point in its folder, until the point has run."""
        with suppress(OSError):
            write_atomically(folder / ERROR, f"{printable(line)}\n".encode())


def _reported(error: Exception, typed: Sequence[str]) -> bool:
    """Prints the line about a mistake of the user's; False for an error of our own."""
    line = complaints.line(error, CONF, typed)
    if line is not None:
        _report(error, line)
    return line is not None


def _report(error: BaseException, line: str) -> None:
    print(complaints.trace(error), end="", file=sys.stderr)
    print(printable(f"synth: {line}"), file=sys.stderr)


def run(cfg: Config, folding: Folding | None = None) -> Path:
    """Runs what the configuration names in Hydra's output folder, and gives that folder.

    Args:
        cfg: the configuration.
        folding: of the sweep that it is a point of.
    """
    hydra_cfg = HydraConfig.get()
    folder = Path(os.path.relpath(hydra_cfg.runtime.output_dir))
    command = command_of(cfg, hydra_cfg)
    prepare = folding.prepare if folding else None
    if run_in_folder(command, folder, prepare=prepare) == "interrupted":
        sys.exit(INTERRUPTED)
    if folding:
        folding.finish(command.overrides)
    return folder


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
