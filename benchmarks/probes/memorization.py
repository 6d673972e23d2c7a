"""Learning against memorising, on 1,000 pictures of Tiny ImageNet and three seeds.

In full it takes an hour on two cores; what is finished stays in the folder for temporary files, and
the same command goes on from there.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import synth

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
FOLDER = Path(tempfile.gettempdir()) / "synth-memorization"
CLASSES, EACH = 10, 100
TARS = {"train": "tiny_imagenet_100_train_1of4.tar", "val": "tiny_imagenet_100_val.tar"}
SEEDS = [0, 1, 2]
LANDSCAPES = 100  # pictures in the middle of a plane

Row = dict[str, float]


def rows() -> list[tuple[str, str]]:
    """What the trainings reach, as rows of a table."""
    folders = pictures()
    call = {"images": folders["train"], "validation": folders["val"], "seeds": SEEDS}
    test = synth.run("memorization", **call, training_radius=None, folder=FOLDER / "test")
    remedy = synth.run(
        "memorization",
        **call,
        data=["true_labels", "random_labels"],
        settings=["none"],
        folder=FOLDER / "remedy",
    )
    findings = test.findings
    table = findings["trainings"]
    short = [row for row in _of(table, "random labels") if row["train_accuracy"] < 0.99]
    lines = [
        (
            f"memorization, {findings['pictures']:,} pictures, {len(SEEDS)} seeds, "
            f"{findings['parameters_per_sample']:.0f} parameters a picture: random labels",
            f"{100 * findings['random_labels_memorised']:.1f} % of the training pictures or more "
            f"in every setting; {len(short)} trainings below 99 %",
        )
    ]
    for data in dict.fromkeys(row["data"] for row in table):
        for setting in dict.fromkeys(row["regularisation"] for row in table):
            own = _of(table, data, setting)
            lines.append((f"{data}, {setting}", _accuracies(own)))
    true, other = (_of(table, data, "none") for data in ("true labels", "random labels"))
    pairs = [
        f"{a['critical_sample_ratio']:.3f} and {b['critical_sample_ratio']:.3f}"
        for a, b in zip(true, other, strict=True)
    ]
    lines.append(
        (
            f"critical sample ratio within {255 * findings['radius']:.3g} of 255 levels, true and "
            "random labels, each seed",
            "; ".join(pairs),
        )
    )
    lines.append(
        (
            "labels near a sample, true and random labels",
            f"{fmean(row['labels_near_a_sample'] for row in true):.3f} and "
            f"{fmean(row['labels_near_a_sample'] for row in other):.3f}",
        )
    )
    for data in ("true labels", "random labels"):
        for setting in ("none", "dropout alone", "critical samples"):
            own = _of(remedy.findings["trainings"], data, setting)
            lines.append((f"again with critical samples: {data}, {setting}", _accuracies(own)))
    lines.append(
        (
            "critical samples + dropout",
            f"random-label training accuracy {-100 * remedy.findings['random_labels_fall']:+.1f} "
            f"points, true-label validation accuracy "
            f"{-100 * remedy.findings['true_labels_fall']:+.1f} points",
        )
    )
    return [*lines, *_landscapes(folders["train"])]


def _landscapes(images: Path) -> list[tuple[str, str]]:
    """Labels around training pictures of the networks of the first seed."""
    weights = FOLDER / "test" / "weights"
    call = {
        "network": synth.network("micro_alexnet", weights=weights / "true_labels.safetensors"),
        "networks": {
            "random_labels": synth.network(
                "micro_alexnet", weights=weights / "random_labels.safetensors"
            )
        },
    }
    lines = []
    for plane in ("gradient", "random"):
        findings = synth.run(
            "label_landscape", images=images, pictures=LANDSCAPES, grid=31, plane=plane, **call
        ).findings
        table = findings["landscapes"]
        margins = [
            sorted(row["margin"] or float("inf") for row in table if (row["network"] == name))
            for name in dict.fromkeys(row["network"] for row in table)
        ]
        lines.append(
            (
                f"label landscape, {plane} plane within {findings['radius']:g} of 255 levels of "
                f"{LANDSCAPES} training pictures, true and random labels",
                f"{findings['labels_on_a_plane']:.2f} and "
                f"{findings['labels_on_a_plane_random_labels']:.2f} labels, the own one on "
                f"{findings['share_of_own_label']:.2f} and "
                f"{findings['share_of_own_label_random_labels']:.2f} of it, median margin "
                f"{margins[0][LANDSCAPES // 2]:.1f} and {margins[1][LANDSCAPES // 2]:.1f}",
            )
        )
    return lines


def pictures() -> dict[str, Path]:
    """The first pictures of ten classes, for training and validation, unpacked once."""
    folders: dict[str, Path] = {}
    classes: list[str] = []
    for part, tar in TARS.items():
        folders[part] = FOLDER / part
        if not folders[part].is_dir():
            _unpack(tar, folders[part], classes)
        classes = sorted(path.name for path in folders[part].iterdir())
    return folders


def _unpack(tar: str, folder: Path, classes: Sequence[str]) -> None:
    """Unpacks pictures of `classes`; where it is empty, of the first that come."""
    counts: Counter[str] = Counter()
    unpacked = folder.with_suffix(".partial")
    with tarfile.open(SHARED / "data" / tar) as archive:
        for member in archive:
            name = Path(member.name).parent.name
            other = (
                name not in classes if classes else name not in counts and len(counts) == CLASSES
            )
            if not member.isfile() or other:
                continue
            counts[name] += 1
            if counts[name] <= EACH:
                target = unpacked / name / Path(member.name).name
                target.parent.mkdir(parents=True, exist_ok=True)
                content = archive.extractfile(member)
                assert content is not None
                target.write_bytes(content.read())
    unpacked.rename(folder)


def _of(table: Sequence[Row], data: str, setting: str | None = None) -> list[Row]:
    return [
        row for row in table if row["data"] == data and setting in (None, row["regularisation"])
    ]


def _accuracies(own: Sequence[Row]) -> str:
    train, other = (
        [100 * row[key] for row in own] for key in ("train_accuracy", "validation_accuracy")
    )
    return (
        f"training {fmean(train):.1f} % ({min(train):.1f} to {max(train):.1f}), "
        f"validation {fmean(other):.1f} % ({min(other):.1f} to {max(other):.1f}), "
        f"norm {fmean(row['weight_norm'] for row in own):.1f}"
    )
