"""What benchmarks of several parts have in common: which parts to run, and how their rows are printed."""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Sequence

import torch


def run(package: str, parts: Sequence[str]) -> None:
    """Prints the `rows` of the modules of `package` that the command line names, of all `parts` where it names none."""
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.processor() or platform.machine()}"
    )
    for part in sys.argv[1:] or parts:
        if part not in parts:
            sys.exit(f"{part}: no such part; there are {', '.join(parts)}.")
        for name, value in importlib.import_module(f"{package}.{part}").rows():
            print(f"| {name} | {value} |", flush=True)
