"""Sweeps as commands in this process, in a folder of their own, and what they leave."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synth.cli.command import main


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """A new current folder, which is removed at the end."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def seconds_of(*words: str) -> float:
    """Processor time of a command, which has to succeed."""
    arguments, sys.argv = sys.argv, ["synth", *words]
    start = time.process_time()
    try:
        with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.suppress(SystemExit):
            main()
    finally:
        sys.argv = arguments
    text = errors.getvalue()
    assert "synth: " not in text, text
    assert "interrupted" not in text, text
    return time.process_time() - start


def left(sweep: str) -> dict[str, Any]:
    """What the points of a sweep have left, by path: hashes of pictures, records but for times."""
    content: dict[str, Any] = {}
    folder = Path("runs", sweep)
    for path in sorted(folder.glob("*/**/*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".png":
            content[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.name == "result.json":
            result = json.loads(path.read_text())
            items = [item | {"seconds": 0} for item in result["items"]]
            content[name] = result | {"items": items, "seconds": 0, "overrides": 0}
        elif path.name == "steps.jsonl":
            lines = path.read_text().splitlines()
            content[name] = [json.loads(line) | {"seconds": 0} for line in lines]
        else:
            content[name] = None
    return content


def successes(sweep: str) -> int:
    """How many points of a sweep have reached their target."""
    results = [json.loads(path.read_text()) for path in Path("runs", sweep).glob("*/result.json")]
    return sum(bool(item["success"]) for result in results for item in result["items"])
