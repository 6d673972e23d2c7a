"""Run folders of a MAP-Elites archive over classes: elites, lineages, confidences over time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

MakeArchive = Callable[..., Path]
MOMENTS, FRAMES, EVERY = 60, 8, 200


def picture(seed: int, detail: float, size: int) -> Image.Image:
    """A smooth pattern in colour like that of a CPPN; `detail` from 0 (flat) to 1 (rich)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    waves = [
        np.sin((2 + random.uniform(0, 16) * detail) * part + random.uniform(0, 6))
        for part in (x, y, radius)
    ]
    waves.append(np.sin(random.integers(1, 7) * angle + 6 * detail * radius))
    mix = np.tensordot(random.normal(size=(3, 4)), np.stack(waves), 1)
    return Image.fromarray(
        (255 / (1 + np.exp(-2 * (0.2 + detail) * mix))).astype("uint8").transpose(1, 2, 0)
    )


def film_strip(seed: int, details: Sequence[float], size: int) -> Image.Image:
    whole = Image.new("RGB", (size * len(details), size))
    for place, detail in enumerate(details):
        whole.paste(picture(seed, detail, size), (place * size, 0))
    return whole


def histories(count: int, moments: int) -> np.ndarray:
    """Non-decreasing confidences in [0, 1], [count, moments]; some stay low."""
    random = np.random.default_rng(7)
    middle = random.gamma(2.5, 0.14, count)[:, None]
    steep = random.uniform(6, 30, count)[:, None]
    rise = 1 / (1 + np.exp(-steep * (np.linspace(0, 1, moments) - middle)))
    noisy = rise * random.uniform(0.9, 1.0, rise.shape) + 0.004
    return np.maximum.accumulate(
        np.clip(
            np.where(rise > 0.97, rise * (0.9905 + random.uniform(0, 0.0094, (count, 1))), noisy),
            0,
            0.9999,
        ),
        axis=1,
    )


def write_archive(
    root: Path,
    name: str = "archive",
    count: int = 30,
    size: int = 16,
    names: Sequence[str] = (),
    empty: Sequence[int] = (),
    **fields: Any,
) -> Path:
    """An archive over `count` classes with pictures of `size` pixels a side.

    The cells `empty` were never filled.
    """
    folder = root / name
    for part in ("images", "strips", "large"):
        (folder / part).mkdir(parents=True)
    names = list(names) or [f"class {place}" for place in range(count)]
    history = histories(count, MOMENTS)
    items = []
    for place in range(count):
        common = {
            "target": names[place],
            "target_index": place,
            "seed": 0,
            "search": "mapelites",
            "linf": None,
        }
        if place in empty:
            items.append({**common, "file": None, "confidence": None, "success": None})
            continue
        moments = np.linspace(2, MOMENTS - 1, FRAMES).astype(int)
        scores = [round(float(history[place, moment]), 4) for moment in moments]
        picture(place, scores[-1], size).save(folder / f"images/{place:03d}.png")
        picture(place, scores[-1], 4 * size).save(folder / f"large/{place:03d}.png")
        film_strip(place, scores, size).save(folder / f"strips/{place:03d}.png")
        steps = [int(moment) * EVERY // 10 for moment in moments]
        steps_and_scores = enumerate(zip(steps, scores, strict=True))
        ancestors = [
            {"id": 31 * place + k, "step": step, "score": score}
            for k, (step, score) in steps_and_scores
        ]
        items.append(
            {
                **common,
                "file": f"images/{place:03d}.png",
                "large": f"large/{place:03d}.png",
                "strip": f"strips/{place:03d}.png",
                "ancestors": ancestors,
                "generations": 20 + 7 * place % 90,
                "confidence": scores[-1],
                "predicted": names[place],
                "success": scores[-1] >= 0.99,
                "score": scores[-1],
                "steps": steps[-1],
                "forwards": EVERY * MOMENTS,
                "backwards": 0,
                "seconds": 0.5 * place,
            }
        )
    rows = np.round(history, 4).tolist()
    for place in empty:
        rows[place] = [None] * MOMENTS
    evaluations = [EVERY * (moment + 1) for moment in range(MOMENTS)]
    result = {
        "recipe": "map_elites",
        "status": "done",
        "seconds": 754.2,
        "device": "cpu",
        "search": "mapelites",
        "network": {"name": "mini_alexnet", "sha256": "ab" * 32},
        "versions": {"synth": "0.1.0"},
        "encoding": "cppn",
        "overrides": [],
        "items": items,
        "findings": {"items": count, "mean_confidence": 0.83},
        "archive": {
            "evaluations": evaluations,
            "steps": [number // 10 for number in evaluations],
            "names": names,
            "confidence": rows,
        },
        **fields,
    }
    (folder / "result.json").write_text(json.dumps(result))
    lines = [
        {
            "step": moment,
            "best": float(history[:, moment].max()),
            "mean": float(history[:, moment].mean()),
            "forwards": EVERY * (moment + 1),
            "backwards": 0,
        }
        for moment in range(MOMENTS)
    ]
    (folder / "steps.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder
