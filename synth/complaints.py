"""Takes an exception out of composing, building or running; gives the one line that a user needs, or None.

Hydra, OmegaConf and beartype tell what went wrong in the terms of their own insides. The line says it in
terms of what was typed. None means that the fault is ours, and the traceback should be seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from synth.errors import InputError, nearest


def line(error: BaseException, conf: Path, typed: list[str]) -> str | None:
    """One line for `error`; `conf` is the configuration's folder, `typed` the words of the command line."""
    chain = list(_causes(error))
    for one in chain:
        if isinstance(one, InputError):
            return str(one)
    for one in chain:
        told = _told(one, chain, conf, typed)
        if told:
            return " ".join(told.split())
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and what it came from, innermost last."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _told(error: BaseException, chain: list[BaseException], conf: Path, typed: list[str]) -> str | None:
    kind, text = type(error).__name__, str(error)
    if kind == "MissingConfigException":
        return _missing_config(text, conf, typed)
    if kind == "ConfigCompositionException":
        return _composition(text, conf, typed)
    if kind == "OverrideParseException":
        first = text.splitlines()[0]
        said = re.search(r"parsing override '(.*)'", text)
        return (
            f"{said.group(1) if said else first}: not of the form key=value; quote what has spaces: 'key=some value'."
        )
    if kind == "MissingMandatoryValue":
        key = _full_key(text)
        return f"{key}: this recipe needs it; write {key}=..."
    if kind in ("InterpolationKeyError", "InterpolationResolutionError", "InterpolationToMissingValueError"):
        return text.splitlines()[0]
    if kind == "ConfigAttributeError" or kind == "ConfigKeyError":
        return _unknown_key(_full_key(text) or text.splitlines()[0], conf, typed)
    if kind.startswith("BeartypeCallHint"):
        return _wrong_type(text, chain)
    if kind == "HydraException" and "Ambiguous value" in text:
        said = re.search(r"argument '(.*)'", text)
        word = said.group(1) if said else "the value"
        key, _, value = word.partition("=")
        return (
            f"{word}: several values; write '{key}=[{value}]' for one run of all, or synth -m {word} for a run of each."
        )
    if kind == "InstantiationException" and "unexpected keyword argument" in text:
        return text.splitlines()[0]
    if kind == "ValidationError":
        return f"{_full_key(text)}: {text.splitlines()[0]}"
    if isinstance(error, FileNotFoundError | NotADirectoryError | PermissionError) or (
        isinstance(error, OSError) and error.filename
    ):
        return f"{error.filename}: {error.strerror}."
    if kind == "OutOfMemoryError":
        return "the device is out of memory: lower memory=, search.population= or encoding.size=."
    return None


def _full_key(text: str) -> str:
    found = re.search(r"full_key: (\S+)", text)
    return found.group(1) if found else ""


def _missing_config(text: str, conf: Path, typed: list[str]) -> str:
    """An option of a group that does not exist: recipe=foolin_gradient, network=alexnett."""
    found = re.search(r"Could not find '([^']*)'", text) or re.search(r"Cannot find primary config '([^']*)'", text)
    group, _, option = (found.group(1) if found else "").rpartition("/")
    if not group:
        return text.splitlines()[0]
    choices = sorted(path.stem for path in (conf / group).glob("*.yaml"))
    return f"{group}={option}: no such {group}.{nearest(option, choices) or f' There are {_listed(choices)}.'}"


def _composition(text: str, conf: Path, typed: list[str]) -> str:
    """A key or group that the recipe does not have."""
    found = (
        re.search(r"Could not override '([^']*)'", text)
        or re.search(r"Could not append to config\. An item is already at '([^']*)'", text)
        or re.search(r"Could not delete from config\. '([^']*)'", text)
    )
    if found and "append" not in found.group(0):
        return _unknown_key(found.group(1), conf, typed)
    if "Could not append" in text and found:
        return f"+{found.group(1)}: it is there already; leave the + out."
    return text.splitlines()[0]


def _unknown_key(key: str, conf: Path, typed: list[str]) -> str:
    """An unknown key, with the nearest that this recipe has."""
    recipe = next((word.partition("=")[2] for word in typed if word.startswith("recipe=")), None)
    keys = _keys(conf, [f"recipe={recipe}"] if recipe else [])
    hint = nearest(key, keys)
    if not hint:
        last = key.rsplit(".", 1)[-1]
        hint = nearest(last, [one.rsplit(".", 1)[-1] for one in keys])
    if not hint:
        hint = f" It has {_listed(sorted({one.split('.')[0] for one in keys}))}."
    return f"{key}: {f'recipe {recipe}' if recipe else 'this recipe'} has no such key.{hint}"


def _keys(conf: Path, overrides: list[str]) -> list[str]:
    """All keys of a recipe, dotted."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf), version_base="1.3"):
        tree = OmegaConf.to_container(compose("config", overrides=overrides), resolve=False)

    def walk(node: object, path: str) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                if not str(key).startswith("_"):
                    here = f"{path}.{key}".lstrip(".")
                    yield here
                    yield from walk(value, here)

    return list(walk(tree, ""))


def _wrong_type(text: str, chain: list[BaseException]) -> str:
    """A value of another type than its part takes: search.steps=many."""
    where = next((_full_key(str(one)) for one in chain if _full_key(str(one))), "")
    found = re.search(r"(\w+)\.__init__\(\) parameter (\w+)=(.*?) violates type hint (.*?), as", text, re.DOTALL)
    if not found:
        found = re.search(r"(\w+)\(\) parameter (\w+)=(.*?) violates type hint (.*?), as", text, re.DOTALL)
    if not found:
        return text.splitlines()[0]
    name, parameter, value, hint = found.groups()
    hint = re.sub(r"<class '([\w.]*?)(\w+)'>", r"\2", hint)
    hint = (
        hint.replace("typing.", "").replace("collections.abc.", "").replace("NoneType", "null").replace("None", "null")
    )
    words = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a word"}
    key = f"{where}.{parameter}".lstrip(".")
    return f"{key}={value}: {name} takes {words.get(hint, hint)} here."


def _listed(names: list[str], most: int = 30) -> str:
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")
