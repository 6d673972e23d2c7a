"""Mistakes of the user: exit code 2, one line that says what to write instead, no files left."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import struct
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from console import Synth, result_of, steps_of, write_weights
from hydra.errors import InstantiationException
from PIL import Image
from safetensors.torch import load_file, save_file

from synth.errors import nearest
from synth.searches.gradient import Gradient

pytest_plugins = "console_fixtures"

RUN = "recipe=fooling_gradient", "search.steps=2", "until=null", "folder=out"

# what is typed after RUN: what the line must say
TYPED = {
    "recipe=foolin_gradient": ["recipe=foolin_gradient", "fooling_gradient"],
    "recipe=zzz": ["recipe=zzz", "fooling_comparison", "class_ascent"],
    "network=mini_alexnett": ["network=mini_alexnett", "mini_alexnet"],
    "encoding=pixls": ["encoding=pixls", "pixels"],
    "search=genetik": ["search=genetik", "genetic"],
    "transform=robst": ["transform=robst", "robust"],
    "+objective@objective.terms.it=chanel": ["objective=chanel", "channel"],
    "target=goldfsh": ["target=goldfsh", "goldfish"],
    "target=10": ["target=10", "0 to 9"],
    "target=-1": ["target=-1", "0 to 9"],
    "target=[]": ["target=[]", "target=all"],
    "+objective@objective.terms.it=channel +layer=convv5": ["layer=convv5", "conv5"],
    "+objective@objective.terms.it=channel +layer=zzz": ["layer=zzz", "conv1", "recipe=layers"],
    "+objective@objective.terms.it=channel +layer=conv5 +unit=9999": ["unit=9999", "0 to 127"],
    "foo=1": ["foo", "no such key", "search"],
    "serch.steps=2": ["serch.steps", "search.steps"],
    "stesp=4": ["stesp", "Did you mean steps"],
    "step=4": ["step", "Did you mean steps"],
    "generations=4": ["generations", "Did you mean steps?"],
    "sizes=64": ["sizes", "Did you mean size"],
    "epislon=.1": ["epislon", "Did you mean encoding.epsilon"],
    "tagret=lemon": ["tagret", "Did you mean target"],
    "search.stepz=2": ["search.stepz", "search.steps"],
    "search.regularisers.decai=1": ["search.regularisers.decai", "search.regularisers.decay"],
    "search=genetic search.generation=2": ["search.generation", "search.generations"],
    "objective.terms.clas.weight=2": [
        "objective.terms.clas.weight",
        "objective.terms.class.weight",
    ],
    "~search.stepz": ["search.stepz", "search.steps"],
    "+tarqet=lemon": ["tarqet", "reads it", "target"],
    "encoding=fourier image=china": ["image", "reads it"],
    "objective.terms.class=channel": [
        "objective.terms.class=channel: ",
        "Objective or null",
        "Write objective@objective.terms.class=channel",
    ],
    "+target=lemon": ["+target", "leave the + out"],
    "search.steps=-1": ["search.steps=-1", "1 or more"],
    "search.steps=many": ["search.steps='many'", "a whole number"],
    "search.steps=2.5": ["search.steps=2.5", "a whole number"],
    "search.steps=": ["search.steps=''", "a whole number"],
    "search.rate=0": ["search.rate=0", "above 0"],
    "search.rate=fast": ["search.rate='fast'", "a number"],
    "search.rule=adm": ["search.rule=adm", "adam"],
    "until=soon": ["until='soon'", "a number or null"],
    "exact=maybe": ["exact='maybe'", "true or false"],
    "budget=0": ["budget=0", "null"],
    "encoding.size=3": ["encoding.size=3", "8 to 8192"],
    "encoding.epsilon=0.1": ["encoding.epsilon=0.1", "image=PATH"],
    "target=goldfish,lemon": ["'target=[goldfish,lemon]'", "synth -m target=goldfish,lemon"],
    "target": ["target", "key=value"],
    "search.steps=[1": ["search.steps=[1", "key=value"],
    "=3": ["=3", "key=value"],
    "search.regularisers=[1]": ["search.regularisers=[1]", "another kind"],
    "target=${nothing}": ["target", "nothing"],
    "network=torchvision": ["network.name", "network.name=..."],
    "network=torchvision network.name=densnet121": ["network.name=densnet121", "densenet121"],
    "search=genetic +search.rates=3": ["search.rates", "Genetic", "mate"],
    "search=genetic search.rate=3": ["search.rate", "no such key", "mate"],
    "search=genetic +search.rate=3": ["search.rate"],
    "+search.regularisers.decai=3": ["search.regularisers.decai", "decay"],
    "search._target_=os.system": ["search._target_=os.system", "no Search"],
    "+search.regularisers._target_=subprocess.Popen search=genetic": [
        "search.regularisers: Genetic takes no such value",
    ],
    "search._target_=synth.searches.gradient.Gradiant": [
        "synth.searches.gradient.Gradiant",
        "no such thing",
    ],
    "search=lbfgs transform=jitter": ["search=lbfgs", "transform=none", "search=gradient"],
    "search.rate=nan": ["search.rate=nan", "a finite number"],
    "objective.terms.class.weight=-inf": ["objective.terms.class.weight=-inf", "finite"],
    "search.steps=true": ["search.steps=true", "a number"],
    "until=2": ["until=2", "from 0 to 1"],
    "until=-1": ["until=-1", "from 0 to 1"],
    "until=true": ["until=true", "a number"],
    "target=金魚": ["target=金魚", "no such class"],
    "image=~/nowhere.png": ["image=", "nowhere.png: no such file"],
    "target=${nope:1}": ["target=${nope:1}", "nope"],
    "~encoding": ["encoding: ", "Experiment needs it", "leave ~encoding out"],
    "~objective": ["objective: ", "choose one, or leave ~objective out"],
    "~_target_": ["_target_", "leave it"],
    "~label": ["~label", "null already"],
    "search=3": ["search=3", "one search: ", "gradient"],
    "search=genetic search.steps=3": ["search.steps", "search.generations"],
    "search=genetic search/mutate@search.mutate=": ["search/mutate=NAME", "gaussian"],
    "hydra/launcher=loky": ["hydra/launcher=loky", "installed", "joblib"],
    "+recipe@experiments.mine=fooling_comparison": ["experiments", "reads it"],
    "folder=[a,b]": ["folder=", "the name of one folder"],
    "folder=": ["folder=", "not set", "a name"],
    "device=cuda:7": ["device=cuda:7", "auto or cpu"],
    "device=gpu": ["device=gpu", "auto", "cpu"],
    "network.weights=nowhere.safetensors": ["network.weights=nowhere.safetensors", "no such file"],
    "image=chinna": ["image=chinna", "china"],
    "images=nowhere": ["images=nowhere", "no such file"],
    "image=china images=china": ["image", "images="],
    "folder=/dev/null/x": ["folder=/dev/null/x", "another folder"],
}


@pytest.mark.parametrize("typed", TYPED)
def test_mistyped(typed: str, synth: Synth, weights: Path) -> None:
    usual = [word for word in RUN if "search=" not in typed or "search" not in word]
    line = synth(*usual, f"network.weights={weights}", *typed.split()).complaint
    assert not [fragment for fragment in TYPED[typed] if fragment not in line], line
    assert not os.path.lexists("out")
    assert not os.path.lexists("runs")


PARTS = {
    "search=genetic": [
        "search: recipe fooling_comparison has no such part of its own",
        "search@experiments.genetic.search=genetic",
        "recipe=fooling_gradient",
    ],
    "encoding=fourier search=genetic": ["recipe fooling_comparison", "@experiments.genetic."],
    "recipe=layers search=lbfgs": [
        "search: recipe layers has no such part",
        "Choose a recipe with one search",
    ],
    "recipe=train_classifier images=x search=lbfgs": [
        "search: recipe train_classifier has no such part",
    ],
    "search@nowhere=genetic": ["search@nowhere: ", "search@experiments.genetic.search=genetic"],
}


OPTIONS = {
    "--config-dir=/nope": "'/nope' not found",
    "--config-name=nope": "'nope'",
    "--shell-completion": "write --shell-completion install=bash",
    "--resolve": "--cfg",
    "--cfg=nope": "invalid choice: 'nope'",
    "--multirum": "Did you mean --multirun?",
    "--experimental-rerun=/nope.pickle": "such a file can run code",
    "-m search=glob(nope*)": "search=glob(nope*): matches nothing. There are cma, deepfool",
    "-m device=cpu,cuda:9": "device=cpu,cuda:9: no result depends on it",
    f"target={'9' * 5000}": "target=999999999999...: a number of 5000 digits is too long",
}


def test_mistakes_of_hydra_s_options(synth: Synth) -> None:
    for typed, fragment in OPTIONS.items():
        assert fragment in synth(*typed.split()).complaint
    assert not os.path.lexists("runs")


def test_a_recipe_without_pictures_names_some_with(synth: Synth) -> None:
    line = synth("recipe=class_ascent", "image=china").complaint
    assert line.startswith("image: recipe class_ascent has no such key. It takes no such picture")
    assert "fooling_gradient" in line
    line = synth("recipe=style_transfer", "style=flower", "image=china").complaint
    assert line.endswith("write +image=...")


def test_contenders_that_are_no_synthesis(synth: Synth) -> None:
    line = synth("+recipe@experiments.mine=fooling_comparison", "folder=out").complaint
    assert line == "experiments.mine: a comparison is no contender of another."
    assert not os.path.lexists("out")


@pytest.mark.parametrize("typed", PARTS)
def test_a_part_that_the_recipe_does_not_have(typed: str, synth: Synth) -> None:
    line = synth(*typed.split()).complaint
    assert not [fragment for fragment in PARTS[typed] if fragment not in line], line
    assert not os.path.lexists("runs")


def test_keys_of_hydra_are_not_offered(synth: Synth) -> None:
    line = synth(
        "recipe=fooling_gradient", "encoding=fourier", "start=zeros", "folder=out"
    ).complaint
    assert line.startswith("start: ")
    assert "_target_" not in line


def test_objects_are_not_printed_by_their_address(synth: Synth, weights: Path) -> None:
    words = "recipe=class_ascent", f"network.weights={weights}", "folder=out"
    for value in ("3", "channel"):
        line = synth(*words, f"objective.terms.class={value}").complaint
        assert line.startswith(
            f"objective.terms.class={value}: WeightedSum takes Objective or null here."
        )
        assert "0x" not in line


def test_a_wrong_type_that_no_user_gave_is_a_fault_of_ours(
    synth: Synth, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(self: Gradient, *_: object) -> None:
        nearest("x", [], "many")  # type: ignore[arg-type]

    for name in ("step", "init"):  # while running, and while a part is made
        with monkeypatch.context() as patched:
            patched.setattr(Gradient, name, step)
            with pytest.raises((BeartypeCallHintViolation, InstantiationException)):
                synth(*RUN, f"network.weights={weights}")


def test_a_mistake_inside_the_file_of_a_part_is_seen(
    synth: Synth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import synth.searches as searches

    (tmp_path / "slow.py").write_text("Slow = undefined\n")
    (tmp_path / "needy.py").write_text("import there_is_no_such_package\n")
    (tmp_path / "odd.py").write_text("import sys\nOdd = sys.nothing\n")
    monkeypatch.setattr(searches, "__path__", [*searches.__path__, str(tmp_path)])
    for name, error in (
        ("slow.Slow", NameError),
        ("needy.Needy", ImportError),
        ("odd.Odd", AttributeError),
    ):
        with pytest.raises(error):
            synth("recipe=fooling_gradient", f"search._target_=synth.searches.{name}", "folder=out")
    for name in ("nothing.Nothing", "gradient.Nothing", "gradient.Gradient.nothing"):
        line = synth(
            "recipe=fooling_gradient", f"search._target_=synth.searches.{name}", "folder=out"
        ).complaint
        assert "there is no such thing in synth" in line


@pytest.mark.parametrize("folder", [[], ["folder=out"]], ids=["dated", "named"])
def test_a_mistake_that_shows_late_leaves_no_folder(folder: list[str], synth: Synth) -> None:
    ran = synth("recipe=train_classifier", "images=nothere", *folder)
    assert ran.code == 2
    assert ran.err.splitlines()[-1].startswith("synth: images=nothere: ")
    assert not os.path.lexists("out")
    assert not list(Path().glob("runs/*/*"))


def test_a_mistake_that_shows_late_leaves_what_was_there(synth: Synth) -> None:
    Path("out").mkdir()
    Path("out/notes.txt").write_text("mine")
    assert synth("recipe=train_classifier", "images=nothere", "folder=out").code == 2
    assert [path.name for path in Path("out").iterdir()] == ["notes.txt"]


def test_a_folder_for_a_whole_sweep(synth: Synth, weights: Path) -> None:
    line = synth("-m", *RUN, f"network.weights={weights}", "seed=0,1").complaint
    assert line.startswith("folder=out: ")
    assert "sweep=NAME" in line
    assert not os.path.lexists("out")
    assert not os.path.lexists("runs")


def test_a_whole_number_serves_where_a_number_is_wanted(synth: Synth, weights: Path) -> None:
    ran = synth(
        *RUN,
        f"network.weights={weights}",
        "search.rate=1",
        "until=1",
        "objective.terms.class.weight=2",
    )
    assert ran.code == 0, ran.err


# -- pictures ------------------------------------------------------------------------------------


def _huge_png(side: int) -> bytes:
    """A PNG whose header announces side x side pixels, without any of them."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder of pictures that cannot be read, each in its own way."""
    folder = tmp_path / "broken"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for suffix in ("jpg", "png"):
        Image.fromarray(noise).save(folder / f"whole.{suffix}")
        whole = (folder / f"whole.{suffix}").read_bytes()
        (folder / f"cut.{suffix}").write_bytes(whole[: len(whole) // 2])
        (folder / f"whole.{suffix}").unlink()
    (folder / "text.png").write_text("not a picture at all\n")
    (folder / "empty.png").write_bytes(b"")
    Image.new("RGB", (1, 64)).save(folder / "thin.png")
    (folder / "huge.png").write_bytes(_huge_png(12_000))
    (folder / "bomb.png").write_bytes(_huge_png(30_000))
    (folder / "folder.png").mkdir()
    return folder


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cut.jpg", "damaged or cut short"),
        ("cut.png", "damaged or cut short"),
        ("text.png", "not a picture"),
        ("empty.png", "not a picture"),
        ("thin.png", "1x64 pixels"),
        ("huge.png", "12000x12000 pixels"),
        ("bomb.png", "too many pixels"),
        ("folder.png", "images="),
        ("cut.jpeg", "Did you mean cut.jpg"),
    ],
)
def test_pictures_that_cannot_be_read(
    name: str, message: str, synth: Synth, weights: Path, broken: Path
) -> None:
    start = time.monotonic()
    line = synth(*RUN, f"network.weights={weights}", f"image=broken/{name}").complaint
    assert line.startswith(f"image=broken/{name}: ")
    assert message in line
    assert time.monotonic() - start < 5  # a huge one is refused by its header
    assert not os.path.lexists("out")


def test_folders_without_a_picture(
    synth: Synth, weights: Path, broken: Path, tmp_path: Path
) -> None:
    (tmp_path / "nothing").mkdir()
    line = synth(*RUN, f"network.weights={weights}", "images=nothing").complaint
    assert "images=nothing" in line
    assert ".png" in line
    ran = synth(*RUN, f"network.weights={weights}", "images=broken")
    assert ran.code == 2
    (line,) = ran.err.splitlines()
    assert line.startswith(
        "synth: images=broken: none of its 7 files is a readable picture; the first: images=broken/"
    )
    ran = synth(*RUN, f"network.weights={weights}", "images=broken/*.gif")
    assert ran.complaint == "images=broken/*.gif: no file matches."
    assert not os.path.lexists("out")


def test_broken_pictures_among_good_ones_are_skipped_by_name(
    synth: Synth, weights: Path, broken: Path
) -> None:
    for name in ("a.png", "b.jpg"):
        Image.new("RGB", (70, 70), "teal").save(broken / name)
    ran = synth(*RUN, f"network.weights={weights}", "images=broken", "encoding.epsilon=0.1")
    assert ran.code == 0, ran.err
    assert (
        "7 of 9 files skipped: bomb.png, cut.jpg, cut.png, empty.png, huge.png, text.png, thin.png"
        in ran.err
    )
    assert len(result_of(Path("out"))["items"]) == 2


# -- weights -------------------------------------------------------------------------------------


def test_weights_that_cannot_be_used(synth: Synth, weights: Path, tmp_path: Path) -> None:
    state = load_file(weights)
    usual = {
        "classes": json.dumps([{"name": "a"}]),
        "size": "64",
        "mean": "[0,0,0]",
        "std": "[1,1,1]",
    }

    def line(name: str, *words: str) -> str:
        complaint = synth(*RUN, f"network.weights={name}", *words).complaint
        assert complaint.startswith(f"network.weights={name}: ")
        assert not os.path.lexists("out")
        return complaint

    write_weights(tmp_path / "resnet.safetensors", "mini_resnet")
    assert "another network than mini_alexnet" in line("resnet.safetensors")
    save_file(
        {**state, "conv1.weight": state["conv1.weight"] * torch.nan},
        tmp_path / "nan.safetensors",
        usual,
    )
    assert "conv1.weight holds NaN" in line("nan.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(weights.read_bytes()[:100_000])
    assert "not a whole safetensors file" in line("cut.safetensors")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    assert "not a whole safetensors file" in line("empty.safetensors")
    save_file(state, tmp_path / "mute.safetensors", {})
    assert "train_classifier" in line("mute.safetensors")
    save_file(state, tmp_path / "odd.safetensors", {**usual, "classes": "3"})
    assert "classes" in line("odd.safetensors")
    save_file(state, tmp_path / "sizeless.safetensors", {**usual, "size": '"large"'})
    assert "size" in line("sizeless.safetensors")
    (tmp_path / "folder").mkdir()
    assert "a folder, not a file" in line("folder")
    torch.save({"conv1.weight": 3}, tmp_path / "numbers.pt")
    assert "no state dict" in line("numbers.pt", "network=alexnet")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")
    assert "another network than alexnet" in line("other.pt", "network=alexnet")


class Malicious:
    """Unpickling it writes a file."""

    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("touch owned",))


def test_a_malicious_pickle_is_not_executed(synth: Synth, tmp_path: Path) -> None:
    torch.save({"conv1.weight": Malicious()}, tmp_path / "evil.pt")
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Malicious()))
    for name in ("evil.pt", "evil.pth"):
        assert "not a whole" in synth(*RUN, f"network.weights={name}").complaint
    assert not os.path.lexists("owned")
    assert not os.path.lexists("out")


def test_no_weights_and_no_way_to_fetch_them(
    synth: Synth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    line = synth(*RUN, "network=squeezenet1_1").complaint
    assert line.startswith("network.name=squeezenet1_1: ")
    assert "network.weights=FILE" in line
    assert not os.path.lexists("out")


# -- the disk ------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 1, 3, 4, 5])
def test_a_full_disk_in_the_middle(
    after: int, synth: Synth, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command finishes the run after any of its files did not fit.

    The files are three of the configuration, a picture, and the result.
    """
    writes = [after]

    def full(_: int) -> None:
        writes[0] -= 1
        if writes[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    words = (*RUN, f"network.weights={weights}")
    with monkeypatch.context() as patched:
        patched.setattr("synth.record.atomic.os.fsync", full)
        ran = synth(*words)
    assert "Traceback" not in ran.err
    assert not list(Path().rglob("*.partial"))
    if after < 5:
        assert ran.code == 2
        lines = [line for line in ran.err.splitlines() if line.startswith("synth: ")]
        assert len(lines) == 1
        assert "the disk is full" in lines[0]
        assert not Path("out/result.json").exists()
    assert synth(*words).code == 0
    assert result_of(Path("out"))["status"] == "done"
    assert [line["step"] for line in steps_of(Path("out"))] == [0, 1]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 KiB of its own."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no mount command here")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(mounted)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no tmpfs may be mounted here: {done.stderr.strip()}")
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)


def test_a_disk_that_is_really_full(synth: Synth, weights: Path, small_disk: Path) -> None:
    words = "recipe=fooling_gradient", "search.steps=1", f"network.weights={weights}", "target=all"
    ran = synth(*words, "folder=small/out")
    assert ran.code == 2
    assert "Traceback" not in ran.err
    assert "disk is full" in ran.err.splitlines()[-1]
    assert not (small_disk / "out" / "result.json").exists()
    (small_disk / "filler").write_bytes(bytes(small_disk.stat().st_blksize))
    for path in (small_disk / "out").rglob("*.png"):
        with Image.open(path) as image:  # what is there is whole
            image.load()


# -- sweeps --------------------------------------------------------------------------------------


def test_a_mistake_in_one_point_does_not_lose_the_others(synth: Synth, weights: Path) -> None:
    ran = synth(
        "-m", *RUN[:3], f"network.weights={weights}", "target=goldfish,goldfsh,lemon", "sweep=mine"
    )
    assert ran.code == 2
    assert "Traceback" not in ran.err
    lines = [line for line in ran.err.splitlines() if line.startswith("synth: ")]
    assert len(lines) == 1
    assert "target=goldfsh: mini_alexnet has no such class. Did you mean goldfish?" in lines[0]
    assert ran.err.splitlines()[-1] == "1 of the runs failed"
    targets = {
        result_of(folder.parent)["items"][0]["target"]
        for folder in Path("runs/mine").glob("*/result.json")
    }
    assert targets == {"goldfish", "lemon"}
    (folder,) = Path("runs/mine").glob("*goldfsh*")
    assert [path.name for path in folder.iterdir()] == ["error.txt"]
    assert "Did you mean goldfish?" in (folder / "error.txt").read_text()


def test_a_mistyped_axis_of_a_sweep_is_told_before_anything_runs(
    synth: Synth, weights: Path
) -> None:
    line = synth("-m", *RUN[:3], f"network.weights={weights}", "encoding=pixels,fourrier").complaint
    assert "encoding=fourrier" in line
    assert "fourier" in line
    assert not list(Path().rglob("result.json"))


def test_a_key_that_not_every_recipe_of_a_sweep_has(synth: Synth) -> None:
    line = synth("-m", "recipe=fooling_gradient,fooling_genetic", "search.steps=1").complaint
    assert "++search.steps=..." in line
