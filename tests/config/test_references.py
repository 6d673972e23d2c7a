"""References between keys stay in a recorded configuration; what is computed is written out."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from synth.config.references import is_computed, load, written_out

REFERENCES = [
    "${target}",
    "${..weights.file}",
    "${norms.${encoding.norm}.epsilon}",
    "${oc.select:image,null}",
    "${oc.select:image, ${images}}",
]
COMPUTED = [
    "${oc.env:HOME}",
    "${ oc.env:HOME}",
    "${oc.env:HOME,${target}}",
    "${oc.create:{a: 1}}",
    "${oc.decode:${target}}",
    "${hydra:runtime.cwd}",
    "${synth.run_folder:null,evil}",
    "${${name}:HOME}",
    "${oc.${name}:HOME}",
    "${oc.select:none,${oc.env:HOME}}",
    "${oc.select:none,'${dollar}${rest}'}",
    "${dollar}${rest}",
    "\\${oc.env:HOME}",
    "pictures/${target}",
]


@pytest.mark.parametrize("text", [*REFERENCES, "plain", "5 $", "a{b}"])
def test_a_reference_to_another_key_is_not_computed(text: str) -> None:
    assert not is_computed(text)


@pytest.mark.parametrize("text", COMPUTED)
def test_a_file_in_which_anything_is_computed_is_refused(text: str, tmp_path: Path) -> None:
    assert is_computed(text)
    path = tmp_path / "config.yaml"
    OmegaConf.save({"a": {"b": ["x", {"c": text}]}}, path)
    with pytest.raises(ValueError, match="is not computed"):
        load(path)


def test_computed_values_are_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_TEST", "teapot")
    cfg = OmegaConf.create(
        {
            "seed": 3,
            "target": "${oc.env:SYNTH_TEST}",
            "terms": ["${target}", {"file": "a${seed}.png"}],
            "part": "${oc.create:{kind: '${target}'}}",
            "needed": "???",
        }
    )
    assert written_out(cfg) == {
        "seed": 3,
        "target": "teapot",
        "terms": ["${target}", {"file": "a3.png"}],
        "part": {"kind": "teapot"},
        "needed": "???",
    }
