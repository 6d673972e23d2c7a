"""What a command line or a call from Python asks for, checked before torch is imported.

So a mistake, and a run that is finished already, is reported in about a second.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from synth.config.composing import key_of
from synth.config.earlier import is_same_command
from synth.config.early import refuse_early
from synth.config.identity import NOT_IDENTITY, digest, identity_of
from synth.config.sharing import resolved
from synth.config.types import Config, Settings
from synth.config.unread import refuse_unread
from synth.errors import InputError
from synth.record import lock
from synth.record.result import Json, read_result

log = logging.getLogger("synth")


@dataclass(frozen=True)
class Command:
    """One run that is asked for, by a command line or from Python.

    Attributes:
        cfg: the configuration with its interpolations.
        hydra_cfg: Hydra's own node ``hydra`` beside it, which is recorded too.
        settings: `cfg`, resolved.
        recipe: name of the recipe.
        overrides: the words that chose it.
    """

    cfg: Config
    hydra_cfg: Config
    settings: Settings
    recipe: str
    overrides: Sequence[str]

    @property
    def written(self) -> list[str]:
        """The keys that the user wrote."""
        return [key_of(override) for override in self.overrides]

    @property
    def contenders(self) -> list[str]:
        """Names of the experiments of a comparison; empty for any other run."""
        experiments = self.settings.get("experiments")
        return [str(name) for name in experiments] if isinstance(experiments, dict) else []

    @cached_property
    def identity(self) -> Settings:
        """What makes two runs the same."""
        return identity_of(self.cfg, self.recipe)

    @property
    def provenance(self) -> dict[str, Json]:
        """What a picture says of its run, so that it can be made again from the picture alone."""
        words = [word for word in self.overrides if key_of(word) not in (*NOT_IDENTITY, "recipe")]
        return {"recipe": self.recipe, "overrides": words}

    def check(self) -> None:
        """Raises InputError for keys that nothing reads."""
        choices: Mapping[str, Any] = self.hydra_cfg.runtime.choices
        refuse_unread(self.cfg, self.settings, self.written, list(choices))


def command_of(cfg: Config, hydra_cfg: Config) -> Command:
    """The command that Hydra composed to `cfg`; mistakes that show without torch are refused.

    Args:
        cfg: the configuration.
        hydra_cfg: its node ``hydra``, with the choices and the overrides.

    Raises:
        InputError: naming the key.
    """
    overrides = list(hydra_cfg.overrides.task)
    settings = resolved(cfg, [key_of(override) for override in overrides])
    recipe = hydra_cfg.runtime.choices["recipe"]
    command = Command(cfg, hydra_cfg, settings, recipe, overrides)
    refuse_early(cfg, settings, command.written)
    return command


def run_in_folder(
    command: Command,
    folder: Path,
    own_process: bool = True,
    prepare: Callable[[Command, Any], None] | None = None,
) -> str:
    """Runs in a folder, or resumes what was begun there.

    A folder with a finished run of the same configuration is left as it is.

    Args:
        command: what to run.
        folder: the run folder.
        own_process: whether the process is there for this run, so that its memory may be limited.
        prepare: called with the job before it runs.

    Returns:
        The status of the result: ``done`` or ``interrupted``.

    Raises:
        InputError: for a mistake in the configuration, a folder of another run or in use.
    """
    configuration = digest(command.identity)
    if _is_repeated(folder, configuration):
        log.info("%s is finished already", folder)
        return "done"
    command.check()
    finished = _is_finished(command, folder, configuration)
    from synth.config import running
    from synth.record.folder_record import FolderRecord
    from synth.record.interrupt import signals_raised
    from synth.record.lock import Lock

    if finished and not Lock(folder).path.exists():
        _report_finished(folder)
        return "done"
    with signals_raised(), Lock(folder):
        if _is_finished(command, folder, configuration):  # by another process, or without its end
            FolderRecord.remove_left_over(folder, command.contenders)
            _report_finished(folder, page=True)
            return "done"
        return running.run_to_folder(command, folder, own_process, prepare)


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


def _is_finished(command: Command, folder: Path, configuration: str) -> bool:
    """Whether the folder holds a finished run of this configuration.

    A run of an earlier version, whose parts had other names, counts by its command line.

    Raises:
        InputError: where it holds one of another configuration.
    """
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
