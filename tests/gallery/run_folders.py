"""Small run folders as a search or a comparison leaves them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

MakeRun = Callable[..., Path]


def _item(folder: Path, place: int, fields: dict[str, Any]) -> dict[str, Any]:
    item = {
        "file": f"images/{place:03d}.png",
        "target": f"class {place}",
        "target_index": place,
        "confidence": 0.5 + place / 100,
        "predicted": f"class {place}",
        "success": True,
        "score": 3.0,
        "seed": place,
        "steps": 4,
        "forwards": 4 + place,
        "backwards": 4,
        "seconds": 0.1,
        "linf": None,
        **fields,
    }
    for key in ("file", "original", "difference"):
        if item.get(key):
            path = folder / item[key]
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (20 * place % 256, 90, 160)).save(path)
    return item


def write_run(
    root: Path,
    name: str = "runs/2026-05-01/12-00-00_fooling",
    items: Sequence[dict[str, Any]] = ({}, {}),
    steps: Sequence[dict[str, Any]] | None = None,
    **fields: Any,
) -> Path:
    folder = root / name
    (folder / "images").mkdir(parents=True)
    records = [_item(folder, place, item) for place, item in enumerate(items)]
    if steps is None:
        steps = [
            {
                "step": step,
                "best": step / 8,
                "mean": step / 9,
                "forwards": 2 * step,
                "backwards": 2 * step,
            }
            for step in range(5)
        ]
    (folder / "steps.jsonl").write_text("".join(json.dumps(step) + "\n" for step in steps))
    result = {
        "recipe": "fooling",
        "status": "done",
        "seconds": 3.1,
        "device": "cpu",
        "search": "gradient",
        "network": {"name": "mini_alexnet", "sha256": "ab" * 32},
        "versions": {"synth": "0.1.0"},
        "encoding": "pixels",
        "overrides": ["target=all"],
        "items": records,
        **fields,
    }
    (folder / "result.json").write_text(json.dumps(result))
    return folder
