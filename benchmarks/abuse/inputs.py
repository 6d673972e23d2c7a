"""Bad inputs at random: python -m benchmarks.abuse inputs --minutes 5, or --count 457

Draws command lines with wrong types, sizes and numbers, odd names, unknown and deleted keys and
parts, broken grammar, and files that were changed by hand, and runs each in a copy of this process.
A command may run, or be refused in one line with exit code 2. Everything else is printed with the
words that repeat it: a traceback, a command that neither ends nor can be interrupted, and NaN, an
infinity or true taken for a number.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import os
import random
import re
import shlex
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from synth.cli.unknown_keys import options_of
from synth.config.composing import CONF, PACKAGE

PATIENCE = 40.0  # seconds that a command may take before it is interrupted
GRACE = 5.0  # seconds after that
MEMORY = 4 << 30  # bytes that a command may take

# commands that are over soon; MATERIAL stands for the folder with pictures and files
COMMANDS = (
    "recipe=fooling_gradient search.steps=2",
    "recipe=fooling_gradient search.steps=2 image=china encoding.epsilon=0.1 target=teapot",
    "recipe=class_ascent search.steps=2",
    "recipe=class_ascent_fourier search.steps=2",
    "recipe=fooling_genetic search.generations=2 search.population=4",
    "recipe=fooling_cppn search.generations=1 search.population=4",
    "recipe=fooling_cma search.generations=2 search.population=4",
    "recipe=map_elites search.steps=2 search.batch=4 target=[goldfish,lemon]",
    "recipe=projected_gradient image=MATERIAL/whole.png search.steps=2",
    "recipe=minimal_perturbation image=MATERIAL/whole.png search.steps=2",
    "recipe=universal_perturbation images=MATERIAL/set search.steps=2 encoding.batch=2 holdout=1",
    "recipe=deepdream image=MATERIAL/whole.png search.steps=1 search.count=1 encoding.longest=64",
    "recipe=style_transfer content=MATERIAL/whole.png style=flower search.steps=1",
    "recipe=generator_ascent search.steps=1",
    "recipe=neuron_ascent search.steps=1",
    "recipe=onemax generations=2",
    "recipe=layers",
    "recipe=render run=MATERIAL/run size=16",
    "recipe=stylize image=MATERIAL/whole.png longest=32",
    "recipe=train_classifier images=MATERIAL/set epochs=1 batch=4 size=64",
)
# none of them is a number
NUMBERS = shlex.split("nan inf -inf NaN +Inf true false")
ODD = shlex.split("-1 0 1e308 -1e308 1e-320 1e400 2.5 0x10 1_0 ٣ many null [1,2] [] {a:1} {}")
ODD += ["", "9" * 40, "9" * 5000, "${seed}", "${nope}", "${oc.env:NOPE}"]
HUGE = {"1e308", "-1e308", "1e400", "9" * 40}
LONG = ("steps", "generations", "epochs", "frames", "settle")  # numbers that make a run long
NAMES = r"""josé|金魚|🐟|a b| a|it's|say "x"|a=b|a(1).png|[a].png|{a}|a,b|a&b;c|#1|%s|$HOME|\|a\,b
~|~/x.png|~nobody/x|-|--|.|..|/|../../..|/dev/null|*|?|null|5|true|nan
[/red]|[link=http://x]a[/link]|${oc.env:HOME}|""".replace("\n", "|").split("|")
NAMES += ["\x1b[31mred", "a\nb", "\udcff", "\u202ex", "a" * 300, "a" * 5000]
OPTIONS = shlex.split(
    """--foo -x -m --multirun --cfg --cfg=nope --resolve --info=nope --run -c --package=nope
--config-dir=/nope --config-name=nope --config-path=/nope --shell-completion sweep= folder=
--experimental-rerun=/nope.pickle hydra/launcher=joblib hydra/sweeper=nope hydra.mode=nope
hydra.nope=1 hydra.job.name=[1]"""
)
SIGNS = "[]{}(),:='\"$~+@/\\.% ab1é"


def main(arguments: Sequence[str]) -> int:
    """Draws and runs for as long as asked; 1 where an outcome was not accepted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abuse inputs")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--count", type=int, help="this many, in place of minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--all", action="store_true", help="print what is accepted, too")
    given = parser.parse_args(arguments)
    counts: Counter[str] = Counter()
    end = time.monotonic() + 60 * given.minutes
    with tempfile.TemporaryDirectory() as folder:
        _warm_up()
        material = prepared(Path(folder) / "material")
        seed = given.seed
        while counts.total() < given.count if given.count else time.monotonic() < end:
            drawn = draw(random.Random(seed), material)
            outcome, text = run(drawn, Path(folder) / "cwd")
            counts[outcome] += 1
            if given.all or outcome not in ("ran", "refused in one line"):
                print(f"{seed}: {outcome}: {drawn.line}\n    {text[-2000:]}", flush=True)
            seed += 1
    print(f"{counts.total()} inputs, " + ", ".join(f"{counts[kind]} {kind}" for kind in OUTCOMES))
    return int(any(counts[kind] for kind in OUTCOMES[2:]))


OUTCOMES = ("refused in one line", "ran", "tracebacks", "hangs", "more than a line", "accepted nan")


@dataclass(frozen=True)
class Drawn:
    """A command line.

    Attributes:
        words: after ``synth``.
        is_number: whether one of them gives NaN, an infinity or true for a number.
    """

    words: Sequence[str]
    is_number: bool = False

    @property
    def line(self) -> str:
        """The words as a Python list, which shows what no terminal can."""
        return ascii(
            [word if len(word) < 400 else f"{word[:40]}...{len(word)}" for word in self.words]
        )


# -- drawing -------------------------------------------------------------------------------------


def draw(choose: random.Random, material: Path, commands: Sequence[str] = COMMANDS) -> Drawn:
    """A short command with one to three mistakes in it.

    Args:
        choose: of all draws.
        material: what `prepared` made.
        commands: to choose from.
    """
    base = choose.choice(commands).split()
    if choose.random() < 0.2:  # a file or folder that was changed by hand
        base = choose.choice(_tampered(choose, material))
    mistakes = [
        choose.choice(MISTAKES)(choose, base, material)
        for _ in range(choose.choice((1, 1, 1, 2, 3)))
        if "TAMPERED" not in base
    ]
    words = [word for word in base if word != "TAMPERED"]
    for mistake in mistakes:
        words += mistake
    numbers = _keys(base[0])["number"]
    is_number = len(mistakes) == 1 and any(
        key in numbers and value in NUMBERS
        for key, _, value in (w.partition("=") for w in mistakes[0])
    )
    words = [word.replace("MATERIAL", str(material)) for word in words]
    if not any(word.startswith("folder=") for word in words):
        words.append("folder=out")
    return Drawn(words, is_number)


def _number(choose: random.Random, base: Sequence[str], material: Path) -> list[str]:
    key = choose.choice(_keys(base[0])["number"] or ["seed"])
    values = [value for value in ODD if value not in HUGE or key.rsplit(".", 1)[-1] not in LONG]
    return [f"{key}={choose.choice(NUMBERS if choose.random() < 0.5 else values)}"]


def _text(choose: random.Random, base: Sequence[str], material: Path) -> list[str]:
    keys = [*_keys(base[0])["text"], "target", "folder", "network.weights"]
    odd = [f"MATERIAL/odd/{name}" for name in os.listdir(material / "odd")]
    value = choose.choice(odd if choose.random() < 0.4 else NAMES)
    if choose.random() < 0.1:
        value = f"[{value},{choose.choice(NAMES)}]"
    return [f"{choose.choice(keys)}={value}"]


def _unknown(choose: random.Random, base: Sequence[str], material: Path) -> list[str]:
    keys = [*_keys(base[0])["number"], *_keys(base[0])["text"], "recipe", "search", "network"]
    key = choose.choice(keys)
    place = choose.randrange(len(key))
    key = key[:place] + choose.choice(("", "x", key[place] * 2, "é", ".", "/")) + key[place + 1 :]
    return [
        f"{choose.choice(('', '', '+', '++', '~'))}{key}={choose.choice(('1', 'x', '', 'nan'))}"
    ]


def _deleted(choose: random.Random, base: Sequence[str], material: Path) -> list[str]:
    keys = _keys(base[0])
    return [f"~{choose.choice([*keys['group'], *keys['number'], *keys['text'], '_target_'])}"]


def _part(choose: random.Random, base: Sequence[str], material: Path) -> list[str]:
    group = choose.choice(_groups())
    option = choose.choice([*options_of(CONF, group), "nope", "", "3", "null"])
    package = choose.choice(
        ("", "", "", "@search", "@objective.terms.x", "@nowhere", "@experiments.x")
    )
    return [f"{choose.choice(('', '', '+'))}{group}{package}={option}"]


def _replaced(choose: random.Random, base: Sequence[str], material: Path) -> list[str]:
    """A group or a whole branch with a value of another kind in its place."""
    key = choose.choice([*_keys(base[0])["group"], "objective.terms", "metrics", "search.mutate"])
    value = choose.choice(("3", "[1]", "{}", "{a: 1}", "{_target_: os.system}", "null", "nan", "x"))
    return [f"{choose.choice(('', '++'))}{key}={value}"]


def _option(choose: random.Random, base: Sequence[str], material: Path) -> list[str]:
    if choose.random() < 0.3:
        key = choose.choice(("search", "encoding", "device", "target", "memory", "folder"))
        return ["-m", f"{key}={choose.choice(('glob(nope*)', 'cpu,cuda:9', 'a,b', 'range(0,3)'))}"]
    return [choose.choice(OPTIONS)]


def _grammar(choose: random.Random, base: Sequence[str], material: Path) -> list[str]:
    text = "".join(choose.choices(SIGNS, k=choose.randrange(1, 12)))
    return [
        choose.choice((text, f"target={text}", f"image={text}", f"search.rate={text}", f"{text}=1"))
    ]


MISTAKES: list[Callable[[random.Random, Sequence[str], Path], list[str]]] = [
    *[_number, _text] * 3,
    _unknown,
    _deleted,
    _part,
    _replaced,
    _option,
    _grammar,
]


@cache
def _keys(recipe: str) -> dict[str, list[str]]:
    """The keys of a recipe by the kind of their value: ``number``, ``text``; and its ``group``s."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", overrides=[recipe], return_hydra_config=True)
    groups = [str(group) for group in cfg.hydra.runtime.choices if not group.startswith("hydra")]
    tree = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(tree, dict)
    tree.pop("hydra")
    keys: dict[str, list[str]] = {"number": [], "text": [], "group": groups}
    _sort(tree, "", keys)
    return keys


def _sort(node: Any, path: str, keys: Mapping[str, list[str]]) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            _sort(value, f"{path}.{key}".lstrip("."), keys)
    elif isinstance(node, int | float) and not isinstance(node, bool):
        keys["number"].append(path)
    elif not path.endswith("_"):  # _target_
        keys["text"].append(path)


@cache
def _groups() -> list[str]:
    folders = {path.parent for path in CONF.rglob("*.yaml")} - {CONF}
    return sorted(str(folder.relative_to(CONF)) for folder in folders)


# -- files ---------------------------------------------------------------------------------------


def prepared(material: Path) -> Path:
    """A folder of pictures, a finished run, and ``odd/`` with what is no picture of any use."""
    odd = material / "odd"
    odd.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    picture.save(material / "whole.png")
    for kind in ("cat", "dog"):
        (material / "set" / kind).mkdir(parents=True)
        for number in range(3):
            picture.rotate(90 * number).save(material / "set" / kind / f"{number}.png")
    whole = (material / "whole.png").read_bytes()
    contents = {
        "empty.png": b"",
        "cut.png": whole[:900],
        "text.png": b"no picture\n",
        "script.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "nul.png": bytes(99),
        "é [1],{a}.png": whole,
        "a=b, c.png": whole,
        "\x1b[31m[red]\n.png": whole,
    }
    for name, content in contents.items():
        (odd / name).write_bytes(content)
    (odd / os.fsdecode(b"\xff\xfe.png")).write_bytes(whole)
    Image.new("RGB", (1, 900)).save(odd / "thin.png")
    os.mkfifo(odd / "pipe.png")
    os.symlink(odd / "loop.png", odd / "loop.png")
    (odd / "folder.png").mkdir()
    shutil.copy(PACKAGE / "networks/weights/mini_alexnet.safetensors", material / "net.safetensors")
    words = ["recipe=fooling_cppn", "search.generations=1", "search.population=2", "until=null"]
    outcome, text = run(Drawn([*words, f"folder={material / 'run'}"]), material / "cwd")
    assert outcome == "ran", text
    return material


def _tampered(choose: random.Random, material: Path) -> list[list[str]]:
    """Commands that read a file of `material` with some of its bytes changed."""
    copy = material / "tampered"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(material / "run", copy)
    for name in ("whole.png", "net.safetensors"):
        shutil.copy(material / name, copy / name)
    files = sorted(path for path in copy.rglob("*") if path.is_file())
    path = choose.choice([*files, copy / "whole.png", copy / "net.safetensors"])
    content = bytearray(path.read_bytes())
    for _ in range(choose.choice((1, 5, 50))):
        place = int(len(content) ** choose.random()) - 1  # more often near the beginning
        content[place : place + 1] = choose.choice(
            (
                b"",
                b"\0",
                b"9" * 9,
                b"[",
                b"}",
                b'"',
                b"NaN",
                b"\xff",
                bytes([choose.randrange(256)]),
            )
        )
    if choose.random() < 0.2:
        content = content[: len(content) // 2]
    path.write_bytes(content)
    gradient = ["recipe=fooling_gradient", "search.steps=1", "TAMPERED"]
    render = ["recipe=render", f"run={copy}", "size=16", "TAMPERED"]
    again = ["recipe=fooling_cppn", "search.generations=1", "search.population=2", "until=null"]
    if path.name == "whole.png":
        return [[*gradient, f"image={path}"]]
    if path.name == "net.safetensors":
        return [[*gradient, f"network.weights={path}"]]
    return [render, [*again, f"folder={copy}", "TAMPERED"]]


# -- running -------------------------------------------------------------------------------------


def _warm_up() -> None:
    """Imports what commands import, so that a copy of this process need not."""
    import torch

    from synth.networks.bundled import bundled

    torch.set_num_threads(1)
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        if "__" not in module:
            __import__(module)
    bundled("mini_alexnet", device="cpu")


def run(drawn: Drawn, folder: Path) -> tuple[str, str]:
    """Runs a command in a copy of this process, in an empty `folder`.

    Returns:
        Which of `OUTCOMES` it had, and what it printed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryFile() as output:
        gc.freeze()  # or a collection in the child would copy all memory
        child = os.fork()
        if child == 0:
            _command(drawn.words, folder, output.fileno())
        gc.unfreeze()
        code = _exit_code(child)
        output.seek(0)
        text = output.read().decode(errors="backslashreplace")
    lines = [line for line in text.splitlines() if line.startswith("synth: ")]
    orderly = re.search("interrupted at|in the middle", text)
    if code is None or (code == 130 and not orderly):
        return "hangs", text
    if "Traceback" in text or code not in (0, 2, 130):
        return "tracebacks", f"exit code {code}\n{text}"
    swept = "-m" in drawn.words or "--multirun" in drawn.words  # a line a point
    if code == 2 and not swept and (len(lines) != 1 or text.splitlines()[-1] != lines[0]):
        return "more than a line", text
    if (drawn.is_number and code == 0) or _holds_nan(folder):
        return "accepted nan", text
    return ("refused in one line" if code == 2 else "ran"), text


def _command(words: Sequence[str], folder: Path, output: int) -> None:
    """Becomes the command; never returns."""
    code: Any = 0
    try:
        import resource

        from synth.cli.command import main

        os.chdir(folder)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w"), errors="backslashreplace")
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), errors="backslashreplace")
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["synth", *words]
        main()
    except SystemExit as leaving:
        code = leaving.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _exit_code(child: int) -> int | None:
    """Waits for a process, which is interrupted after a while; None where it had to be killed."""
    start = time.monotonic()
    interrupted = False
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - start
        if seconds > PATIENCE and not interrupted:
            os.kill(child, signal.SIGINT)
            interrupted = True
        if seconds > PATIENCE + GRACE:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(0.005)


def _holds_nan(folder: Path) -> bool:
    """Whether a result in the folder has a score that is NaN or infinite."""
    for path in folder.rglob("result.json"):
        try:
            text = path.read_text(encoding="utf-8")
            items = json.loads(text).get("items") or []
        except (OSError, ValueError, AttributeError):
            continue
        if re.search(r"\b(NaN|-?Infinity)\b", text) or any(
            "score" in item and item["score"] is None for item in items
        ):
            return True
    return False
