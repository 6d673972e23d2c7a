"""The console script: what a run leaves, sweeps, resuming, and how soon a mistake is reported."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from console import ROOT, Synth, result_of, started, steps_of
from hypothesis import given
from hypothesis import strategies as st
from interrupted import Forked
from omegaconf import OmegaConf
from PIL import Image

from synth.cli.folders import LONGEST_NAME, point
from synth.core import Problem, Rows, State, StepReport
from synth.networks import bundled
from synth.record.checkpoint import Checkpoint
from synth.record.lock import Lock
from synth.searches.genetic import Genetic
from synth.searches.gradient import Gradient

pytest_plugins = "console_fixtures"

GRADIENT = "recipe=fooling_gradient", "until=null", "target=[goldfish,lemon]"
GENETIC = "recipe=fooling_genetic", "until=null", "search.population=4", "target=[goldfish,lemon]"
COMPARISON = (
    "recipe=fooling_comparison",
    "until=null",
    "budget=null",
    "target=[goldfish,lemon]",
    "experiments.gradient.search.steps=6",
    "experiments.genetic.search.generations=5",
    "experiments.genetic.search.population=4",
    "experiments.cma=null",
    "experiments.cppn=null",
)


# -- startup -------------------------------------------------------------------------------------


def test_mistakes_are_reported_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from synth.cli.command import main\n"
        "heavy = {'torch', 'torchvision', 'numpy', 'sklearn', 'matplotlib'}\n"
        "for word in ('recipe=foolin_gradient', 'target=goldfsh', 'search.rate=nan'):\n"
        "    sys.argv[1:] = ['recipe=fooling_gradient', word]\n"
        "    try: main()\n"
        "    except SystemExit as leaving: print(leaving.code, sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "2 []\n" * 3
    assert done.stderr.startswith(
        "synth: recipe=foolin_gradient: no such recipe. Did you mean fooling_gradient"
    )
    assert "target=goldfsh: mini_alexnet has no such class. Did you mean goldfish" in done.stderr
    assert "search.rate=nan: write a finite number." in done.stderr
    assert not list(tmp_path.rglob("result.json"))


def test_help_and_version_need_no_network(synth: Synth) -> None:
    ran = synth("--help")
    assert ran.code == 0
    assert ran.out.startswith("synth makes images from convolutional networks")
    assert "synth help RECIPE" in ran.out
    assert synth("--version").out == f"synth {sys.modules['synth'].__version__}\n"


# -- the run folder ------------------------------------------------------------------------------


def test_what_a_run_leaves(synth: Synth, weights: Path) -> None:
    ran = synth(
        *GRADIENT, "search.steps=3", f"network.weights={weights}", "folder=out", "image=china"
    )
    assert ran.code == 0, ran.err
    folder = Path("out")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sorted(str(path.relative_to(folder)) for path in files) == [
        ".hydra/config.yaml",
        ".hydra/hydra.yaml",
        ".hydra/overrides.yaml",
        "differences/000.png",
        "differences/001.png",
        "images/000.png",
        "images/001.png",
        "index.html",
        "originals/000.png",
        "originals/001.png",
        "result.json",
        "steps.jsonl",
    ]
    result = result_of(folder)
    assert result.keys() >= {
        "recipe",
        "status",
        "seconds",
        "network",
        "device",
        "versions",
        "search",
        "encoding",
        "items",
    }
    assert (result["recipe"], result["status"], result["search"]) == (
        "fooling_gradient",
        "done",
        "gradient",
    )
    assert result["network"]["name"] == "mini_alexnet"
    assert re.fullmatch(r"[0-9a-f]{64}", result["network"]["sha256"])
    assert result["versions"] == {
        "synth": sys.modules["synth"].__version__,
        "torch": torch.__version__,
    }
    assert [item["target"] for item in result["items"]] == ["goldfish", "lemon"]
    for item in result["items"]:
        assert item.keys() >= {
            "file",
            "target",
            "target_index",
            "confidence",
            "predicted",
            "success",
            "score",
            "seed",
            "steps",
            "forwards",
            "backwards",
            "seconds",
            "linf",
            "l2",
        }
        assert (item["steps"], item["forwards"], item["backwards"]) == (3, 3, 3)
        with Image.open(folder / item["file"]) as image:
            assert (image.mode, image.size) == ("RGB", (64, 64))
            about = json.loads(image.text["synth"])
        assert about["target"] == item["target"]
        assert about["network"] == "mini_alexnet"
    lines = steps_of(folder)
    assert [line["step"] for line in lines] == [0, 1, 2]
    for line in lines:
        assert line.keys() >= {"step", "best", "mean", "terms", "forwards", "backwards", "seconds"}
    assert [line["forwards"] for line in lines] == [2, 4, 6]
    assert "target: " in (folder / ".hydra/config.yaml").read_text()
    assert "- search.steps=3" in (folder / ".hydra/overrides.yaml").read_text()


def test_confidence_is_that_of_the_saved_picture(synth: Synth, weights: Path) -> None:
    synth(*GRADIENT, "search.steps=8", f"network.weights={weights}", "folder=out")
    network = bundled.bundled("mini_alexnet", str(weights), "cpu")
    for item in result_of(Path("out"))["items"]:
        with Image.open(Path("out") / item["file"]) as image:
            bytes_ = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
            pixels = bytes_.view(1, 64, 64, 3).permute(0, 3, 1, 2) / 255
        probabilities = network(pixels)[0].softmax(0)
        assert item["confidence"] == pytest.approx(
            float(probabilities[item["target_index"]]), abs=2e-6
        )
        assert item["predicted_index"] == int(probabilities.argmax())


def test_two_runs_in_the_same_second_get_different_folders(
    synth: Synth, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import datetime

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2031, 2, 3, 4, 5, 6, tzinfo=tz)

    monkeypatch.setattr("synth.cli.folders.datetime", Stopped)
    for _ in range(2):
        assert synth("recipe=layers", f"network.weights={weights}").code == 0
    assert sorted(path.name for path in Path("runs/2031-02-03").iterdir()) == [
        "04-05-06_layers",
        "04-05-06_layers_2",
    ]


def test_a_finished_folder_is_left_alone_and_another_run_does_not_overwrite_it(
    synth: Synth, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = *GRADIENT, "search.steps=1", f"network.weights={weights}", "folder=out"
    assert synth(*words).code == 0
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")}
    with monkeypatch.context() as patch:
        # the first to import torch
        patch.setattr("synth.config.command.refuse_unread", lambda *_: pytest.fail("not needed"))
        again = synth(*words, "memory=64")
    assert again.code == 0
    assert "out is finished already" in again.err
    other = synth(*words, "search.rate=0.5")
    assert "folder=out" in other.complaint
    assert "another configuration" in other.complaint
    assert {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")} == before


def test_a_finished_folder_without_its_page_gets_it(synth: Synth, weights: Path) -> None:
    words = "recipe=layers", f"network.weights={weights}", "folder=out"
    assert synth(*words).code == 0
    Path("out/index.html").unlink()
    again = synth(*words)
    assert again.code == 0
    assert "out is finished already" in again.err
    assert Path("out/index.html").is_file()


def test_same_command_same_picture(synth: Synth, weights: Path) -> None:
    for folder in ("one", "two"):
        synth(*GENETIC, "search.generations=2", f"network.weights={weights}", f"folder={folder}")
    assert _outcome(Path("one")) == _outcome(Path("two"))


def test_piped_output_has_no_live_bar(tmp_path: Path, weights: Path) -> None:
    process = started(
        "recipe=fooling_gradient", "search.steps=3", f"network.weights={weights}", cwd=tmp_path
    )
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "\x1b" not in out + err
    assert "\r" not in out + err
    lines = err.splitlines()
    assert lines[0].startswith("fooling_gradient -> runs/")
    assert lines[-2].endswith("index.html")
    assert lines[-1].startswith("goldfish ")  # what it was run for
    assert len(lines) == 4


# -- sweeps --------------------------------------------------------------------------------------


def test_a_sweep(synth: Synth, weights: Path) -> None:
    bundled._load.cache_clear()
    words = (
        "-m",
        "recipe=fooling_gradient",
        "search.steps=1",
        f"network.weights={weights}",
        "seed=0,1",
    )
    ran = synth(*words, "target=goldfish,lemon")
    assert ran.code == 0, ran.err
    assert bundled._load.cache_info().misses == 1  # the network is loaded once for all
    sweep = Path("runs/fooling_gradient")
    folders = {folder.parent.name for folder in sweep.glob("*/result.json")}
    assert len(folders) == 4
    for target in ("goldfish", "lemon"):
        for seed in (0, 1):
            assert sum(f"seed={seed},target={target}" in name for name in folders) == 1
    points = {
        (r["items"][0]["target"], r["items"][0]["seed"])
        for r in map(result_of, map(sweep.joinpath, folders))
    }
    assert len(points) == 4

    before = {
        path: path.stat().st_mtime_ns for path in sweep.rglob("*") if path.name != "multirun.yaml"
    }
    again = synth(*words, "target=goldfish,lemon")
    assert again.err.count("is finished already") == 4
    wider = synth(*words, "target=lemon,goldfish,pizza", "device=cpu")
    assert wider.code == 0, wider.err
    assert wider.err.count("is finished already") == 4
    assert len(list(sweep.glob("*target=pizza*/result.json"))) == 2
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_names_that_folders_cannot_have(synth: Synth, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "w").symlink_to(weights.parent)
    (tmp_path / "a b/c").mkdir(parents=True)
    Image.new("RGB", (64, 64), "teal").save("a b/c/one picture.png")
    Image.new("RGB", (64, 64), "navy").save("a b/c/two.png")
    words = (
        "-m",
        "recipe=fooling_gradient",
        "search.steps=1",
        "network.weights=w/tiny.safetensors",
        "sweep=named",
    )
    ran = synth(*words, "target=school bus,lemon", "image='a b/c/one picture.png','a b/c/two.png'")
    assert ran.code == 0, ran.err
    long = ",".join(["goldfish"] * 60)
    ran = synth(*words, f"target=[{long}],[{long},lemon]")
    assert ran.code == 0, ran.err
    folders = [path.name for path in Path("runs/named").iterdir() if path.is_dir()]
    assert len(folders) == 6  # nothing nested, nothing shared
    assert all(len(name.encode()) <= LONGEST_NAME for name in folders)
    assert sum("target=school bus" in name for name in folders) == 2


def test_a_sweep_over_recipes_has_one_folder(synth: Synth, weights: Path) -> None:
    ran = synth(
        "-m",
        "recipe=fooling_gradient,class_ascent",
        f"network.weights={weights}",
        "++search.steps=1",
    )
    assert ran.code == 0, ran.err
    assert len(list(Path("runs/fooling_gradient,class_ascent").glob("*/result.json"))) == 2


_keys = st.from_regex(r"[a-z_]{1,12}(\.[a-z_0-9]{1,12}){0,3}", fullmatch=True)
_values = st.one_of(st.text(max_size=80), st.text("/\\. ,=[]é漢\x00\n", max_size=300))
# Hydra escapes spaces, always: that is taken back, so nothing else may look like it
_words = st.builds("{}={}".format, _keys, _values.map(lambda text: text.replace("\\ ", "\\")))
_overrides = st.lists(_words, min_size=1, max_size=6).map(",".join)


@given(_overrides, _overrides)
def test_any_overrides_name_one_folder(first: str, second: str) -> None:
    name = point(first)
    assert name == point(first)
    assert name not in ("", ".", "..")
    assert not re.search(r"[\x00-\x1f/\\]", name)
    assert len(name.encode()) <= LONGEST_NAME
    assert (name == point(second)) == (first == second)


def test_points_that_differ_only_in_what_a_folder_cannot_be_called() -> None:
    assert len({point(f"image=a{sign}b") for sign in ("/", "\\", "-", "\n", "\x00")}) == 5
    assert point("") == "defaults"
    assert point("seed=1,target=school\\ bus") == "seed=1,target=school bus"


# -- killed, interrupted, resumed ----------------------------------------------------------------


WHOLE: dict[tuple[str, ...], Any] = {}  # outcomes of commands that nothing interrupted


def _whole(synth: Synth, words: tuple[str, ...]) -> Any:
    """The outcome of a command that nothing interrupts, run once for all tests that compare."""
    if words not in WHOLE:
        assert synth(*words, "folder=whole").code == 0
        WHOLE[words] = _outcome(Path("whole"))
    return WHOLE[words]


class Killed(BaseException):
    """An exception that nothing in the package may catch, as nothing catches SIGKILL."""


def _outcome(folder: Path) -> Any:
    """All that is equal in two runs of a configuration: images, items, steps, without seconds."""
    result = result_of(folder)
    items = [
        {key: value for key, value in item.items() if key != "seconds"} for item in result["items"]
    ]
    steps = [
        {key: value for key, value in line.items() if key != "seconds"} for line in steps_of(folder)
    ]
    pictures = {path.name: path.read_bytes() for path in sorted((folder / "images").iterdir())}
    return items, steps, pictures, result["findings"], result["status"]


def _leaving(
    kind: type[Gradient] | type[Genetic], at: int, error: type[BaseException]
) -> Callable[..., Any]:
    """The search's own step, which raises `error` at the beginning of step `at`."""
    own = kind.step

    def step(
        self: Any, problem: Problem, rows: Rows, state: State, step: int
    ) -> tuple[State, StepReport]:
        if step == at:
            raise error
        return own(self, problem, rows, state, step)

    return step


@pytest.mark.parametrize("every", [0.0, 1e9], ids=["checkpoints", "no checkpoint yet"])
@pytest.mark.parametrize(
    ("words", "kind", "at"),
    [
        ((*GRADIENT, "search.steps=6"), Gradient, 4),
        ((*GENETIC, "search.generations=5"), Genetic, 4),
        (COMPARISON, Gradient, 4),
        (COMPARISON, Genetic, 4),
    ],
    ids=["gradient", "genetic", "comparison, first", "comparison, second"],
)
def test_a_killed_run_resumes_to_the_same_bits(
    words: tuple[str, ...],
    kind: Any,
    at: int,
    every: float,
    synth: Synth,
    weights: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = (*words, f"network.weights={weights}")
    whole = _whole(synth, words)
    with monkeypatch.context() as patched:
        patched.setattr("synth.engine.observer.CHECKPOINT_EVERY", every)
        patched.setattr("synth.engine.experiment.REPORT_EVERY", 0.0)
        patched.setattr(kind, "step", _leaving(kind, at, Killed))
        with pytest.raises(Killed):
            synth(*words, "folder=killed")
    assert not Path("killed/result.json").exists()
    ran = synth(*words, "folder=killed")
    assert ran.code == 0, ran.err
    assert (f"resumed at step {at}" in ran.err) == (every == 0.0)
    assert _outcome(Path("killed")) == whole
    assert not list(Path("killed").glob("checkpoint*"))


@pytest.mark.parametrize(
    "words", [(*GRADIENT, "search.steps=6"), COMPARISON], ids=["alone", "comparison"]
)
def test_an_interrupted_run_is_saved_and_goes_on(
    words: tuple[str, ...], synth: Synth, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*words, f"network.weights={weights}")
    whole = _whole(synth, words)
    with monkeypatch.context() as patched:
        patched.setattr(Gradient, "step", _leaving(Gradient, 3, KeyboardInterrupt))
        ran = synth(*words, "folder=out")
    assert ran.code == 130
    lines = [line for line in ran.err.splitlines() if "interrupted" in line]
    assert lines == [
        "interrupted at step 3 of 6 and saved; the same command with folder=out goes on from there"
    ]
    assert result_of(Path("out"))["status"] == "interrupted"
    assert len(list(Path("out/images").glob("*.png"))) == 2
    assert Path("out/index.html").exists()
    ran = synth(*words, "folder=out")
    assert ran.code == 0, ran.err
    assert "resumed at step 3" in ran.err
    assert _outcome(Path("out")) == whole
    assert not list(Path("out").glob("checkpoint*"))


@pytest.mark.parametrize(("fold", "begun"), [("auto", 0), ("false", 1)])
def test_an_interrupted_sweep_stops_and_goes_on(
    fold: str, begun: int, synth: Synth, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (
        "-m",
        "recipe=fooling_gradient",
        "search.steps=3",
        f"network.weights={weights}",
        "seed=0,1,2",
        f"fold={fold}",
    )
    with monkeypatch.context() as patched:
        patched.setattr(Gradient, "step", _leaving(Gradient, 2, KeyboardInterrupt))
        assert synth(*words).code == 130
    assert len(list(Path("runs").rglob("result.json"))) == begun
    ran = synth(*words)
    assert ran.code == 0, ran.err
    assert ran.err.count("resumed at step 2") == 1
    assert {result_of(path.parent)["status"] for path in Path("runs").rglob("result.json")} == {
        "done"
    }
    assert len(list(Path("runs").rglob("result.json"))) == 3


def test_a_folder_of_another_unfinished_run_is_refused(
    synth: Synth, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = *GRADIENT, "search.steps=6", f"network.weights={weights}", "folder=out"
    with monkeypatch.context() as patched:
        patched.setattr(Gradient, "step", _leaving(Gradient, 3, KeyboardInterrupt))
        assert synth(*words).code == 130
    before = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}
    assert "seed was 0, is 7" in synth(*words, "seed=7").complaint
    other = synth("recipe=layers", f"network.weights={weights}", "folder=out").complaint
    assert 'recipe was "fooling_gradient", is "layers"' in other
    assert {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()} == before
    shutil.rmtree("out/.hydra")  # the checkpoint says it too
    assert "seed was 0, is 7" in synth(*words, "seed=7").complaint
    assert synth(*words).code == 0  # what was there can still be finished
    assert result_of(Path("out"))["items"][0]["seed"] == 0


def test_files_that_are_not_the_runs_stay(synth: Synth, weights: Path) -> None:
    Path("out").mkdir()
    mine = [
        Path("out/checkpoint_mine.pth"),
        Path("out/checkpoint.tar"),
        Path("out/checkpoint_old.safetensors"),
    ]
    for path in mine:
        path.write_text("mine")
    words = "recipe=layers", f"network.weights={weights}", "folder=out"
    assert synth(*words).code == 0
    assert all(path.read_text() == "mine" for path in mine)


def test_a_folder_with_an_unfinished_training_is_refused(synth: Synth, weights: Path) -> None:
    Path("out").mkdir()
    Path("out/checkpoint.pt").write_text("weeks of work")
    line = synth("recipe=layers", f"network.weights={weights}", "folder=out").complaint
    assert line.startswith(
        "folder=out: holds checkpoint.pt of a run whose configuration is not known"
    )
    assert [path.name for path in Path("out").iterdir()] == ["checkpoint.pt"]


def test_a_training_that_is_refused_keeps_its_configuration(synth: Synth, weights: Path) -> None:
    for place, name in enumerate(("lemon", "teapot")):
        Path("pictures", name).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (36, 36), (200 * place, 20 * number, 90)).save(
                f"pictures/{name}/{number}.png"
            )
    words = (
        "recipe=train_classifier",
        "images=pictures",
        "size=64",
        "crop=0",
        "epochs=1",
        "device=cpu",
        "folder=out",
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("synth.training.classifier.train_classifier.TrainClassifier._ship", _killed)
        with pytest.raises(Killed):
            synth(*words)
    before = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}
    assert Path("out/checkpoint.safetensors") in before
    ran = synth(*words, "rate=0.01")
    assert ran.code == 2
    assert "rate=0.01" in ran.err.splitlines()[-1]
    assert (
        'recipe was "train_classifier"'
        in synth("recipe=layers", f"network.weights={weights}", "folder=out").complaint
    )
    assert {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()} == before
    Path("pictures").rename("elsewhere")
    ran = synth(*words, "images=elsewhere")  # where the pictures lie may change
    assert ran.code == 0, ran.err
    assert not list(Path("out").glob("checkpoint*"))


def _killed(*_: object) -> None:
    raise Killed


def test_sigterm_saves_as_ctrl_c_does(tmp_path: Path, weights: Path) -> None:
    words = *GRADIENT, "search.steps=100000", f"network.weights={weights}", "folder=out"
    forked = Forked(*words, cwd=tmp_path)
    forked.wait_for_step(tmp_path / "out", 2)
    assert (tmp_path / "out/run.lock").exists()
    assert forked.end_by(signal.SIGTERM) == 130, forked.log
    assert "Traceback" not in forked.log
    assert sum("interrupted" in line for line in forked.log.splitlines()) == 1
    result = result_of(tmp_path / "out")
    assert result["status"] == "interrupted"
    assert {item["steps"] for item in result["items"]} == {len(steps_of(tmp_path / "out"))}
    assert len(list((tmp_path / "out/images").glob("*.png"))) == 2
    assert (tmp_path / "out/checkpoint.safetensors").exists()
    assert not (tmp_path / "out/run.lock").exists()


def test_a_run_that_was_killed_after_its_result_is_tidied(
    synth: Synth, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = *GRADIENT, "search.steps=2", f"network.weights={weights}", "folder=out"
    with monkeypatch.context() as patched:
        patched.setattr("synth.engine.observer.CHECKPOINT_EVERY", -1.0)
        patched.setattr(Checkpoint, "remove", _killed)
        with pytest.raises(Killed):
            synth(*words)
    assert result_of(Path("out"))["status"] == "done"
    assert Path("out/checkpoint.safetensors").exists()
    Path("out/run.lock").write_text('{"host": "' + socket.gethostname() + '", "process": 0}')
    Path("out/index.html").write_text("interrupted")
    ran = synth(*words)
    assert ran.code == 0, ran.err
    assert "out is finished already" in ran.err
    assert not list(Path("out").glob("checkpoint*"))
    assert not Path("out/run.lock").exists()
    assert "interrupted" not in Path("out/index.html").read_text()


def test_a_folder_in_which_a_process_runs_is_refused(synth: Synth, weights: Path) -> None:
    words = "recipe=layers", f"network.weights={weights}", "folder=out"
    with Lock(Path("out")):
        line = synth(*words).complaint
        assert line.startswith(f"folder=out: process {os.getpid()} on ")
    assert synth(*words).code == 0
    assert not Path("out/run.lock").exists()


# -- run folders of earlier versions -------------------------------------------------------------


def _copy(name: str, folder: str) -> list[str]:
    """Copies a run of an earlier version; its command, with `folder` as the folder."""
    shutil.copytree(ROOT / "tests/archive" / name, folder)
    shutil.copy(ROOT / "tests/archive/photo.png", "photo.png")
    overrides = OmegaConf.load(Path(folder, ".hydra/overrides.yaml"))
    return [str(word) for word in overrides if not str(word).startswith("folder=")]


@pytest.mark.parametrize("name", ["fooling_gradient", "onemax"])
def test_a_finished_run_of_an_earlier_version_is_finished(name: str, synth: Synth) -> None:
    words = [*_copy(name, "out"), "folder=out"]
    before = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}
    ran = synth(*words)
    assert ran.code == 0, ran.err
    assert "out is finished already" in ran.err
    assert {path: path.read_bytes() for path in before} == before
    assert "another configuration" in synth(*words, "seed=7").complaint


def test_an_unfinished_search_of_an_earlier_version_begins_anew(synth: Synth) -> None:
    words = [*_copy("interrupted", "out"), "folder=out"]
    words[words.index("search.generations=300")] = "search.generations=2"
    assert "another configuration" in synth(*words).complaint  # what was written is another thing
    overrides = Path("out/.hydra/overrides.yaml")
    overrides.write_text(overrides.read_text().replace("generations=300", "generations=2"))
    ran = synth(*words)
    assert ran.code == 0, ran.err
    assert "out was begun by an earlier version of synth, whose checkpoints" in ran.err
    assert result_of(Path("out"))["items"][0]["steps"] == 3
    assert [line["step"] for line in steps_of(Path("out"))] == [0, 1, 2]
    assert "out is finished already" in synth(*words).err
