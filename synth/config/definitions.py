"""The classes and functions that a configuration names by ``_target_``.

A configuration of the user's may name anything that can be imported. What others have written, a
run folder, a picture or weights, names nothing but what is defined in this package
(`own_definition`), whatever plug-ins are installed.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from importlib.util import find_spec
from pkgutil import iter_modules

from hydra.utils import get_object

from synth.config.plugins import plugin_of
from synth.errors import BrokenModule, InputError, nearest
from synth.files import find_modules_here
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
    """A class or function of the user's, or of a plug-in; its module may be in this folder."""
    find_modules_here()
    word = f"{key}={target}"
    try:
        value = _imported(target, word)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        plugin = plugin_of(target)
        of = f"plug-in {plugin}" if plugin else f"module {target.rpartition('.')[0]}"
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise BrokenModule(f"{word}: the {of} failed while it was imported: {text}") from error
    if not callable(value):
        raise InputError(f"{word}: it is no class and no function.")
    if inspect.isabstract(value):
        lacks = ", ".join(sorted(value.__abstractmethods__))
        raise InputError(f"{word}: it does not define {lacks}, which its base class requires.")
    return value


def _imported(target: str, word: str) -> object:
    """What there is at a dotted path. Its modules are imported, which runs them.

    Raises:
        InputError: where there is nothing; with the nearest name that there is.
        Exception: what a module raises.
    """
    root, *names = target.split(".")
    if not names or not all((root, *names)):
        raise InputError(f"{word}: write package.module.Class.")
    try:
        value: object = importlib.import_module(root)
    except ModuleNotFoundError as error:
        if error.name != root:
            raise
        raise InputError(
            f"{word}: there is no module {root}, neither installed nor in this folder."
        ) from error
    path = root
    for name in names:
        path = f"{path}.{name}"
        if hasattr(value, name):
            value = getattr(value, name)
        elif hasattr(value, "__path__") and find_spec(path):
            value = importlib.import_module(path)
        else:
            where = getattr(value, "__file__", None) or path.rpartition(".")[0]
            inner = [entry.name for entry in iter_modules(getattr(value, "__path__", None) or [])]
            choices = [entry for entry in (*dir(value), *inner) if not entry.startswith("_")]
            raise InputError(f"{word}: there is no {name} in {where}.{nearest(name, choices)}")
    return value


def _is_missing(cause: BaseException, target: str) -> bool:
    """Whether an import failed because of the name `target` itself."""
    if isinstance(cause, ModuleNotFoundError):
        return f"{target}.".startswith(f"{cause.name}.")
    traceback = cause.__traceback__
    return isinstance(cause, AttributeError) and bool(traceback and not traceback.tb_next)
