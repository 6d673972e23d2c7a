"""Parts from outside of the package: from a folder of the user's own, and of installed plug-ins."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from console import CONF, ROOT, Synth, result_of, write_weights
from omegaconf import OmegaConf
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from synth import data
from synth.cli.rerun import checked
from synth.config import plugins
from synth.errors import InputError
from synth.gallery.page import build_run_page
from synth.networks.bundled import bundled

pytest_plugins = "console_fixtures"


def test_parts_of_every_kind_come_from_a_folder_of_ones_own(own: Path, synth: Synth) -> None:
    ran = synth("--config-dir", "my_conf", "recipe=halftone", "cells=5", "folder=all")
    assert ran.code == 0, ran.err
    result = result_of(own / "all")
    assert (result["network"]["name"], result["encoding"], result["search"]) == (
        "tiny",
        "screen",
        "ascent",
    )
    assert result["findings"].keys() >= {"mean_score"}
    assert result["figures"][0]["caption"] == "Grey."
    words = [f"search/{kind}" for kind in ("select=first", "mate=swap", "survive=newest")]
    ran = synth(
        "hydra.searchpath=[file://my_conf]",  # the other way to name the folder
        *("recipe=halftone", "search=genetic", *words, "search/mutate=shake", "folder=evolved"),
        *("search.generations=2", "search.population=4", "search.mutate.step=0.2"),
    )
    assert ran.code == 0, ran.err
    assert result_of(own / "evolved")["search"] == "genetic"
    ran = synth("--config-dir=my_conf", "recipe=count", "folder=count")
    assert result_of(own / "count")["findings"]["layers"] == 5, ran.err
    ran = synth("--config-dir=my_conf", "recipe=nothing", "word=you", "folder=nothing")
    assert result_of(own / "nothing")["findings"]["message"] == "you", ran.err
    (own / "my_conf/encoding/bent.yaml").write_text("_target_: [my_parts.Screen\nsize: 3: 4\n")
    line = synth("--config-dir=my_conf", "recipe=halftone", "encoding=bent").complaint
    assert (
        line
        == f"{own}/my_conf/encoding/bent.yaml, line 2: no YAML: expected ',' or ']', but got ':'."
    )
    # without a YAML; what the parts before took is left out
    ran = synth(
        *("recipe=class_ascent", "target=1", "search=fast_gradient", "folder=typed", "device=cpu"),
        *("network._target_=my_parts.tiny", "encoding._target_=my_parts.Screen"),
        *("+objective.terms.mine._target_=my_parts.Contrast", "+objective.terms.mine.weight=2"),
    )
    assert ran.code == 0, ran.err
    assert result_of(own / "typed")["encoding"] == "screen"


def test_a_folder_of_ones_own_hides_nothing_and_has_to_be_there(own: Path) -> None:
    (own / "my_conf/search/gradient.yaml").write_text("# Another.\n_target_: my_parts.Ascent\n")
    words = ["--config-dir", "my_conf"]
    with pytest.raises(InputError, match=r"there is a search=gradient already"):
        plugins.use_folders(CONF, words)
    with pytest.raises(InputError, match=r"'.*/mine' not found"):
        plugins.use_folders(CONF, ["hydra.searchpath=[file://mine]"])
    shutil.rmtree(own / "my_conf/search")
    words = ["list", *words, "hydra.searchpath=[file://my_conf,pkg://json]", "--config-dir=my_conf"]
    assert plugins.without_folders([*words, "encodings"]) == ["list", "encodings"]
    plugins.use_folders(CONF, words)
    assert plugins.foreign_options(CONF, "encoding") == ["screen"]
    plugins.use_folders(CONF, [])
    assert plugins.foreign_options(CONF, "encoding") == []


def test_an_installed_plugin_brings_recipes_and_is_imported_only_where_it_is_used(
    plugin: Path, synth: Synth
) -> None:
    (screens,) = plugins.plugins()
    assert (str(screens), screens.conf) == ("screens (halftone 1.2)", plugin / "halftone/conf")
    assert plugins.foreign_options(CONF, "recipe") == ["count", "halftone", "nothing"]
    assert synth("recipe=halftonne").complaint == (
        "recipe=halftonne: no such recipe. Did you mean halftone?"
    )
    assert "halftone" not in sys.modules
    ran = synth("recipe=halftone", "folder=out")
    assert ran.code == 0, ran.err
    assert result_of(Path("out"))["recipe"] == "halftone"
    assert "halftone.parts" in sys.modules


def test_a_plugin_that_fails_shows_its_traceback_and_breaks_no_other_command(
    plugin: Path, synth: Synth
) -> None:
    module = plugin / "halftone/parts.py"
    for text, cause in (
        ("import torch\nimport nowhere\n", "ModuleNotFoundError: No module named 'nowhere'"),
        ("def broken(:\n", "SyntaxError: invalid syntax"),
        ("import sys\nsys.exit(0)\n", "SystemExit: 0"),
    ):
        module.write_text(text)
        sys.modules.pop("halftone.parts", None)
        ran = synth("recipe=halftone", "folder=out")
        assert ran.code == 2
        *trace, line = ran.err.splitlines()
        assert line.startswith(
            "synth: network._target_=halftone.parts.tiny: the plug-in screens (halftone 1.2) "
            f"failed while it was imported: {cause}"
        )
        assert trace[0].startswith(("Traceback", "  File"))  # a file that is no Python has no call
        assert f'File "{module}", line {text.count(chr(10))}' in ran.err
        assert "importlib" not in ran.err
        assert "hydra" not in ran.err
    assert not Path("out").exists()
    assert synth("recipe=layers", "device=cpu", "folder=layers").code == 0
    (plugin / "halftone-1.2.dist-info/entry_points.txt").write_text("[synth.plugins]\na = no.pack")
    plugins._plugins.cache_clear()
    assert [each.conf for each in plugins.plugins()] == [None]


# -- what others have written names no code, whatever is installed ---------------------------------


def test_no_file_of_others_imports_a_plugin(plugin: Path, synth: Synth, tmp_path: Path) -> None:
    # a run whose every record names the plug-in: shown, rendered, gone on with, made again
    run = shutil.copytree(ROOT / "tests/archive/fooling_genetic", tmp_path / "run")
    config = OmegaConf.load(run / ".hydra/config.yaml")
    for key in ("encoding", "search", "network"):
        config[key]._target_ = "halftone.parts.Screen"
    config._target_ = "halftone.parts.Nothing"
    OmegaConf.save(config, run / ".hydra/config.yaml")
    texts = {"recipe": "halftone", "encoding": "halftone.parts.Screen", "search": "halftone"}
    words = ["recipe=halftone", "encoding=screen", "+encoding._target_=halftone.parts.Screen"]
    result = result_of(run) | texts | {"overrides": words}
    (run / "result.json").write_text(json.dumps(result))
    build_run_page(run)
    line = synth("recipe=render", "run=run", "folder=larger").complaint
    assert line.startswith("run=run: its encoding names halftone.parts.Screen, which is no part of")
    assert "'encoding={_target_: halftone.parts.Screen, ...}'" in line
    assert "another configuration" in synth("recipe=fooling_genetic", "folder=run").complaint
    assert "its recipe halftone is not of synth" in synth("rerun", "run").complaint
    for word in (
        "encoding=screen",
        "+objective@objective.terms.x=contrast",
        "search/mutate=shake",
        "encoding._target_=halftone.parts.Screen",
        "encoding={_target_: halftone.parts.Screen}",
        "hydra.searchpath=[pkg://halftone.conf]",
        "--config-dir=halftone/conf",
    ):
        with pytest.raises(InputError, match=r"imported|names a class|Hydra's|an option"):
            checked([word], "class_ascent", run, CONF)
    # weights and a picture
    file = write_weights(tmp_path / "w.safetensors", _target_="halftone.parts.tiny")
    bundled("mini_alexnet", str(file))
    (tmp_path / "w.pth").write_bytes(b"\x80\x02chalftone.parts\nScreen\n.")  # a pickle of the class
    with pytest.raises(InputError, match="not a whole safetensors file or torch state dict"):
        bundled("mini_alexnet", "w.pth")
    about = PngInfo()
    record = {"_target_": "halftone.parts.Screen", "recipe": "halftone", "overrides": []}
    about.add_text("synth", json.dumps(record))
    Image.new("RGB", (64, 64)).save(tmp_path / "p.png", pnginfo=about)
    data.picture("p.png").at((16, 16))
    assert "its recipe halftone is not of synth" in synth("rerun", "p.png").complaint
    assert not [name for name in sys.modules if name.startswith("halftone")]
    # what the user writes is another matter
    ran = synth(
        *("recipe=render", "run=run", "size=32", "folder=trusted"),
        "encoding={_target_: halftone.parts.Screen, cells: 3}",
    )
    assert "genomes" in ran.complaint  # another encoding's
    assert "halftone.parts" in sys.modules
