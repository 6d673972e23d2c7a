"""What the pictures of a run were made with: versions, hardware, precision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from synth.gallery.folder import Run
from synth.gallery.numerals import anything


def parts_of(run: Run) -> Iterator[str]:
    """Versions, device, hardware and precision of a run, in a few words each."""
    for name, version in run.mapping("versions").items():
        yield f"{name} {anything(version)}"
    if run.text("device"):
        yield f"on {run.text('device')}"
    for name, value in run.mapping("hardware").items():
        yield f"{name} {anything(value)}"
    if run.mapping("network").get("precision"):
        yield f"searched in {anything(run.mapping('network')['precision'])}"


def colophon(parts: Iterable[str]) -> str:
    """All parts, each once."""
    return ", ".join(dict.fromkeys(parts)) or "synth"
