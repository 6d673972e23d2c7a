"""Tests and figures of a GPU in at most six minutes: python -m benchmarks.device

Runs ``pytest -m cuda`` first, then measures steps, generations, pictures a second, CUDA graphs and
bfloat16; see figures.py. Leaves ``device.html`` and ``device.json`` in the folder that OUT names,
else in runs/device, after each figure. ``--device cpu --short`` runs the same code on a CPU in
about a minute.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.device.figures import FIGURES, SHORT, Row, Scale
from benchmarks.device.page import write_page
from synth.errors import first_line

ROOT = Path(__file__).parents[2]
LIMIT = 340.0  # seconds in all
TESTS_LIMIT = 150.0  # seconds of these for the tests


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures everything, or the figures that are named, and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device", description=__doc__)
    parser.add_argument("figures", nargs="*", help=f"tests, {', '.join(FIGURES)}; all by default")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 or cpu")
    parser.add_argument("--short", action="store_true", help="small numbers, to try the code")
    parser.add_argument("--out", type=Path, help="folder of the page")
    options = parser.parse_args(arguments)
    chosen = options.figures or ["tests", *FIGURES]
    unknown = sorted(set(chosen) - {"tests", *FIGURES})
    if unknown:
        sys.exit(f"no such figure: {', '.join(unknown)}; there are tests, {', '.join(FIGURES)}")
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit(
            "there is no CUDA device here, so nothing is measured; --device cpu --short tries the "
            "code on a CPU"
        )
    logging.getLogger("synth").setLevel(logging.WARNING)
    folder = options.out or Path(os.environ.get("OUT") or ROOT / "runs" / "device")
    rows = measure(options.device, SHORT if options.short else Scale(), chosen, folder)
    print(f"{len(rows)} figures in {folder / 'device.html'}")


def measure(device: str, scale: Scale, chosen: Sequence[str], folder: Path) -> list[Row]:
    """Measures the figures named by `chosen` and writes the page after each.

    Args:
        device: ``cuda``, ``cuda:1`` or ``cpu``.
        scale: how much is measured.
        chosen: ``tests`` and names of `FIGURES`.
        folder: where the page goes.
    """
    deadline = time.monotonic() + LIMIT
    rows: list[Row] = []
    machine = describe(device)
    for name in chosen:
        if name == "tests":
            rows.append(tests(device))
        else:
            rows += _until(deadline, name, device, scale)
        write_page(folder, machine, rows)
    return rows


def _until(deadline: float, name: str, device: str, scale: Scale) -> list[Row]:
    """The rows of a figure that are measured before the deadline; an error becomes a row."""
    rows: list[Row] = []
    try:
        for row in FIGURES[name](device, scale):
            rows.append(row)
            value = "" if row.value is None else f"{row.value:,.4g} "
            print(f"{row.what:<90} {value}{row.unit}", flush=True)
            if time.monotonic() > deadline:
                rows.append(Row(name, "the rest", None, "left out: the six minutes are over"))
                break
    except RuntimeError as error:  # the other figures are still worth the device's time
        reason = first_line(error)
        print(f"{name}: {reason}", flush=True)
        rows.append(Row(name, "the rest", None, f"failed: {reason}"))
    return rows


def tests(device: str) -> Row:
    """The outcome of ``pytest -m cuda``; on a CPU that would skip all."""
    what = "pytest -m cuda"
    if not device.startswith("cuda"):
        return Row("tests", what, None, f"left out on {device}")
    command = [sys.executable, "-m", "pytest", "tests/cuda", "-m", "cuda", "-q", "-n", "4"]
    try:
        run = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=TESTS_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return Row("tests", what, None, f"not over after {TESTS_LIMIT:.0f} s")
    print(run.stdout[-4000:], flush=True)
    lines = run.stdout.strip().splitlines() or run.stderr.strip().splitlines() or ["no output"]
    failures = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return Row("tests", what, float(len(failures)), f"failures: {lines[-1].strip('= ')}")


def describe(device: str) -> dict[str, str]:
    """The machine, in words."""
    machine = {
        "device": device,
        "torch": torch.__version__,
        "Python": platform.python_version(),
        "processor": platform.processor() or platform.machine(),
        "threads": str(torch.get_num_threads()),
    }
    if device.startswith("cuda"):
        about = torch.cuda.get_device_properties(device)
        machine |= {
            "GPU": about.name,
            "compute capability": f"{about.major}.{about.minor}",
            "memory": f"{about.total_memory / 1e9:.0f} GB",
            "CUDA": str(torch.version.cuda),
        }
    return machine


if __name__ == "__main__":
    main()
