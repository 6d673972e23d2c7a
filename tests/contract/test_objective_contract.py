"""The contract of every objective in conf/objective/, and the index of its package."""

from __future__ import annotations

import re

from console import CONF

from synth import objectives
from synth.contract.test_objective import *  # noqa: F403


def test_the_index_of_the_package_is_that_of_the_yaml_files() -> None:
    entries = re.findall(r"^    (\w+) +(\w+) in (\w+)\.py: ", objectives.__doc__ or "", re.M)
    assert entries
    for name, concept, module in entries:
        lines = (CONF / "objective" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
        assert f"_target_: synth.objectives.{module}.{concept}" in lines
        assert module in objectives.__all__
