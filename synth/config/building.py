"""Building the objects that a configuration names by ``_target_``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hydra.utils import get_object, instantiate

from synth.config.types import Settings
from synth.errors import InputError, check_numbers, nearest
from synth.record.renames import CLASSES, KEYS


def build(settings: Settings, written: Sequence[str]) -> Any:
    """The object that `settings` describes.

    Keys that a class does not take are left out: a recipe's own, to which its parts refer, and
    numbers for a part which the user exchanged. What the user wrote never is: a key that its part
    does not take is an error.

    Args:
        settings: a resolved configuration with a ``_target_``.
        written: the keys that the user wrote.

    Raises:
        InputError: naming a key that its class does not take, or a class that does not exist.
    """
    fitting = _fitting(dict(settings), "", written)
    return instantiate(fitting, _convert_="all")


def parameters_of(target: str, path: str = "") -> list[str] | None:
    """The parameters that a class or function takes by name; None where it takes any name.

    Args:
        target: dotted path, the one by which it is defined, within the package ``synth``.
        path: key of the configuration that `target` stands under, for the error.
    """
    signature = inspect.signature(definition(target, f"{path}._target_".lstrip(".")))
    parameters = signature.parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return [parameter.name for parameter in parameters]


def definition(target: str, key: str) -> Callable[..., object]:
    """The class or function of that path. What a module merely imports is not built from it.

    Args:
        target: dotted path within the package ``synth``.
        key: of the configuration that it stands under, for the error.

    Raises:
        InputError: where there is no such thing, or it is defined elsewhere.
    """
    if target in CLASSES:
        raise InputError(f"{key}={target}: it is called {CLASSES[target]} now; write that.")
    if not target.startswith("synth."):
        raise InputError(f"{key}={target}: only names that begin with synth. are built.")
    missing = InputError(f"{key}={target}: there is no such thing in synth.")
    try:
        value: object = get_object(target)
    except ValueError as error:  # two dots, or one at the end
        raise missing from error
    except ImportError as error:
        cause = error.__cause__
        if cause is None or _is_missing(cause, target):
            raise missing from error
        raise cause from None  # a mistake inside the module
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None)
    if f"{module}.{name}" != target or not callable(value):
        raise missing
    return value


def _is_missing(cause: BaseException, target: str) -> bool:
    """Whether an import failed because of the name `target` itself."""
    if isinstance(cause, ModuleNotFoundError):
        return f"{target}.".startswith(f"{cause.name}.")
    traceback = cause.__traceback__
    return isinstance(cause, AttributeError) and bool(traceback and not traceback.tb_next)


def _fitting(node: object, path: str, written: Sequence[str]) -> object:
    """`node` with the keys that the classes in it take."""
    if isinstance(node, list):
        return [_fitting(entry, f"{path}.{place}", written) for place, entry in enumerate(node)]
    if not isinstance(node, dict):
        return node
    node = {
        key: _fitting(value, f"{path}.{key}".lstrip("."), written) for key, value in node.items()
    }
    if "_target_" not in node:
        return node
    target = str(node["_target_"])
    takes = parameters_of(target, path)
    if takes is None:  # any name, as the steps of a chain; a number belonged to the part before it
        takes = [key for key, value in node.items() if value is None or isinstance(value, Mapping)]
    fitting = {}
    for key, value in node.items():
        if key in takes or str(key).startswith("_"):
            fitting[key] = value
        else:
            _refuse_dropped(key, takes, target, path, written)
    _check_arguments(fitting, target, path)
    return fitting


def _check_arguments(arguments: Settings, target: str, path: str) -> None:
    """Refuses what beartype does not: numbers that are not finite, and parts that are missing."""
    signature = inspect.signature(definition(target, path))
    check_numbers(path, signature, arguments)
    name = target.rsplit(".", 1)[-1]
    for parameter in signature.parameters.values():
        key = f"{path}.{parameter.name}".lstrip(".")
        if parameter.name in arguments:
            value = arguments[parameter.name]
            if isinstance(value, dict) and "_target_" not in value and _is_part(parameter):
                raise InputError(f"{key}: settings of no part; choose one, or leave ~{key} out.")
        elif parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
            raise InputError(f"{key}: {name} needs it; write {key}=..., or leave ~{key} out.")


def _is_part(parameter: inspect.Parameter) -> bool:
    """Whether the parameter takes an object that has a ``_target_`` of its own."""
    return bool(re.fullmatch(r"(<class ')?synth\.[\w.]+('>| \| None)?", str(parameter.annotation)))


def _refuse_dropped(
    key: str, takes: Sequence[str], target: str, path: str, written: Sequence[str]
) -> None:
    """Refuses a key that the class does not take, if the user wrote it or it is an old name."""
    full = f"{path}.{key}".lstrip(".")
    names = [name for name in KEYS.get(key, ()) if name in takes]
    if names:
        raise InputError(f"{full}: it is called {' or '.join(names)} now; write that.")
    if path and full in written:
        hint = nearest(key, takes) or (takes and f" It takes {', '.join(takes)}.") or ""
        name = target.rsplit(".", 1)[-1]
        raise InputError(f"{full}: {name} takes no such value.{hint}")
