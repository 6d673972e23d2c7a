"""Messages about a key, a part or an option that does not exist, with the nearest that does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from synth.config.composing import key_of, keys_and_parts
from synth.errors import nearest
from synth.record.renames import FIGURES, current_option


def unknown_option(text: str, conf: Path) -> str:
    """An option that its group does not have: recipe=foolin_gradient, network=alexnett.

    Args:
        text: Hydra's message.
        conf: the folder of the configuration.
    """
    match = re.search(r"Could not (?:find|load) '([^']*)'", text)
    group, _, option = (match.group(1) if match else "").rpartition("/")
    if not group:
        return text.splitlines()[0]
    if group == "measure":
        kind = "figure" if option in FIGURES else "metric"
        return f"{group}={option}: it is a {kind} now; write {kind}@{kind}s.NAME={option}"
    name = current_option(group, option)
    if name != option:
        return f"{group}={option}: it is called {name} now; write {group}={name}"
    choices = _options(conf, group)
    hint = nearest(option, choices) or f" There are {_listed(choices)}."
    return f"{group}={option}: no such {group}.{hint}"


def unknown_key(key: str, conf: Path, typed: Sequence[str]) -> str:
    """A key that the recipe does not have.

    Args:
        key: the key, dotted; or a group.
        conf: the folder of the configuration.
        typed: the words of the command line.
    """
    recipe = next((word.partition("=")[2] for word in typed if word.startswith("recipe=")), None)
    if recipe and "," in recipe:
        return f"{key}: not a key of every recipe; in a sweep over recipes write ++{key}=..."
    groups = [word for word in typed if "=" in word and _is_group(_group_of(word), conf)]
    others = [word for word in groups if "," not in word and key_of(word) != key]
    keys, chosen = keys_and_parts(conf, others)
    if _is_group(key.split("@")[0], conf):
        word = next((word for word in groups if key_of(word) == key), key)
        message = _no_such_part(key, word, conf, chosen)
        if message:
            return message
    hint = nearest(key, keys)
    if not hint:
        hint = nearest(key.rsplit(".", 1)[-1], [name.rsplit(".", 1)[-1] for name in keys])
    if not hint:
        hint = f" It has {_listed(sorted({name.split('.')[0] for name in keys}))}."
    return f"{key}: {f'recipe {recipe}' if recipe else 'this recipe'} has no such key.{hint}"


def no_such_choice(text: str, conf: Path, typed: Sequence[str]) -> str | None:
    """A value that is not among the entries of a table in the recipe, as encoding.norm chooses one.

    Args:
        text: OmegaConf's message about an interpolation.
        conf: the folder of the configuration.
        typed: the words of the command line.
    """
    match = re.search(r"Interpolation key '([^']*)' not found", text)
    parts = match.group(1).split(".") if match else []
    for word in typed:
        value = word.partition("=")[2]
        if value not in parts[1:]:
            continue
        table = f"{'.'.join(parts[: parts.index(value)])}."
        keys, _ = keys_and_parts(conf, [word for word in typed if key_of(word) == "recipe"])
        entries = [key.removeprefix(table) for key in keys if key.startswith(table)]
        choices = [entry for entry in entries if "." not in entry]
        hint = nearest(value, choices) or f" Write one of {_listed(choices)}."
        return f"{word}: no such choice.{hint}"
    return None


def _no_such_part(key: str, word: str, conf: Path, chosen: Mapping[str, str]) -> str | None:
    """A part chosen where the recipe has none of its own: search=genetic in a comparison."""
    group = key.split("@")[0]
    value = word.partition("=")[2]
    if group in ("metric", "figure") and "@" not in key:  # any number of them, each with a name
        return (
            f"{word}: a {group} is added under a name of your choice; "
            f"write +{group}@{group}s.NAME={value}."
        )
    nested = sorted(name for name in chosen if name.startswith(f"{group}@"))
    nested = [name for name in nested if name.endswith(f".{group}")] or nested
    ways = [" or ".join(f"{name}={value}" for name in nested[:3])] if nested else []
    other = _recipe_with(group, conf, chosen)
    if other and other != chosen["recipe"]:
        ways.append(f"{'choose' if ways else 'Choose'} a recipe with one {group} (recipe={other})")
    if not ways:
        return None
    advice = f"{'Write ' * bool(nested)}{', or '.join(ways)}"
    return f"{key}: recipe {chosen['recipe']} has no such part of its own. {advice}"


def _recipe_with(group: str, conf: Path, chosen: Mapping[str, str]) -> str | None:
    """A recipe that chooses a part of that group; one of the contenders where there are some."""
    contenders = [option for name, option in chosen.items() if name.startswith("recipe@")]
    for option in (*reversed(contenders), *_options(conf, "recipe")):
        if group in keys_and_parts(conf, [f"recipe={option}"])[1]:
            return option
    return None


def _group_of(word: str) -> str:
    return re.split("[@=]", word.lstrip("+"))[0]


def _is_group(name: str, conf: Path) -> bool:
    return (conf / name).is_dir()


def _options(conf: Path, group: str) -> list[str]:
    return sorted(path.stem for path in (conf / group).glob("*.yaml"))


def _listed(names: Sequence[str], most: int = 30) -> str:
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")
