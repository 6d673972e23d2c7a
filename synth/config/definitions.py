"""The classes and functions that a configuration names by ``_target_``.

A configuration of the user's may name anything that can be imported. What others have written, a
run folder, a picture or weights, names nothing but what is defined in this package
(`own_definition`), whatever plug-ins are installed.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from pkgutil import iter_modules

from hydra.utils import get_object

from synth.config.plugins import plugin_of
from synth.errors import BrokenModule, InputError, nearest
from synth.record.renames import CLASSES


def parameters_of(target: str, path: str = "") -> list[str] | None:
    """The parameters that a class or function takes by name; None where it takes any name.

    Args:
        target: dotted path; within the package ``synth`` the one by which it is defined.
        path: key of the configuration that `target` stands under, for the error.
    """
    return parameter_names(definition(target, f"{path}._target_".lstrip(".")))


def parameter_names(value: Callable[..., object]) -> list[str] | None:
    """The parameters that can be given by name; None where any name can."""
    parameters = signature_of(value).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    by_name = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    return [parameter.name for parameter in parameters if parameter.kind in by_name]


def signature_of(value: Callable[..., object]) -> inspect.Signature:
    """The signature of a class's constructor or a function."""
    try:
        return inspect.signature(value)
    except ValueError:  # as some classes in C have none: any key
        return inspect.signature(lambda **anything: None)


def definition(target: str, key: str) -> Callable[..., object]:
    """The class or function that a configuration of the user's names.

    Args:
        target: dotted path. Within the package ``synth`` it is the one by which it is defined.
        key: of the configuration that it stands under, for the error.

    Raises:
        InputError: where there is no such thing, or it is defined elsewhere.
        BrokenModule: where its module fails.
    """
    return own_definition(target, key) if is_own(target) else _foreign(target, key)


def is_own(target: str) -> bool:
    """Whether a dotted path is one within the package ``synth``, or was in an earlier version."""
    return target.startswith("synth.") or target in CLASSES


def own_definition(target: str, key: str) -> Callable[..., object]:
    """The class or function of this package. What a module merely imports is not built from it.

    Nothing else may be named by what others have written: a run folder, a picture, weights.

    Args:
        target: dotted path within the package ``synth``.
        key: of the configuration that it stands under, for the error.

    Raises:
        InputError: where there is no such thing, or it is defined elsewhere.
    """
    if target in CLASSES:
        raise InputError(f"{key}={target}: it is called {CLASSES[target]} now; write that.")
    if not is_own(target):
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


def _foreign(target: str, key: str) -> Callable[..., object]:
    """A class or function of the user's, or of a plug-in.

    Its module may stand in the current folder. That comes last: nothing there hides a module which
    is installed.
    """
    folder = os.getcwd()
    if folder not in sys.path and "" not in sys.path:
        sys.path.append(folder)
        importlib.invalidate_caches()
    word = f"{key}={target}"
    if "." not in target.strip("."):
        raise InputError(f"{word}: write package.module.Class.")
    try:
        value: object = get_object(target)
    except ValueError as error:
        raise InputError(f"{word}: write package.module.Class.") from error
    except (ImportError, SystemExit) as error:
        cause = error.__cause__ or error
        if _is_missing(cause, target):
            raise InputError(f"{word}: {_nearest_module(target)}") from error
        plugin = plugin_of(target)
        of = f"plug-in {plugin}" if plugin else f"module {target.rpartition('.')[0]}"
        text = " ".join(f"{type(cause).__name__}: {cause}".split())
        raise BrokenModule(f"{word}: the {of} failed while it was imported: {text}") from cause
    if not callable(value):
        raise InputError(f"{word}: it is no class and no function.")
    if inspect.isabstract(value):
        lacks = ", ".join(sorted(value.__abstractmethods__))
        raise InputError(f"{word}: it does not define {lacks}, which its base class requires.")
    return value


def _nearest_module(target: str) -> str:
    """What there is of the path of something that is not there."""
    parts = target.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module, missing = ".".join(parts[:length]), parts[length]
        if module in sys.modules:
            value = sys.modules[module]
            where = getattr(value, "__file__", None) or module
            inner = [entry.name for entry in iter_modules(getattr(value, "__path__", None) or [])]
            names = [name for name in (*vars(value), *inner) if not name.startswith("_")]
            return f"there is no {missing} in {where}.{nearest(missing, names)}"
    return f"there is no module {parts[0]}, neither installed nor in this folder."


def _is_missing(cause: BaseException, target: str) -> bool:
    """Whether an import failed because of the name `target` itself."""
    if isinstance(cause, ModuleNotFoundError):
        return f"{target}.".startswith(f"{cause.name}.")
    traceback = cause.__traceback__
    return isinstance(cause, AttributeError) and bool(traceback and not traceback.tb_next)
