"""Tests of what must hold on a GPU: ``pytest -m cuda``; elsewhere they are skipped.

``SYNTH_DEVICE=cpu`` runs their code on the CPU, to try it where there is no GPU.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))  # the parts by their YAML files

from gpu import DEVICE, network_on

from synth.core.network import Network


@pytest.fixture(scope="session")
def device() -> str:
    """The GPU."""
    if DEVICE == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device here; run pytest -m cuda where there is one")
    return DEVICE


@pytest.fixture(scope="session")
def gpu_network(device: str) -> Network:
    return network_on(device)
