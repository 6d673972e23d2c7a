"""``synth rerun RUN [item=7]`` and ``synth rerun PICTURE.png``: the same pictures once more.

The words of the run are read from its ``result.json``, or from the record in a picture. They may be
another person's: they choose recipes, parts, numbers and files to read, which are listed before the
run, and never code, an option of Hydra, a computed value or a place to write to. Networks and
pictures that the user writes beside the run take the place of those recorded, and may name code.
The new run has a folder of its own, and its pictures are compared with those that there were.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hydra.core.override_parser.types import QuotedString
from omegaconf import OmegaConf

from synth.cli.unknown_keys import PICTURES
from synth.cli.words import parsed
from synth.config import references
from synth.config.composing import key_of
from synth.config.identity import NOT_IDENTITY
from synth.config.networks import GROUP, loader_of
from synth.config.plugins import folders, foreign_options, own_options
from synth.config.references import UNREADABLE
from synth.errors import InputError, nearest
from synth.files import open_image, read_text
from synth.record.renames import current_word
from synth.record.result import RESULT, Json

OWN = ("item", "folder", "device", "memory")  # what a user may write beside the run
PARTS = ("network", *PICTURES)  # these too, and they take the place of what is recorded
# keys by which network=module names a function to import, and what it is called with
NAMES_CODE = ("path", "arguments")
# what stands for an object among the words of a run (synth.config.live)
OBJECT = re.compile(r"\[?\w+ (.* )?[0-9a-f]{16}(,.*)?\]?")
# where arguments are those of an operator of deap.tools
OPERATOR = re.compile(r"(experiments\.\w+\.)?(search|select|mate|mutate)([./@]|$)")
RECORD = "synth"  # text key of a PNG
# what tells the items of a run apart
TRAITS = ("contender", "target", "image", "niche", "facet", "style")
NO_CODE = (
    "it names code; where you trust it, write network=module network.path=... (and its arguments, "
    "+network.arguments.NAME=...) beside the run"
)
Item = Mapping[str, Json]


@dataclass(frozen=True)
class Rerun:
    """A run that is made again.

    Attributes:
        words: its command line.
        source: the run folder or picture.
        pictures: those to compare with: the item, and its file.
        about: versions and hardware of the run, as far as they are recorded.
        files: the recorded words that name files or folders, which the run reads.
    """

    words: list[str]
    source: Path
    pictures: Sequence[tuple[Item, Path]]
    about: Mapping[str, Json]
    files: Sequence[str] = ()

    def comparison(self, folder: Path) -> list[str]:
        """Lines that say whether the pictures in `folder` are the same as those before."""
        result = _result(folder)
        items = _items(result)
        lines, same, compared = [], 0, 0
        for item, path in self.pictures:
            new = _counterpart(item, items, [other for other, _ in self.pictures])
            if new is None or not isinstance(new.get("file"), str):
                lines.append(f"{path}: the run has made no such picture.")
                continue
            compared += 1
            difference = _difference(path, folder / str(new["file"]))
            same += not difference
            if difference:
                lines.append(f"{path}: {difference} ({folder / str(new['file'])})")
        if compared:
            lines.append(f"{same} of {compared} the same, bit for bit.")
        if same < compared:
            lines += self._reasons(result)
        return lines

    def _reasons(self, result: Mapping[str, Json]) -> Iterator[str]:
        """What differs between the two runs beside their pictures."""
        for name in ("versions", "hardware", "network"):
            before, after = self.about.get(name), result.get(name)
            if before and before != after:
                yield f"{name}: {_listed(before)}; now {_listed(after)}"


def prepared(words: Sequence[str], conf: Path) -> Rerun:
    """What ``rerun`` is to run, and what it is compared with.

    Args:
        words: behind ``rerun``: a run folder or picture, then ``item=``, ``folder=``, ``device=``,
            and a network or pictures in place of those recorded.
        conf: the folder of the configuration.

    Raises:
        InputError: for a source that records no run, a recorded word that is not taken from there,
            and for words that are not `OWN`.
    """
    sources = [word for word in words if not _is_own(word)]
    if len(sources) != 1:
        raise InputError(
            "rerun: write one run folder or picture, and beside it only "
            f"{', '.join(f'{key}=' for key in OWN)}, a network or pictures; got "
            f"{' '.join(sources) or 'nothing'}."
        )
    source = Path(sources[0]).expanduser()
    own = {key_of(word): word for word in words if word not in sources}
    item = own.pop("item", "item=").partition("=")[2]
    again = _of_folder(source, conf, own) if source.is_dir() else _of_picture(source, conf, own)
    if item:
        again = _of_item(again, item)
    files = [word for word in again.words if _names_file(word)]
    return replace(again, words=[*again.words, *own.values()], files=files)


def _is_own(word: str) -> bool:
    """Whether a word is the user's own, beside the run; any that is a path is the run."""
    key = key_of(word)
    is_part = bool({*PARTS, *NAMES_CODE} & {*re.split(r"[.@]", key)}) and not os.path.exists(word)
    return "=" in word and (key in OWN or is_part)


def _names_file(word: str) -> bool:
    """Whether a recorded word names a file or folder that there is, or any place elsewhere."""
    override = parsed(word)
    texts = [] if override is None or word.startswith("~") else _texts(override.value())
    return any(re.search(r"[/*~]", text) or os.path.exists(text) for text in texts)


def _of_folder(folder: Path, conf: Path, own: Collection[str] = ()) -> Rerun:
    result = _result(folder)
    words, recipe = result.get("overrides"), result.get("recipe")
    if not isinstance(words, list):
        try:
            recorded = references.read_yaml(folder / ".hydra/overrides.yaml")
            words = OmegaConf.to_container(recorded, resolve=False)
        except UNREADABLE as error:
            raise InputError(
                f"{folder}: no run that could be made again: it has neither a {RESULT} nor "
                ".hydra/overrides.yaml."
            ) from error
    if recipe is None and isinstance(words, list):
        named = [str(word)[7:] for word in words if str(word).startswith("recipe=")]
        recipe = named[-1] if named else None
    pictures = [
        (item, folder / str(item["file"]))
        for item in _items(result)
        if isinstance(item.get("file"), str) and _is_inside(str(item["file"]))
    ]
    return Rerun(checked(words, recipe, folder, conf, own), folder, pictures, result)


def _of_picture(path: Path, conf: Path, own: Collection[str] = ()) -> Rerun:
    with open_image(path, str(path)) as image:
        text = getattr(image, "text", {}).get(RECORD, "")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or "recipe" not in record:
        raise InputError(
            f"{path}: records no run; give the run folder, or a PNG that a run of this version has "
            "saved."
        )
    words = checked(record.get("overrides"), record["recipe"], path, conf, own)
    about = {name: record[name] for name in ("versions", "hardware") if name in record}
    return Rerun(words, path, [(record, path)], about)


def _of_item(again: Rerun, item: str) -> Rerun:
    """The run for one item: alone where items differ in their class only, else among all."""
    number = int(item) if re.fullmatch(r"[0-9]{1,9}", item) else -1
    chosen = [entry for entry in again.pictures if _number(entry[1]) == number]
    if not chosen:
        raise InputError(
            f"item={item}: {again.source} has no such picture; write a number of its images, "
            f"{_number(again.pictures[0][1]) if again.pictures else 0} to "
            f"{_number(again.pictures[-1][1]) if again.pictures else 0}."
        )
    items = [entry for entry, _ in again.pictures]
    indices = [entry.get("target_index") for entry in items]
    others = ("contender", "image", "niche", "facet", "generations")
    alone = len({*map(str, indices)}) == len(items) > 1 and not any(
        entry.get(trait) is not None for entry in items for trait in others
    )
    index = chosen[0][0].get("target_index")
    if not alone or not isinstance(index, int) or "archive" in again.about:
        return replace(again, pictures=chosen)
    words = [word for word in again.words if key_of(word) != "target"]
    return replace(again, words=[*words, f"target={index}"], pictures=chosen)


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdecimal() else -1


# -- words that another person may have written --------------------------------------------------


def checked(
    words: object, recipe: object, source: Path, conf: Path, own: Collection[str] = ()
) -> list[str]:
    """Recorded words as a command line, without the places of the run.

    Args:
        words: overrides that were read from a file.
        recipe: name of the recipe that was read from it.
        source: that file, for the errors.
        conf: the folder of the configuration.
        own: keys that the user writes himself; words that have them are left out.

    Raises:
        InputError: naming a word that could do more than choose a recipe, parts and numbers.
    """
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InputError(f"{source}: its record has no list of words.")
    recipes = own_options(conf, "recipe")
    if recipe in foreign_options(conf, "recipe"):
        raise InputError(
            f"{source}: its recipe {recipe} is not of synth, and nothing that a file names is "
            f"imported; where you trust it, give its command yourself: synth recipe={recipe} ..."
        )
    if not isinstance(recipe, str) or recipe not in recipes:
        hint = nearest(recipe, recipes) if isinstance(recipe, str) else ""
        raise InputError(f"{source}: its recipe {str(recipe)[:60]} is not there.{hint}")
    result = [f"recipe={recipe}"]
    for word in map(current_word, words):
        if key_of(word) in own:
            continue
        reason = _reason(word, conf)
        if reason:
            raise InputError(f"{source}: {word[:80]} is not taken from a file: {reason}.")
        if key_of(word) not in (*NOT_IDENTITY, "recipe"):
            result.append(word)
    return result


def _reason(word: str, conf: Path) -> str:
    """Why a recorded word is refused; empty where it is not."""
    if word.startswith("-"):
        return "it is an option"
    if "${" in word:
        return "it would be computed"
    if OBJECT.fullmatch(word.partition("=")[2]):
        key = key_of(word)
        way = f"write {key}=... beside the run" if key in PARTS else "make the run again from there"
        return f"it was an object of a Python program; {way}"
    override = parsed(word)
    if override is None:
        return "it is not of the form key=value"
    if override.is_sweep_override():
        return "it is a sweep"
    key = key_of(word)
    group = key.partition("@")[0]
    if key.partition(".")[0].partition("/")[0] == "hydra":
        return "it changes Hydra's own settings"
    value = override.value()
    names = [*re.split(r"[./@:]", key), *_names(value)]
    if any(name.startswith("_") for name in names):
        return "it names a class"
    code = {*NAMES_CODE} - {"arguments" if OPERATOR.match(key) else ""}
    if code & {*names} or (group == GROUP and value == "module"):
        return NO_CODE
    chosen = any((folder / group).is_dir() for folder in folders(conf))
    if value in foreign_options(conf, group):
        return "it is not of synth, and nothing that a file names is imported"
    available = value in own_options(conf, group) or (
        group == GROUP and loader_of(str(value)) is not None
    )
    if chosen and value is not None and not available and not word.startswith("~"):
        return f"there is no such {group}"
    return ""


def _names(value: object) -> Iterator[str]:
    """All keys of dictionaries in a value."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from re.split(r"[./@:]", str(getattr(key, "text", key)))
            yield from _names(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _names(entry)


def _texts(value: object) -> Iterator[str]:
    """All texts in a value."""
    if isinstance(value, str | QuotedString):
        yield value if isinstance(value, str) else value.text
    elif isinstance(value, Mapping | list):
        for entry in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(entry)


def _is_inside(file: str) -> bool:
    """Whether a recorded path of a picture lies in its run folder."""
    path = Path(file)
    return not path.is_absolute() and ".." not in path.parts


# -- comparing -----------------------------------------------------------------------------------


def _result(folder: Path) -> dict[str, Json]:
    try:
        result = json.loads(read_text(folder / RESULT))
    except (OSError, ValueError, RecursionError):
        return {}
    return result if isinstance(result, dict) else {}


def _items(result: Mapping[str, Json]) -> list[Item]:
    items = result.get("items")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _counterpart(item: Item, items: Sequence[Item], before: Sequence[Item]) -> Item | None:
    """The new item of the same traits; of several the one at the same place among them."""

    def traits(entry: Item) -> list[object]:
        return [entry.get(trait) for trait in TRAITS]

    if "item" in item:  # of a picture alone, whose record has its number
        numbers = [_number(Path(str(other.get("file")))) for other in items]
        return items[numbers.index(item["item"])] if item["item"] in numbers else None
    same = [other for other in items if traits(other) == traits(item)]
    place = [other for other in before if traits(other) == traits(item)].index(item)
    return same[place] if place < len(same) else None


def _difference(path: Path, other: Path) -> str:
    """How two pictures differ; empty where all their values are equal."""
    import numpy as np

    with open_image(path, str(path)) as before, open_image(other, str(other)) as after:
        if before.size != after.size:
            return "another size"
        pixels = np.asarray(before.convert("RGB"), dtype=int)
        change = np.abs(pixels - np.asarray(after.convert("RGB"), dtype=int))
    if not change.any():
        return ""
    return f"differs in {(change > 0).mean():.1%} of its values, by at most {change.max()} of 255"


def _listed(value: object) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{name} {str(entry)[:16]}" for name, entry in value.items())
