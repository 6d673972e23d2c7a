"""Messages about a key, a part or an option that does not exist, with the nearest that does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from synth.cli.launchers import not_installed
from synth.config import plugins
from synth.config.composing import Composition, composition, key_of
from synth.config.networks import GROUP, classifiers
from synth.config.shorthand import WORDS, meaning_of
from synth.errors import close_to, did_you_mean, nearest
from synth.record.renames import FIGURES, current_option

# what a search calls its length, and its population
TWINS = {
    "steps": "generations",
    "generations": "steps",
    "population": "batch",
    "batch": "population",
}
PICTURES = ("image", "images", "content", "style", "guide")


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
    if group.startswith("hydra/"):  # a launcher or sweeper, which a plugin brings
        return not_installed(group, option)
    choices = options_of(conf, group)
    more = classifiers() if group == GROUP else ()
    hint = nearest(option, [*choices, *more]) or f" There are {listed(choices)}."
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
    chosen = composition(conf, others)
    if _is_group(key.split("@")[0], conf):
        word = next((word for word in groups if key_of(word) == key), key)
        message = _no_such_part(key, word, conf, chosen.parts)
        if message:
            return message
    if f"~{key}" in typed and key in chosen.keys:
        return f"~{key}: it is null already; leave ~{key} out."
    if key in chosen.keys:
        return f"{key}: it goes with a part that another word takes out; leave one of them out."
    hint = _near_keys(key, chosen, conf)
    return f"{key}: {f'recipe {recipe}' if recipe else 'this recipe'} has no such key.{hint}"


def _near_keys(key: str, chosen: Composition, conf: Path) -> str:
    """A sentence about keys that the user may have meant."""
    parent, _, last = key.rpartition(".")
    short = [word for word in WORDS if meaning_of(word, chosen.tree)]
    twin = f"{parent}.{TWINS.get(last)}".lstrip(".")
    if twin in (*short, *chosen.keys):
        return f" Did you mean {twin}?"
    if key in chosen.optional:
        return f" Its parts read one that is added: write +{key}=..."
    if key in PICTURES:
        others = [name for name in options_of(conf, "recipe") if _has_key(conf, name, key)]
        return f" It takes no such picture; recipes that do: {listed(others, 8)}."
    names = [*short, *(name for name in chosen.keys if name not in (key, *short))]
    # people leave the part out: epsilon for encoding.epsilon; of several the one least deep
    parts = {name.rpartition(".")[0] for name in names}
    leaves = sorted({*names} - parts, key=lambda name: (-name.count("."), name))
    ends = {name.rpartition(".")[2]: name for name in leaves}
    near = close_to(key, names if parent else [*ends, *names]) or close_to(last, ends)
    hint = did_you_mean(dict.fromkeys(ends.get(name, name) for name in near))
    return hint or f" It has {listed(sorted({name.split('.')[0] for name in chosen.keys}))}."


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
        keys = composition(conf, [word for word in typed if key_of(word) == "recipe"]).keys
        entries = [key.removeprefix(table) for key in keys if key.startswith(table)]
        choices = [entry for entry in entries if "." not in entry]
        hint = nearest(value, choices) or f" Write one of {listed(choices)}."
        return f"{word}: no such choice.{hint}"
    return None


def not_a_name(conf: Path, typed: Sequence[str]) -> str | None:
    """A part that is chosen by a number: search=3.

    Args:
        conf: the folder of the configuration.
        typed: the words of the command line.
    """
    for word in typed:
        group = _group_of(word)
        if _is_group(group, conf) and word.partition("=")[2] not in options_of(conf, group):
            return f"{word}: write the name of one {group}: {listed(options_of(conf, group))}."
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
    if group in chosen:
        options = listed(options_of(conf, group))
        return f"{key}: this recipe has one {group}; write {group}=NAME. There are {options}."
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
    for option in (*reversed(contenders), *options_of(conf, "recipe")):
        if _chooses(conf, f"recipe/{option}", group):
            return option
    return None


def _chooses(conf: Path, name: str, group: str) -> bool:
    """Whether the file chooses a part of that group, or is based on a synthesis that does.

    The text is enough for a hint; composing every recipe would take seconds.
    """
    text = _text(conf, name)
    if re.search(rf"^ *- (override )?/?{re.escape(group)}:", text, re.MULTILINE):
        return True
    return "- /experiment" in text and _chooses(conf, "experiment", group)


def _has_key(conf: Path, recipe: str, key: str) -> bool:
    return bool(re.search(rf"^{re.escape(key)}:", _text(conf, f"recipe/{recipe}"), re.MULTILINE))


def _text(conf: Path, name: str) -> str:
    files = [folder / f"{name}.yaml" for folder in plugins.folders(conf)]
    return next(file for file in files if file.is_file()).read_text(encoding="utf-8")


def _group_of(word: str) -> str:
    return re.split("[@=]", word.lstrip("+"))[0]


def _is_group(name: str, conf: Path) -> bool:
    return any((folder / name).is_dir() for folder in plugins.folders(conf))


def options_of(conf: Path, group: str) -> list[str]:
    """The names of the YAML files of a group, those of the user's and of plug-ins too."""
    return sorted(plugins.options(conf, group))


def listed(names: Sequence[str], most: int = 30) -> str:
    """Names in a sentence, the first of them where there are many."""
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")
