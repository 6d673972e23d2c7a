"""What all trainers share: their command line, hashes of pictures, ranges."""

from __future__ import annotations

import sys

import pytest
import torch

from synth.errors import InputError
from synth.record.record import Record
from synth.record.result import Result
from synth.training.plan import Plan
from synth.training.settings import fingerprint
from synth.training.trainer import Trainer, check_range, duration


class Stub(Trainer):
    """A trainer that trains nothing."""

    def run(self, record: Record) -> Result:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (
            ["/bin/synth", "recipe=train_generator", "images=a b", "folder=/tmp/x"],
            "synth recipe=train_generator 'images=a b'",
        ),
        (["/bin/pytest", "-q"], ""),
        ([], ""),
    ],
)
def test_the_command_is_that_of_the_process_but_for_its_folder(
    argv: list[str], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    assert Stub(Plan(1, 1), "cpu", "float32", None).command == command
    assert Stub(Plan(1, 1), "cpu", "float32", "mine").command == "mine"


def test_a_fingerprint_is_of_the_pixels_and_not_of_their_layout() -> None:
    pictures = torch.randint(0, 256, (5, 3, 4, 4), dtype=torch.uint8)
    mark = fingerprint(pictures, about="labels")
    assert mark.startswith("5 pictures, sha256 ")
    assert mark == fingerprint(pictures.to(memory_format=torch.channels_last), about="labels")
    changed = pictures.clone()
    changed[4, 2, 3, 3] ^= 1
    others = {fingerprint(changed, about="labels"), fingerprint(pictures, about="others")}
    assert len({mark} | others) == 3


def test_words_and_ranges() -> None:
    assert duration(2107.2) == "35 min 7 s"
    assert duration(59.4) == "59 s"
    check_range("rate", 1, 0, 1)
    with pytest.raises(InputError, match=r"^rate=2: must be from 0 to 1"):
        check_range("rate", 2, 0, 1)
