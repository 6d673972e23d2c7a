"""The names of our parts, and how the contract composes and builds them."""

from __future__ import annotations

from console import CONF

from synth.contract.parts import part

__all__ = ["names", "part"]


def names(kind: str) -> list[str]:
    """The names of a kind's YAML files in conf/."""
    stems = sorted(path.stem for path in (CONF / kind).glob("*.yaml"))
    assert stems
    return stems
