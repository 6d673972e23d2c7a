"""The contract of every figure in conf/figure/, and that those of two attacks are not empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth.contract.test_figure import *  # noqa: F403
from synth.contract.test_figure import built_figure, run
from synth.core.network import Network


@pytest.mark.parametrize("name", ["strip", "triptych", "walk"])
def test_the_figures_of_two_adversarial_images_are_not_empty(
    name: str, alexnet: Network, tmp_path: Path
) -> None:
    assert run(alexnet, tmp_path, {name: built_figure(name)}).figures
