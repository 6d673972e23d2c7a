"""The console script synth-export and `synth.export`: one line, exit codes, embeddings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_runs import noisy_run

import synth
from synth.cli.export import main
from synth.core.network import Network


def line_of(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> str:
    """What the command prints: exactly one line, on the stream that goes with `code`."""
    assert main([str(word) for word in words]) == code
    printed = capsys.readouterr()
    right, other = (printed.err, printed.out) if code else (printed.out, printed.err)
    assert other == ""
    assert right.count("\n") == 1
    return right


def test_one_line_says_what_was_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noisy_run(tmp_path, "runs/one", ["lemon", "bee"])
    broken = noisy_run(tmp_path, "runs/two", ["lemon"])
    (broken / "images/000.png").unlink()
    out = tmp_path / "out"
    words = (tmp_path / "runs", "--out", out, "--splits", "train", "--licence", "cc0-1.0")
    line = line_of(capsys, *words)
    assert line.startswith(
        f"{out}: 2 pictures (2 train) of 2 classes from 1 run, 0 exact copies, 0 near copies, "
        "1 skipped ("
    )
    assert "license: cc0-1.0\n" in (out / "README.md").read_text(encoding="utf-8")
    assert "exists already" in line_of(capsys, *words, code=2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "--out", "out"], "no such folder"),
        ([".", "--out", "out"], "no finished run here"),
        (["."], "the following arguments are required: --out"),
        ([".", "--out", ""], "--out: empty"),
        ([".", "--out", "out", "--to", "zip"], "write one of folder, webdataset, parquet"),
        ([".", "--out", "out", "--layer", "relu1"], "write --embedding NETWORK too"),
        ([".", "--out", "out", "--shard", "many"], "invalid int value"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in line_of(capsys, *words, code=2)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_export_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = noisy_run(tmp_path, "run", ["lemon"])

    def interrupted(*words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("synth.datasets.exporting.data_card", interrupted)
    line = line_of(capsys, run, "--out", tmp_path / "out", code=130)
    assert line == "synth-export: interrupted; nothing is left of it.\n"
    assert list(tmp_path.iterdir()) == [run]


def test_embeddings_are_columns_of_parquet_files(tmp_path: Path, network: Network) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    noisy_run(tmp_path, "run", ["lemon", "bee"] * 2)
    layer = next(iter(network.layers))
    made = synth.export(
        tmp_path / "r*", tmp_path / "out", "parquet", embedding=network, layer=layer
    )
    tables = [parquet.read_table(path) for path in (tmp_path / "out/data").iterdir()]
    assert sum(len(table) for table in tables) == made.pictures == 4
    features = json.loads(tables[0].schema.metadata[b"huggingface"])["info"]["features"]
    assert features["label"]["names"] == ["bee", "lemon"]
    width = network.layers[layer][0]
    for table in tables:
        assert all(len(vector.as_py()) == width for vector in table["embedding"])
        assert len(set(table["projection_x"].to_pylist())) == len(table)
    with pytest.raises(synth.InputError, match="no finished run"):
        synth.export(tmp_path / "out", tmp_path / "other")
