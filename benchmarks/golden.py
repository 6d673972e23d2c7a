"""Whether the engine still gives what it gave, to the bit: python -m benchmarks.golden --check

Runs every recipe of conf/recipe/ and some crossings of their parts at tiny settings through the
command line, on one thread of a CPU. ``--keep`` writes down what the runs left; ``--check`` runs
the kept commands again, prints the first differences of each, and exits with 1 where there is any.
``--only NAME ...`` does so for these runs alone. It is for changes that must not change a number:
keep before, check after.

Compared are the pixels of every picture and film, every tensor of every safetensors file, and the
lines of steps.jsonl and result.json, floats as they are. Times, versions and the hash of the
configuration are left out, and a key that is missing equals one that is null. What was renamed on
purpose since the file was kept is declared in `RENAMES`.

Floats depend on the processor and on the version of torch: a file holds for the machine it was kept
on. Every run is a fork of this process, which has imported the heavy packages but nothing of synth.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"  # before torch reads them

import argparse
import hashlib
import importlib.util
import json
import multiprocessing
import platform
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageSequence
from safetensors import safe_open

# What has another name than when the file was kept, old: new. It is applied to what was kept.
RENAMES: dict[str, dict[str, Any]] = {
    # Of the command line: a dotted name before "=" or a part of it; "watch": "monitor" renames
    # watch.measure= and objective@watch= too. With a value it is the whole word, "encoding=facets":
    # "encoding=several_images"; the new one may be several words, or none: "".
    "words": {},
    # Keys of result.json and steps.jsonl and names of tensors, wherever they stand; "items.steps"
    # those directly under items alone, lists left out of account. None: the key is gone.
    "keys": {},
    # Strings that are values, whole, as regular expressions: r"not (.+)": r"away from \1". With a
    # key, "search:mapelites", only there, by its old name. `overrides` follow "words" instead.
    "values": {},
    # Beginnings of paths in a run folder, of files and where records name them: "strips/": "line/".
    "paths": {},
}
# Keys that records may have now and had not when they were kept.
ADDED: frozenset[str] = frozenset()

ROOT = Path(__file__).parent.parent
KEPT = Path(__file__).with_name("golden.json")
# Imported once, before the runs are forked.
WARM = (
    "hydra",
    "torchvision",
    "matplotlib.pyplot",
    "sklearn.cluster",
    "sklearn.datasets",
    "deap.tools",
    "rich.table",
)
# keys that say nothing of numbers, or what others say too
LEFT_OUT = frozenset(
    ("seconds", "versions", "configuration", "about", "headline", "predicted_confidence")
)
LARGEST = 40_000  # bytes of a record that is kept as it is; of a larger one there is the hash alone
SHOWN = 6  # differences of a run that are printed
TIMEOUT = 300.0  # seconds a command

# How long anything of these names may take in a recipe that is not in the table.
SHORT = {
    "steps": 2,
    "generations": 2,
    "population": 4,
    "epochs": 1,
    "batch": 4,
    "iterations": 2,
    "frames": 2,
}
# Copies of pictures in folders of what mini_alexnet takes them for; the last is in a wrong one.
LABELLED = {
    "labelled/jellyfish/0.png": "lemon/1.png",
    "labelled/jellyfish/1.png": "lemon/4.png",
    "labelled/lemon/0.png": "teapot/3.png",
    "labelled/lemon/1.png": "teapot/0.png",
}
TWO = "target=[goldfish,lemon]"
PAINTED = f"recipe=fooling_cppn {TWO} search.generations=3 search.population=6"
CLASSIFIER = "recipe=train_classifier images=pictures epochs=1 batch=4 precision=float32"

# What makes a recipe last a second or two; a recipe that is not here runs with what SHORT says.
RECIPES = {
    "black_box_attack": "image=photo.png budget=40",
    "black_box_attack_targeted": "image=photo.png budget=40",
    "class_ascent": f"{TWO} search.steps=6",
    "class_ascent_fourier": f"{TWO} search.steps=4",
    "critical_samples": "images=pictures search.steps=3",
    "deepdream": "image=photo.png encoding.longest=80 search.count=2 search.steps=2",
    "deepdream_film": "image=china encoding.longest=72 search.count=2 search.steps=2 frames=3",
    "diversity": "unit=[0,1] encoding.count=2 encoding.encoding.size=64 search.steps=2",
    "fast_gradient_sign": "images=pictures",
    "feature_inversion": "search.steps=4",
    "fooling_cma": f"{TWO} search.generations=3 search.population=6",
    "fooling_comparison": f"{TWO} budget=90 experiments.genetic.search.population=6"
    " experiments.cppn.search.population=6",
    "fooling_cppn": f"{TWO} search.generations=4 search.population=6",
    "fooling_genetic": f"{TWO} search.generations=4 search.population=6",
    "fooling_gradient": "target=[goldfish,lemon,teapot] search.steps=25 until=0.6",
    "generator_ascent": f"{TWO} search.steps=4",
    "generator_cma": f"{TWO} search.generations=2 search.population=4",
    "generator_diversity": f"{TWO} encoding.count=2 search.steps=2",
    "generator_genetic": f"{TWO} search.generations=2 search.population=4",
    "generator_neuron": "unit=[0,1] search.steps=2",
    "generator_walk": "target=[goldfish,lemon,teapot] search.steps=3 figures.walk.frames=2",
    "illumination": "search.steps=3 search.batch=12",
    "layers": "",
    "maco": f"{TWO} encoding.size=72 views=2 search.steps=2",
    "map_elites": "target=[goldfish,lemon,teapot,monarch] search.steps=8 search.batch=8 settle=4",
    "map_elites_memetic": f"{TWO} search.first=8 search.batch=2 search.ascents=2 search.steps=3",
    "minimal_perturbation": "images=pictures search.steps=6",
    "multifaceted": "images=pictures target=lemon encoding.clusters=2 encoding.nearest=2"
    " encoding.size=72"
    " search.stages.first.steps=2 search.stages.second.steps=2 search.stages.third.steps=2",
    "natural_statistics": "images=pictures",
    "label_landscape": "images=pictures pictures=1 grid=3",
    "memorization": "images=pictures size=16 holdout=4 epochs=1 batch=4 precision=float32"
    " data=[true_labels,random_labels] settings=[none]",
    "neuron_ascent": "unit=[0,1] search.steps=3",
    "onemax": "generations=40",
    "projected_gradient": "images=pictures search.steps=4",
    "render": "run=earlier size=[24,40]",
    "style_transfer": "content=photo.png encoding.longest=80 search.steps=3",
    "stylize": "images=pictures longest=64",
    "texture": "encoding.size=64 search.steps=3",
    "texture_nearest": "size=36 sample=36",
    "train_classifier": CLASSIFIER.removeprefix("recipe=train_classifier "),
    "train_generator": "images=pictures epochs=1 batch=4 width=4 precision=float32",
    "train_stylizer": "style=flower images=pictures epochs=1 batch=4 size=64 crop=48 width=4"
    " blocks=1",
    "universal_perturbation": "images=pictures search.steps=3 encoding.batch=4",
}
BEFORE = {"render": PAINTED}  # runs in folder=earlier that a recipe needs

GENETIC = f"recipe=fooling_genetic {TWO} search.generations=4 search.population=6"
MAP = "recipe=map_elites target=[goldfish,lemon,teapot,monarch] search.batch=8"
PICTURES = "images=pictures search.steps=4"
CROSSINGS = {
    "ascent_views": f"recipe=class_ascent {TWO} search.steps=3 views=2 transform=robust",
    "ascent_exact": f"recipe=class_ascent {TWO} search.steps=3 exact=true transform=window"
    " network.fit=true",
    "ascent_fourier": f"recipe=class_ascent {TWO} search.steps=4 encoding=fourier memory=1"
    " search/regularisers=none",
    "ascent_dct": f"recipe=class_ascent {TWO} search.steps=4 encoding=dct search.rule=nadam",
    "ascent_clipped": f"recipe=class_ascent {TWO} search.steps=5 search/regularisers=yosinski_4"
    " transform=pad network.fit=true",
    "ascent_noisy": f"recipe=class_ascent {TWO} search.steps=4 search.noise=0.01"
    " search.rate_end=0.001"
    " search/regularisers=yosinski_2 transform=noise",
    "ascent_resnet": f"recipe=class_ascent_fourier {TWO} search.steps=3 network=mini_resnet",
    "ascent_half": f"recipe=class_ascent {TWO} search.steps=3 network.precision=bfloat16",
    "ascent_budget": f"recipe=class_ascent {TWO} budget=20 seed=5",
    "ascent_sweep": "--multirun recipe=class_ascent seed=1,2 search.steps=2 sweep=golden",
    "channel_direction": "recipe=neuron_ascent objective@objective.terms.unit=channel"
    " search.steps=2"
    " layer=conv3 unit=[2,3] +objective@objective.terms.tv=total_variation",
    "fooling_lbfgs": f"recipe=fooling_gradient {TWO} search=lbfgs encoding=fourier search.steps=4",
    "fooling_octaves": f"recipe=fooling_gradient {TWO} search=octaves search.count=2 search.steps=2"
    " network.fit=true",
    "fooling_picture": "recipe=fooling_gradient image=china search.steps=4 encoding.epsilon=0.03"
    " until=null",
    "fooling_away": "recipe=fooling_gradient images=labelled target=null label=folder"
    " search.steps=3",
    "fooling_grey": "recipe=fooling_gradient image=china encoding.grey=true encoding.norm=l2"
    " encoding.epsilon=2 search.steps=3",
    "pgd_target": f"recipe=projected_gradient {PICTURES} target=goldfish",
    "pgd_random_l2": f"recipe=projected_gradient {PICTURES} target=random encoding.norm=l2",
    "fast_gradient_l2": "recipe=fast_gradient_sign image=photo.png target=lemon encoding.norm=l2",
    "black_box_population": "recipe=black_box_attack images=[photo.png,china] budget=60"
    " search.population=3 search/mate=uniform",
    "minimal_deepfool": f"recipe=minimal_perturbation {PICTURES} search=deepfool",
    "minimal_linf": f"recipe=minimal_perturbation {PICTURES} search.norm=linf target=goldfish",
    "minimal_fine": "recipe=minimal_perturbation images=labelled search.steps=4 label=folder"
    " encoding.eight_bit=false",
    "genetic_textbook": f"{GENETIC} search/mate=uniform search/mutate=gaussian search/survive=comma"
    " search/select=rank",
    "genetic_islands": f"{GENETIC} search/mate=one_point search/mutate=smooth"
    " search/survive=generational"
    " search/select=best search.islands=2 search.migrate=1",
    "genetic_bounded": f"{GENETIC} search/mate=simulated_binary search/mutate=polynomial"
    " search/survive=steady_state search.mate.low=0 search.mate.high=1",
    "genetic_stock": f"{GENETIC} search/mate=stock search/mutate=stock search/select=stock"
    " search.select.name=selBest",
    "genetic_mixture": f"{GENETIC} search/mate=two_point search/mutate=mixture encoding=dct"
    " encoding.frequencies=8 search/select=roulette"
    " search/mutate@search.mutate.of.smooth=gaussian search/mutate@search.mutate.of.patch=gaussian",
    "genetic_budget": f"recipe=fooling_genetic {TWO} budget=40 search.population=6 seed=3",
    "cma_full": f"recipe=fooling_cma {TWO} encoding.frequencies=4 search.covariance=full"
    " search.active=true search.generations=4 search.population=null",
    "map_weights": f"{MAP} encoding=cppn_weights search/mutate=gaussian search/mate=uniform"
    " search.steps=6",
    "map_niches": "recipe=illumination target=[goldfish,lemon] search.steps=3 search.batch=8"
    " ~objective.terms.niche.descriptors.detail objective.terms.niche.descriptors.brightness=2"
    " +objective.terms.niche.descriptors.symmetry=2",
    "dream_guide": "recipe=deepdream image=photo.png guide=flower encoding.longest=80"
    " search.count=2 search.steps=2",
    "dream_layers": "recipe=deepdream image=null encoding.longest=null encoding.size=[64,80]"
    " search.count=2"
    " search.steps=2 layer=[relu1,relu3] unit=[0,1]",
    "film_noise": "recipe=deepdream_film image=null encoding.longest=null encoding.size=64"
    " search.count=1"
    " search.steps=2 frames=3 zoom=1.1",
    "generator_picture": "recipe=generator_ascent image=photo.png target=lemon search.steps=3",
    "inversion_folder": "recipe=feature_inversion images=pictures layer=conv3 search.steps=3",
    "inversion_layers": "recipe=feature_inversion layer=[conv1,conv3] encoding.size=72"
    " search.steps=2",
    "style_lbfgs": "recipe=style_transfer content=photo.png encoding.longest=72 search=lbfgs"
    " transform=none"
    " search.steps=3",
    "style_several": "recipe=style_transfer style=[flower,photo.png] weights=[3,1]"
    " encoding.longest=64"
    " objective.terms.style.colours=content search.steps=2",
    "style_grey": "recipe=style_transfer encoding.longest=64 encoding.grey=true"
    " objective.terms.style.colours=grey search.steps=2",
    "texture_depths": "recipe=texture depth=[1,2] encoding.size=64"
    " objective.terms.style.statistic=moments"
    " search.steps=2",
    "nearest_flat": "recipe=texture_nearest style=photo.png crop=1 size=[24,32] sample=32"
    " levels=1 seed=2",
    "universal_target": "recipe=universal_perturbation images=pictures target=goldfish"
    " search.steps=3"
    " encoding.batch=4 encoding.norm=l2 encoding.epsilon=3 encoding.start=random transfer=null",
    "comparison_picture": "recipe=fooling_comparison image=china target=lemon budget=60"
    " naturals=pictures"
    " ~experiments.cppn ~experiments.cma experiments.genetic.search.population=6",
    "stylize_film": "recipe=stylize image=film.gif longest=48",
    "classifier_resnet": f"{CLASSIFIER} architecture=mini_resnet size=32 crop=2 epochs=2"
    " early_stopping=1"
    " holdout=4",
    "layers_resnet": "recipe=layers network=mini_resnet",
}
# Stopped by Ctrl-C once they have left steps.jsonl, and begun again: equal wherever that hits them.
RESUMED = {
    "resumed_gradient": "recipe=fooling_gradient target=[goldfish,lemon,teapot,monarch]"
    " search.steps=80 until=null",
    "resumed_genetic": "recipe=fooling_genetic target=[goldfish,lemon,teapot] search.generations=24"
    " search.population=12 until=null search.islands=2",
    "resumed_map": f"{MAP} search.steps=40 settle=20 until=null",
    "resumed_film": "recipe=deepdream_film encoding.longest=96 search.count=2 search.steps=2"
    " frames=6",
    "resumed_training": "recipe=train_stylizer style=flower images=pictures epochs=3 batch=4"
    " size=64"
    " crop=48 width=4 blocks=1",
    "resumed_comparison": f"recipe=fooling_comparison {TWO} budget=300 until=null ~experiments.cma"
    " experiments.genetic.search.population=6 experiments.cppn.search.population=6",
}


@dataclass(frozen=True)
class Case:
    """A run to compare: `commands` are given one after the other, the last writes what is compared.

    With `interrupt` it is stopped in the middle and given once more.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    interrupt: bool = False


Left = dict[str, dict[str, Any]]  # by kind of file and path, what a run left


def main() -> None:
    """Keeps or checks what the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.golden", description=(__doc__ or "").split("\n\n")[0]
    )
    does = parser.add_mutually_exclusive_group(required=True)
    for word, what in (("--keep", "write down what runs leave"), ("--check", "compare with that")):
        does.add_argument(word, nargs="?", const=KEPT, type=Path, metavar="FILE", help=what)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these runs alone")
    given = parser.parse_args()
    spec = importlib.util.find_spec("synth")
    print(
        f"synth of {spec.origin if spec else 'nowhere'}, torch {torch.__version__}", file=sys.stderr
    )
    for name in WARM:
        importlib.import_module(name)
    torch.set_num_threads(1)
    if given.keep:
        keep(given.keep, given.only)
    elif not check(given.check, given.only):
        sys.exit(1)


def keep(file: Path, only: Sequence[str] | None = None) -> None:
    """Runs all cases, or `only` these, and writes what they left to `file`.

    With `only`, what it holds of others stays.
    """
    began = time.monotonic()
    kept = json.loads(file.read_text(encoding="utf-8"))["runs"] if only and file.exists() else {}
    failed: list[str] = []
    for case in _chosen(cases(), only):
        start = time.monotonic()
        left = run(case)
        if isinstance(left, str):
            failed.append(case.name)
            print(f"{case.name}: {left}", flush=True)
            continue
        commands = [" ".join(command) for command in case.commands]
        kept[case.name] = {"commands": commands, "interrupt": case.interrupt, "left": left}
        counts = ", ".join(f"{len(files)} {kind}" for kind, files in left.items())
        print(f"{case.name}: {counts}, {time.monotonic() - start:.1f} s", flush=True)
    about = {"torch": torch.__version__, "machine": _machine()}
    lines = [f"{json.dumps(name)}: {_compact(kept[name])}" for name in sorted(kept)]
    text = f'{{"about": {json.dumps(about)},\n"runs": {{\n' + ",\n".join(lines) + "\n}}\n"
    file.write_text(text, encoding="utf-8")
    print(f"{file}: {len(kept)} runs, {len(text) // 1000} kB, {time.monotonic() - began:.0f} s")
    if failed:
        sys.exit(f"failed, and not kept: {', '.join(failed)}")


def check(file: Path, only: Sequence[str] | None = None) -> bool:
    """Whether the commands in `file` leave today what they left then.

    Prints for each case that it is equal, or its differences.
    """
    kept = json.loads(file.read_text(encoding="utf-8"))
    if kept["about"] != {"torch": torch.__version__, "machine": _machine()}:
        print(
            f"kept with torch {kept['about']['torch']} on {kept['about']['machine']}, which may"
            " round otherwise"
        )
    then = [
        Case(name, tuple(tuple(line.split(" ")) for line in entry["commands"]), entry["interrupt"])
        for name, entry in kept["runs"].items()
    ]
    same = True
    for case in _chosen(then, only):
        commands = tuple(
            tuple(" ".join(map(renamed_word, command)).split()) for command in case.commands
        )
        left = run(Case(case.name, commands, case.interrupt))
        if isinstance(left, str):
            lines = [left]
        else:
            lines = list(differences(_renamed(kept["runs"][case.name]["left"]), left))
        same = same and not lines
        more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
        for line in [*lines[:SHOWN], *more] or ["equal"]:
            print(f"{case.name}: {line}", flush=True)
    known = {renamed_word(f"recipe={name}") for name in kept["runs"]}
    for recipe in recipes() if not only else ():
        if f"recipe={recipe}" not in known:
            print(f"{recipe}: a recipe of which nothing was kept")
    return same


# -- what is run -----------------------------------------------------------------------------------


def recipes() -> list[str]:
    """The names of all recipes there are."""
    return sorted(path.stem for path in (ROOT / "conf/recipe").glob("*.yaml"))


def cases() -> list[Case]:
    """Every recipe once, the crossings, and the runs that are interrupted."""
    made = []
    for name in recipes():
        words = RECIPES[name] if name in RECIPES else " ".join(_shortened(name))
        made.append(_case(name, f"recipe={name} {words}", BEFORE.get(name)))
    made += [_case(name, line) for name, line in CROSSINGS.items()]
    contender = "recipe=render run=earlier contender=cppn size=24"
    compared = f"recipe=fooling_comparison {RECIPES['fooling_comparison']}"
    made.append(_case("render_contender", contender, compared))
    made += [_case(name, line, interrupt=True) for name, line in RESUMED.items()]
    return made


def _case(name: str, line: str, before: str | None = None, interrupt: bool = False) -> Case:
    where = () if "sweep=" in line else ("folder=out",)
    last = (*line.split(), "device=cpu", *where)
    first = (*before.split(), "device=cpu", "folder=earlier") if before else None
    return Case(name, (first, last) if first else (last,), interrupt)


def _shortened(recipe: str) -> Iterator[str]:
    """The words that shorten a recipe, by the names of its settings."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        tree = OmegaConf.to_container(
            compose("config", overrides=[f"recipe={recipe}"]), resolve=False
        )
    for path, value in _leaves(tree):
        short = SHORT.get(path.rsplit(".", 1)[-1])
        if short is not None and (value is None or isinstance(value, int | float)):
            yield f"{path}={min(short, value or short)}"


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}".lstrip("."))
    else:
        yield path, node


def _chosen(there: Sequence[Case], only: Sequence[str] | None) -> list[Case]:
    unknown = set(only or ()) - {case.name for case in there}
    if unknown:
        sys.exit(f"no such run: {', '.join(sorted(unknown))}")
    return [case for case in there if not only or case.name in only]


def draw_inputs(folder: Path) -> None:
    """Draws what the runs read: six pictures in each of two class folders, a photograph, a film."""
    random = np.random.default_rng(0)
    names = [
        f"pictures/{shows}/{number}.png" for shows in ("lemon", "teapot") for number in range(6)
    ]
    for place, name in enumerate([*names, "photo.png"]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _drawn(random, (72, 96) if name == "photo.png" else (40, 36), place % 4).save(folder / name)
    for shown, name in LABELLED.items():
        (folder / shown).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "pictures" / name, folder / shown)
    frames = [_drawn(random, (40, 56), number) for number in range(3)]
    frames[0].save(
        folder / "film.gif", save_all=True, append_images=frames[1:], duration=80, loop=0
    )


def _drawn(random: np.random.Generator, size: tuple[int, int], kind: int) -> Image.Image:
    """Whole numbers only, so that every processor draws the same: bands, a disc, grain."""
    y, x = np.mgrid[: size[0], : size[1]]
    colours = random.integers(0, 200, (3, 1, 1))
    bands = ((x * (kind + 1) + y * 2) // 9 % 4 * 20)[None]
    disc = (x - size[1] // 2) ** 2 + (y - size[0] // 2) ** 2 < (size[0] // 3) ** 2
    grain = random.integers(0, 24, (3, *size))
    pixels = np.clip(colours // 2 + bands + disc * colours + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def run(case: Case) -> Left | str:
    """What `case` leaves, run in a folder of its own; where it fails, why."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_inputs(folder)
        for command in case.commands:
            if case.interrupt and command == case.commands[-1]:
                code = _command(command, folder, stop_at=folder / "out/steps.jsonl")
                if code != 130:
                    return f"was to be interrupted and left with {code}"
            code = _command(command, folder)
            if code != 0:
                lines = (folder / "log.txt").read_text(encoding="utf-8").splitlines()
                return f"exit code {code}: {lines[-1] if lines else 'nothing was said'}"
        return left_in(folder / ("out" if (folder / "out").is_dir() else "runs"))


def _command(words: Sequence[str], folder: Path, stop_at: Path | None = None) -> int | None:
    """The exit code of the console script in `folder`; Ctrl-C comes once `stop_at` is there."""
    process = multiprocessing.get_context("fork").Process(target=_console, args=(words, folder))
    process.start()
    assert process.pid is not None
    end = time.monotonic() + TIMEOUT
    while stop_at and process.is_alive() and time.monotonic() < end:
        if stop_at.exists():
            os.kill(process.pid, signal.SIGINT)
            break
        time.sleep(0.005)
    process.join(max(0.0, end - time.monotonic()))
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode


def _console(words: Sequence[str], folder: Path) -> None:
    os.chdir(folder)
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    sys.argv = ["synth", *words]
    from synth.cli.command import main as synth

    synth()


# -- what is compared ------------------------------------------------------------------------------


def left_in(folder: Path) -> Left:
    """Hashes of all pictures and tensors, and the records, under `folder` by their paths in it."""
    left: Left = {"pictures": {}, "tensors": {}, "records": {}}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith((".", "checkpoint.", "checkpoint_")) for part in name.split("/")):
            continue
        if path.suffix in (".png", ".webp", ".gif", ".jpg"):
            left["pictures"][name] = _pixels(path)
        elif path.suffix == ".safetensors":
            left["tensors"][name] = _tensors(path)
        elif path.name == "result.json":
            left["records"][name] = _record(json.loads(path.read_text(encoding="utf-8")))
        elif path.name == "steps.jsonl":
            lines = path.read_text(encoding="utf-8").splitlines()
            left["records"][name] = _record([json.loads(line) for line in lines])
    return left


def _pixels(path: Path) -> str:
    """Size, number of frames where there are several, and a hash of the pixels of all of them."""
    with Image.open(path) as image:
        pixels = [frame.convert("RGBA").tobytes() for frame in ImageSequence.Iterator(image)]
        frames = f", {len(pixels)} frames" if len(pixels) > 1 else ""
        return f"{image.width}x{image.height}{frames} {_short_hash(b''.join(pixels))}"


def _tensors(path: Path) -> dict[str, str]:
    """Type, shape and a hash of the bytes of every tensor in a file."""
    hashes = {}
    with safe_open(path, "pt") as file:
        for name in sorted(file.keys()):
            tensor = file.get_tensor(name).contiguous()
            shape = "x".join(map(str, tensor.shape))
            kind = str(tensor.dtype).removeprefix("torch.")
            digest = _short_hash(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
            hashes[name] = f"{kind} {shape} {digest}"
    return hashes


def _short_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]


def _record(value: Any) -> Any:
    """A JSON value without what is not compared; its hash where it is large."""
    value = _plain(value)
    text = _compact(value)
    return value if len(text) <= LARGEST else f"{len(text)} bytes {_short_hash(text.encode())}"


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    known = {key: inner for key, inner in value.items() if inner is not None}
    return {key: _plain(inner) for key, inner in known.items() if key not in LEFT_OUT}


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def differences(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """Every place where two JSON values differ, in a line each."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            path = f"{where} {key}".strip()
            if key not in new:
                yield f"{path}: gone, was {_brief(old[key])}"
            elif key in old:
                yield from differences(old[key], new[key], path)
            elif key not in ADDED:
                yield f"{path}: new, {_brief(new[key])}"
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, pair in enumerate(zip(old, new, strict=True)):
            yield from differences(*pair, f"{where} {place}")
    elif old != new:
        yield f"{where}: was {_brief(old)}, is {_brief(new)}"


def _brief(value: Any) -> str:
    text = _compact(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _machine() -> str:
    """The processor, as Linux calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


# -- renames ---------------------------------------------------------------------------------------


def renamed_word(word: str) -> str:
    """A word of the command line by its name of today."""
    words = RENAMES["words"]
    if word in words:
        return words[word]
    names = sorted((name for name in words if "=" not in name), key=len, reverse=True)
    key, equals, value = word.partition("=")
    if names:
        pattern = rf"(?<!\w)({'|'.join(map(re.escape, names))})(?!\w)"
        key = re.sub(pattern, lambda match: words[match[1]], key)
    return key + equals + value


def _renamed(left: Left) -> Left:
    """What was kept, by the names of today."""
    return {
        "pictures": {_path(name): pixels for name, pixels in left["pictures"].items()},
        "tensors": {_path(name): _keys(tensors) for name, tensors in left["tensors"].items()},
        "records": {_path(name): _keys(record) for name, record in left["records"].items()},
    }


def _keys(value: Any, under: str = "") -> Any:
    """A record with its keys and values renamed; `under` is the old key that it stands under."""
    if isinstance(value, dict):
        new = {}
        for key, inner in value.items():
            name = RENAMES["keys"].get(f"{under}.{key}", RENAMES["keys"].get(key, key))
            if name is not None:
                new[name] = _keys(inner, key)
        return new
    if isinstance(value, list):
        return [_keys(inner, under) for inner in value]
    if not isinstance(value, str):
        return value
    if under == "overrides":
        return renamed_word(value)
    for old, new in RENAMES["values"].items():
        for text in (value, f"{under}:{value}"):
            if match := re.fullmatch(old, text, re.DOTALL):
                return match.expand(new)
    return _path(value)


def _path(name: str) -> str:
    for old, new in RENAMES["paths"].items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


if __name__ == "__main__":
    main()
