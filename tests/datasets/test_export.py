"""Data sets of runs: read back by the libraries that they are for, whole or not at all."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import tarfile
from collections import Counter
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
import yaml
from datasets_reader import loaded
from made_runs import noisy_run
from PIL import Image
from safetensors.torch import save_file

from synth.datasets import export
from synth.datasets.exporting import LAYOUTS
from synth.datasets.folder import FolderLayout
from synth.errors import InputError
from synth.gallery.finding import find_runs
from synth.record import atomic

ARCHIVE = Path(__file__).parent.parent / "archive"


def files_of(folder: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def head_of(folder: Path) -> dict:
    return yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])


# of a tar file that the library webdataset leaves to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_libraries_that_layouts_are_for_read_every_record(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="Parquet files need pyarrow")
    targets = ["school bus", "goldfish", "lemon", 'a "b" <i>'] * 3
    runs = [noisy_run(tmp_path, f"{i}/same name", targets, i) for i in range(2)]
    save_file({"genome": torch.rand(12, 3)}, runs[1] / "genomes.safetensors")
    pictures = {path.read_bytes() for run in runs for path in run.glob("images/*.png")}
    for to in LAYOUTS:
        made = export(runs, tmp_path / to, to)
        assert (made.pictures, made.runs, made.exact_copies) == (24, 2, 0)
        assert len(made.splits) == 3
        assert sorted(made.classes) == sorted(set(targets))
    head = head_of(tmp_path / "parquet")
    assert head["size_categories"] == ["n<1K"]
    assert {s["name"]: s["num_examples"] for s in head["dataset_info"]["splits"]} == made.splits

    # torchvision: the same labels in every split
    by_split = {}
    for split, count in made.splits.items():
        folder = torchvision.datasets.ImageFolder(tmp_path / "folder" / split, allow_empty=True)
        assert len(folder) == count
        assert folder.classes == ["a_b_i", "goldfish", "lemon", "school_bus"]
        by_split[split] = {Path(path).stem: label for path, label in folder.samples}
    files = {path.read_bytes() for path in (tmp_path / "folder").rglob("*.png")}
    assert files == pictures

    # every record, by plain readers
    records: dict[str, dict] = {}
    for split in made.splits:
        text = (tmp_path / "folder" / split / "metadata.jsonl").read_text(encoding="utf-8")
        for line in map(json.loads, text.splitlines()):
            assert next(iter(line)) == "file_name"
            assert by_split[split][line["id"]] == list(made.classes).index(line["label"])
            records[line["id"]] = line
        with tarfile.open(tmp_path / f"webdataset/data/{split}-000000.tar") as archive:
            parts = {e.name: archive.extractfile(e).read() for e in archive}  # type: ignore
        for name in by_split[split]:
            record = json.loads(parts[f"{name}.json"])
            assert parts[f"{name}.png"] in pictures
            assert int(parts[f"{name}.cls"]) == by_split[split][name]
            assert records[name].items() - {("file_name", records[name]["file_name"])} <= (
                record.items()
            )
            assert json.loads(record["record"])["target"] == record["label"]
            if record["run"] == "001":
                assert record["genome_file"] == "genomes/001/genomes.safetensors"
                assert record["genome_row"] == int(name) - 12
                assert (tmp_path / "webdataset" / record["genome_file"]).is_file()
    assert len(records) == 24
    assert Counter(record["run"] for record in records.values()) == {"000": 12, "001": 12}

    for to in LAYOUTS:
        rows = loaded(tmp_path / to, tmp_path / "cache")
        assert {name: len(rows[name]) for name in rows} == made.splits
        for split in made.splits:
            for row in rows[split]:
                record = row["json"] if to == "webdataset" else row
                image = row["png"] if to == "webdataset" else row["image"]
                expected = records[record["id"]]
                with Image.open(tmp_path / "folder" / split / expected["file_name"]) as file:
                    assert np.array_equal(np.asarray(image), np.asarray(file))
                if to == "parquet":
                    assert made.classes[row["label"]] == expected["label"]
                else:
                    assert record["label"] == expected["label"]

    webdataset = pytest.importorskip("webdataset")
    pattern = str(tmp_path / "webdataset/data/train-000000.tar")
    samples = list(webdataset.WebDataset(pattern, shardshuffle=False).decode("pil"))
    assert len(samples) == made.splits["train"]
    assert all(s["cls"] == by_split["train"][s["__key__"]] for s in samples)


def test_shards_are_bounded_and_croissant_names_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow", reason="Parquet files need pyarrow")
    run = noisy_run(tmp_path, "run", ["lemon"] * 12, side=224)  # 150 KB each
    for to in ("webdataset", "parquet"):
        export([run], tmp_path / to, to, splits={"train": 1}, shard=1)
        shards = [path for path in (tmp_path / to / "data").iterdir() if path.suffix != ".json"]
        assert 2 <= len(shards) <= 3
        assert all(path.stat().st_size < 1.2 * 2**20 for path in shards)
        croissant = json.loads((tmp_path / to / "croissant.json").read_text(encoding="utf-8"))
        names = {entry["@id"] for entry in croissant["distribution"]}
        assert {f"data/{path.name}" for path in shards} < names
    index = json.loads((tmp_path / "webdataset/data/_info.json").read_text(encoding="utf-8"))
    assert sum(shard["nsamples"] for shard in index["shardlist"]) == 12


@pytest.mark.filterwarnings("ignore")  # those of the library about its own
def test_mlcroissant_reads_the_metadata(tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    run = noisy_run(tmp_path, "run", ["lemon", "goldfish"])
    for to in ("folder", "parquet"):  # what is in tar files it keeps in a cache for all tests
        export([run], tmp_path / to, to, splits={"train": 1})
        rows = list(mlcroissant.Dataset(tmp_path / to / "croissant.json").records("train"))
        assert len(rows) == 2


def test_names_are_data_and_never_leave_the_folder(tmp_path: Path) -> None:
    targets = [
        "../../outside",
        "/etc/passwd",
        "<script>alert(1)</script>",
        "`rm -rf` | [x](javascript:1)",
        "two\nlines",
        "\U0001f600",
        "byte \udcff",
        "con",
        "Lemon",
        "lemon",
        "x" * 300,
        "",
        "train",
    ]
    run = noisy_run(tmp_path, "runs/odd \udcff <b>\n", targets)
    out = tmp_path / 'data "set" <i>'
    made = export([run], out, splits={"train": 1})
    assert made.pictures == len(targets)
    assert sorted(os.listdir(tmp_path)) == sorted(["runs", out.name])
    names = [path.name for path in (out / "train").iterdir()]
    assert len({name.casefold() for name in names}) == len(targets) + 1  # and metadata.jsonl
    assert all(name.isprintable() and len(name) <= 84 for name in names)
    lines = (out / "train/metadata.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert all((out / "train" / record["file_name"]).is_file() for record in records)
    labels = {record["label"] for record in records}
    assert {"two lines", "\U0001f600", "byte \\udcff", "unlabelled"} < labels
    assert json.loads(records[6]["record"])["target"] == "byte \udcff"
    card = (out / "README.md").read_text(encoding="utf-8")
    body = card.split("---\n", 2)[2]
    outside_of_code = "".join("".join(part.split("`")[::2]) for part in body.split("```")[::2])
    assert "<" not in outside_of_code
    assert "](" not in outside_of_code
    assert head_of(out)["pretty_name"] == out.name
    json.loads((out / "croissant.json").read_text(encoding="utf-8"))


def test_runs_that_are_broken_or_not_ours_are_left_out(tmp_path: Path) -> None:
    whole = noisy_run(tmp_path, "runs/whole", ["lemon", "goldfish", "teapot", "bee"])
    Image.new("RGB", (8, 8)).save(whole / "images/001.png", "JPEG")
    (whole / "images/002.png").write_bytes((whole / "images/002.png").read_bytes()[:200])
    (tmp_path / "secret.png").write_bytes((whole / "images/000.png").read_bytes())
    (whole / "images/003.png").unlink()
    (whole / "images/003.png").symlink_to(tmp_path / "secret.png")
    (whole / "genomes.safetensors").symlink_to(tmp_path / "secret.png")
    (whole / "lineage.safetensors").write_bytes(b"\xff" * 40)
    broken = noisy_run(tmp_path, "runs/broken", ["lemon"])
    (broken / "result.json").write_text('{"items": [')
    foreign = tmp_path / "runs/foreign"
    foreign.mkdir()
    (foreign / "result.json").write_text('{"items": [{"file": "../../secret.png"}, {"file": 3}]}')
    unfinished = noisy_run(tmp_path, "runs/unfinished", ["lemon"])
    result = json.loads((unfinished / "result.json").read_text())
    (unfinished / "result.json").write_text(json.dumps({**result, "status": "interrupted"}))
    found_runs = find_runs([tmp_path / "runs"])
    made = export(found_runs.finished, tmp_path / "out")
    assert made.pictures == 1
    assert not (tmp_path / "out/genomes").exists()
    reasons = "\n".join(made.skipped)
    for reason in ("no PNG", "cut short", "outside the run folder", "is not JSON", "unfinished"):
        assert reason in reasons
    (whole / "images/000.png").unlink()
    with pytest.raises(InputError, match="no picture that can be read: "):
        export(found_runs.finished, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_runs_of_earlier_versions_are_exported(tmp_path: Path) -> None:
    made = export(find_runs([ARCHIVE]).finished, tmp_path / "out", splits={"train": 1})
    assert made.pictures == len(list((tmp_path / "out").rglob("*.png"))) == 37
    assert "`fooling_comparison`" in (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert (tmp_path / "out/genomes/008/lineage.safetensors").is_file()


def test_what_is_killed_leaves_no_data_set_and_the_same_command_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = noisy_run(tmp_path, "run", ["lemon", "goldfish"] * 4)
    add = FolderLayout.add
    count = 0

    def killed(self: FolderLayout, example: object) -> None:
        nonlocal count
        count += 1
        if count == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        add(self, example)  # type: ignore[arg-type]

    monkeypatch.setattr(FolderLayout, "add", killed)
    process = get_context("fork").Process(target=export, args=([run], tmp_path / "out"))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    assert list((tmp_path / ".out.partial").rglob("*.png"))

    def full(self: FolderLayout, example: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FolderLayout, "add", full)
    with pytest.raises(InputError, match=r"out: the disk is full\. Nothing is left of it"):
        export([run], tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["run"]

    monkeypatch.setattr(FolderLayout, "add", add)
    export([run], tmp_path / "out", title="the same")
    export([run], tmp_path / "again", title="the same")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "again")
    assert sorted(os.listdir(tmp_path)) == ["again", "out", "run"]
    monkeypatch.setattr(atomic, "is_running", lambda process: True)
    (tmp_path / ".third.partial").mkdir()
    owner = {"host": __import__("socket").gethostname(), "process": 1}
    (tmp_path / ".third.partial/run.lock").write_text(json.dumps(owner))
    with pytest.raises(InputError, match=r"process 1 on .* is running there"):
        export([run], tmp_path / "third")


def test_a_folder_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    run = noisy_run(tmp_path, "run", ["lemon"])
    (tmp_path / "empty").mkdir()
    assert export([run], tmp_path / "empty").pictures == 1
    before = files_of(tmp_path / "empty")
    for out in (tmp_path / "empty", run, run / "result.json"):
        with pytest.raises(InputError, match="exists already; name another folder"):
            export([run], out)
    assert files_of(tmp_path / "empty") == before
    with pytest.raises(InputError, match="cannot be written to"):
        export([run], run / "result.json" / "inner")
    for settings, message in (
        ({"to": "zip"}, "no such layout; write one of folder, webdataset, parquet"),
        ({"drop": "all"}, "write one of none, exact, near"),
        ({"shard": 0}, "write 1 or more megabytes"),
        ({"splits": {}}, "empty"),
        ({"embed": len}, "write to=parquet"),
    ):
        with pytest.raises(InputError, match=message):
            export([run], tmp_path / "out", **settings)  # type: ignore[arg-type]


def test_copies_are_reported_and_left_out_where_asked(tmp_path: Path) -> None:
    first = noisy_run(tmp_path, "first", ["lemon"] * 6, side=32)
    second = noisy_run(tmp_path, "second", ["goldfish"] * 6, seed=1, side=32)
    with Image.open(first / "images/002.png") as image:
        pixels = np.asarray(image)
    Image.fromarray(pixels).save(second / "images/000.png", compress_level=1)
    changed = pixels.astype(np.int16)
    changed[3, 3] += 40
    Image.fromarray(changed.clip(0, 255).astype(np.uint8)).save(second / "images/001.png")
    made = export([first, second], tmp_path / "all", splits={"train": 1})
    assert (made.pictures, made.exact_copies, made.near_copies) == (12, 1, 1)
    lines = (tmp_path / "all/train/metadata.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["copy_of"] for record in records] == [""] * 6 + ["000002"] + [""] * 5
    assert records[7]["near_copy_of"] == "000002"
    exact = export([first, second], tmp_path / "exact", drop="exact", splits={"train": 1})
    near = export([first, second], tmp_path / "near", drop="near", splits={"train": 1})
    assert (exact.pictures, near.pictures) == (11, 10)
    card = (tmp_path / "exact/README.md").read_text(encoding="utf-8")
    assert "RGB pixels: 1, left out" in card
    assert io.StringIO(card).readline() == "---\n"
