"""Which recipes run on which networks, with no key but the network's name: docs/networks.md.

``python -m benchmarks.networks`` takes the smallest network of each family of torchvision and timm
with random weights, runs six recipes on it for a few steps at a small size, and writes the table;
``--only NAME ...`` replaces the rows of some. A recipe runs where its pictures are finite and its
objective rises from one step to the next; else the reason is told below the table.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch

import synth
from synth.core.network import Network
from synth.errors import InputError, first_line
from synth.networks.style_layers import content_layer, dream_layer, style_layers, unit_layer

PAGE = Path(__file__).parents[1] / "docs" / "networks.md"
# the smallest of a family; T marks a transformer or what mixes tokens as one does
TORCHVISION = (
    "alexnet efficientnet_b0 googlenet mnasnet0_5 mobilenet_v3_small regnet_y_400mf resnet18 "
    "shufflenet_v2_x0_5 squeezenet1_1 swin_t:T"
)
TIMM = (
    "convnext_atto deit_tiny_distilled_patch16_224:T dla46_c edgenext_xx_small:T "
    "efficientvit_b0:T fastvit_t8:T ghostnet_050 levit_128s:T mixer_s32_224:T mobilevit_xxs:T "
    "pit_ti_224:T poolformer_s12:T pvt_v2_b0:T vit_tiny_patch16_224:T xcit_nano_12_p16_224:T"
)
RECIPES = {
    "class": ("class_ascent", ("steps=5",)),
    "neuron": ("neuron_ascent", ("steps=6", "unit=[0,1]")),
    "dream": ("deepdream", ("steps=3", "size=160", "search.count=2")),
    "inversion": ("feature_inversion", ("steps=3",)),
    "fooling": ("fooling_gradient", ("steps=5",)),
    "style": ("style_transfer", ("steps=8", "size=96")),
}
SAME = ("network.weights=random", "device=cpu", "network.precision=float32")


@dataclass(frozen=True)
class Row:
    """A network of the table.

    Attributes:
        name: of the network.
        library: that has it.
        transformer: whether it is one.
        cells: of the columns behind, the last of which say which recipes run.
        failures: the recipes that did not run, with the reason.
    """

    name: str
    library: str
    transformer: bool
    cells: Sequence[str]
    failures: Sequence[str]


def measured(entry: str, library: str) -> Row:
    """The row of a network, by its name and mark."""
    name, _, mark = entry.partition(":")
    start = time.monotonic()
    try:
        network = synth.network(name, weights="random", device="cpu", precision="float32")
        cells = _traits(network)
        failures = {word: _failure(name, *recipe) for word, recipe in RECIPES.items()}
    except Exception as error:  # of the network's own code
        cells = [""] * 4
        failures = {"loading": f"{type(error).__name__}: {first_line(error)}"}
    marks = ["no" if failures.get(word, "loading") else "yes" for word in RECIPES]
    reasons = [f"{word}: {reason}" for word, reason in failures.items() if reason]
    print(f"{name}: {' '.join(marks)} {time.monotonic() - start:.0f} s", *reasons, sep="\n  ")
    sys.stdout.flush()
    gc.collect()
    return Row(name, library, mark == "T", [*cells, *marks], reasons)


def _traits(network: Network) -> list[str]:
    """Size and default layers of a network."""
    height, width = network.size
    size = f"{height} x {width}" + (" only" if network.one_size else "")
    return [
        size,
        _layer(network, unit_layer),
        _layer(network, content_layer),
        ", ".join(f"`{name}`" for name in style_layers(network)),
    ]


def _layer(network: Network, choose: Callable[[Network], str]) -> str:
    name = choose(network)
    again = dream_layer(network)
    if choose is unit_layer and name != again:
        return f"`{name}`, `{again}`"
    return f"`{name}`"


def _failure(name: str, recipe: str, words: Sequence[str]) -> str:
    """Why a recipe does not run on a network; empty where it does."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = synth.run(
                recipe,
                network=name,
                folder=Path(folder, "run"),
                overrides=[*SAME, *words],
                progress=False,
            )
        except InputError as error:
            return str(error)
        except Exception as error:  # of the network's own code
            return f"{type(error).__name__}: {first_line(error)}"
        images = result.images
        lines = Path(folder, "run", "steps.jsonl").read_text(encoding="utf-8").splitlines()
    pictures = (
        images if isinstance(images, torch.Tensor) else torch.cat([i.flatten() for i in images])
    )
    if not bool(pictures.isfinite().all()):
        return "pictures that are not finite"
    # of the first term, before the priors
    scores = [next(iter(json.loads(line)["terms"].values())) for line in lines]
    rises = any(later > earlier for earlier, later in pairwise(scores))
    return "" if rises else f"the score stays at {scores[0]:.4g}"


def page(rows: Sequence[Row]) -> str:
    """The page of all rows."""
    good = [row for row in rows if not row.failures]
    transformers = sum(row.transformer for row in good)
    lines = [
        "# Networks",
        "",
        "Made by `python -m benchmarks.networks`: six recipes on the smallest network of each",
        "family, with random weights and no key but the network's name, for a few steps at a small",
        "size. A recipe runs where its pictures are finite and its objective rises. The layers are",
        "those that recipes read where none is named: of `neuron_ascent` (and of `deepdream`,",
        "where that is another), of a content, of a style. *only*: the network reads one size, to",
        "which pictures of another are scaled. T: a transformer, or what mixes tokens as one does.",
        "",
        f"{len(good)} of {len(rows)} run all six recipes, {transformers} of them with a T.",
        "",
        "| network | | size | unit, dream | content | style | " + " | ".join(RECIPES) + " |",
        "|---" * (6 + len(RECIPES)) + "|",
    ]
    for row in rows:
        kind = row.library + (" T" if row.transformer else "")
        lines.append(f"| `{row.name}` | {kind} | {' | '.join(row.cells)} |")
    failures = [f"- `{row.name}`: {reason}" for row in rows for reason in row.failures]
    if failures:
        lines += ["", "What does not run:", "", *failures]
    return "\n".join(lines) + "\n"


def earlier() -> dict[str, Row]:
    """The rows of the page that there is, by the name of their network."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    failures = re.findall(r"^- `(.+?)`: (.+)$", text, re.MULTILINE)
    rows = {}
    for name, kind, cells in re.findall(r"^\| `(.+?)` \| (.+?) \| (.+) \|$", text, re.MULTILINE):
        library, _, mark = kind.partition(" ")
        reasons = [reason for other, reason in failures if other == name]
        rows[name] = Row(name, library, mark == "T", cells.split(" | "), reasons)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    only = parser.parse_args().only
    entries = [(entry, "torchvision") for entry in TORCHVISION.split()]
    entries += [(entry, "timm") for entry in TIMM.split()]
    rows = earlier() if only else {}
    for entry, library in entries:
        name = entry.partition(":")[0]
        if name in only or name not in rows:
            rows[name] = measured(entry, library)
    order = [entry.partition(":")[0] for entry, _ in entries]
    PAGE.write_text(page([rows[name] for name in order]), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
