"""Running what a configuration names, in a run folder or in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from synth.config import process
from synth.config.building import build
from synth.config.command import Command
from synth.config.composing import CONF
from synth.config.earlier import is_same_command
from synth.config.headers import header_of, read
from synth.config.identity import digest, recorded_identity, written_identity
from synth.config.plugins import options
from synth.config.recording import record_configuration, restored_after_mistake
from synth.core import hardware
from synth.errors import InputError
from synth.gallery.page import build_run_page
from synth.record.folder_record import FolderRecord
from synth.record.headline import headline
from synth.record.job import Job
from synth.record.record import Record, versions
from synth.record.result import Result
from synth.record.tensorboard import EventFiles

log = logging.getLogger("synth")


def run_to_folder(
    command: Command,
    folder: Path,
    own_process: bool,
    prepare: Callable[[Command, Job], None] | None = None,
) -> str:
    """Runs in a folder that holds no finished run, or resumes what was begun there.

    Args:
        command: what to run.
        folder: the run folder.
        own_process: whether the process is there for this run, so that its memory may be limited.
        prepare: called with the job before it runs.

    Returns:
        The status of the result: ``done`` or ``interrupted``.

    Raises:
        InputError: for a mistake in the configuration, or a folder of another run.
    """
    if is_same_command(folder, command.recipe, command.overrides):
        FolderRecord.begin_anew(folder, command.contenders)
    elif FolderRecord.is_begun(folder):  # identities take as long as composing
        FolderRecord.refuse_other(
            folder, written_identity(command.cfg, command.recipe), recorded_identity(folder)
        )
    events = EventFiles(folder, command.cfg.get("log"))
    process.keep_freed()
    if own_process:
        process.limit_to_machine()
    job = job_of(command)
    if prepare is not None:
        prepare(command, job)
    record = FolderRecord(folder, command.identity)
    record.provenance = command.provenance
    with restored_after_mistake(folder), events as record.events:
        record_configuration(command.cfg, command.hydra_cfg, folder)
        log.info("%s -> %s", command.recipe, folder)
        result = job.run(record)
    result = _completed(command, result)
    record.finish(result)
    log.info("%s", build_run_page(folder))
    if result.headline:
        log.info("%s", result.headline)
    return result.status


def run_in_memory(command: Command, record: Record) -> Result:
    """Runs with a record that is no run folder; the result is written nowhere.

    Raises:
        InputError: for a mistake in the configuration.
    """
    command.check()
    process.keep_freed()
    return _completed(command, job_of(command).run(record))


def job_of(command: Command) -> Job:
    """The object that the configuration names."""
    job = build(command.settings, command.written, Job)
    if not isinstance(job, Job):
        raise InputError("_target_: it is not for a recipe to run; leave it as the recipe has it.")
    return job


def _completed(command: Command, result: Result) -> Result:
    """The result with what a job does not know: its recipe, its configuration, the hardware."""
    path = options(CONF, "recipe").get(command.recipe)  # None in a subfolder of the user's
    about = header_of(read(path)).about if path else {}
    return replace(
        result,
        headline=headline(result) or None,
        about={**about, **(result.about or {})},
        recipe=command.recipe,
        overrides=command.overrides,
        configuration=digest(command.identity),
        versions=result.versions or versions(),
        hardware=hardware.description(),
    )
