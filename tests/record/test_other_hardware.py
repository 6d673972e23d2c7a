"""A run that goes on with other threads, instructions or precision says so."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from small_worlds import tiny_module, wrapped

from synth.core import Search, hardware
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.engine.observer import RecordObserver
from synth.engine.state import RunState
from synth.objectives.scores import ClassScore
from synth.record.checkpoint import Checkpoint
from synth.record.folder_record import FolderRecord
from synth.searches.gradient import Gradient
from synth.searches.lbfgs import LBFGS


def test_the_machine_is_described_by_threads_and_instructions(monkeypatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert hardware.description() == {"threads": 3, "instructions": "AVX512, AMX_BF16"}


def test_a_checkpoint_of_another_machine_is_used_with_a_warning(
    tmp_path: Path, monkeypatch, caplog
) -> None:
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save({"a": torch.ones(2)}, {"step": 1})
    with caplog.at_level(logging.WARNING):
        assert checkpoint.load()[1] == {"step": 1}
        assert not caplog.text
        monkeypatch.setattr(torch, "get_num_threads", lambda: 17)
        assert checkpoint.load()[1] == {"step": 1}
    assert "begun on other hardware (threads " in caplog.text
    assert "before, 17 now" in caplog.text
    assert "instructions" not in caplog.text


@pytest.mark.parametrize(
    ("precision", "search", "warned"),
    [
        ("float32", Gradient(steps=3), False),
        ("bfloat16", Gradient(steps=3), True),
        ("bfloat16", LBFGS(steps=3), False),  # reads float32 in any case
    ],
)
def test_a_search_that_goes_on_in_another_precision_says_so(
    tmp_path: Path, caplog, precision: str, search: Search, warned: bool
) -> None:
    def observer(network) -> tuple[RecordObserver, RunState]:
        experiment = Experiment(network, Pixels(16), ClassScore(0), search)
        problem, rows = experiment.problem, experiment.rows
        state = RunState.initial(problem.start(rows), experiment.search_method.init(problem, rows))
        return RecordObserver(FolderRecord(tmp_path), problem), state

    first, state = observer(wrapped(tiny_module()))
    first.checkpoint(state)
    second, _ = observer(wrapped(tiny_module(), precision=precision))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        resumed = second.resume()
    assert torch.equal(resumed.genome, state.genome)
    assert ("begun in float32, which goes on in bfloat16" in caplog.text) is warned
