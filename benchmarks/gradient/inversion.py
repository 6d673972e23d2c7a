"""Feature inversion of SqueezeNet 1.1: error by layer, and recognition of the inverted images.

`china` is inverted at five layers in one batch; then a hundred ImageNet photographs, at two layers,
and each result is looked up among the originals by its nearest neighbour, in some minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

SYNTH = str(Path(sys.executable).parent / "synth")
SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
WEIGHTS = SHARED / "weights" / "squeezenet1_1.fp16.safetensors"
STRIP = [f"features.{place}" for place in (1, 4, 7, 9, 12)]
CODES = ("features.7", "features.12")
COUNT = 100


def rows() -> list[tuple[str, str]]:
    """The error of each layer, and the share of pictures found again."""
    errors_by_layer = _findings(f"layer=[{','.join(STRIP)}]")["feature_error_of"]
    errors = ", ".join(f"{layer} {error:.4f}" for layer, error in errors_by_layer.items())
    table = [("china inverted, SqueezeNet 1.1, 224 px: normalised feature error", errors)]
    archive = SHARED / "data" / "imagenet_samples_500.tar"
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive) as tar:
        names = [name for name in tar.getnames() if name.lower().endswith((".jpg", ".jpeg"))]
        names = sorted(names)[::5][:COUNT]
        tar.extractall(folder, [tar.getmember(name) for name in names], filter="data")
        for layer in CODES:
            findings = _findings(
                f"images={folder}", f"layer={layer}", "encoding.size=128", "search.steps=100"
            )
            shares = (
                f"by pixels {findings['found_again_pixels']:.0%}, "
                f"by features {findings['found_again_features']:.0%} "
                f"(chance: {findings['found_again_chance']:.0%}), "
                f"feature error {findings['feature_error']:.3f}"
            )
            table.append((f"{COUNT} photographs inverted at {layer}, 128 px: recognised", shares))
    return table


def _findings(*words: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            SYNTH,
            "recipe=feature_inversion",
            "network=squeezenet1_1",
            f"network.weights={WEIGHTS}",
            f"folder={folder}/run",
            *words,
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return json.loads((Path(folder) / "run" / "result.json").read_text())["findings"]
