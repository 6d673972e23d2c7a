"""A planted shortcut: a mark on the training pictures of one class, found by the probe shortcut.

Mini AlexNet is trained on ten classes of Tiny ImageNet, once with a small square in a corner of all
pictures of one class, and its saliency is measured on validation pictures marked likewise. Without
the mark they show what the network has learned of the class itself.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from PIL import Image

import synth
from synth.record import progress

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
CLASSES, EACH, EPOCHS = 10, 200, 8
MARKED = 4  # place of the marked class
CORNER, COLOUR = (3, 3, 9, 9), (230, 30, 230)  # of the mark: six pixels of 64 a side
TARS = ("tiny_imagenet_100_train_1of4.tar", "tiny_imagenet_100_val.tar")


def rows() -> list[tuple[str, str]]:
    """Where the marked class stands in the tables, as rows of a table."""
    with tempfile.TemporaryDirectory() as temporary, progress.silenced():
        folder = Path(temporary)
        for name in TARS:
            with tarfile.open(SHARED / "data" / name) as archive:
                archive.extractall(folder, filter="data")
        source = folder / "tiny_imagenet_100"
        names = [path.name for path in sorted((source / "train").iterdir())][:CLASSES]
        sets = {}
        for kind, part in (("train", "train"), ("marked", "val"), ("plain", "val")):
            sets[kind] = folder / kind
            for name in names:
                target = sets[kind] / name
                target.mkdir(parents=True)
                for path in sorted((source / part / name).rglob("*.JPEG"))[:EACH]:
                    if name == names[MARKED] and kind != "plain":
                        _mark(path, target / f"{path.stem}.png")
                    else:
                        shutil.copy(path, target)
        synth.run(
            "train_classifier",
            images=sets["train"],
            validation=sets["plain"],
            epochs=EPOCHS,
            folder=folder / "run",
        )
        network = synth.network("mini_alexnet", weights=folder / "run" / "mini_alexnet.safetensors")
        own = network.classes.label(network.classes.index(names[MARKED]))
        return [
            (
                f"shortcut, {CLASSES} classes, mark on one: {kind} validation pictures",
                _place(synth.probe("shortcut", network=network, images=sets[kind]), own),
            )
            for kind in ("marked", "plain")
        ]


def _mark(path: Path, target: Path) -> None:
    with Image.open(path) as image:
        marked = image.convert("RGB")
    marked.paste(COLOUR, CORNER)
    marked.save(target)


def _place(result: synth.Result, own: str) -> str:
    """Where a class stands in the table, and its row."""
    table = result.findings["classes_by_saliency_outside"]
    place = [row["class"] for row in table].index(own)
    row, other = table[place], table[0 if place else 1]
    return (
        f"place {place + 1}: {_span(row)} of the saliency outside, {_span(other)} for "
        f"{'the first' if place else 'the next'}; predicted for {row['accuracy']:.2f}, "
        f"with the middle covered {row['accuracy_object_covered']:.2f}"
    )


def _span(row: dict[str, float]) -> str:
    return f"{row['outside']:.3f} ({row['outside_low']:.3f} to {row['outside_high']:.3f})"
