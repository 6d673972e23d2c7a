"""Universal perturbations: how many pictures that they were not made from they fool a network in, and for how long."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
SYNTH = str(Path(sys.executable).with_name("synth"))
SQUEEZE = (
    "network=squeezenet1_1",
    f"network.weights={SHARED}/weights/squeezenet1_1.fp16.safetensors",
)
MANY = ("encoding.crop=0", "encoding.batch=64", "search.rate=0.04")  # for thousands of pictures
SEEDS = (0, 1, 2)
Row = tuple[str, str]


def rows() -> list[Row]:
    """A row a network: rates on the saved perturbation and pictures kept aside, random signs and another network."""
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        pictures = _unpacked("imagenet_samples_500", folder)
        small = _unpacked("tiny_imagenet_100_val", folder)
        if pictures is None or not (SHARED / "weights/squeezenet1_1.fp16.safetensors").is_file():
            found.append(
                ("universal perturbation, SqueezeNet 1.1", f"skipped: nothing under {SHARED}")
            )
        else:
            words = (*SQUEEZE, f"images={pictures}", "holdout=100", "network@transfer=mini_alexnet")
            found += _rates(
                "10/255, SqueezeNet 1.1, 400 ImageNet pictures, 100 kept aside", folder, *words
            )
            found += _rates(
                "10/255, SqueezeNet 1.1, the same towards the brain coral",
                folder,
                *words,
                "target=brain coral",
                seeds=(0,),
            )
        if small is None:
            found.append(
                ("universal perturbation, mini AlexNet", f"skipped: nothing under {SHARED}")
            )
        else:
            words = (f"images={small}", "holdout=500", *MANY)
            found += _rates("10/255, mini AlexNet, validation set, 500 kept aside", folder, *words)
            found += _rates(
                "20/255, mini AlexNet, the same",
                folder,
                *words,
                "encoding.epsilon=0.078432",
                seeds=(0,),
            )
    return found


def _rates(name: str, folder: str, *words: str, seeds: tuple[int, ...] = SEEDS) -> list[Row]:
    """Means over `seeds`, each of which keeps other pictures aside."""
    results = [_synth(folder, *words, f"seed={seed}") for seed in seeds]
    found = [result["findings"] for result in results]
    each = ", ".join(f"{100 * one['fooling_rate_heldout']:.1f}" for one in found)
    said = (
        f"{_mean(found, 'fooling_rate_heldout')} of the pictures kept aside fooled ({each}), "
        f"{_mean(found, 'fooling_rate_train')} of those it was made from, random signs {_mean(found, 'random_signs')}"
    )
    if "target_rate_heldout" in found[0]:
        said += f"; {_mean(found, 'target_rate_heldout')} seen as the target"
    table = [one["transfer"][0] for one in found]
    said += f"; {table[0]['network']} {_mean(table, 'fooling_rate')}, random signs there {_mean(table, 'random_signs')}"
    seconds = statistics.median(result["items"][0]["seconds"] for result in results)
    count = f", mean of {len(seeds)} splits" if len(seeds) > 1 else ""
    return [
        (
            f"recipe=universal_perturbation, L-inf {name}{count}",
            f"{said}; {seconds:.0f} s of search",
        )
    ]


def _mean(found: list[dict[str, Any]], name: str) -> str:
    return f"{100 * statistics.fmean(one[name] for one in found):.1f} %"


def _synth(folder: str, *words: str) -> dict[str, Any]:
    """A run as a user types it; its result."""
    with tempfile.TemporaryDirectory(dir=folder) as run:
        command = [SYNTH, "recipe=universal_perturbation", f"folder={run}/run", *words]
        subprocess.run(command, check=True, capture_output=True)
        return dict(json.loads(Path(run, "run", "result.json").read_text()))


def _unpacked(name: str, folder: str) -> Path | None:
    archive = SHARED / f"data/{name}.tar"
    if not archive.is_file():
        return None
    with tarfile.open(archive) as tar:
        tar.extractall(Path(folder, name), filter="data")
    return Path(folder, name)
