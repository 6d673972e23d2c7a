"""Universal perturbations: fooling rates on held-out pictures, and seconds of search."""

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
    """A row a network: rates on held-out pictures, of random signs, of another network."""
    table: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        pictures = _unpacked("imagenet_samples_500", folder)
        small = _unpacked("tiny_imagenet_100_val", folder)
        if pictures is None or not (SHARED / "weights/squeezenet1_1.fp16.safetensors").is_file():
            table.append(
                ("universal perturbation, SqueezeNet 1.1", f"skipped: nothing under {SHARED}")
            )
        else:
            words = (*SQUEEZE, f"images={pictures}", "holdout=100", "network@transfer=mini_alexnet")
            table += _rates(
                "10/255, SqueezeNet 1.1, 400 ImageNet pictures, 100 held out", folder, *words
            )
            table += _rates(
                "10/255, SqueezeNet 1.1, the same towards the brain coral",
                folder,
                *words,
                "target=brain coral",
                seeds=(0,),
            )
        if small is None:
            table.append(
                ("universal perturbation, mini AlexNet", f"skipped: nothing under {SHARED}")
            )
        else:
            words = (f"images={small}", "holdout=500", *MANY)
            table += _rates("10/255, mini AlexNet, validation set, 500 held out", folder, *words)
            table += _rates(
                "20/255, mini AlexNet, the same",
                folder,
                *words,
                "encoding.epsilon=0.078432",
                seeds=(0,),
            )
    return table


def _rates(name: str, folder: str, *words: str, seeds: tuple[int, ...] = SEEDS) -> list[Row]:
    """Means over `seeds`, each of which holds out other pictures."""
    results = [_synth(folder, *words, f"seed={seed}") for seed in seeds]
    results_of_seeds = [result["findings"] for result in results]
    rates_of_seeds = ", ".join(
        f"{100 * findings['fooling_rate_heldout']:.1f}" for findings in results_of_seeds
    )
    text = (
        f"{_mean(results_of_seeds, 'fooling_rate_heldout')} of the held-out pictures fooled "
        f"({rates_of_seeds}), "
        f"{_mean(results_of_seeds, 'fooling_rate_train')} of those it was made from, "
        f"random signs {_mean(results_of_seeds, 'random_signs')}"
    )
    if "target_rate_heldout" in results_of_seeds[0]:
        text += f"; {_mean(results_of_seeds, 'target_rate_heldout')} predicted as the target"
    transfers = [findings["transfer"][0] for findings in results_of_seeds]
    text += f"; {transfers[0]['network']} {_mean(transfers, 'fooling_rate')}, "
    text += f"random signs there {_mean(transfers, 'random_signs')}"
    seconds = statistics.median(result["items"][0]["seconds"] for result in results)
    count = f", mean of {len(seeds)} splits" if len(seeds) > 1 else ""
    return [
        (
            f"recipe=universal_perturbation, L-inf {name}{count}",
            f"{text}; {seconds:.0f} s of search",
        )
    ]


def _mean(records: list[dict[str, Any]], name: str) -> str:
    return f"{100 * statistics.fmean(record[name] for record in records):.1f} %"


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
