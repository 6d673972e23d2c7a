"""The contract holds for every part in conf/."""

from __future__ import annotations

import pytest
from console import CONF

from synth.contract import cases
from synth.contract.fixtures import synth, weights

__all__ = ["synth", "weights"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    cases.generate(metafunc, [CONF])
