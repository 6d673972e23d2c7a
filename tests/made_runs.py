"""Run folders of random pictures, all different."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gallery.run_folders import write_run
from PIL import Image


def noisy_run(
    root: Path, name: str, targets: Sequence[str | None], seed: int = 0, side: int = 16
) -> Path:
    """A finished run with a picture for each target."""
    items: list[dict[str, Any]] = [
        {"target": target, "predicted": target, "l2": 0.5 if place % 2 else None, "seed": seed}
        for place, target in enumerate(targets)
    ]
    folder = write_run(root, name, items, versions={"synth": "0.1.0"})
    draws = np.random.default_rng([seed, len(targets)])
    for place in range(len(targets)):
        noise = draws.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"images/{place:03d}.png")
    return folder
