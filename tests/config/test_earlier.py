"""The configuration in a run folder is data: no class but an encoding's is built from it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from console import ROOT
from omegaconf import OmegaConf

from synth.config.earlier import encoding_of, is_same_command
from synth.config.identity import recorded_identity
from synth.errors import InputError

pytestmark = pytest.mark.usefixtures("plugin")  # whatever is installed

ARCHIVE = ROOT / "tests" / "archive"
CPPN = "synth.encodings.cppn.Cppn"


def folder_with(tmp_path: Path, config: dict[str, Any] | str) -> Path:
    """A run folder whose configuration is `config`."""
    hydra = tmp_path / "run" / ".hydra"
    hydra.mkdir(parents=True)
    text = config if isinstance(config, str) else OmegaConf.to_yaml(config)
    (hydra / "config.yaml").write_text(text)
    return hydra.parent


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "subprocess.check_output",
        "synth.data.np.load",
        "synth.cli.Path.write_text",
        "synth.cli.command.Path.write_text",
        "synth.encodings.pixels.torch.load",
        "synth.encodings.canvas.Perturbation",  # an encoding, but imported
        "synth.encodings.perturbation.data.picture",
        "synth.encodings.cppn.Cppn.decode",
        "synth.encodings.cppn.Cppn.at",
        "synth.encodings.cppn.__builtins__.exec",
        "synth.networks.bundled.bundled",
        "synth.record.atomic.write_atomically",
        "synth.jobs.render.Render",
        "halftone.parts.Screen",  # an encoding of a plug-in
        "halftone.parts.tiny",
        "halftone",
        "synth.encodings",
        "synth.encodings.",
        "synth.encodings.cppn.Cppn ",
        "",
    ],
)
@pytest.mark.parametrize("place", ["encoding", "argument", "list"])
def test_a_target_that_is_no_encoding_is_refused(target: str, place: str, tmp_path: Path) -> None:
    payload = {"_target_": target, "file": "evil.npy", "allow_pickle": True}
    several = {"_target_": "synth.encodings.several_images.SeveralImages", "images": 2}
    encoding = {
        "encoding": payload,
        "argument": several | {"encoding": payload},
        "list": several | {"encoding": [{"deep": payload}]},
    }[place]
    folder = folder_with(tmp_path, {"encoding": encoding})
    with pytest.raises(InputError, match=r"which is no (encoding|part of synth)"):
        encoding_of(str(folder), None)
    assert not [name for name in sys.modules if name.startswith("halftone")]


def test_hydras_own_keys_are_dropped(tmp_path: Path) -> None:
    own = {"_partial_": True, "_args_": [{"_target_": CPPN}], "_recursive_": False}
    folder = folder_with(tmp_path, {"encoding": {"_target_": CPPN, "hidden": 9, **own}})
    assert encoding_of(str(folder), None) == {"_target_": CPPN, "hidden": 9}


@pytest.mark.parametrize(
    "config",
    [
        {"encoding": {"_target_": CPPN, "hidden": "${oc.env:SYNTH_SECRET}"}},
        {"encoding": "${oc.create:{_target_: os.system}}"},
        {"encoding": "${synth.run_folder:null,evil}"},
        {"encoding": {"_target_": CPPN, "hidden": "${a}"}, "a": "${oc.env:SYNTH_SECRET}"},
        {
            "encoding": {"_target_": CPPN, "hidden": "${dollar}${rest}"},
            "dollar": "$",
            "rest": "{oc.env:SYNTH_SECRET}",
        },
        {"encoding": {"_target_": CPPN, "hidden": "${encoding}"}},
        {"encoding": [CPPN]},
        {"encoding": CPPN},
        {"encoding": {"hidden": 4}},
        {"encoding": None},
        "- encoding",
        "a: &a [x, x]\nb: &b [*a, *a]\nencoding: *b",
        "encoding: " + "x" * (1 << 20),
        "encoding: !!python/object/apply:os.system [touch evil]",
        "[" * 1200,
        "encoding: {_target_: " + "[" * 1200 + "]" * 1200 + "}",
        "\0",
    ],
)
def test_what_would_be_computed_or_is_no_configuration_is_refused(
    config: dict[str, Any] | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTH_SECRET", "a secret")
    monkeypatch.chdir(tmp_path)
    folder = folder_with(tmp_path, config)
    with pytest.raises(InputError, match="no synthesis") as caught:
        encoding_of(str(folder), None)
    assert "secret" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_no_variable_of_the_reader_is_read_for_the_identity_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTH_SECRET", "a secret")
    chosen = {"hydra": {"runtime": {"choices": {"recipe": "${oc.env:SYNTH_SECRET}"}}}}
    folder = folder_with(tmp_path, {"seed": 1})
    OmegaConf.save(chosen, folder / ".hydra/hydra.yaml")
    assert recorded_identity(folder) == {
        "seed": 1,
        "recipe": "${oc.env:SYNTH_SECRET}",
        **dict.fromkeys(("device", "folder", "sweep", "memory")),
    }
    OmegaConf.save({"seed": "${oc.env:SYNTH_SECRET}"}, folder / ".hydra/config.yaml")
    assert recorded_identity(folder) is None


def test_the_command_of_an_earlier_version_is_recognised() -> None:
    words = ["target=[goldfish,lemon]", "search.generations=4", "search.population=6", "start=mean"]
    folder = ARCHIVE / "fooling_genetic"
    assert is_same_command(folder, "fooling_genetic", words)
    assert is_same_command(folder, "fooling_genetic", [*reversed(words), "device=cuda:0"])
    assert is_same_command(folder, "fooling_genetic", [*words, "recipe=fooling_genetic"])
    assert not is_same_command(folder, "fooling_genetic", words[1:])
    assert not is_same_command(folder, "fooling_genetic", [*words, "seed=1"])
    assert not is_same_command(folder, "fooling_cppn", words)
    assert not is_same_command(folder, "fooling_cppn", [*words, "recipe=fooling_cppn"])
    assert not is_same_command(ARCHIVE, "fooling_genetic", words)
    # keys that are called otherwise now
    words = ["target=[goldfish,lemon]", "search.steps=3", "figures.walk.frames=2"]
    assert is_same_command(ARCHIVE / "generator_walk", "generator_walk", words)


def test_a_run_of_this_version_is_compared_by_its_configuration(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {"_target_": "synth.engine.experiment.Experiment"})
    OmegaConf.save(["seed=1"], folder / ".hydra/overrides.yaml")
    assert not is_same_command(folder, "fooling_gradient", ["seed=1"])
