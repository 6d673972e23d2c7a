"""Parts crossed at random: python -m benchmarks.abuse crossing --minutes 5

Draws a recipe, a search and its operators, an encoding, objectives, a network and a transform, and
runs the combination for a step or two at a tiny size. Two outcomes are accepted: it runs and leaves
finite scores and pictures, or one line says why these parts cannot meet, in words that
the user wrote or can write. Everything else is printed with the words that repeat it.
"""

from __future__ import annotations

import argparse
import copy
import logging
import math
import os
import random
import re
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from hydra._internal import defaults_list
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf, open_dict
from PIL import Image

from synth.cli import complaints
from synth.cli.unknown_keys import options_of
from synth.config.building import build
from synth.config.composing import CONF, key_of
from synth.config.sharing import resolved

EXPERIMENT = "/experiment"
# the largest value of a number of these names, wherever it stands
SHORT = {
    "steps": 2,
    "generations": 1,
    "population": 4,
    "batch": 4,
    "views": 2,
    "count": 2,
    "tries": 2,
    "clusters": 2,
    "nearest": 2,
    "frames": 2,
    "candidates": 2,
    "size": 72,
    "longest": 72,
}
WEIGHTS: dict[str, str] = {}  # files of a network's weights in place of the bundled ones
PART_OF = {"genetic": ("mate", "mutate", "select", "survive"), "map_elites": ("mate", "mutate")}
ADVICE = re.compile(r"\b([Ww]rite|name|[Ll]eave|use|choose|lower|give|See)\b")
# lines about keys, which the user did not write in a draw
FOREIGN = re.compile(r"no such key|takes no such value|[Ii]nterpolation|more than once")


def main(arguments: Sequence[str]) -> int:
    """Draws and runs for as long as told; 1 where an outcome was not accepted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abuse crossing")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--all", action="store_true", help="print what is refused, too")
    parser.add_argument("--words", nargs="+", help="one combination, as it was printed")
    given = parser.parse_args(arguments)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, prepared(Path(folder)):
        if given.words:
            print(outcome(given.words))
            return 0
        end = time.monotonic() + 60 * given.minutes
        seed = given.seed
        while time.monotonic() < end:
            words = drawn(random.Random(seed))
            kind, text = outcome(words)
            counts[kind] += 1
            if kind == "failed" or (given.all and kind == "refused"):
                print(f"{seed}: {' '.join(words)}\n    {text}", flush=True)
            seed += 1
    print(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    return 1 if counts["failed"] else 0


@contextmanager
def prepared(folder: Path, weights: Path | None = None) -> Iterator[None]:
    """In `folder` with pictures to start from; YAMLs are parsed once, and nothing is logged.

    Args:
        folder: where pictures and runs go.
        weights: a file of mini_alexnet's weights; the bundled ones where None.
    """
    draws = np.random.default_rng(0)
    for number, name in enumerate(("lemon", "teapot", "lemon", "teapot")):
        path = folder / "pictures" / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        levels = draws.integers(0, 256, (6, 6, 3)).astype(np.uint8)
        Image.fromarray(levels).resize((72, 72)).save(path)
    load, before = FileConfigSource.load_config, Path.cwd()
    loaded: dict[tuple[str, str], Any] = {}

    def load_once(self: FileConfigSource, config_path: str) -> Any:
        key = (self.path, config_path)
        if key not in loaded:
            loaded[key] = load(self, config_path)
        return copy.deepcopy(loaded[key])

    log = logging.getLogger("synth")
    level = log.level
    interpolations = defaults_list._create_interpolation_map
    # a third of the time of composing, for lists of defaults with ${...}, which no recipe has
    defaults_list._create_interpolation_map = lambda *_: OmegaConf.create()
    FileConfigSource.load_config = load_once  # type: ignore[method-assign]
    os.chdir(folder)
    log.setLevel(logging.ERROR)
    WEIGHTS.update({"mini_alexnet": str(weights)} if weights else {})
    try:
        yield
    finally:
        WEIGHTS.clear()
        GlobalHydra.instance().clear()
        defaults_list._create_interpolation_map = interpolations
        FileConfigSource.load_config = load  # type: ignore[method-assign]
        os.chdir(before)
        log.setLevel(level)


def drawn(draws: random.Random) -> list[str]:
    """The words of a combination: a recipe with some of its parts exchanged."""
    recipe = draws.choice(recipes())
    words = [f"recipe={recipe}", *test_words("recipe", recipe)]
    at = ""  # where its parts stand: experiments.one in a comparison
    if draws.random() < 0.1:
        others = " ".join(f"~experiments.{name}" for name in ("gradient", "genetic", "cma", "cppn"))
        words = ["recipe=fooling_comparison", f"+recipe@experiments.one={recipe}", *others.split()]
        words += [word for word in test_words("recipe", recipe) if word.startswith("image")]
        words += ["budget=20", "target=[lemon,teapot]"]
        at = "experiments.one."
    search = None
    if draws.random() < 0.7:
        search = draws.choice(options_of(CONF, "search"))
        words.append(_choice("search", search, at))
    if draws.random() < 0.6:
        encoding = draws.choice(options_of(CONF, "encoding"))
        words.append(_choice("encoding", encoding, at))
        if draws.random() < 0.9:
            pictures = [word for word in test_words("encoding", encoding) if "image" in word]
            words += [f"++{word.lstrip('+')}" for word in pictures if not _has(words, word)]
    for part in PART_OF.get(search or "", ()):
        if draws.random() < 0.3:
            words.append(
                _choice(f"search/{part}", draws.choice(options_of(CONF, f"search/{part}")), at)
            )
    if search == "gradient" and draws.random() < 0.2:
        option = draws.choice(options_of(CONF, "search/regularisers"))
        words.append(_choice("search/regularisers", option, at))
    if draws.random() < 0.25:
        objective = draws.choice(options_of(CONF, "objective"))
        terms = term_names(recipe)
        if draws.random() < 0.3 or not terms or at:
            words.append(f"+objective@{at}objective.terms.extra={objective}")
        else:
            words.append(f"objective@objective.terms.{draws.choice(terms)}={objective}")
    if draws.random() < 0.3:
        words.append(_choice("transform", draws.choice(options_of(CONF, "transform")), at))
    if draws.random() < 0.3:
        words.append(f"network={draws.choice(('mini_alexnet', 'mini_resnet'))}")
    if draws.random() < 0.2 and not _has(words, "budget"):
        words.append(f"budget={draws.choice((20, 40))}")
    if draws.random() < 0.2 and not at:
        words.append(draws.choice(("monitor=null", "until=0.5", "until=null", "views=2")))
    if draws.random() < 0.5 and not _has(words, "target"):
        words.append(f"target={draws.choice(('lemon', '[lemon,teapot]'))}")
    return words


def _choice(group: str, option: str, at: str) -> str:
    package = f"@{at}{group.replace('/', '.')}" if at else ""
    return f"{group}{package}={option}"


def _has(words: Sequence[str], word: str) -> bool:
    return key_of(word) in map(key_of, words)


def outcome(words: Sequence[str]) -> tuple[str, str]:
    """("ran", ""), ("refused", the line), or ("failed", what is wrong)."""
    folder = Path("run")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        items = _run(words, folder)
    except Exception as error:
        line = complaints.line(error, CONF, words)
        if line is None:
            return "failed", "".join(traceback.format_exception(error)[-3:])
        if FOREIGN.search(line) or "\n" in line or not ADVICE.search(line):
            return "failed", line
        return "refused", line
    for item in items:
        if item.score is not None and not math.isfinite(item.score):
            return "failed", f"score {item.score} of {item.target}"
        if item.file is not None:
            pixels = np.asarray(Image.open(folder / item.file))
            if pixels.ndim != 3 or pixels.shape[2] != 3:
                return "failed", f"{item.file} has shape {pixels.shape}"
    if not items:
        return "failed", "no items"
    return "ran", ""


def _run(words: Sequence[str], folder: Path) -> list[Any]:
    """The items of a run of `words`, shortened."""
    from synth.record.folder_record import FolderRecord

    cfg = _composed(words)
    with open_dict(cfg):
        _shorten(cfg)
    written = [key_of(word) for word in words]
    settings = resolved(cfg, written)
    settings["device"] = "cpu"
    job = build(settings, written)
    return job.run(FolderRecord(folder, {})).items


def _composed(words: Sequence[str]) -> Any:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=list(words))


def _shorten(node: Any) -> None:
    """Small numbers everywhere below `node`, and the given weights."""
    if node.get("name") in WEIGHTS:
        node["weights"] = WEIGHTS[node["name"]]
    for key in list(node):
        if OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key):
            continue
        value = node[key]
        limit = SHORT.get(str(key))
        if OmegaConf.is_dict(value):
            _shorten(value)
        elif limit and isinstance(value, int) and not isinstance(value, bool):
            node[key] = min(value, limit)
        elif key == "population" and value is None:
            node[key] = limit


@cache
def recipes() -> list[str]:
    """The recipes that are syntheses, by name."""
    return [name for name in options_of(CONF, "recipe") if _is_synthesis(name)]


def _is_synthesis(name: str) -> bool:
    settings = OmegaConf.to_container(OmegaConf.load(CONF / f"recipe/{name}.yaml"), resolve=False)
    assert isinstance(settings, dict)
    entries = settings.get("defaults", [])
    based = [entry.split("@")[0] for entry in entries if isinstance(entry, str)]
    return "_target_" not in settings and any(
        base == EXPERIMENT or (base in options_of(CONF, "recipe") and _is_synthesis(base))
        for base in based
    )


@cache
def term_names(recipe: str) -> list[str]:
    """The names of the terms of a recipe's objective."""
    cfg = _composed([f"recipe={recipe}"])
    return [str(name) for name in cfg.objective.terms]


@cache
def test_words(kind: str, name: str) -> tuple[str, ...]:
    """The words on the lines ``# test: ...`` at the top of a YAML."""
    lines = (CONF / kind / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    comments = takewhile(lambda line: line.startswith("#"), lines)
    start = "# test: "
    return tuple(
        word
        for comment in comments
        if comment.startswith(start)
        for word in comment.removeprefix(start).split()
    )
