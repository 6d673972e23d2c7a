"""``synth list [KIND] [WORD]``: recipes, parts, and the classes and layers of a network.

What files alone tell is listed without importing torch.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from synth.config.class_names import classes_of
from synth.config.composing import composition
from synth.config.headers import header_of, read
from synth.config.networks import (
    GROUP,
    classifiers,
    loader_of,
    offer_classifiers,
    timm_models,
)
from synth.config.plugins import options
from synth.config.sharing import resolved
from synth.config.types import Settings
from synth.errors import InputError, nearest, printable

# the plural by which a kind is listed: its group, and what it is
KINDS = {
    "recipes": ("recipe", "methods: each chooses parts and their numbers"),
    "networks": ("network", "what is read; with a WORD those of timm too: synth list networks vit"),
    "encodings": ("encoding", "how a genome is decoded to an image"),
    "objectives": ("objective", "what is maximised"),
    "searches": ("search", "how genomes are changed"),
    "transforms": ("transform", "random changes of an image before the network reads it"),
    "metrics": ("metric", "numbers that are measured on a result"),
    "figures": ("figure", "sheets and films that are drawn of a result"),
    "mutations": ("search/mutate", "how search=genetic and map_elites change a genome"),
    "crossovers": ("search/mate", "how they exchange parts of two genomes"),
    "selections": ("search/select", "how search=genetic chooses parents"),
    "survivals": ("search/survive", "how it chooses who stays"),
    "regularisers": ("search/regularisers", "decay, blur and clipping in search=gradient"),
    "architectures": ("training", "networks that recipe=train_classifier trains"),
    "classes": ("", "of a network: synth list classes network=squeezenet1_1 dog"),
    "layers": ("", "of a network: synth list layers network=squeezenet1_1"),
}
Rows = Sequence[tuple[str, str]]


def run(words: Sequence[str], conf: Path) -> None:
    """Prints a list, one line an entry.

    Args:
        words: behind ``list``: a kind, words that the entries have in them, and for classes and
            layers overrides that choose a network.
        conf: the folder of the configuration.

    Raises:
        InputError: for an unknown kind or network, or where nothing has those words.
    """
    overrides = [word for word in words if "=" in word]
    kind, *sought = [word for word in words if "=" not in word] or [""]
    if not kind:
        show([(name, text) for name, (_, text) in KINDS.items()])
        return
    name = kind_of(kind)
    if name is None:
        hint = nearest(kind, KINDS) or f" Write one of {', '.join(KINDS)}."
        raise InputError(f"list {kind}: no such kind.{hint}")
    if name in ("classes", "layers"):
        network = _network(overrides, conf)
        rows = _classes(network) if name == "classes" else _layers(network)
    elif overrides:
        raise InputError(f"{overrides[0]}: {name} are listed without overrides.")
    else:
        rows = rows_of(KINDS[name][0], conf, bool(sought))
    chosen = [row for row in rows if all(_has(row, word) for word in sought)]
    if not chosen:
        hint = nearest(" ".join(sought), [row[0] for row in rows])
        raise InputError(f"list {name} {' '.join(sought)}: there are none.{hint}")
    show(chosen)


def kind_of(word: str) -> str | None:
    """The kind of a plural or a group: ``searches`` of ``search``; None where it is none."""
    for name, (group, _) in KINDS.items():
        singular = (name.removesuffix("s"), name.removesuffix("es"))
        if word in (name, group, group.rpartition("/")[2], *singular):
            return name
    return None


def rows_of(group: str, conf: Path, more: bool = False) -> Rows:
    """The options of a group, each with the sentence that says what it is.

    Args:
        group: of parts.
        conf: the folder of the configuration.
        more: whether timm's networks, of which there are a thousand, are among them.
    """
    rows = {
        name: header_of(read(path)).sentence for name, path in sorted(options(conf, group).items())
    }
    if group == GROUP:
        others = dict.fromkeys(classifiers(), "A classifier of torchvision.")
        if more:
            others = dict.fromkeys(timm_models(), "A model of timm.") | others
        rows = others | rows
    return list(rows.items())


def show(rows: Rows) -> None:
    """Prints names and texts in two columns; on a terminal no line is longer than it is wide."""
    margin = max(len(name) for name, _ in rows) + 2
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for name, text in rows:
        line = printable(f"{name:{margin}}{text}".rstrip())
        if columns and len(line) > columns:
            line = f"{line[: columns - 3].rstrip()}..."
        print(line)


def _has(row: tuple[str, str], word: str) -> bool:
    """Whether an entry has `word` in it; spaces, ``_`` and ``-`` are equal."""
    return _plain(word) in _plain(" ".join(row))


def _plain(text: str) -> str:
    return text.lower().replace("_", " ").replace("-", " ")


def _network(overrides: Sequence[str], conf: Path) -> Settings:
    """The settings of the network that is chosen."""
    for word in overrides:
        key, _, value = word.partition("=")
        if key == GROUP and value not in options(conf, GROUP) and not loader_of(value):
            names = [*options(conf, GROUP), *classifiers(), *timm_models()]
            raise InputError(f"{word}: no such network.{nearest(value, names)}")
    offer_classifiers(conf, overrides)
    tree = composition(conf, ["recipe=layers", *overrides]).tree
    return dict(resolved(OmegaConf.create(dict(tree)))["network"])


def _classes(network: Settings) -> Rows:
    classes = classes_of(network)
    if classes is None:
        classes = _built(network).classes
    synsets = classes.synsets or [None] * len(classes)
    width = len(str(len(classes) - 1))
    return [
        (f"{index:{width}}", f"{synset or '':<10}{name}" if any(synsets) else name)
        for index, (name, synset) in enumerate(zip(classes.names, synsets, strict=True))
    ]


def _layers(network: Settings) -> Rows:
    return [(name, " x ".join(map(str, shape))) for name, shape in _built(network).layers.items()]


def _built(network: Settings):  # type: ignore[no-untyped-def]  # importing its type imports torch
    from synth.config.building import build

    return build(network, [])
