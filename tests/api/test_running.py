"""Recipes as calls: in memory or in a folder, silent where asked, errors in one line."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from PIL import Image

import synth
from synth.config.literals import literal
from synth.config.live import key_of, live
from synth.core.network import Network
from synth.errors import InputError
from synth.objectives.function import Function

QUICK: dict[str, Any] = {"recipe": "fooling_gradient", "steps": 3, "until": None}


def files_of(folder: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, in which temporary folders are made too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_in_memory_nothing_is_written_and_saving_gives_the_folder_of_a_run(
    network: Network, empty: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    target = ["lemon", 2]
    result = synth.run(**QUICK, network=network, target=target, progress=False)
    assert not list(empty.iterdir())
    assert capfd.readouterr() == ("", "")
    assert result.images.shape == (2, 3, 16, 16)
    assert result.images.dtype == torch.float32
    assert [item.target for item in result.items] == ["lemon", network.classes.label(2)]
    with torch.no_grad():
        probabilities = network(result.images).softmax(1)
    index = torch.tensor([item.target_index for item in result.items])
    measured = probabilities.gather(1, index[:, None])[:, 0]
    assert torch.allclose(result.confidence, measured, atol=1e-5)

    saved = result.save("saved")
    again = synth.run(**QUICK, network=network, target=target, folder="ran", progress=False)
    pages = ("result.json", "index.html", "steps.jsonl")  # in which seconds stand
    first, second = files_of(saved), files_of(Path("ran"))
    assert first.keys() == second.keys()
    for name in first.keys() - set(pages):
        assert first[name] == second[name], name
    assert torch.equal(again.images, result.images)
    assert torch.equal(synth.load_runs("saved")[0].images, result.images)

    before = files_of(Path("ran"))
    synth.run(**QUICK, network=network, target=target, folder="ran", progress=False)
    assert files_of(Path("ran")) == before  # a finished run is not repeated
    with pytest.raises(InputError, match="finished run of another configuration"):
        synth.run(**QUICK, network=network, target="lemon", folder="ran", progress=False)
    with pytest.raises(InputError, match="folder=saved: is there already"):
        result.save("saved")


def test_a_configuration_of_a_file_names_no_object(network: Network, empty: Path) -> None:
    synth.run(**QUICK, network=network, target="lemon", folder="ran", progress=False)
    assert "synth.config.live" in Path("ran/.hydra/config.yaml").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="of a Python program"):
        live(_named(network))


def test_progress_is_shown_where_it_is_asked_for(
    network: Network,
    empty: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])  # logging is not set up
    synth.run(**QUICK, network=network, target="lemon")
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "reached their target" in shown.err


def test_the_callers_hydra_stays_as_it_is(network: Network) -> None:
    GlobalHydra.instance().clear()
    with initialize(version_base="1.3", config_path=None):
        hydra = GlobalHydra.instance().hydra
        synth.run(**QUICK, network=network, target="lemon", progress=False)
        assert GlobalHydra.instance().hydra is hydra


def test_parts_are_chosen_by_name_settings_and_words(network: Network) -> None:
    chosen = synth.run(
        "fooling_gradient",
        network=network,
        target="lemon",
        search={"rate": 0.05, "steps": 2},
        encoding="fourier",
        overrides=["search.momentum=0.5"],
        until=None,
        progress=False,
    )
    assert chosen.record["encoding"] == "fourier"
    assert chosen.record["overrides"][-2:] == ["search.momentum=0.5", f"network={_named(network)}"]
    assert chosen.items[0].forwards == 2


def _named(network: Network) -> str:
    return key_of(network)


def test_probes_run_and_other_recipes_are_no_probes(network: Network) -> None:
    result = synth.probe("layers", network=network, progress=False)
    assert {layer["layer"] for layer in result.layers or ()} == set(network.layers)
    with pytest.raises(InputError, match=r"class_ascent: a recipe, but no probe; write synth\.run"):
        synth.probe("class_ascent", network=network)


def test_a_network_by_its_name() -> None:
    network = synth.network("mini_alexnet", precision="float32")
    assert network.classes.index("goldfish") == network.classes.index("n01443537")
    assert network(torch.rand(2, 3, 64, 64)).shape == (2, 100)
    with pytest.raises(InputError, match=r"network=mini_alxnet: no such network.*mini_alexnet"):
        synth.network("mini_alxnet")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"recipe": "class_ascnt"},
            "recipe=class_ascnt: no such recipe. Did you mean",
        ),
        ({"stepz": 3}, "stepz: recipe class_ascent has no such key"),
        ({"steps": "many"}, "search.steps=.many"),
        ({"target": "lemno"}, "target=lemno.*lemon"),
        ({"target": object()}, "target: a object; write a number, a text"),
        ({"image": np.zeros((8, 8, 3), np.uint8)}, "image: nothing in this recipe"),
        ({"target": torch.zeros(3, 9, 9)}, "target: an array; arrays are pictures, under image"),
        ({"network": torch.nn.Identity()}, r"network: a torch module; give synth\.wrap"),
        ({"search": {"rate": float("nan")}}, "search.rate=nan"),
        ({"objective": "conv9:1"}, "layer=conv9"),
        ({"objective": "conv1:x"}, 'objective=conv1:x: write "layer:unit"'),
        ({"objective": 3}, "objective: a int; write"),
        (
            {"objective": lambda activations: activations["conv1"].sum()},
            "has to give a score for each",
        ),
        ({"objective": lambda activations: torch.zeros(2)}, "reads no activation"),
        ({"overrides": ["+a.b=c"]}, "a"),
    ],
)
def test_mistakes_are_one_line(network: Network, settings: dict[str, Any], message: str) -> None:
    call = {"recipe": "class_ascent", "network": network, "progress": False}
    with pytest.raises(InputError, match=message) as error:
        synth.run(**{**call, **settings})
    assert "\n" not in str(error.value)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(10**9), 10**9)
        | st.text(max_size=8)
        | st.text("a\\${}'", max_size=8)
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    )
)
def test_plain_values_mean_the_same_to_hydra(value: Any) -> None:
    text = f"key={literal('key', value)}"
    override = OverridesParser.create().parse_override(text)
    assert not override.is_sweep_override()
    config = OmegaConf.create({"key": _plain(override.value())})
    assert OmegaConf.to_container(config, resolve=True) == {"key": value}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return getattr(value, "text", value)  # of a quoted string


def test_a_picture_is_the_same_as_a_tensor_a_file_and_an_image(
    network: Network, empty: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    image.save("picture.png")
    tensor = torch.from_numpy(noise).permute(2, 0, 1).float() / 255
    forms = ("picture.png", Path("picture.png"), image, noise, tensor)
    runs = [
        synth.run(
            "deepdream",
            network=network,
            image=form,
            layer="conv1",
            steps=1,
            size=16,
            search={"count": 1},
            progress=False,
        )
        for form in forms
    ]
    for result in runs[1:]:
        assert torch.equal(result.images, runs[0].images)


def test_directions_are_an_array_or_a_file(network: Network, empty: Path) -> None:
    vectors = torch.randn(3, 12, generator=torch.Generator().manual_seed(0))
    np.save("vectors.npy", vectors.numpy())
    call: dict[str, Any] = {"network": network, "layer": "conv2", "steps": 1, "progress": False}
    targets = ["direction:0..1", "direction:2"]
    array = synth.run("neuron_ascent", target=targets, directions=vectors.double(), **call)
    file = synth.run("neuron_ascent", target="direction:0..2", directions="vectors.npy", **call)
    assert [item.target for item in array.items] == [f"direction@4,4:{j}" for j in range(3)]
    assert torch.equal(array.images, file.images)
    assert key_of(vectors.numpy()) == key_of(vectors.clone().numpy()) != key_of(-vectors.numpy())


def test_another_object_is_another_run(network: Network, empty: Path) -> None:
    words = {"recipe": "class_ascent", "steps": 1, "folder": "ran", "progress": False}

    def first(activations: Any) -> torch.Tensor:
        return activations["conv1"][:, 0].mean((1, 2))

    synth.run(**words, network=network, objective=first)
    synth.run(**words, network=network, objective=first)  # the same object: finished already
    others = [
        {"network": network, "objective": lambda activations: activations["conv1"].mean((1, 2, 3))},
        {"network": _renamed(network), "objective": first},
    ]
    for other in others:
        with pytest.raises(InputError, match="another configuration"):
            synth.run(**words, **other)


def _renamed(network: Network) -> Network:
    names = [f"other {name}" for name in network.classes.names]
    return synth.wrap(network.module, size=16, name=network.name, classes=names)


def test_two_functions_of_one_run_are_two(network: Network) -> None:
    terms = {
        name: Function(lambda activations, sign=sign: sign * activations["fc"][:, 0])
        for name, sign in (("up", 1.0), ("down", -1.0))
    }
    settings = {"objective": {"terms": {"class": None, "l2": None, **terms}}}
    result = synth.run("class_ascent", network=network, steps=1, progress=False, **settings)
    assert result.items[0].score == pytest.approx(0, abs=1e-6)


def test_another_program_composes_with_hydra_as_before(network: Network, tmp_path: Path) -> None:
    synth.run(**QUICK, network=network, target="lemon", progress=False)
    for name, text in {
        "config": "defaults: [db: sqlite, recipe: slow, _self_]",
        "db/sqlite": "timeout: 1",
        "db/postgres": "timeout: 2",
        "recipe/slow": "# @package _global_\ndb: {timeout: 9}",
    }.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        assert compose("config", overrides=["db=postgres"]).db.timeout == 9


def test_a_probe_takes_pictures(network: Network) -> None:
    images = torch.rand(2, 3, 16, 16)
    result = synth.probe("saliency", network=network, images=images, progress=False)
    assert result.figure().size == result.figure(-len(result.figures)).size
    with pytest.raises(InputError, match=r"figure\(99\): saliency has"):
        result.figure(99)
    assert [item.image for item in result.items] == ["000", "001"]
