"""Exports of runs as data sets: pictures a second, memory, and whether all come back equal.

Runs of 500 noisy pictures of 64x64 are written, exported in every layout, and read again with
Pillow, tarfile and pyarrow. SYNTH_PICTURES is the number of pictures (default 10000). The growth of
memory is that of the whole process from a tenth of the runs to all of them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from synth.datasets import export
from synth.gallery.finding import find_runs

PICTURES = int(os.environ.get("SYNTH_PICTURES", "10000"))
EACH, SIDE, CLASSES = 500, 64, 100
LAYOUTS = ("folder", "webdataset", "parquet")


def rows() -> list[tuple[str, str]]:
    """Pictures a second, growth of memory and records read back, as rows of a table."""
    table = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for number in range(max(1, PICTURES // EACH)):
            _write_run(root / "runs" / f"{number:04d}", number)
        folders = find_runs([root / "runs"]).finished
        digests = sorted(
            hashlib.sha256(path.read_bytes()).hexdigest() for path in (root / "runs").rglob("*.png")
        )
        for layout in LAYOUTS:
            tenth = folders[: max(1, len(folders) // 10)]
            _, few, _ = _timed(tenth, root / "few", layout)
            before = _peak()
            seconds, busy, pictures = _timed(folders, root / layout, layout)
            growth = _peak() - before
            read = sorted(READERS[layout](root / layout))
            equal = sum(a == b for a, b in zip(read, digests, strict=True))
            rate, first = pictures / busy, len(tenth) * EACH / few
            table.append(
                (
                    f"export of {pictures:,} pictures of {SIDE}x{SIDE}: {layout}",
                    f"{pictures / seconds:,.0f} a second, {rate:,.0f} a second of the CPU (of a "
                    f"tenth of them {first:,.0f}), {growth:.0f} MB more "
                    f"than for a tenth, {equal:,} read back equal",
                )
            )
            shutil.rmtree(root / layout)
    return table


def _timed(folders: tuple[Path, ...], out: Path, layout: str) -> tuple[float, float, int]:
    """Seconds, seconds of the CPU, which other work does not lengthen as much, and pictures."""
    shutil.rmtree(out, ignore_errors=True)
    start, busy = time.perf_counter(), time.process_time()
    pictures = export(folders, out, layout).pictures
    return time.perf_counter() - start, time.process_time() - busy, pictures


def _peak() -> float:
    """The most memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _write_run(folder: Path, seed: int) -> None:
    draws = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    items = []
    for number in range(EACH):
        coarse = draws.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        noise = draws.integers(0, 64, (SIDE, SIDE, 3), dtype=np.uint8)
        smooth = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        file = f"images/{number:03d}.png"
        Image.fromarray(np.asarray(smooth) // 4 * 3 + noise).save(folder / file)
        target = f"class {number % CLASSES}"
        items.append(
            {
                "file": file,
                "target": target,
                "target_index": number % CLASSES,
                "predicted": target,
                "confidence": 0.99,
                "success": True,
                "seed": seed,
                "forwards": 100,
                "backwards": 100,
                "seconds": 1.5,
            }
        )
    result = {"recipe": "noise", "status": "done", "items": items, "network": {"name": "none"}}
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


def _of_folder(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.png"):
        with Image.open(path) as image:
            image.load()
        yield hashlib.sha256(path.read_bytes()).hexdigest()


def _of_tars(folder: Path) -> Iterator[str]:
    for path in folder.glob("data/*.tar"):
        with tarfile.open(path) as archive:
            for entry in archive:
                if entry.name.endswith(".png"):
                    file = archive.extractfile(entry)
                    assert file is not None
                    yield _digest(file.read())


def _of_tables(folder: Path) -> Iterator[str]:
    from pyarrow import parquet

    for path in folder.glob("data/*.parquet"):
        for batch in parquet.ParquetFile(path).iter_batches(256, columns=["image"]):
            for image in batch.column("image").to_pylist():
                yield _digest(image["bytes"])


def _digest(content: bytes) -> str:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
    return hashlib.sha256(content).hexdigest()


READERS: dict[str, Callable[[Path], Iterator[str]]] = {
    "folder": _of_folder,
    "webdataset": _of_tars,
    "parquet": _of_tables,
}
