"""A user's own module as a network: every way that one can be, and that it stays as it was."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from console import Synth, result_of
from small_worlds import tiny_module, traits
from torch import Tensor, nn
from torch.nn import functional

from synth.core import network as core_network
from synth.core.network import OUTPUT
from synth.errors import BrokenModule, InputError
from synth.networks.module import module, wrap

pytest_plugins = "console_fixtures"
SIZE = 16
IMAGES = torch.rand(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


class Reused(nn.Module):
    """One ReLU module for everything, a functional one, and additions in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.conv3 = nn.Conv2d(6, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(6, 5)

    def forward(self, images: Tensor) -> Tensor:
        first = self.relu(self.conv1(images))
        second = self.relu(self.conv2(first))
        third = self.conv3(second)
        third += first
        functional.relu(third, inplace=True)
        return self.head(self.relu(third).mean((2, 3)))


class Returning(nn.Module):
    """The scores as a module may return them."""

    def __init__(self, form: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.inner = tiny_module()
        self.form = form

    def forward(self, images: Tensor) -> object:
        return self.form(self.inner(images))


class Two(nn.Module):
    """Scores of images and something else."""

    def forward(self, images: Tensor, other: Tensor) -> Tensor:
        return images + other


class Normalize(nn.Module):
    """As a module that normalises inside has it in front."""

    def forward(self, images: Tensor) -> Tensor:
        return (images - 0.5) / 0.25


def test_the_callers_module_stays_bit_equal_whatever_is_done_with_the_network() -> None:
    for build in (tiny_module, Reused):
        own = build().train()
        own.register_forward_hook(lambda *_: None)
        before = traits(own)
        network = wrap(own, (0.4, 0.4, 0.4), (0.2, 0.2, 0.2), SIZE, device="cpu")
        images = IMAGES.clone().requires_grad_()
        network.read(images, network.layers, fast=True)[OUTPUT].sum().backward()
        network(IMAGES)
        assert traits(own) == before
        assert not any(value.grad is not None for value in own.parameters())


def test_a_reused_activation_has_a_layer_for_each_call() -> None:
    network = wrap(Reused(), size=SIZE, device="cpu")
    own = network.module
    assert [name for name in network.layers if name.startswith("relu")] == [
        "relu",
        "relu_1",
        "relu_2",
    ]
    for fast in (False, True):
        values = network.read(IMAGES, ["conv1", "relu", "conv2", "relu_1", "conv3"], fast=fast)
        torch.testing.assert_close(values["relu"], values["conv1"].relu())
        torch.testing.assert_close(values["relu_1"], values["conv2"].relu())
        # what was added in place afterwards is not in it
        torch.testing.assert_close(values["conv3"], own.conv3(values["relu_1"]))
        last = network.read(IMAGES, ["relu_2"], fast=fast)["relu_2"]
        torch.testing.assert_close(last, (values["conv3"] + values["relu"]).relu())
    # "what conv2 detects" is behind the ReLU that reads its very output; conv3's has more in it
    assert [network.rectified(f"conv{i}") for i in (1, 2, 3)] == ["relu", "relu_1", "conv3"]


@pytest.mark.parametrize(
    "form",
    [
        lambda scores: (scores, scores.flatten()),
        lambda scores: (scores, 2 * scores),  # an auxiliary head
        lambda scores: [scores[..., None, None], scores],
        lambda scores: {"logits": scores, "features": scores[:, :2]},
        lambda scores: {"out": scores, "aux": 2 * scores},
        lambda scores: {"scores": scores},
    ],
)
def test_scores_are_taken_out_of_tuples_and_dictionaries(form: Callable) -> None:
    network = wrap(Returning(form), size=SIZE, device="cpu", precision="float32")
    expected = tiny_module().eval()(IMAGES)
    torch.testing.assert_close(network(IMAGES), expected)
    for fast in (False, True):
        torch.testing.assert_close(
            network.read(IMAGES, ["inner.relu2", OUTPUT], fast=fast)[OUTPUT], expected
        )


@pytest.mark.parametrize(
    ("own", "settings", "message"),
    [
        (Returning(lambda s: (s[:, :2], s)), {}, "tuple with tensors of 2 and 5 numbers an image"),
        (Returning(lambda s: {"a": s[0]}), {}, "returns a dict without a tensor"),
        (Returning(lambda s: s.argmax(1)), {}, "returns a tensor of 1 axes"),
        (tiny_module(), {"classes": ["a", "b", "c"]}, "3 names, but sequential has 5 outputs"),
        (tiny_module(), {"size": 4}, "from 8 to 8192"),
        (tiny_module(), {"mean": (0.5, 0.5)}, "mean=.*: write three numbers"),
        (tiny_module(), {"std": "grey"}, "std=grey: write three numbers"),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(768, 5)),
            {"size": 20},
            "cannot read images of that",
        ),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.LazyLinear(4)), {}, "weight has no numbers yet"),
        (tiny_module().to("meta"), {}, "conv1.weight has no numbers yet"),
        (tiny_module(), {"classes": 4}, "classes=4: no names of classes"),
        (tiny_module(), {"classes": {0: ["a"]}}, "no names of classes"),
        (tiny_module(), {"size": 16.5}, "size=16.5: write one number"),
        (tiny_module(), {"size": "big"}, "size=big: write one number"),
        (tiny_module(), {"device": "tpu"}, "device=tpu: this machine has no such"),
        (tiny_module(), {"device": None}, "device=None: this machine has no such"),
        (Two(), {}, r"two failed on images \[2, 3, 16, 16\] \(TypeError: .*'other'"),
        (Returning(lambda s: {}["a"]), {}, "returning failed on images .*KeyError: 'a'"),
        (len, {}, "a builtin_function_or_method is no module"),
        (wrap(tiny_module(), size=SIZE, device="cpu"), {}, "is a network already"),
    ],
)
def test_what_is_no_network_is_refused_in_one_line(own, settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        wrap(own, **{"size": SIZE, "device": "cpu", **settings})
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_a_scripted_module_is_refused_in_one_line() -> None:
    own = torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(768, 5)))
    with pytest.raises(InputError, match=r"cannot be frozen .*give the nn.Module that it") as error:
        wrap(own, size=SIZE, device="cpu")
    assert "\n" not in str(error.value)


def test_the_forms_in_which_settings_are_written() -> None:
    names = ["ant", "bee", "cat", "dog", "eel"]
    network = wrap(
        tiny_module(),
        size=16.0,
        classes=dict(enumerate(names)),
        device=torch.device("cpu"),
        precision=torch.float32,
    )
    assert network.size == (SIZE, SIZE)
    assert list(network.classes.names) == names
    assert wrap(tiny_module(), size=(16.0, 24), device="cpu").size == (16, 24)


def test_hooks_belong_to_what_a_module_computes() -> None:
    own = tiny_module()
    own.relu2.register_forward_hook(lambda _, __, output: output * 0)
    network = wrap(own, size=SIZE, device="cpu")
    assert torch.equal(network(IMAGES)[0], network(IMAGES)[1])
    assert not torch.equal(*wrap(tiny_module(), size=SIZE, device="cpu")(IMAGES)[:2])


def test_damaged_weights_are_named() -> None:
    own = tiny_module()
    with torch.no_grad():
        own.conv2.weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(InputError, match=r"a grey image with NaN; conv2\.weight holds NaN"):
        wrap(own, size=SIZE, device="cpu")


def test_other_types_places_and_wrappers_of_weights() -> None:
    expected = tiny_module().eval()(IMAGES)
    for own in (tiny_module().double(), nn.DataParallel(tiny_module()), tiny_module().half()):
        network = wrap(own, size=SIZE, device="cpu")
        assert next(iter(network.layers)) == "conv1"
        torch.testing.assert_close(network(IMAGES), expected, atol=2e-3, rtol=1e-2)
    dropping = nn.Sequential(tiny_module(), nn.Dropout(0.9)).train()
    network = wrap(dropping, size=SIZE, device="cpu")
    assert torch.equal(network(IMAGES), network(IMAGES))
    assert dropping[1].training


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ((255 * IMAGES).byte(), r"reads floats .* not uint8 \[3, 3, 16, 16\]; divide integers"),
        (IMAGES[0], r"not float32 \[3, 16, 16\]"),
        (IMAGES[:, :1], r"not float32 \[3, 1, 16, 16\]"),
    ],
)
def test_images_of_another_form_are_refused(images: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        wrap(tiny_module(), size=SIZE, device="cpu")(images)


def test_pixels_outside_of_0_to_1_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    core_network._warn_of_pixels.cache_clear()
    network = wrap(tiny_module(), size=SIZE, device="cpu")
    network(IMAGES)
    assert not caplog.records
    for wrong in (255 * IMAGES, (IMAGES - 0.5) / 0.2):
        network(wrong)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "outside [0, 1]" in caplog.text


def test_normalising_twice_or_not_at_all_is_told(caplog: pytest.LogCaptureFixture) -> None:
    inside = nn.Sequential(Normalize(), tiny_module())
    wrap(inside, size=SIZE, device="cpu")
    assert not caplog.records
    wrap(inside, (0.5,) * 3, (0.25,) * 3, SIZE, device="cpu")
    assert "sequential normalises images itself (Normalize)" in caplog.text
    caplog.clear()
    thousand = tiny_module(classes=1000)
    wrap(thousand, (0.5,) * 3, size=SIZE, device="cpu")
    wrap(nn.Sequential(Normalize(), thousand), size=SIZE, device="cpu")
    assert not caplog.records
    wrap(thousand, size=SIZE, device="cpu")
    assert "given without mean and std" in caplog.text


def test_what_a_module_carries_is_the_default() -> None:
    own = tiny_module()
    own.pretrained_cfg = {"mean": (0.5, 0.4, 0.3), "std": (0.2,) * 3, "input_size": (3, 16, 24)}
    network = wrap(own, device="cpu")
    assert network.size == (16, 24)
    assert network.mean.flatten().tolist() == pytest.approx([0.5, 0.4, 0.3])
    assert wrap(own, (0.0,) * 3, size=[24, 16], device="cpu").size == (24, 16)


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with modules of a user's, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_nets.py").write_text(
        "from small_worlds import tiny_module as make\n"
        "from torch import nn\n"
        "ready = make(seed=3)\n"
        "number = 3\n"
        "def fails(): raise ValueError('of its own')\n"
        "def text(): return 'no module'\n"
    )
    (tmp_path / "broken_nets.py").write_text("import json\njson.absent\n")
    return tmp_path


def test_a_path_to_code_with_weights_and_classes(nets: Path) -> None:
    names = ["ant", "bee", "cat", "dog", "eel"]
    Path("names.txt").write_text("\n".join(names) + "\n")
    expected = tiny_module(seed=7).eval()
    states = {
        "plain": expected.state_dict(),
        "nested": {"model": expected.state_dict(), "classes": names, "epoch": 3},
        "parallel": {"state_dict": {f"module.{k}": v for k, v in expected.state_dict().items()}},
        "compiled": {f"_orig_mod.module.{k}": v for k, v in expected.state_dict().items()},
        "half": {k: v.half() for k, v in expected.state_dict().items()},
    }
    for form, state in states.items():
        torch.save(state, f"{form}.pth")
        network = module("own_nets:make", weights=f"{form}.pth", size=SIZE, device="cpu")
        labels = names if form == "nested" else ["0", "1", "2", "3", "4"]
        assert list(network.classes.names) == labels
        torch.testing.assert_close(network(IMAGES), expected(IMAGES), atol=2e-3, rtol=1e-2)
    named = {"classes": "names.txt", "size": SIZE, "device": "cpu"}
    assert list(module("own_nets.ready", **named).classes.names) == names
    few = module("own_nets:make", {"classes": 2}, classes=["a", "b"], size=SIZE, device="cpu")
    assert len(few.classes) == 2
    # random weights: drawn by the seed, whatever the function has loaded
    first, same, other = (
        module("own_nets:ready", weights="random", seed=s, **named)(IMAGES) for s in (0, 0, 1)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert not torch.equal(first, module("own_nets:ready", **named)(IMAGES))
    # an object that lives on is not changed
    own = importlib.import_module("own_nets").ready
    before = traits(own)
    module("own_nets:ready", weights="plain.pth", size=SIZE, device="cpu")
    module("own_nets:ready", weights="random", size=SIZE, device="cpu")
    assert traits(own) == before


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("own_nets", r"write package\.file:function"),
        ("absent_nets:make", "there is no module absent_nets"),
        ("own_nets.py:make", "write own_nets:make"),
        ("own_nets:mak", r"own_nets has no function or class mak\. Did you mean make"),
        ("own_nets:number", "has no function or class number"),
        ("own_nets:text", "it gives a str"),
        ("broken_nets:make", "broken_nets failed while it was imported: AttributeError: "),
        ("own_nets:fails", "it failed: ValueError: of its own"),
    ],
)
def test_a_path_that_is_no_function_is_one_line(nets: Path, path: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        module(path, size=SIZE, device="cpu")
    assert "\n" not in str(error.value)
    if "failed" in message:  # their traceback is the useful thing
        assert isinstance(error.value, BrokenModule)
        assert error.value.__cause__ is not None


def test_one_command_and_nothing_that_a_run_folder_names_is_imported(
    nets: Path, synth: Synth
) -> None:
    own = ["network=module", "network.path=own_nets:make", "network.size=16", "device=cpu"]
    ran = synth("recipe=class_ascent", *own, "target=3", "steps=2", "folder=run")
    assert ran.code == 0, ran.err
    assert result_of(nets / "run")["items"][0]["target"] == "3"

    # a run folder of somebody else, whose module leaves a mark where it is imported
    (nets / "payload.py").write_text(
        "import pathlib\npathlib.Path('mark').touch()\ndef make(): ...\n"
    )
    for file in (nets / "run").rglob("*"):
        if file.suffix in (".json", ".yaml", ".jsonl"):
            text = file.read_text()
            file.write_text(text.replace("own_nets", "payload"))
    assert "payload:make" in (nets / "run/.hydra/config.yaml").read_text()
    assert "payload:make" in (nets / "run/result.json").read_text()
    for words in (["rerun", "run"], ["recipe=render", "run=run"]):
        ran = synth(*words)
        assert ran.code != 0
        assert ran.err.count("\n") == 1, ran.err
    (nets / "run/index.html").unlink()
    from synth.gallery.page import build_run_page

    build_run_page(nets / "run")
    assert not (nets / "mark").exists()
    assert synth("recipe=layers", *own[:1], "network.path=payload:make").code != 0
    assert (nets / "mark").exists()  # typed by the user, it is
