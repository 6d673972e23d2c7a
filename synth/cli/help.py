"""``synth help [WORD]``: what a recipe, a part or a kind of part is, its keys and examples."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from synth.cli import listing
from synth.config.composing import Composition, composition
from synth.config.headers import Header, comments_of, header_of, read
from synth.config.plugins import options
from synth.config.shorthand import WORDS, meaning_of
from synth.config.types import Settings
from synth.errors import InputError, nearest, printable

WIDTH = 100  # columns, where the output is piped
VALUE = 24  # columns of a default
SWEEPS = ("sweep", "fold")  # keys of sweeps alone
Row = tuple[str, str, str]  # a key, its default and its comment
USAGE = """\
synth makes images from convolutional networks: a search moves the genomes of an encoding so that
the images they decode to score high on an objective, read from a network. A recipe chooses the
four and their numbers.

  synth                              gradient against evolution on eight classes, and a page
  synth RECIPE KEY=VALUE ...         runs a recipe: synth deepdream image=flower layer=relu4
  synth -m RECIPE KEY=A,B ...        a sweep: synth -m class_ascent target=lemon,pizza seed=0,1
  synth help RECIPE                  what it does, its keys and examples
  synth list [KIND] [WORD]           recipes, networks, encodings, objectives, searches, ...
  synth rerun RUN [item=7]           makes the pictures of a run again, and compares them
  synth rerun PICTURE.png            the same from what is recorded in the picture
  synth --version                    the version
  eval "$(synth --shell-completion install=bash)"   completion in this shell; or zsh, fish

Words that mean the same in every recipe: target= image= images= layer= unit= network= seed=
device=cpu until= steps= size= folder=. Any other number is a key: search.rate=0.1. A part is
exchanged by its name: search=genetic encoding=fourier. What a recipe lacks is added with a plus:
+objective@objective.terms.tv=total_variation. Quote what has spaces or brackets:
target='[king penguin, lemon]'. Options of Hydra, which composes all this: synth --hydra-help."""

COMMANDS = {
    "rerun": """\
synth rerun RUN [item=7] makes the pictures of a run again, in a folder of their own, and compares
them with those there are. RUN is a run folder, or a PNG that a run has saved.

  item=7                          the picture of that number alone
  folder= device= memory=         as for any run; those of the run are not taken over
  network=module network.path=... a network or pictures (image=, images=, content=, style=, guide=)
                                  in place of those recorded. A network of your own has to be
                                  written so, because nothing that a file names is imported.

Files that the record names are read, and listed before the run.""",
    "list": """\
synth list [KIND] [WORD ...] lists what there is: synth list recipes fooling. The kinds are listed
by synth list alone. Classes and layers are those of a network:
synth list classes network=squeezenet1_1 dog.""",
}


def run(words: Sequence[str], conf: Path) -> None:
    """Prints help.

    Args:
        words: behind ``help``: none, or the name of a recipe, a part, a kind or a command.
        conf: the folder of the configuration.

    Raises:
        InputError: for a name that there is not.
    """
    if not words:
        print(USAGE)
        return
    if words[0] in COMMANDS:
        print(COMMANDS[words[0]])
        return
    group, equals, name = words[0].partition("=")
    name = name if equals else words[0]
    groups = [entry for entry, _ in listing.KINDS.values() if entry]
    if equals:
        groups = [entry for entry in groups if entry == group]
    matches = [
        (entry, options(conf, entry)[name]) for entry in groups if name in options(conf, entry)
    ]
    kind = listing.kind_of(name)
    if matches:
        for place, (entry, path) in enumerate(matches):
            print("\n" * (place > 0), end="")
            _recipe(name, path, conf) if entry == "recipe" else _part(entry, name, path)
    elif kind and listing.KINDS[kind][0]:
        group, text = listing.KINDS[kind]
        print(f"{group}=NAME: {text}.\n")
        listing.show(listing.rows_of(group, conf))
    else:
        names = [option for entry in groups for option in options(conf, entry)]
        hint = nearest(name, [*names, *listing.KINDS]) or " synth list has what there is."
        raise InputError(f"help {words[0]}: nothing is called so.{hint}")


def _recipe(name: str, path: Path, conf: Path) -> None:
    header = header_of(read(path))
    chosen = composition(conf, [f"recipe={name}"])
    _head(name, header)
    print("\nKeys")
    _table([*_keys(chosen, conf), *_shorthand(chosen.tree)])
    parts = _parts(chosen)
    if parts:
        print("\nParts")
        _paragraph(", ".join(parts), "  ")
    print("\nExamples")
    for example in header.labels.get("example", ()):
        print(f"  synth {name} {example}")


def _part(group: str, name: str, path: Path) -> None:
    text = read(path)
    _head(f"{group}={name}", header_of(text))
    comments = comments_of(text)
    rows = [
        (key, re.sub(r"(^| +)#.*", "", value).strip(), comments.get(key, ""))
        for key, value in re.findall(r"^(\w+):(.*)$", text, re.MULTILINE)
        if key != "defaults" and not key.startswith("_")
    ]
    if rows:
        print("\nKeys")
        _table(rows)


def _head(name: str, header: Header) -> None:
    _paragraph(f"{name}: {header.sentence}")
    about = header.about
    if "text" in about:
        print()
        _paragraph(about["text"])
    labels = [label for label in ("formula", "source", "success") if label in about]
    print("\n" * bool(labels), end="")
    for label in labels:
        for place, line in enumerate(about[label].split("\n")):
            _paragraph(line, f"  {label if not place else '':<9}", " " * 11)


def _keys(chosen: Composition, conf: Path) -> Iterator[Row]:
    """What people change most: the keys of the recipe, its own first, and numbers of its parts."""
    comments = _comments(chosen, conf)
    tree = chosen.tree
    texts = [read(options(conf, "recipe")[name]) for name in _chain(chosen.parts["recipe"], conf)]
    own = re.findall(r"^(\w+):", "\n".join(texts), re.MULTILINE)
    for key in sorted(tree, key=lambda key: (key == "folder", key not in own)):
        if not isinstance(tree[key], Mapping) and key[0] != "_" and key not in SWEEPS:
            yield key, _written(tree[key]), comments.get(key, "")
    for kind in ("encoding", "search", "select", "mate", "mutate"):
        part = tree.get(kind)
        for key, value in part.items() if isinstance(part, Mapping) else ():
            passed = re.match(r"\$\{(?:oc\.select:)?(\w+)", str(value))
            if isinstance(value, Mapping) or key.startswith("_") or (passed and passed[1] in tree):
                continue
            yield f"{kind}.{key}", _written(value), comments.get(f"{kind}.{key}", "")
    objective = tree.get("objective")
    terms = objective.get("terms", {}) if isinstance(objective, Mapping) else {}
    for name, term in terms.items():
        if "weight" in term:
            yield f"objective.terms.{name}.weight", _written(term["weight"]), ""


def _shorthand(tree: Settings) -> Iterator[Row]:
    """What ``steps=`` and ``size=`` stand for."""
    for word in WORDS:
        names = meaning_of(word, tree)
        if names and names != [word]:
            ends = list(dict.fromkeys(re.sub(r"^experiments\.\w+\.", "", name) for name in names))
            each = " of each contender" if len(names) > 1 and "experiments" in tree else ""
            yield word, "", f"short for {', '.join(ends)}{each}"


def _parts(chosen: Composition) -> list[str]:
    """The parts that the recipe chooses; of a comparison the recipes of its contenders."""
    parts = []
    for group, option in reversed(chosen.parts.items()):
        kind, _, package = group.partition("@")
        inside = package.startswith("experiments.") and kind != "recipe"
        if "hydra" not in kind and group != "recipe" and option != "None" and not inside:
            parts.append(f"{group}={option}")
    return parts


def _comments(chosen: Composition, conf: Path) -> dict[str, str]:
    """The comments of all keys; a recipe's own come before those of its parts."""
    comments = comments_of(read(conf / "config.yaml")) | comments_of(read(conf / "experiment.yaml"))
    for group, option in chosen.parts.items():
        kind, _, package = group.partition("@")
        path = options(conf, kind).get(option)
        if path is not None and kind != "recipe":
            start = package or kind.replace("/", ".")
            comments |= {f"{start}.{key}": text for key, text in comments_of(read(path)).items()}
    for name in _chain(chosen.parts["recipe"], conf):
        comments |= comments_of(read(options(conf, "recipe")[name]))
    return comments


def _chain(recipe: str, conf: Path) -> list[str]:
    """The recipes that a recipe is based on, and itself, last."""
    text = read(options(conf, "recipe")[recipe])
    based = re.findall(r"^ *- (\w+)@_here_$", text, re.MULTILINE)
    return [*(name for base in based for name in _chain(base, conf)), recipe]


def _written(value: object) -> str:
    """A default as it is typed."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_written, value))}]"
    return "required" if value == "???" else str(value)


def _table(rows: Sequence[Row]) -> None:
    first = max(len(key) for key, _, _ in rows) + 2
    second = min(max(len(value) for _, value, _ in rows), VALUE) + 2
    for key, value, comment in rows:
        value = value if len(value) <= VALUE else f"{value[: VALUE - 3]}..."
        start = f"  {key:<{first}}{value:<{second}}"
        _paragraph(comment, start, " " * (2 + first + second))


def _paragraph(text: str, start: str = "", later: str | None = None) -> None:
    """Prints a text in lines that fit the terminal."""
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
    later = start if later is None else later
    columns = max(columns, len(later) + 20)
    lines = textwrap.wrap(
        printable(text),
        columns,
        initial_indent=start,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
    print("\n".join(lines or [start]).rstrip())
