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

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from synth.cli import complaints, folders, help, listing, rerun
from synth.cli.folding import Folding
from synth.cli.streams import guarded_streams
from synth.cli.words import overrides_of, prepared, with_recipe
from synth.config.command import command_of, run_in_folder
from synth.config.composing import CONF
from synth.config.earlier import encoding_of
from synth.config.networks import offer_classifiers
from synth.config.plugins import use_folders, without_folders
from synth.config.types import Config
from synth.errors import printable
from synth.record import progress
from synth.record.renames import refuse_old_words

log = logging.getLogger("synth")

# exit codes
MISTAKE = 2
INTERRUPTED = 130


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
    done: list[Path] = []
    folding = Folding(overrides_of(sys.argv[1:]))

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    def job(cfg: Config) -> None:
        hydra_cfg = HydraConfig.get()
        swept = hydra_cfg.mode.name == "MULTIRUN"
        point = f"{hydra_cfg.job.override_dirname}: " if swept else ""
        progress.live = not swept
        try:
            done.append(run(cfg, folding if swept else None))
        except BaseException as error:
            with suppress(OSError):  # only an empty folder can be removed
                os.rmdir(hydra_cfg.runtime.output_dir)
            if not isinstance(error, Exception) or not _reported(error, typed, point):
                raise
            failures.append(point)  # the other points of a sweep still run

    job()
    return done


def _reported(error: Exception, typed: Sequence[str], point: str = "") -> bool:
    """Prints the line about a mistake of the user's; False for an error of our own."""
    line = complaints.line(error, CONF, typed)
    if line is not None:
        print(complaints.trace(error), end="", file=sys.stderr)
        print(printable(f"synth: {point}{line}"), file=sys.stderr)
    return line is not None


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
