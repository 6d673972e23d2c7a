"""The killer of benchmarks/abuse in short: what is killed at random ends as if it had not been."""

from __future__ import annotations

import sys

import pytest
from console import ROOT, Synth

pytest_plugins = "console_fixtures"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks after imports")
def test_a_few_kills(synth: Synth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.abuse.kill import kill, kinds, saving_often

    (command,) = kinds()["fooling_genetic"]
    assert synth(*command).code == 0  # imports what the forks need
    with saving_often():
        counts, problems = kill(["fooling_genetic"], seed=21, minutes=1, kills=2)
    assert problems == []
    assert counts["kills"] >= 2
    assert counts["pictures"] > 0
