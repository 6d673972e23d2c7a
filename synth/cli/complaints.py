"""One-line error messages for the mistakes of a user in composing, building or running.

Hydra, OmegaConf and beartype report mistakes in terms of their internals; the line is in terms of
what was typed. An exception that no user has caused gets no line, and its traceback is shown.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from synth.cli.launchers import not_installed
from synth.cli.unknown_keys import no_such_choice, not_a_name, unknown_key, unknown_option
from synth.cli.wrong_types import wrong_type
from synth.errors import BrokenModule, InputError
from synth.record.atomic import DISK_FULL

COMMAND = ("synth.cli.command", "synth.cli.jobs")
LOADER = "synth.config.exchange"  # which Hydra calls while it composes
LONGEST_VALUE = 200  # characters of a value that a line repeats
_INTERPOLATION = (
    "InterpolationKeyError",
    "InterpolationResolutionError",
    "InterpolationToMissingValueError",
)


def line(error: BaseException, conf: Path, typed: Sequence[str]) -> str | None:
    """One line that says what was wrong, where, and what to write instead.

    Args:
        error: what was raised.
        conf: the folder of the configuration.
        typed: the words of the command line.

    Returns:
        The line; None where the error is not the user's.
    """
    message = _line(error, conf, typed)
    for word in typed:
        value = word.partition("=")[2]
        if message and len(value) > LONGEST_VALUE:
            message = message.replace(value, f"{value[:40]}...")
    return message


def trace(error: BaseException) -> str:
    """The traceback of a module of the user's or of a plug-in's that cannot be imported, or empty.

    It begins in that module.
    """
    broken = next((cause for cause in causes(error) if isinstance(cause, BrokenModule)), None)
    cause = broken.__cause__ if broken else None
    if cause is None:
        return ""
    frames = cause.__traceback__
    while frames and _is_loading(frames):
        frames = frames.tb_next
    return "".join(traceback.format_exception(cause.with_traceback(frames)))


def _is_loading(frames: TracebackType) -> bool:
    """Whether a frame is not yet one of the module."""
    name = str(frames.tb_frame.f_globals.get("__name__"))
    return name.split(".")[0] in ("synth", "importlib", "beartype", "hydra")


def _line(error: BaseException, conf: Path, typed: Sequence[str]) -> str | None:
    chain = list(causes(error))
    for cause in chain:
        if isinstance(cause, InputError):
            return str(cause)
    for cause in chain:
        message = _message(cause, chain, conf, typed)
        if message:
            return " ".join(message.split())
    return str(error).splitlines()[0] if _is_of_hydra(error) else None


def _is_of_hydra(error: BaseException) -> bool:
    """Whether Hydra refused the command line, before it called anything of the package."""
    modules = [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [module for module in modules if module.startswith("synth.") and module != LOADER]
    first = next((place for place, name in enumerate(modules) if name.startswith("hydra")), None)
    # the command has called Hydra, and Hydra nothing of ours
    called = first is not None and bool(ours) and ours == modules[:first]
    return bool(str(error)) and called and {*ours} <= {*COMMAND}


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and its causes, innermost last."""
    visited: set[int] = set()
    while error is not None and id(error) not in visited:
        visited.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _message(
    error: BaseException, chain: Sequence[BaseException], conf: Path, typed: Sequence[str]
) -> str | None:
    """The line for one exception of the chain; its class is compared by name, to import nothing."""
    kind = type(error).__name__
    if kind.startswith("BeartypeCallHint"):
        where = next((key for key in map(full_key, map(str, chain)) if key), "")
        return wrong_type(error, chain, where, conf, typed)
    if _is_out_of_memory(error):
        return _out_of_memory(typed)
    if kind == "InstantiationException" and "unexpected keyword argument" in str(error):
        return str(error).splitlines()[0]
    plugin = re.match(r"Unknown plugin class : 'hydra_plugins\.hydra_(\w+)_(\w+)\.", str(error))
    if plugin:
        return not_installed(f"hydra/{plugin[2]}", plugin[1])
    if isinstance(error, ConnectionError) and "ray" in str(error).lower():
        return f"hydra/launcher=ray: {str(error).splitlines()[0]}"
    message = _composing_error(error, conf, typed)
    if message is None and isinstance(error, OSError):  # as Hydra's error of a missing file is
        message = _file_error(error, typed)
    return message


def _is_out_of_memory(error: BaseException) -> bool:
    if not isinstance(error, (MemoryError, RuntimeError, ValueError, TypeError)):
        return False
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from synth.core.hardware import is_out_of_memory

    return is_out_of_memory(error)


def _out_of_memory(typed: Sequence[str]) -> str:
    """The line names the largest number that was typed, and else what most often takes memory."""
    numbers = [word for word in typed if re.fullmatch(r"[^=]+=\d+", word)]
    largest = max(numbers, key=lambda word: int(word.partition("=")[2]), default="")
    where = f"{largest}: " if largest else ""
    return (
        f"{where}memory ran out; write a smaller number there, or lower encoding.size=, views=, "
        "search.population= or memory=, or name fewer targets or pictures."
    )


def _composing_error(error: BaseException, conf: Path, typed: Sequence[str]) -> str | None:
    """An error of Hydra or OmegaConf about what was typed, or about a file of the user's."""
    kind = type(error).__name__
    text = str(error)
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f"{mark.name}, line {mark.line + 1}: no YAML: {getattr(error, 'problem', text)}."
    if kind == "MissingConfigException":
        return unknown_option(text, conf)
    if "Ambiguous value for argument" in text:
        return _several_values(text)
    if kind == "ConfigCompositionException":
        return _bad_override(text, conf, typed)
    if kind == "OverrideParseException":
        word = str(getattr(error, "override", "")) or text.splitlines()[0]
        return (
            f"{word}: not of the form key=value; quote what has spaces, brackets or commas: "
            "'key=[a,b]'."
        )
    if kind == "ValueError" and "Config group override" in text:
        words = [word for word in typed if word.startswith("=")]
        if words:
            return f"{' '.join(words)}: a value without a key; write key=value."
        return not_a_name(conf, typed)
    if kind == "MissingMandatoryValue":
        key = full_key(text)
        return f"{key}: this recipe needs it; write {key}=..."
    if kind in _INTERPOLATION or kind == "UnsupportedInterpolationType":
        return no_such_choice(text, conf, typed) or _interpolation(text, typed)
    if kind in ("ConfigAttributeError", "ConfigKeyError"):
        return unknown_key(full_key(text) or text.splitlines()[0], conf, typed)
    if kind == "ValidationError":
        return f"{full_key(text)}: {text.splitlines()[0]}"
    return None


def full_key(text: str) -> str:
    """The key that an error of Hydra or OmegaConf names at its end; the empty string if none."""
    match = re.search(r"full_key: (\S+)", text)
    return match.group(1) if match else ""


def _file_error(error: OSError, typed: Sequence[str]) -> str | None:
    """A full disk, or a file that cannot be opened."""
    if error.errno in DISK_FULL:
        where = error.filename or "the disk"
        return f"{where}: {error.strerror}. Make room and give the same command again."
    if not error.filename:
        return None
    folder = next((word for word in reversed(typed) if word.startswith("folder=")), "")
    path = folder.removeprefix("folder=")
    if folder and str(error.filename) in str(Path(path).absolute()):
        return f"{folder}: {error.strerror}. Name another folder."
    return f"{error.filename}: {error.strerror}."


def _interpolation(text: str, typed: Sequence[str]) -> str:
    word = next((word for word in typed if "${" in word), full_key(text))
    return f"{word}: {text.splitlines()[0]}".lstrip(": ")


def _several_values(text: str) -> str:
    """A list without its brackets: target=goldfish,lemon."""
    match = re.search(r"argument '(.*)'", text)
    word = match.group(1) if match else "key=a,b"
    key, _, value = word.partition("=")
    return (
        f"{word}: several values; write '{key}=[{value}]' for one run of all, or synth -m {word} "
        "for a run of each."
    )


def _bad_override(text: str, conf: Path, typed: Sequence[str]) -> str:
    """A key or group that the recipe does not have, or a value that does not fit there."""
    for pattern in (r"Could not override '([^']*)'", r"delete from config\. '([^']*)'"):
        match = re.search(pattern, text)
        if match:
            return unknown_key(match.group(1), conf, typed)
    match = re.search(r"Could not append to config\. An item is already at '([^']*)'", text)
    if match:
        return f"+{match.group(1)}: it is there already; leave the + out."
    match = re.search(r"Error merging override (.*)", text)
    if match:
        return f"{match.group(1)}: a value of another kind than what stands there."
    return text.splitlines()[0]
