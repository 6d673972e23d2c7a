"""Running a recipe from Python: `run` and `probe`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, no_type_check

from synth.api.objectives import objective_of
from synth.api.result import Result
from synth.api.settings import split
from synth.cli import complaints
from synth.cli.complaints import causes
from synth.config import live, running
from synth.config.building import build
from synth.config.calls import command_from, own_hydra
from synth.config.command import run_in_folder
from synth.config.composing import CONF
from synth.config.definitions import definition
from synth.core.network import Network
from synth.errors import BrokenModule, InputError
from synth.probes.probe import Probe
from synth.record import progress
from synth.record.job import Job
from synth.record.memory_record import MemoryRecord

log = logging.getLogger("synth")


@no_type_check  # what is given is checked here, for errors in one line
def run(
    recipe: str,
    *,
    network: Network | str | None = None,
    folder: str | Path | None = None,
    overrides: Sequence[str] = (),
    progress: bool = True,
    **settings: Any,
) -> Result:
    """Runs a recipe; the same settings give the same pictures as on the command line.

    Args:
        recipe: its name, as ``synth list recipes`` shows them.
        network: of `synth.wrap` or `synth.network`, or a name; the recipe's own by default.
        folder: the run folder, in which a finished run is not repeated and a killed one goes on.
            By default nothing is written, and the result is in memory.
        overrides: more settings in the words of the command line: ``search=genetic``,
            ``search.rate=0.1``, ``+objective@objective.terms.tv=total_variation``.
        progress: whether a bar and the warnings are shown while it runs.
        settings: keys of the recipe: ``target="goldfish"``, ``steps=64``. A dictionary stands for
            the keys below (``search={"rate": 0.1}``), a text under a kind of part chooses another
            (``encoding="fourier"``), also beside its numbers (``**{"encoding.size": 96}``).
            Pictures (``image=``, ``images=``, ``style=``) are paths, names, tensors [3, h, w] or
            [n, 3, h, w] with RGB in [0, 1], uint8 arrays or Pillow images. ``directions=`` is a
            file or an array [k, channels], for ``target="direction:0..7"``. Parts may be objects;
            ``objective=`` may also be ``"layer:unit"``, a list of these, or a function of
            activations (see `synth.visualise`).

    Returns:
        The result: ``.images``, ``.items``, ``.findings``, ``.tensors``, ``.frame()``, ``.save()``.

    Raises:
        InputError: for anything that cannot be used; one line that says what to write instead.

    Example:
        >>> result = synth.run("class_ascent_fourier", target=["goldfish", "teapot"], steps=128)
        >>> result.images.shape
        torch.Size([2, 3, 64, 64])
    """
    call = {"network": network, "folder": folder, "overrides": overrides, "progress": progress}
    return _run(recipe, Job, **call, **settings)


@no_type_check
def probe(
    name: str,
    *,
    network: Network | str | None = None,
    folder: str | Path | None = None,
    overrides: Sequence[str] = (),
    progress: bool = True,
    **settings: Any,
) -> Result:
    """Runs a probe, a recipe that measures a network without a search.

    Args:
        name: of the probe, such as ``layers`` or ``natural_statistics``.
        network: as for `run`.
        folder: as for `run`.
        overrides: as for `run`.
        progress: as for `run`.
        settings: keys of the probe, such as ``images="photographs/"``.

    Raises:
        InputError: as `run`; also where the recipe is no probe.
    """
    call = {"network": network, "folder": folder, "overrides": overrides, "progress": progress}
    return _run(name, Probe, **call, **settings)


@no_type_check
def _run(
    recipe: str,
    kind: type[Job],
    *,
    network: Network | str | None,
    folder: str | Path | None,
    overrides: Sequence[str],
    progress: bool,
    **settings: Any,
) -> Result:
    """`run`, of a recipe whose job is of the class `kind`."""
    if isinstance(overrides, str):
        raise InputError(f"overrides={overrides}: write a list of words, [{overrides!r}].")
    if folder is not None and not str(folder):
        raise InputError("folder: an empty name; write a folder, or None to keep it in memory.")
    if network is not None:
        settings["network"] = network
    if "objective" in settings:
        settings = _with_objective(settings)
    words, objects = split(settings)
    words = [f"recipe={recipe}", *words, *overrides]
    with own_hydra(), _readable_errors(words):
        command, by_key = command_from(words, objects)
        target = definition(str(command.settings.get("_target_")), "recipe")
        if kind is Probe and not (isinstance(target, type) and issubclass(target, Probe)):
            raise InputError(f"{recipe}: a recipe, but no probe; write synth.run({recipe!r}, ...).")
        with live.objects(by_key), _shown(progress):
            if folder is not None:
                run_in_folder(command, Path(folder), own_process=False)
                return Result.of_folder(Path(folder))
            record = MemoryRecord()
            result = running.run_in_memory(command, record)
            return Result(result, record, command)


@no_type_check
def network(name: str, **settings: Any) -> Network:
    """A network by its name.

    Args:
        name: of an option of the group ``network`` (``mini_alexnet``, ``squeezenet1_1``), or of any
            classifier of torchvision or timm.
        settings: of that option: ``weights=``, ``device=``, ``precision=``, ``num_classes=``.

    Returns:
        The network: ``network(images)`` gives logits, ``network.classes.names`` the names of its
        outputs, ``network.layers`` its layers and their shapes.

    Raises:
        InputError: no such network, or weights that cannot be had.
    """
    words, objects = split({"network": settings})
    words = ["recipe=layers", f"network={name}", *words]
    with own_hydra(), _readable_errors(words):
        command, _ = command_from(words, objects)
        return build(command.settings["network"], command.written)


def _with_objective(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with an objective in place of what stands for one.

    The recipe's monitor goes, which is about a class: what is maximised is monitored.
    """
    spec = settings["objective"]
    is_option = isinstance(spec, Mapping) or (isinstance(spec, str) and ":" not in spec)
    if is_option:
        return dict(settings)
    return {"monitor": None, **settings, "objective": objective_of(spec)}


@contextmanager
def _readable_errors(words: Sequence[str]) -> Iterator[None]:
    """Mistakes as the one line that the command line has for them."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        line = complaints.line(error, CONF, words)
        broken = next((each for each in causes(error) if isinstance(each, BrokenModule)), None)
        if broken is not None:  # whose own traceback is of use
            raise broken from broken.__cause__
        if line is None:
            raise
        # what the user wrote is at fault, and where it was noticed says nothing
        raise InputError(line) from None


@contextmanager
def _shown(progress_shown: bool) -> Iterator[None]:
    """A block that shows bars and warnings; nothing at all otherwise."""
    before = log.level, log.propagate
    # a caller who has set up logging has decided where lines go
    handler = None if log.hasHandlers() else logging.NullHandler()
    if handler is not None and progress_shown:
        handler = logging.StreamHandler()
        # beside a bar, which says the rest, warnings alone
        log.setLevel(logging.WARNING if progress.is_live() else logging.INFO)
    if handler is not None:
        log.addHandler(handler)
        log.propagate = False
    try:
        with nullcontext() if progress_shown else progress.silenced():
            yield
    finally:
        log.setLevel(before[0])
        log.propagate = before[1]
        if handler is not None:
            log.removeHandler(handler)
