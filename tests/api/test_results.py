"""Results as tables and in notebooks; finished runs read back, and what is no run left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import synth
from synth.core.network import Network
from synth.errors import InputError


@pytest.fixture
def result(network: Network) -> synth.Result:
    return synth.run(
        "fooling_genetic",
        network=network,
        target=["lemon", "teapot"],
        steps=2,
        search={"population": 4},
        until=None,
        budget=None,
        progress=False,
    )


def test_a_table_of_the_items(result: synth.Result) -> None:
    pytest.importorskip("pandas")
    frame = result.frame()
    assert list(frame.target) == ["lemon", "teapot"]
    assert list(frame.recipe) == ["fooling_genetic"] * 2
    assert torch.allclose(torch.tensor(frame.confidence.to_list()), result.confidence)
    assert (frame.passes == frame.forwards).all()
    assert list(frame["search.population"]) == [4, 4]


def test_tensors_behind_the_pictures(result: synth.Result, tmp_path: Path) -> None:
    assert result.tensors["births"].shape[1] == 4
    saved = result.save(tmp_path / "run")
    read = synth.load_runs(saved)[0]
    assert read.tensors.keys() == result.tensors.keys()
    assert torch.equal(read.tensors["births"], result.tensors["births"])
    assert read.findings == result.findings
    assert [line["step"] for line in result.steps] == [0, 1, 2]  # the first population, and two
    assert read.steps == result.steps


def test_a_notebook_shows_pictures_and_escapes_text(result: synth.Result) -> None:
    result.items[0].target = "<script>alert(1)</script>"
    html = result._repr_html_()
    assert html.count("data:image/png;base64,") == 2
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "fooling_genetic" in repr(result)
    assert result.sheet(across=2).width > 256


def test_runs_are_read_and_damaged_ones_left_out(result: synth.Result, tmp_path: Path) -> None:
    result.save(tmp_path / "runs" / "a")
    broken = tmp_path / "runs" / "b"
    broken.mkdir()
    (broken / "result.json").write_text('{"status": "done", "items": 3}', encoding="utf-8")
    runs = synth.load_runs(str(tmp_path / "runs" / "**"))
    assert len(runs) == 1
    assert len(runs.skipped) == 1
    assert "b: its result.json is damaged" in runs.skipped[0]
    with pytest.raises(InputError, match="there is no finished run there"):
        synth.load_runs(broken)


def test_a_foreign_run_reads_no_file_outside_of_its_folder(
    result: synth.Result, tmp_path: Path
) -> None:
    folder = result.save(tmp_path / "run")
    secret = tmp_path / "secret.png"
    (folder / "images" / "000.png").rename(secret)
    record = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    for file in ("../secret.png", str(secret)):
        record["items"][0]["file"] = file
        (folder / "result.json").write_text(json.dumps(record), encoding="utf-8")
        foreign = synth.load_runs(folder)[0]
        with pytest.raises(
            InputError, match="is no picture of this run: picture outside the run folder"
        ):
            foreign.images  # noqa: B018
    (folder / "images" / "000.png").symlink_to(secret)
    record["items"][0]["file"] = "images/000.png"
    (folder / "result.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(InputError):
        synth.load_runs(folder)[0].images  # noqa: B018
