"""``steps=``, ``size=`` and ``target=direction:N``, which stand for keys of the recipe's own.

``target=direction:0..7`` names directions in a layer (``directions=FILE``) as a target names
classes; a recipe knows them as units, ``unit=[0,1,2,3,4,5,6,7]``.

A search calls its length ``steps`` or ``generations`` and an encoding its size ``size`` or
``longest``; a comparison has some of each. `expanded` writes such words out, for the command line
and for calls from Python alike. What the user wrote wins over what a recipe carries: a number of
steps over its budget, a size over its ``encoding.longest``, and the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from synth.config.composing import CONF, composition, key_of
from synth.config.types import Settings
from synth.errors import InputError

SIZES = ("encoding.size", "encoding.longest")
WORDS = ("steps", "size")
MOST = 100_000  # directions that a word may name
DIRECTIONS = "directions"  # the key of their vectors
_OF_DIRECTIONS = re.compile(r"\+*target=(.*\bdirection:.*)", re.DOTALL)
_DIRECTION = re.compile(r"(['\"]?)direction:(\d{1,9})(?:\.\.(\d{1,9}))?\1")


def expanded(words: Sequence[str], conf: Path = CONF, objects: Collection[str] = ()) -> list[str]:
    """The words, with ``steps=``, ``size=`` and directions under the keys of the recipe.

    - ``target=direction:A..B`` is ``unit=[A,...,B]``.
    - ``steps=N`` is ``search.steps=N`` or ``search.generations=N``: in octaves and stages the steps
      of each; in a comparison of each contender; ``generations=N`` in OneMax. It takes the place of
      the recipe's ``budget``.
    - ``size=N`` is ``encoding.longest=N`` where the recipe keeps the shape of a picture, and else
      ``encoding.size=N``; ``size=[HEIGHT,WIDTH]`` is the latter, and so is any size of several
      pictures.

    A recipe with a key ``steps`` or ``size`` of its own has that.

    Args:
        words: overrides as they are typed; all but these are left as they are.
        conf: the folder of the configuration.
        objects: keys that have an object of a running program, beside the words.

    Raises:
        InputError: where the recipe has no steps, size or units, a word is written twice, or a
            sweep is over recipes or contenders whose keys differ.
    """
    words = _with_units(words, conf, objects)
    keys = [word.partition("=")[0] for word in words]
    if not {*WORDS, *SIZES} & {key.removeprefix(_root(key)) for key in keys}:
        return list(words)
    recipes = _recipes(words)
    others = [word for word, key in zip(words, keys, strict=True) if key not in WORDS]
    others = [word for word in others if key_of(word) != "recipe"]
    versions = []
    for recipe in recipes:
        tree = composition(conf, [*others, *([f"recipe={recipe}"] if recipe else [])]).tree
        versions.append(_expanded(words, keys, tree, recipe or "this recipe"))
    if any(version != versions[0] for version in versions):
        raise InputError(
            f"{' '.join(word for word in words if key_of(word) in (*WORDS, *SIZES))}: "
            f"{' and '.join(recipes)} have other keys for it; sweep over one recipe at a time."
        )
    if len(recipes) == 1:
        return versions[0]
    # Hydra asks for the plus signs where it composes no single recipe
    return [word if word in words else f"++{word}" for word in versions[0]]


def _with_units(words: Sequence[str], conf: Path, objects: Collection[str]) -> list[str]:
    """The words, in which the directions of a target are the units that they are in the recipe."""
    word = next((word for word in words if _OF_DIRECTIONS.fullmatch(word)), None)
    if word is None:
        return list(words)
    if DIRECTIONS not in {key_of(each) for each in (*words, *objects)}:
        raise InputError(f"{word}: write {DIRECTIONS}=FILE too, which has the vectors.")
    others = [each for each in words if each != word and not each.startswith("recipe=")]
    for recipe in filter(None, _recipes(words)):
        if "unit" not in composition(conf, [*others, f"recipe={recipe}"]).tree:
            raise InputError(f"{word}: {recipe} has no units; write recipe=neuron_ascent.")
    return [f"unit={_units_of(each)}" if each == word else each for each in words]


def _units_of(word: str) -> str:
    """The value of a target with numbers alone: ``[0,1,2,3]`` for ``direction:0..3``."""
    value = word.partition("=")[2]

    def numbers(part: re.Match[str]) -> str:
        first, last = int(part.group(2)), int(part.group(3) or part.group(2))
        if not first <= last < first + MOST:
            raise InputError(f"{word}: write direction:FIRST..LAST, the lower number first.")
        joined = ",".join(map(str, range(first, last + 1)))
        return joined if "[" in value or first == last else f"[{joined}]"

    written = _DIRECTION.sub(numbers, value)
    if set(written) - set("0123456789,[] '\""):
        raise InputError(f"{word}: write direction:N, direction:N..M or a list of these.")
    return written


def meaning_of(word: str, tree: Settings) -> list[str]:
    """The keys that ``steps`` or ``size`` stands for in a recipe; empty where it has none.

    Args:
        word: ``steps`` or ``size``.
        tree: the settings of the recipe, as they are written.
    """
    if word in tree:
        return [word]
    return [key for root, part in _parts(tree) for key in _keys(word, root, part)]


def _recipes(words: Sequence[str]) -> list[str]:
    values = [word.partition("=")[2] for word in words if word.startswith("recipe=")]
    return values[-1].split(",") if values else [""]


def _root(key: str) -> str:
    """``experiments.NAME.`` of a key of one contender; empty for any other key."""
    parts = key.split(".")
    return f"{parts[0]}.{parts[1]}." if parts[0] == "experiments" and len(parts) > 2 else ""


def _parts(tree: Settings) -> list[tuple[str, Settings]]:
    """The recipe alone, or each contender of a comparison, with the beginning of its keys."""
    contenders = tree.get("experiments")
    if not isinstance(contenders, Mapping):
        return [("", tree)]
    entries = [(f"experiments.{name}.", part) for name, part in contenders.items()]
    return [(root, part) for root, part in entries if isinstance(part, Mapping)]


def _keys(word: str, root: str, part: Settings) -> list[str]:
    if word == "size":
        encoding = part.get("encoding")
        if isinstance(encoding, Mapping) and "size" in encoding:
            return [f"{root}encoding.{'longest' if _keeps_shape(part) else 'size'}"]
        return [f"{root}longest"] if "longest" in part else []
    search = part.get("search")
    if not isinstance(search, Mapping):
        return [f"{root}generations"] if "generations" in part else []
    names = [name for name in ("steps", "generations") if name in search][:1]
    stages = search.get("stages")
    if isinstance(stages, Mapping):
        names = [f"stages.{name}.steps" for name, stage in stages.items() if stage is not None]
    return [f"{root}search.{name}" for name in names]


def _keeps_shape(part: Settings) -> bool:
    """Whether a recipe's size is the longer side of the one picture that it begins from."""
    picture = part.get("image") or part.get("content")
    carried = part["encoding"].get("longest") is not None
    return carried and picture is not None and part.get("images") is None


def _expanded(words: Sequence[str], keys: Sequence[str], tree: Settings, recipe: str) -> list[str]:
    result: list[str] = []
    for word, key in zip(words, keys, strict=True):
        if key in WORDS and key not in tree:
            result += _written_out(word, keys, tree, recipe)
        else:
            result.append(word)
        if key.removeprefix(_root(key)) in SIZES:
            result += _without_other_size(word, keys, tree)
    return result


def _written_out(word: str, keys: Sequence[str], tree: Settings, recipe: str) -> list[str]:
    key, _, value = word.partition("=")
    names = meaning_of(key, tree)
    if not names:
        hint = "; write epochs=" if key == "steps" and "epochs" in tree else ""
        raise InputError(f"{word}: {recipe} has no {key} to choose{hint}.")
    twice = next((name for name in (key, *names) if [*keys, *names].count(name) > 1), None)
    if twice:
        raise InputError(f"{word}: {twice}= is written too; leave one of them out.")
    is_list = value.startswith("[")
    if len(names) > 1 and "," in value and not is_list:
        raise InputError(f"{word}: a sweep over several keys; write one, such as {names[0]}=.")
    result = []
    for name in names:
        side = name.replace("longest", "size") if is_list else name
        result.append(f"{side}={value}")
        if key == "size" and "encoding" in name:
            result += _without_other_size(f"{side}={value}", keys, tree)
    if key == "steps" and tree.get("budget") is not None and "budget" not in keys:
        result.append("budget=null")
    return result


def _without_other_size(word: str, keys: Sequence[str], tree: Settings) -> list[str]:
    """What takes back the other of size and longest, where the recipe carries it."""
    key, _, value = word.partition("=")
    other = (
        key.replace("size", "longest") if key.endswith("size") else key.replace("longest", "size")
    )
    root = _root(key)
    part = dict(_parts(tree)).get(root, {})
    encoding = part.get("encoding")
    carried = isinstance(encoding, Mapping) and encoding.get(other.rsplit(".", 1)[-1]) is not None
    return [f"{other}=null"] if carried and value != "null" and other not in keys else []
