"""The console script as a process of its own, and what the contract has of the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from synth.contract.console import CLASSES, Ran, Synth, result_of, steps_of, write_weights

__all__ = [
    "CLASSES",
    "CONF",
    "ROOT",
    "Ran",
    "Synth",
    "result_of",
    "started",
    "steps_of",
    "write_weights",
]

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf"


def started(*words: object, cwd: Path) -> subprocess.Popen[str]:
    """The console script as a process of its own, its output piped."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "synth.cli", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": path},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
