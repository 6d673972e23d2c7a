"""``synth rerun``: the same pictures once more, and nothing that a foreign record could do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from console import CONF, Synth, result_of
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from synth.cli.rerun import Rerun, checked, prepared
from synth.errors import InputError

pytest_plugins = "console_fixtures"


def png(path: Path, record: object) -> Path:
    """A picture with that record in its text."""
    text = PngInfo()
    text.add_text("synth", record if isinstance(record, str) else json.dumps(record), zip=True)
    Image.new("RGB", (8, 8)).save(path, pnginfo=text)
    return path


def run_folder(folder: Path, overrides: object, recipe: object = "onemax") -> Path:
    """A run folder with a result that has those words."""
    folder.mkdir(exist_ok=True)
    result = {"recipe": recipe, "overrides": overrides, "status": "done", "items": []}
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def test_a_run_its_items_and_its_pictures(synth: Synth, weights: Path) -> None:
    words = "fooling_gradient", "target=[goldfish,lemon]", "steps=3", "until=null", "device=cpu"
    assert synth(*words, f"network.weights={weights}", "folder=run").code == 0
    picture = Path("run/images/001.png")
    with Image.open(picture) as image:
        record = json.loads(image.text["synth"])
    assert (record["recipe"], record["item"]) == ("fooling_gradient", 1)
    assert "search.steps=3" in record["overrides"]
    assert not [word for word in record["overrides"] if word.startswith(("folder", "device"))]

    shutil.copy(picture, "alone.png")
    pixels = np.asarray(Image.open(picture).convert("RGB")).copy()
    pixels[0, 0, 0] ^= 3  # another level
    Image.fromarray(pixels).save(picture)
    ran = synth("rerun", "run", "folder=again")
    assert [item["target"] for item in result_of(Path("again"))["items"]] == ["goldfish", "lemon"]
    first, second = ran.out.splitlines()
    assert first.startswith("run/images/001.png: differs in 0.0% of its values, by at most ")
    assert first.endswith("of 255 (again/images/001.png)")
    assert second == "1 of 2 the same, bit for bit."
    ran = synth("rerun", "alone.png", "folder=from_picture", "device=cpu")
    assert ran.out == "1 of 1 the same, bit for bit.\n", ran.err

    item = prepared(["run", "item=1"], CONF)  # which differs from the other in its class alone
    assert item.words[-1] == "target=3"
    assert [path.name for _, path in item.pictures] == ["001.png"]
    with pytest.raises(InputError, match="item=9: run has no such picture; write a number of its"):
        prepared(["run", "item=9"], CONF)


PAYLOADS = {
    "search._target_=os.system": "it names a class",
    "search={_target_: os.system}": "it names a class",
    "objective.terms={a: {b: [{_target_: os.system}]}}": "it names a class",
    "+x.y={_args_: [id]}": "it names a class",
    "+_target_=os.system": "it names a class",
    "++search.rule._partial_=true": "it names a class",
    "network.path=evil:make": "it names code",
    "network={path: evil}": "it names code",
    "+experiments.a.network.path=evil:make": "it names code",
    "network=module": "it names code",
    "experiments.search.network.path=evil:make": "it names code",
    "+experiments.search.network.arguments={a: 1}": "it names code",
    "network=network small 0123456789abcdef": "it was an object of a Python program; write network",
    "images=[picture a.b 0123456789abcdef,picture c 0123456789abcdef]": "it was an object",
    "objective=function 0123456789abcdef": "it was an object of a Python program; make the run",
    "hydra.run.dir=/etc": "it changes Hydra's own settings",
    "hydra/launcher=basic": "it changes Hydra's own settings",
    "+hydra.searchpath=[file:///tmp]": "it changes Hydra's own settings",
    "--config-dir=/tmp": "it is an option",
    "-m": "it is an option",
    "seed=${oc.env:HOME}": "it would be computed",
    "target='${synth.encoding_of:x}'": "it would be computed",
    "target={a: '${oc.env:HOME}'}": "it would be computed",
    "seed=1,2": "it is a sweep",
    "seed=range(9)": "it is a sweep",
    "search=glob(*)": "it is a sweep",
    "search/select@select=../../../../tmp/evil": "there is no such search/select",
    "search=../evil": "there is no such search",
    "+recipe@experiments.x=../../evil": "there is no such recipe",
    "network=/tmp/evil": "there is no such network",
    "search=[genetic]": "there is no such search",
    "search=3": "there is no such search",
    "rm -rf": "it is not of the form key=value",
    "a=[": "it is not of the form key=value",
}


@pytest.mark.parametrize("word", PAYLOADS)
def test_words_of_another_person_that_are_refused(word: str, tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", ["length=4", word])
    picture = png(tmp_path / "a.png", {"recipe": "onemax", "overrides": [word]})
    for source in (folder, picture):
        with pytest.raises(InputError) as error:
            prepared([str(source)], CONF)
        message = str(error.value)
        assert f"is not taken from a file: {PAYLOADS[word]}" in message
        assert message.startswith(str(source))


NET = """
import torch

def make(classes):
    linear = torch.nn.Linear(12, classes)
    return torch.nn.Sequential(torch.nn.AvgPool2d(8), torch.nn.Flatten(), linear)
"""


def test_networks_that_the_user_names_beside_the_run(synth: Synth) -> None:
    Path("own_rerun.py").write_text(NET)
    own = "network=module", "network.path=own_rerun:make", "+network.arguments.classes=3"
    words = "class_ascent", "target=1", "steps=1", "size=16", "network.size=16", "device=cpu"
    assert synth(*words, *own, "folder=run").code == 0
    line = synth("rerun", "run").complaint
    assert "where you trust it, write network=module network.path=..." in line
    ran = synth("rerun", "run", *own, "folder=again")
    assert ran.out == "1 of 1 the same, bit for bit.\n", ran.err
    with pytest.raises(InputError, match="names code"):  # the rest of them is another's still
        prepared(["run", *own[:2]], CONF)


def test_files_that_a_record_reads_are_listed(synth: Synth, tmp_path: Path) -> None:
    Path("here.txt").touch()
    words = ["network.weights=/etc/passwd", "images=here.txt", "target=[lemon]", "image='../x y'"]
    words += [f"layer={'x' * 5000}", "+search.select.arguments={tournsize: 3}"]
    again = prepared([str(png(tmp_path / "a.png", {"recipe": "onemax", "overrides": words}))], CONF)
    assert again.files == [*words[:2], words[3]]
    run_folder(tmp_path / "run", ["length=4", "images=/"])
    assert "run names what is read: images=/" in synth("rerun", "run").err


def test_places_are_never_taken_from_a_record(synth: Synth, tmp_path: Path) -> None:
    Path("mine").mkdir()
    words = ["length=4", "seed=1", "folder=mine", "+sweep=mine", "memory=1", "device=cuda:7"]
    run_folder(tmp_path / "run", words)
    ran = synth("rerun", "run", "folder=new")
    assert ran.code == 0, ran.err
    assert result_of(Path("new"))["overrides"][:3] == ["recipe=onemax", "length=4", "seed=1"]
    assert not list(Path("mine").iterdir())


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("../../evil", []),
        ("onemaxx", []),
        (None, []),
        (["onemax"], []),
        ("onemax", None),
        ("onemax", "seed=1"),
        ("onemax", [1]),
        ("onemax", {"seed": 1}),
    ],
)
def test_records_of_another_form(recipe: object, words: object, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        checked(words, recipe, tmp_path, CONF)


def test_sources_that_record_no_run(synth: Synth, tmp_path: Path) -> None:
    png(tmp_path / "other.png", {"target": "lemon"})
    png(tmp_path / "text.png", "[" * 100_000)
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/result.json").write_text("[" * 100_000)
    for source, fragment in {
        "other.png": "records no run",
        "text.png": "records no run",
        "plain.png": "records no run",
        "empty": "no run that could be made again",
        "broken": "no run that could be made again",
        "nowhere.png": "no such file",
    }.items():
        assert fragment in synth("rerun", source).complaint


def test_an_unfinished_run_and_files_elsewhere(synth: Synth, tmp_path: Path) -> None:
    hydra = tmp_path / "run/.hydra"
    hydra.mkdir(parents=True)
    (hydra / "overrides.yaml").write_text("- recipe=onemax\n- length=4\n- folder=run\n")
    again = prepared(["run", "device=cpu"], CONF)
    assert again.words == ["recipe=onemax", "length=4", "device=cpu"]
    folder = run_folder(tmp_path / "other", [])
    items = [{"file": "/etc/passwd"}, {"file": "../x.png"}, {"file": 3}, {"file": "images/000.png"}]
    result = {"recipe": "onemax", "overrides": [], "items": items}
    (folder / "result.json").write_text(json.dumps(result))
    assert [path.name for _, path in prepared(["other"], CONF).pictures] == ["000.png"]


def test_pictures_are_compared_with_those_of_the_same_item(tmp_path: Path) -> None:
    items = [
        {"file": f"images/{place:03d}.png", "target": "lemon", "contender": name}
        for place, name in enumerate(("a", "b", "b"))
    ]
    folder = run_folder(tmp_path / "new", [])
    (folder / "result.json").write_text(json.dumps({"items": items, "versions": {"torch": "3"}}))
    (folder / "images").mkdir()
    for place in range(3):
        Image.new("RGB", (8, 8), (place, 0, 0)).save(folder / f"images/{place:03d}.png")
    before = [(item, folder / str(item["file"])) for item in items]
    about = {"versions": {"torch": "2"}}
    assert Rerun([], folder, before, about).comparison(folder) == ["3 of 3 the same, bit for bit."]
    lost = ({"target": "pizza"}, folder / "images/000.png")
    alone = [({"target": "lemon", "item": 2}, folder / "images/001.png"), lost]
    lines = Rerun([], folder, alone, about).comparison(folder)
    assert "differs in 33.3% of its values, by at most 1 of 255" in lines[0]
    assert "the run has made no such picture" in lines[1]
    assert lines[2:] == ["0 of 1 the same, bit for bit.", "versions: torch 2; now torch 3"]
