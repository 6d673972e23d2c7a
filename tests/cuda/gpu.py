"""The device that the tests of this folder run on, and a small network on it."""

from __future__ import annotations

import os

from small_worlds import NAMES, tiny_module

from synth.core.classes import Classes
from synth.core.network import Network

DEVICE = os.environ.get("SYNTH_DEVICE", "cuda")


def network_on(device: str, gain: float = 4.0, precision: str = "auto") -> Network:
    """The small network of random weights, on that device."""
    return Network(
        tiny_module(gain=gain),
        name="tiny",
        classes=Classes(NAMES),
        size=(16, 16),
        mean=(0.48, 0.45, 0.4),
        std=(0.23, 0.22, 0.25),
        device=device,
        precision=precision,
    )
