"""The run folder: whole files or none, valid JSON, checkpoints of their own configuration only."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from console import steps_of
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from synth.errors import InputError
from synth.record.atomic import write_atomically
from synth.record.checkpoint import Checkpoint
from synth.record.folder_record import FolderRecord
from synth.record.json_text import dumps
from synth.record.result import Item, Result, read_result

_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=8),
    st.builds(Path, st.just("a/b")),
    st.builds(torch.tensor, st.lists(st.floats(width=32), max_size=3)),
)
_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(
            st.one_of(st.text(max_size=5), st.integers(), st.floats()), inner, max_size=4
        ),
    ),
    max_leaves=12,
)


def _refuse(constant: str) -> Any:
    raise AssertionError(f"{constant} is no JSON")


@given(_values, st.sampled_from([None, 1]))
def test_anything_becomes_valid_json(value: Any, indent: int | None) -> None:
    json.loads(dumps(value, indent=indent), parse_constant=_refuse)


@given(_values)
def test_json_is_stable(value: Any) -> None:
    once = dumps(value)
    assert dumps(json.loads(once)) == once


def test_numbers_that_are_not_finite_become_null() -> None:
    value = {
        "a": math.nan,
        "b": [math.inf, -math.inf, 1.5],
        "c": torch.tensor([1.0, math.nan]),
        3: "x",
        "d": (1, 2),
    }
    assert json.loads(dumps(value)) == {
        "a": None,
        "b": [None, None, 1.5],
        "c": [1.0, None],
        "3": "x",
        "d": [1, 2],
    }
    assert dumps("goldfish é 漢") == '"goldfish é 漢"'


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.json"
    write_atomically(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("synth.record.atomic.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def test_images_carry_their_record(tmp_path: Path) -> None:
    record = FolderRecord(tmp_path / "run", first=7)
    values = torch.rand(3, 8, 9)
    about = {"target": "goldfish \u6f22", "confidence": math.nan, "long": "x" * 5000}
    name = record.picture(5, values, about)
    assert name == "images/012.png"
    with Image.open(tmp_path / "run" / name) as image:
        assert json.loads(image.text["synth"]) == {**about, "confidence": None, "item": 12}
    assert float((record.read_back(name) - values).abs().max()) <= 0.5 / 255 + 1e-6
    assert record.picture(0, values, {}, "originals") == "originals/007.png"


def test_a_folder_with_a_result_is_finished_and_only_then(tmp_path: Path) -> None:
    record = FolderRecord(tmp_path)
    assert read_result(tmp_path, "done") is None
    for text in ("", "{", "[]", '{"status": "interrupted"}', "\xff"):
        (tmp_path / "result.json").write_text(text, encoding="latin-1")
        assert read_result(tmp_path, "done") is None
    record.checkpoint({"genome": torch.zeros(2)}, {})
    record.finish(Result(status="interrupted"))
    assert read_result(tmp_path, "done") is None
    assert record.resume() is not None  # an interrupted run keeps its checkpoint
    (tmp_path / "checkpoints").mkdir()  # the weights of every epoch, which a training may keep
    record.finish(Result(status="done"))
    assert (tmp_path / "checkpoints").is_dir()
    assert read_result(tmp_path, "done") == Result(status="done").to_dict()
    assert not list(tmp_path.glob("checkpoint.*"))


def test_a_finished_run_removes_its_own_checkpoints_only(tmp_path: Path) -> None:
    record = FolderRecord(tmp_path, {"seed": 0})
    for part in ("gradient", "genetic"):
        share = record.of(part, 0)
        for _ in range(2):
            share.checkpoint({"genome": torch.zeros(2)}, {})
        share.keep_part_result(Result(status="done"))
    for name in (
        "checkpoint.pt",
        "checkpoint.previous.pt",
        "checkpoint.next.pt",
        "checkpoint.next",
        "checkpoint.next.partial",
        "checkpoint_gradient.next",
        "checkpoint.best.safetensors",
    ):
        (tmp_path / name).touch()
    user_files = {
        "checkpoint_mine.pth",
        "checkpoint_mine.safetensors",
        "checkpoint.tar",
        "checkpoint_gradient.txt",
    }
    for name in user_files:
        (tmp_path / name).touch()
    record.finish(Result(status="done"))
    assert {path.name for path in tmp_path.iterdir()} == {*user_files, "result.json"}


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError, match=r"file/run: cannot be written to \(Not a directory\); name another"
    ):
        FolderRecord(tmp_path / "file" / "run")


def _lines(*steps: int) -> list[dict[str, Any]]:
    return [{"step": step, "best": step / 2} for step in steps]


def test_resume_loads_the_checkpoint_and_truncates_the_steps(tmp_path: Path) -> None:
    record = FolderRecord(tmp_path, {"seed": 0})
    assert record.resume() is None
    record.steps(_lines(0, 1))
    tensors = {
        "genome": torch.rand(2, 3),
        "count": torch.arange(2),
        "fitness": torch.tensor([-torch.inf, torch.nan]),
    }
    record.checkpoint(tensors, {"step": 2, "score": [0.1, 0.2]})
    record.steps(_lines(2, 3))
    with (tmp_path / "steps.jsonl").open("a") as file:
        file.write('{"step": 4, "be')  # killed in the middle of a line
    loaded, about = FolderRecord(tmp_path, {"seed": 0}).resume() or ({}, {})
    assert loaded.keys() == tensors.keys()
    assert all(
        torch.equal(loaded[name].nan_to_num(), tensors[name].nan_to_num()) for name in tensors
    )
    assert (about["step"], about["score"]) == (2, [0.1, 0.2])
    assert [line["step"] for line in steps_of(tmp_path)] == [0, 1]


def test_a_checkpoint_cut_short_falls_back_to_the_previous(tmp_path: Path) -> None:
    record = FolderRecord(tmp_path)
    for step in (1, 2):
        record.steps(_lines(step))
        record.checkpoint({"genome": torch.full((50,), float(step))}, {"step": step})
    path = tmp_path / "checkpoint.safetensors"
    for damage in (path.read_bytes()[:40], path.read_bytes()[:-9], b"", b"{}"):
        path.write_bytes(damage)
        record.steps(_lines(9))
        loaded, about = record.resume() or ({}, {})
        assert about["step"] == 1
        assert float(loaded["genome"][0]) == 1.0
        assert [line["step"] for line in steps_of(tmp_path)] == [1]


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path: Path) -> None:
    old = {"seed": 0, "search": {"steps": 10, "rate": 0.5}, "target": ["goldfish"]}
    FolderRecord(tmp_path, old).checkpoint({}, {})
    for new, message in [
        ({**old, "seed": 1}, "seed was 0, is 1"),
        ({**old, "search": {"steps": 10, "rate": 0.25}}, "search.rate was 0.5, is 0.25"),
        (
            {**old, "target": ["goldfish", "lemon"]},
            'target was ["goldfish"], is ["goldfish", "lemon"]',
        ),
        ({**old, "until": 0.5}, "until was null, is 0.5"),
    ]:
        with pytest.raises(InputError) as error:
            FolderRecord(tmp_path, new).resume()
        assert message in str(error.value)
    # the order of the keys does not matter
    assert FolderRecord(tmp_path, dict(reversed(old.items()))).resume() is not None


def test_parts_share_a_folder(tmp_path: Path) -> None:
    whole = FolderRecord(tmp_path, {"seed": 0})
    first, second = whole.of("gradient", 0), whole.of("genetic", 2)
    first.steps(_lines(0))
    first.keep_part_result(Result(status="done", findings={"rate": 0.5}))
    second.steps(_lines(0, 1))
    assert [line["contender"] for line in steps_of(tmp_path)] == ["gradient", "genetic", "genetic"]
    assert first.part_result() == Result(status="done", findings={"rate": 0.5})
    assert second.part_result() is None
    assert FolderRecord(tmp_path, {"seed": 1}).of("gradient", 0).part_result() is None
    assert second.picture(0, torch.zeros(3, 8, 8), {}) == "images/002.png"
    # killed before its first checkpoint: its lines go, those of the first part stay
    assert second.resume() is None
    assert [line["contender"] for line in steps_of(tmp_path)] == ["gradient"]
    second.keep_part_result(Result(status="interrupted"))
    assert second.part_result() is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("0.5", "0.6"),
        lambda text: text[:-3],
        lambda text: "[1, 2]",
        lambda text: "[" * 100_000,
        lambda text: '{"identity": {"seed": 0}, "result": {"status": 5}}',
        lambda text: '{"identity": {"seed": 0}, "result": {"status": "done", "items": 7}}',
        lambda text: '{"identity": {"seed": 0}}',
    ],
)
def test_the_damaged_result_of_a_part_is_not_taken_over(
    damage: Callable[[str], str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    share = FolderRecord(tmp_path, {"seed": 0}).of("gradient", 0)
    share.keep_part_result(Result(status="done", findings={"rate": 0.5}))
    path = tmp_path / "checkpoint_gradient.json"
    path.write_text(damage(path.read_text()))
    assert share.part_result() is None
    assert f"{path} is damaged: gradient runs again" in caplog.text


def test_a_part_whose_image_is_gone_runs_again(tmp_path: Path) -> None:
    share = FolderRecord(tmp_path, {"seed": 0}).of("gradient", 0)
    file = share.picture(0, torch.zeros(3, 8, 8), {})
    share.keep_part_result(Result(status="done", items=[Item(file=file), Item()]))
    assert share.part_result() is not None
    (tmp_path / file).unlink()
    assert share.part_result() is None


def test_a_picture_of_another_format_is_not_read_back(tmp_path: Path) -> None:
    record = FolderRecord(tmp_path)
    file = tmp_path / record.picture(0, torch.zeros(3, 8, 8), {})
    file.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\nshowpage\n")
    with pytest.raises(InputError, match=r"images/000\.png: not a picture"):
        record.read_back("images/000.png")


def test_an_unfinished_search_of_an_earlier_version_is_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = FolderRecord(tmp_path, {"seed": 0})
    record.steps(_lines(0))
    record.checkpoint({"genome": torch.zeros(2)}, {})
    share = record.of("gradient", 0)
    share.checkpoint({"genome": torch.zeros(2)}, {})
    share.keep_part_result(Result(status="done"))
    stay = {"checkpoint_mine.safetensors", "checkpoint.pt"}
    for name in stay:
        (tmp_path / name).touch()
    FolderRecord.begin_anew(tmp_path, ["gradient"])
    assert {path.name for path in tmp_path.iterdir()} == stay
    assert len(caplog.records) == 1
    assert "was begun by an earlier version of synth" in caplog.text
    FolderRecord.begin_anew(tmp_path, ["gradient"])
    assert len(caplog.records) == 1
    Checkpoint(tmp_path).save({}, {"training": {}})  # weeks of work
    FolderRecord.begin_anew(tmp_path, [])
    assert (tmp_path / "checkpoint.safetensors").is_file()


def test_a_file_name_that_is_no_utf8_is_json(tmp_path: Path) -> None:
    record = FolderRecord(tmp_path)
    name = os.fsdecode(b"caf\xe9.png")
    record.picture(0, torch.zeros(3, 8, 8), {"image": name})
    record.finish(Result(status="done", findings={"image": name}))
    finished = read_result(tmp_path, "done")
    assert finished is not None
    assert finished["findings"] == {"image": name}


def test_a_checkpoint_without_the_length_of_the_steps_is_refused(tmp_path: Path) -> None:
    Checkpoint(tmp_path).save({}, {"identity": {}, "steps_bytes": "5"})
    with pytest.raises(InputError, match="its checkpoint holds no state of this run"):
        FolderRecord(tmp_path).resume()


def test_steps_that_were_deleted_are_missed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = FolderRecord(tmp_path)
    record.steps(_lines(0, 1))
    record.checkpoint({}, {})
    assert record.resume() is not None
    assert not caplog.text
    (tmp_path / "steps.jsonl").unlink()
    assert record.resume() is not None
    assert "steps.jsonl: lines from before the checkpoint are missing" in caplog.text


def test_searches_that_a_killed_duel_left_are_removed_by_name(tmp_path: Path) -> None:
    for name in ("checkpoint_cma-0-2.json", "checkpoint_cma.json", "checkpoint_mine-0.json"):
        (tmp_path / name).write_text("{}")
    FolderRecord.remove_left_over(tmp_path, ["cma"])
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint_mine-0.json"]
