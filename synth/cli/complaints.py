"""Takes an exception out of composing, building or running; gives the one line that a user needs, or None.

Hydra, OmegaConf and beartype tell what went wrong in the terms of their own insides. The line says it in
terms of what was typed. None means that the fault is ours, and the traceback should be seen.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from synth.errors import InputError, nearest
from synth.record.atomic import DISK_FULL

WORDS = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "str": "a word", "None": "null",
    "NoneType": "null", "Sequence[int]": "a list of whole numbers", "Sequence[float]": "a list of numbers",
    "Sequence[str]": "a list of words",
}  # fmt: skip


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
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _told(
    error: BaseException, chain: list[BaseException], conf: Path, typed: list[str]
) -> str | None:
    kind, text = type(error).__name__, str(error)
    if kind == "MissingConfigException":
        return _missing_config(text, conf)
    if "Ambiguous value for argument" in text:
        return _several_values(text)
    if kind == "ConfigCompositionException":
        return _composition(text, conf, typed)
    if kind == "OverrideParseException":
        word = str(getattr(error, "override", "")) or text.splitlines()[0]
        return f"{word}: not of the form key=value; quote what has spaces, brackets or commas: 'key=[a,b]'."
    if kind == "ValueError" and "Config group override" in text:
        return f"{' '.join(word for word in typed if word.startswith('='))}: a value without a key; write key=value."
    if kind == "MissingMandatoryValue":
        key = _full_key(text)
        return f"{key}: this recipe needs it; write {key}=..."
    if kind in (
        "InterpolationKeyError",
        "InterpolationResolutionError",
        "InterpolationToMissingValueError",
    ):
        told = _no_such_choice(text, conf, typed)
        if told:
            return told
        word = next((word for word in typed if "${" in word), _full_key(text))
        return f"{word}: {text.splitlines()[0]}".lstrip(": ")
    if kind == "ConfigAttributeError" or kind == "ConfigKeyError":
        return _unknown_key(_full_key(text) or text.splitlines()[0], conf, typed)
    if kind.startswith("BeartypeCallHint"):
        return _wrong_type(error, chain, conf, typed)
    if kind == "InstantiationException" and "unexpected keyword argument" in text:
        return text.splitlines()[0]
    if kind == "ValidationError":
        return f"{_full_key(text)}: {text.splitlines()[0]}"
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return f"{error.filename or 'the disk'}: {error.strerror}. Make room and give the same command again."
    if isinstance(error, OSError) and error.filename:
        folder = next((word for word in reversed(typed) if word.startswith("folder=")), None)
        hint = (
            " Name another folder."
            if folder and str(error.filename) in str(Path(folder[7:]).absolute())
            else ""
        )
        return f"{(hint and folder) or error.filename}: {error.strerror}.{hint}"
    if kind == "OutOfMemoryError":
        return "the device is out of memory: lower memory=, search.population= or encoding.size=."
    return None


def _full_key(text: str) -> str:
    found = re.search(r"full_key: (\S+)", text)
    return found.group(1) if found else ""


def _several_values(text: str) -> str:
    """A list without its brackets: target=goldfish,lemon."""
    found = re.search(r"argument '(.*)'", text)
    word = found.group(1) if found else "key=a,b"
    key, _, value = word.partition("=")
    return f"{word}: several values; write '{key}=[{value}]' for one run of all, or synth -m {word} for a run of each."


def _missing_config(text: str, conf: Path) -> str:
    """An option of a group that does not exist: recipe=foolin_gradient, network=alexnett."""
    found = re.search(r"Could not (?:find|load) '([^']*)'", text)
    group, _, option = (found.group(1) if found else "").rpartition("/")
    if not group:
        return text.splitlines()[0]
    choices = sorted(path.stem for path in (conf / group).glob("*.yaml"))
    return f"{group}={option}: no such {group}.{nearest(option, choices) or f' There are {_listed(choices)}.'}"


def _composition(text: str, conf: Path, typed: list[str]) -> str:
    """A key or group that the recipe does not have."""
    found = re.search(r"Could not override '([^']*)'", text) or re.search(
        r"delete from config\. '([^']*)'", text
    )
    if found:
        return _unknown_key(found.group(1), conf, typed)
    found = re.search(r"Could not append to config\. An item is already at '([^']*)'", text)
    if found:
        return f"+{found.group(1)}: it is there already; leave the + out."
    found = re.search(r"Error merging override (.*)", text)
    if found:
        return f"{found.group(1)}: a value of another kind than what stands there."
    return text.splitlines()[0]


def _unknown_key(key: str, conf: Path, typed: list[str]) -> str:
    """An unknown key, with the nearest that this recipe has."""
    recipe = next((word.partition("=")[2] for word in typed if word.startswith("recipe=")), None)
    if recipe and "," in recipe:
        return f"{key}: not a key of every recipe; in a sweep over recipes write ++{key}=..."
    groups = [
        word
        for word in typed
        if (conf / re.split("[@=]", word.lstrip("+"))[0]).is_dir() and "=" in word
    ]
    keys, chosen = _composed(
        conf, [word for word in groups if "," not in word and _key_of(word) != key]
    )
    if (conf / key.split("@")[0]).is_dir():
        told = _no_such_part(
            key, next((word for word in groups if _key_of(word) == key), key), conf, chosen
        )
        if told:
            return told
    hint = nearest(key, keys)
    if not hint:
        last = key.rsplit(".", 1)[-1]
        hint = nearest(last, [one.rsplit(".", 1)[-1] for one in keys])
    if not hint:
        hint = f" It has {_listed(sorted({one.split('.')[0] for one in keys}))}."
    return f"{key}: {f'recipe {recipe}' if recipe else 'this recipe'} has no such key.{hint}"


def _no_such_choice(text: str, conf: Path, typed: list[str]) -> str | None:
    """A value that picks among the entries of a table in the recipe, as encoding.norm does: one that is not there."""
    found = re.search(r"Interpolation key '([^']*)' not found", text)
    parts = found.group(1).split(".") if found else []
    for word in typed:
        value = word.partition("=")[2]
        if value in parts[1:]:
            table = f"{'.'.join(parts[: parts.index(value)])}."
            keys, _ = _composed(conf, [one for one in typed if _key_of(one) == "recipe"])
            choices = [key.removeprefix(table) for key in keys if key.startswith(table)]
            choices = [key for key in choices if "." not in key]
            return f"{word}: no such choice.{nearest(value, choices) or f' Write one of {_listed(choices)}.'}"
    return None


def _key_of(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def _no_such_part(key: str, word: str, conf: Path, chosen: dict[str, str]) -> str | None:
    """A part chosen where the recipe has none of its own: search=genetic in a comparison, or in recipe=layers."""
    group = key.split("@")[0]
    nested = sorted(name for name in chosen if name.startswith(f"{group}@"))
    nested = [name for name in nested if name.endswith(f".{group}")] or nested
    inner = [option for name, option in chosen.items() if name.startswith("recipe@")]
    options = [*reversed(inner), *sorted(path.stem for path in (conf / "recipe").glob("*.yaml"))]
    other = next(
        (option for option in options if group in _composed(conf, [f"recipe={option}"])[1]), None
    )
    value = word.partition("=")[2]
    if group == "measure" and "@" not in key:  # a run has any number of them, each under a name
        return f"{word}: a measure is added under a name of your choice; write +measure@measures.NAME={value}."
    ways = [" or ".join(f"{name}={value}" for name in nested[:3])] if nested else []
    if other and other != chosen["recipe"]:
        ways.append(f"{'choose' if ways else 'Choose'} a recipe with one {group} (recipe={other})")
    if not ways:
        return None
    advice = ", or ".join(ways)
    return f"{key}: recipe {chosen['recipe']} has no such part of its own. {'Write ' * bool(nested)}{advice}"


def _composed(conf: Path, words: list[str]) -> tuple[list[str], dict[str, str]]:
    """All keys of a recipe with the parts that `words` choose, dotted, and its parts; a word that fails is left out."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf), version_base="1.3"):
        composed, kept = compose("config", return_hydra_config=True), list[str]()
        for word in sorted(words, key=lambda word: _key_of(word) != "recipe"):
            with suppress(Exception):
                composed = compose("config", overrides=[*kept, word], return_hydra_config=True)
                kept.append(word)
    chosen = {str(name): str(option) for name, option in composed.hydra.runtime.choices.items()}
    tree = OmegaConf.to_container(composed, resolve=False)
    assert isinstance(tree, dict)
    tree.pop("hydra")

    def walk(node: object, path: str) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                if not str(key).startswith("_"):
                    here = f"{path}.{key}".lstrip(".")
                    yield here
                    yield from walk(value, here)

    return list(walk(tree, "")), chosen


def _wrong_type(
    error: BaseException, chain: list[BaseException], conf: Path, typed: list[str]
) -> str | None:
    """A value of another type than its part takes: search.steps=many. None where no value of the user's was passed."""
    text = str(error)
    where = next((_full_key(str(one)) for one in chain if _full_key(str(one))), "")
    found = re.search(
        r"(\w+)\.__init__\(\) parameter (\w+)=(.*?) violates type hint (.*?), as", text, re.DOTALL
    )
    if not found:
        found = re.search(
            r"(\w+)\(\) parameter (\w+)=(.*?) violates type hint (.*?), as", text, re.DOTALL
        )
    if not found or not _called_by_hydra(error, chain, f"{found.group(1)}()"):
        return None
    name, parameter, value, hint = found.groups()
    key = f"{where}.{parameter}".lstrip(".")
    inner = next((word for word in typed if _key_of(word).startswith(f"{key}.")), None)
    group = inner and next(conf.glob(f"*/{inner.partition('=')[2] or '-'}.yaml"), None)
    if inner and (group or " object at 0x" in value):
        hint = re.sub(r".*Mapping\[str, (.*)\]$", r"\1", hint)
    hint = re.sub(r"<class '([\w.]*)'>", r"\1", hint)
    kinds = [
        WORDS.get(kind, kind)
        for kind in dict.fromkeys(re.sub(r"\w+\.(?=\w)", "", hint).split(" | "))
    ]
    if "a number" in kinds and "a whole number" in kinds:  # a whole number is a number
        kinds.remove("a whole number")
    said = f"{name} takes {' or '.join(kinds)} here."
    if inner and group:
        plus = "+" if inner.startswith("+") else ""
        return f"{inner}: {said} Write {plus}{group.parent.name}@{inner.lstrip('+')}"
    if inner and " object at 0x" in value:
        return f"{inner}: {said}"
    value = re.sub(r"<[\w.]*?(\w+) object at 0x[0-9a-f]+>?", r"\1", value)
    return f"{key}={value}: {said}"


def _called_by_hydra(error: BaseException, chain: list[BaseException], called: str) -> bool:
    """Whether the call that was refused is the making of a part, and so the value one of the configuration's."""
    made = next((str(one) for one in chain if type(one).__name__ == "InstantiationException"), "")
    if f".{called[:-2]}'" in made.partition("\n")[0]:
        return True
    if ".__init__() parameter" not in str(error):
        return False
    frames = [
        str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    return bool(made) or not any(name.startswith("synth.") for name in frames[:-1])


def _listed(names: list[str], most: int = 30) -> str:
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")
