"""What benchmarks of several parts share: choosing the parts, printing their rows."""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Sequence

import torch


def run(package: str, parts: Sequence[str]) -> None:
    """Prints the `rows` of modules of `package`: those on the command line, or all `parts`."""
    processor = platform.processor() or platform.machine()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {processor}")
    for part in sys.argv[1:] or parts:
        if part not in parts:
            sys.exit(f"{part}: no such part; there are {', '.join(parts)}.")
        for name, value in importlib.import_module(f"{package}.{part}").rows():
            print(f"| {name} | {value} |", flush=True)
