"""Folding of a sweep: its points that differ in target or seed alone are searched at once.

The first point of such a group searches for all, in a folder ``.fold-DIGEST`` of the sweep, whose
checkpoints a sweep that was killed goes on from; each point then ends its own run as it would have
alone. Whatever cannot be folded runs as it is.
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import InstantiationException

from synth.cli.folders import point
from synth.config.command import Command
from synth.config.composing import key_of
from synth.config.identity import digest
from synth.config.sharing import resolved
from synth.config.yaml_text import yaml_of
from synth.core.classes import Classes
from synth.errors import InputError
from synth.record.result import read_result

log = logging.getLogger("synth")

FOLDED = ("target", "seed")  # keys in which the points of a group may differ
MOST = 128  # points that are searched at once: what a kill can lose, and what memory holds
CHOICES = ("auto", True, False)


class Folding:
    """The points of a sweep, and the states of those that were searched at once.

    Args:
        words: the overrides of the command line.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [word for word in words if not word.startswith(("hydra.", "hydra/"))]
        self._groups: dict[tuple[str, ...], list[tuple[str, ...]]] | None = None
        self._states: dict[tuple[str, ...], Any] = {}  # by the words of a point
        self._folders: dict[tuple[str, ...], Path] = {}  # where the states of a group are
        self._refused: set[tuple[str, ...]] = set()  # groups whose points run by themselves

    def prepare(self, command: Command, job: Any) -> None:
        """Gives the job of a point the state to which it was searched with others, if it was.

        Args:
            command: the point.
            job: what it runs.

        Raises:
            InputError: where fold= is none of `CHOICES`, or another process searches these points.
        """
        choice = command.cfg.get("fold", "auto")
        if choice not in CHOICES:
            raise InputError(f"fold={choice}: write auto, true or false.")
        launcher = str(HydraConfig.get().launcher._target_)
        if choice is False or not launcher.endswith(BasicLauncher.__name__):
            return
        from synth.engine.experiment import Experiment
        from synth.engine.folding import can_fold

        words = tuple(command.overrides)
        others = self._others(words)
        if len(others) < 2 or _group(words) in self._refused:
            return
        if type(job) is Experiment and can_fold(job):
            if words not in self._states and _is_single(
                _choice(command, words)[0], job.network.classes
            ):
                self._search(command, job, words, others)
            job.begun = self._states.pop(words, None)
        else:
            self._refuse(words, choice is True, "only gradient searches of one picture are folded")

    def finish(self, words: Sequence[str]) -> None:
        """Removes the folder of a group all of whose points are finished."""
        group = _group(words)
        folder = self._folders.get(group)
        if folder is not None and not any(_group(left) == group for left in self._states):
            shutil.rmtree(folder, ignore_errors=True)
            del self._folders[group]

    def _others(self, words: tuple[str, ...]) -> list[tuple[str, ...]]:
        """The points that differ from this one in `FOLDED` keys alone, with itself."""
        if self._groups is None:
            self._groups = {}
            for other in _points(self._words):
                self._groups.setdefault(_group(other), []).append(other)
        others = self._groups.get(_group(words), [])
        return others if words in others else []

    def _refuse(self, words: tuple[str, ...], report: bool, reason: str) -> None:
        """Lets the points of a group run by themselves."""
        self._refused.add(_group(words))
        if report:
            log.info("fold=true: %s; these points run one by one", reason)

    def _search(
        self,
        command: Command,
        job: Any,
        words: tuple[str, ...],
        others: Sequence[tuple[str, ...]],
    ) -> None:
        """Searches for a point and as many others as are not begun."""
        from synth.config.running import job_of
        from synth.engine.experiment import Experiment
        from synth.engine.folding import search_together
        from synth.record.checkpoint import Checkpoint
        from synth.record.folder_record import FolderRecord
        from synth.record.lock import Lock

        sweep = Path(str(HydraConfig.get().sweep.dir))
        name = hashlib.sha256("\n".join(_group(words)).encode()).hexdigest()[:12]
        folder = sweep / f".fold-{name}"
        checkpoint = Checkpoint(folder)
        with Lock(folder):
            self._folders[_group(words)] = folder
            members = _members(checkpoint.about())
            if words not in members:
                checkpoint.remove()
                rest = others[others.index(words) :]
                classes = job.network.classes
                members = [
                    each
                    for each in rest
                    if _is_single(_choice(command, each)[0], classes) and not _is_begun(sweep, each)
                ][:MOST]
            choices = [_choice(command, each) for each in members]
            try:
                batch_command = _folded(command, choices)
                batch = job_of(batch_command)
                assert isinstance(batch, Experiment)
                identity = {"members": members, "configuration": digest(batch_command.identity)}
                record = FolderRecord(folder, identity)
                log.info("%d points are searched at once (fold=false: one by one)", len(members))
                states = search_together(batch, [seed for _, seed in choices], record)
            except (InputError, InstantiationException) as error:
                self._refuse(words, command.cfg.fold is True, str(error).splitlines()[0])
                return
        if states is None:
            raise KeyboardInterrupt
        self._states |= dict(zip(members, states, strict=True))


def _points(words: Sequence[str]) -> list[tuple[str, ...]]:
    """The points of a sweep as Hydra's own sweeper makes them; none where it is another's."""
    hydra_cfg = HydraConfig.get()
    if not hydra_cfg.sweeper._target_.endswith(BasicSweeper.__name__) or hydra_cfg.sweeper.params:
        return []
    loader = GlobalHydra.instance().config_loader()
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(list(words))
    return [tuple(each) for each in BasicSweeper.split_arguments(overrides, None)[0]]


def _group(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for word in words if key_of(word) not in FOLDED)


def _is_begun(sweep: Path, words: Sequence[str]) -> bool:
    """Whether the folder of a point has a result, or a checkpoint of its own."""
    from synth.record.checkpoint import Checkpoint

    job = HydraConfig.get().job.config.override_dirname
    name = job.item_sep.join(sorted(each for each in words if key_of(each) not in job.exclude_keys))
    name = name.replace("=", job.kv_sep)  # as Hydra makes it
    folder = sweep / point(name)
    return any(path.exists() for path in Checkpoint(folder).files) or bool(
        read_result(folder, "done")
    )


def _members(about: object) -> list[tuple[str, ...]]:
    """The points of which a checkpoint holds the states."""
    identity = about.get("identity") if isinstance(about, dict) else None
    recorded = identity.get("members") if isinstance(identity, dict) else None
    if not isinstance(recorded, list):
        return []
    return [tuple(map(str, each)) for each in recorded if isinstance(each, list)]


def _choice(command: Command, words: Sequence[str]) -> tuple[object, object]:
    """Target and seed of a point."""
    chosen = [each for each in words if key_of(each) in FOLDED]
    overrides = OverridesParser.create().parse_overrides(chosen)
    values = {each.key_or_group: each.value() for each in overrides}
    target, seed = (values.get(key, command.cfg.get(key)) for key in FOLDED)
    return target, seed


def _is_single(target: object, classes: Classes) -> bool:
    """Whether a target is one class that the network has."""
    if not isinstance(target, str | int) or target in ("all", "random"):
        return False
    try:
        return len(classes.indices(target)) == 1
    except InputError:
        return False


def _folded(command: Command, choices: Sequence[tuple[object, object]]) -> Command:
    """The command of points as one, with the targets of all.

    Raises:
        InputError: where a part reads a seed that is not the same in all, or one point is left.
    """
    cfg = deepcopy(command.cfg)
    seeds = {seed for _, seed in choices}
    if len(seeds) > 1 and re.search(r"\$\{(oc\.select:)?seed\b", yaml_of(cfg)):
        raise InputError("a part reads the seed")
    if len(choices) < 2:
        raise InputError("a single point is left")
    cfg.target, cfg.seed = [target for target, _ in choices], choices[0][1]
    settings = resolved(cfg, command.written) | {"metrics": {}, "figures": {}}
    return replace(command, cfg=cfg, settings=settings)
