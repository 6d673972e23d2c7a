"""Building the objects that a configuration names by ``_target_``."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from synth import core
from synth.config.definitions import definition, is_own, parameter_names, signature_of
from synth.config.exchange import COMMON
from synth.config.hints import accepts, hints_of, in_words, is_part, kinds_in
from synth.config.types import Settings
from synth.errors import BrokenModule, InputError, check_numbers, nearest
from synth.record.renames import KEYS

# of Hydra's message: the class that was built, and the key that it stands under
_TARGET = re.compile(r"[Tt]arget '([^']+)'(?:.*\nfull_key: (\S+))?", re.DOTALL)


def build(settings: Settings, written: Sequence[str], kind: type | None = None) -> Any:
    """The object that `settings` describes.

    Keys that a class of ours does not take are left out: a recipe's own, to which its parts refer,
    and numbers for a part which the user exchanged. What the user wrote never is: a key that its
    part does not take is an error.

    Args:
        settings: a resolved configuration with a ``_target_``.
        written: the keys that the user wrote.
        kind: the class that the object has to be of.

    Raises:
        InputError: naming a key that its class does not take, or a class that does not exist or is
            of another kind.
        BrokenModule: where the module or the constructor of a foreign part fails.
    """
    fitting = _fitting(dict(settings), "", written, [kind] if kind else [])
    try:
        return instantiate(fitting, _convert_="all")
    except InstantiationException as error:
        _blame(error)
        raise


def _blame(error: InstantiationException) -> None:
    """Raises an error in one line where Hydra refuses a target, or a foreign part fails."""
    from synth.core.hardware import is_out_of_memory  # imports torch

    match, cause = _TARGET.search(str(error)), error.__cause__
    if match is None:
        return
    target, key = match.groups()
    if cause is None:
        raise InputError(" ".join(str(error).replace("full_key:", "Key:").split())) from error
    if isinstance(cause, InputError) or is_own(target) or is_out_of_memory(cause):
        return
    text = " ".join(f"{type(cause).__name__}: {cause}".split())
    raise BrokenModule(
        f"{key or '_target_'}: {target} failed while it was built: {text}"
    ) from cause


def _fitting(node: object, path: str, written: Sequence[str], kinds: Sequence[type]) -> object:
    """`node` with the keys that the classes in it take.

    Args:
        node: a value of the configuration.
        path: its key.
        written: the keys that the user wrote.
        kinds: the classes of ours of which one is expected here; empty where any will do.
    """
    if isinstance(node, list):
        return [
            _fitting(entry, f"{path}.{place}", written, kinds) for place, entry in enumerate(node)
        ]
    if not isinstance(node, dict):
        return node
    target = node.get("_target_")
    value = definition(str(target), f"{path}._target_".lstrip(".")) if target else None
    if value and not is_own(str(target)) and not node.get("_partial_"):
        _check_kind(value, f"{path}._target_={target}".lstrip("."), kinds)
    if value:
        node = _taken(node, value, path, written)
        _check_arguments(node, value, path)
    hints = hints_of(value) if value else {}
    fitting = {}
    for key, entry in node.items():
        inner = list(kinds_in(hints.get(key))) if value else kinds
        fitting[key] = _fitting(entry, f"{path}.{key}".lstrip("."), written, inner)
    return fitting


def _check_kind(value: Callable[..., object], word: str, kinds: Sequence[type]) -> None:
    """Refuses a class of another kind before it is built, and a function that says it returns one.

    What a function without such a hint returns is checked by the part that takes it.
    """
    is_type = inspect.isclass(value) or inspect.isbuiltin(value)
    result = value if is_type else hints_of(value).get("return", typing.Any)
    if not kinds or result is typing.Any:
        return
    if not (inspect.isclass(result) and issubclass(result, tuple(kinds))):
        bases = " or ".join(map(_public, kinds))
        raise InputError(
            f"{word}: it is no {kinds[0].__name__}; write a class derived from {bases}, or a "
            "function that returns one."
        )


def _public(kind: type) -> str:
    """The path by which a class is imported."""
    module = "synth.core" if kind.__name__ in core.__all__ else kind.__module__
    return f"{module}.{kind.__name__}"


def _taken(
    node: Settings, value: Callable[..., object], path: str, written: Sequence[str]
) -> dict[str, Any]:
    """Those entries of `node` that its class takes. What is left out must be another's."""
    target, takes = str(node["_target_"]), parameter_names(value)
    own, renamed = is_own(target), f"{path}._target_" in written
    if takes is None and own:  # as the steps of a chain; a number belonged to the part before it
        takes = [key for key, entry in node.items() if entry is None or isinstance(entry, Mapping)]
    fitting = {}
    for key, entry in node.items():
        full = f"{path}.{key}".lstrip(".")
        is_written = any(f"{word}.".startswith(f"{full}.") for word in written)
        is_taken = key in takes if takes is not None else not renamed or is_written
        if is_taken or str(key).startswith("_"):
            fitting[key] = entry
        elif not own:
            if (path and is_written) or not (renamed or _may_have(value, path, key)):
                raise _not_taken(key, takes or [], target, path)
        else:
            _refuse_dropped(key, takes or [], target, path, is_written)
    return fitting


def _may_have(value: Callable[..., object], path: str, key: str) -> bool:
    """Whether a recipe may have a key at that place which the foreign class there does not take.

    Where the user wrote another class over the settings of a part, any of these may stay.
    """
    from synth.record.job import Job  # imports torch

    is_job = inspect.isclass(value) and issubclass(value, Job)  # a recipe, whose parts refer to it
    return not path or is_job or COMMON.get(path.rpartition(".")[2]) == key


def _check_arguments(arguments: Settings, value: Callable[..., object], path: str) -> None:
    """Refuses what beartype does not: numbers that are not finite, and parts that are missing.

    Of a foreign class it refuses wrong types as well, which beartype does for ours.
    """
    signature, target = signature_of(value), str(arguments["_target_"])
    check_numbers(path, signature, arguments)
    hints = hints_of(value)
    name = target.rsplit(".", 1)[-1]
    for parameter in signature.parameters.values():
        key = f"{path}.{parameter.name}".lstrip(".")
        if parameter.name in arguments:
            entry, hint = arguments[parameter.name], hints.get(parameter.name, typing.Any)
            if isinstance(entry, dict) and "_target_" not in entry and is_part(hint):
                raise InputError(f"{key}: settings of no part; choose one, or leave ~{key} out.")
            if not is_own(target) and not accepts(hint, entry):
                raise InputError(f"{key}={_text(entry)}: {name} takes {in_words(str(hint))} here.")
        elif _is_needed(parameter) and not arguments.get("_partial_"):
            raise InputError(f"{key}: {name} needs it; write {key}=..., or leave ~{key} out.")


def _is_needed(parameter: inspect.Parameter) -> bool:
    several = parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL
    return parameter.default is parameter.empty and parameter.kind not in several


def _text(value: object) -> str:
    return "null" if value is None else str(value)


def _refuse_dropped(
    key: str, takes: Sequence[str], target: str, path: str, is_written: bool
) -> None:
    """Refuses a key that the class does not take, if the user wrote it or it is an old name."""
    names = [name for name in KEYS.get(key, ()) if name in takes]
    if names:
        raise InputError(
            f"{path}.{key}".lstrip(".") + f": it is called {' or '.join(names)} now; write that."
        )
    if path and is_written:
        raise _not_taken(key, takes, target, path)


def _not_taken(key: str, takes: Sequence[str], target: str, path: str) -> InputError:
    hint = nearest(key, takes) or (takes and f" It takes {', '.join(takes)}.") or ""
    name = target.rsplit(".", 1)[-1]
    return InputError(f"{path}.{key}: {name} takes no such value.{hint}")
