"""Images of an earlier run rendered at another size, against the encoding called directly."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from console import Synth, result_of
from PIL import Image
from safetensors.torch import load_file, save_file
from small_worlds import rows_of

from synth.encodings.cppn import Cppn
from synth.errors import InputError
from synth.jobs.render import Render

pytest_plugins = "console_fixtures"

SHORT = "search.generations=2", "search.population=4", "until=null", "device=cpu"


@pytest.fixture
def earlier(synth: Synth, weights: Path) -> Synth:
    """A finished run of two evolved CPPNs in the folder `earlier`."""
    words = (
        "recipe=fooling_cppn",
        *SHORT,
        "encoding.hidden=9",
        "target=[lemon,pizza]",
        f"network.weights={weights}",
    )
    assert synth(*words, "folder=earlier").code == 0
    return synth


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image, dtype=float).transpose(2, 0, 1) / 255


def test_an_image_at_another_size_is_the_decoded_genome(earlier: Synth) -> None:
    genomes = load_file("earlier/genomes.safetensors")["genome"]
    for setting, size in (("96", (96, 96)), ("[24,40]", (24, 40)), ("64", (64, 64))):
        out = Path(f"out{size[1]}")
        output = earlier(
            "recipe=render", "run=earlier", f"size={setting}", f"folder={out}", "device=cpu"
        )
        assert output.code == 0, output.err
        result = result_of(out)
        assert [item["target"] for item in result["items"]] == ["lemon", "pizza"]
        assert (result["encoding"], result["status"], result["search"]) == (
            "cppn",
            "done",
            "genetic",
        )
        expected = Cppn(size, hidden=9).decode(genomes, rows_of(2))
        for item, image in zip(result["items"], expected, strict=True):
            image_pixels = pixels(out / item["file"])
            assert image_pixels.shape == (3, *size)
            assert np.abs(image_pixels - image.double().numpy()).max() <= 0.5 / 255 + 1e-4
            with Image.open(out / item["file"]) as picture:
                assert json.loads(picture.text["synth"])["of"] == f"earlier/{item['of']}"
            if size == (64, 64):  # the size of the run: the same images
                assert np.array_equal(image_pixels, pixels(Path("earlier") / item["of"]))
        assert (out / "index.html").is_file()


def test_runs_that_cannot_be_rendered_are_refused_in_one_line(
    earlier: Synth, tmp_path: Path
) -> None:
    tampered = ("flipped", "shape", "undefined", "typed", "deep", "evil", "secret")
    for name in ("damaged", "cut", "fewer", "other", "noresult", "noconfig", "odd", *tampered):
        shutil.copytree("earlier", name)
    genomes = load_file("earlier/genomes.safetensors")["genome"]
    content = bytearray(Path("flipped/genomes.safetensors").read_bytes())
    content[-9] ^= 1
    Path("flipped/genomes.safetensors").write_bytes(content)
    save_file({"genome": genomes[:, :3].contiguous()}, "shape/genomes.safetensors")
    save_file({"genome": genomes * torch.nan}, "undefined/genomes.safetensors")
    earlier_result = result_of(Path("earlier"))
    earlier_result["items"][0]["target"] = {"a": ["/etc/passwd"]}
    Path("typed/result.json").write_text(json.dumps(earlier_result))
    Path("deep/result.json").write_text("[" * 100_000)
    config = Path("earlier/.hydra/config.yaml").read_text()
    cppn = "synth.encodings.cppn.Cppn"
    assert cppn in config
    payload = "synth.cli.command.Path.write_text\n  self: evil.txt\n  data: evil"
    Path("evil/.hydra/config.yaml").write_text(config.replace(cppn, payload))
    Path("secret/.hydra/config.yaml").write_text(config.replace(cppn, "${oc.env:PATH}"))
    Path("damaged/genomes.safetensors").write_bytes(b"no tensors")
    genomes_file = Path("cut/genomes.safetensors")
    genomes_file.write_bytes(genomes_file.read_bytes()[:-9])
    result = result_of(Path("fewer"))
    Path("fewer/result.json").write_text(json.dumps({**result, "items": result["items"][:1]}))
    Path("other/genomes.safetensors").unlink()
    Path("noresult/result.json").unlink()
    Path("noconfig/.hydra/config.yaml").unlink()
    Path("odd/result.json").write_text("[1]")
    Path("empty").mkdir()
    for words, fragments in (
        ({"run": "damaged"}, ["run=damaged", "genomes.safetensors"]),
        ({"run": "cut"}, ["run=cut", "genomes.safetensors"]),
        ({"run": "fewer"}, ["1 items", "2 genomes"]),
        ({"run": "other"}, ["run=other", "genomes.safetensors"]),
        ({"run": "noresult"}, ["run=noresult"]),
        ({"run": "odd"}, ["run=odd"]),
        ({"run": "flipped"}, ["run=flipped", "genomes.safetensors"]),
        ({"run": "shape"}, ["run=shape", "3x", "are not those of its encoding"]),
        ({"run": "undefined"}, ["run=undefined", "with NaN"]),
        ({"run": "typed"}, ["run=typed", "no finished run"]),
        ({"run": "deep"}, ["run=deep", "no finished run"]),
        ({"size": 0}, ["size=0", "8 to 8192"]),
        ({"size": -5}, ["size=-5"]),
        ({"size": None}, ["size=null"]),
        ({"size": [10, 20, 30]}, ["size="]),
        ({"contender": "genetic"}, ["run=earlier"]),
        ({"device": "gpu"}, ["device=gpu"]),
    ):
        with pytest.raises(InputError) as raised:
            Render(**{"run": "earlier", "encoding": Cppn(hidden=9)} | words)
        line = str(raised.value)
        assert "\n" not in line
        assert not [text for text in fragments if text not in line], (words, line)
    for words, fragments in (  # what is refused before, and one of the others
        (["run=damaged"], ["run=damaged", "genomes.safetensors"]),
        (["run=noconfig"], ["run=noconfig"]),
        (["run=5"], ["run=5: no path", "write run=./5"]),
        (["run=evil"], ["names synth.cli.command.Path.write_text, which is no encoding"]),
        (["run=secret"], ["run=secret", "no synthesis"]),
        (["run=empty"], ["run=empty", "name the folder of one"]),
        (["run=nowhere"], ["run=nowhere", "name the folder of one"]),
        ([], ["run", "write run=..."]),
        (["run=earlier", "size=99999"], ["size=99999"]),
    ):
        line = earlier("recipe=render", "folder=out", *words).complaint
        assert not [text for text in fragments if text not in line], (words, line)
        assert not Path("out").exists()
    assert not Path("evil.txt").exists()


def test_a_run_of_pixels_is_refused(synth: Synth, weights: Path) -> None:
    words = "recipe=fooling_genetic", *SHORT, "target=lemon", f"network.weights={weights}"
    assert synth(*words, "folder=earlier").code == 0
    line = synth("recipe=render", "run=earlier", "folder=out").complaint
    assert line.startswith("run=earlier: ")
    assert "encoding=cppn" in line
    assert not Path("out").exists()


def test_a_contender_of_a_comparison(synth: Synth, weights: Path) -> None:
    words = (
        "recipe=fooling_comparison",
        "encoding@experiments.genetic.encoding=cppn",
        "search/mutate@experiments.genetic.search.mutate=topology",
        "search/mate@experiments.genetic.search.mate=none",
        "experiments.genetic.search.population=4",
        "experiments.cma=null",
        "experiments.cppn=null",
        "budget=20",
        "target=[lemon,pizza]",
        "until=null",
        f"network.weights={weights}",
        "device=cpu",
        "folder=both",
    )
    output = synth(*words)
    assert output.code == 0, output.err
    output = synth(
        "recipe=render", "run=both", "contender=genetic", "size=32", "folder=out", "device=cpu"
    )
    assert output.code == 0, output.err
    genomes = load_file("both/genomes_genetic.safetensors")["genome"]
    expected = Cppn((32, 32)).decode(genomes, rows_of(2))
    items = result_of(Path("out"))["items"]
    assert [item["of"] for item in items] == ["images/002.png", "images/003.png"]
    for item, image in zip(items, expected, strict=True):
        assert (
            np.abs(pixels(Path("out") / item["file"]) - image.double().numpy()).max()
            <= 0.5 / 255 + 1e-4
        )
    for contender, message in (("gradient", "pixels"), ("genetik", "run=both"), (None, "run=both")):
        words = [] if contender is None else [f"contender={contender}"]
        line = synth("recipe=render", "run=both", "folder=no", *words).complaint
        assert message in line, line
    assert "contender= in a comparison" in line
    assert torch.equal(genomes, Cppn((32, 32)).project(genomes, rows_of(2)))
