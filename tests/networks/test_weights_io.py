"""Weights files: what is read, what is refused, and that nothing in them is ever run."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from small_worlds import tiny_module, wrapped
from torch import Tensor, nn

from synth.errors import InputError
from synth.metrics.naturalness import load_or_fit
from synth.networks import weights_io
from synth.networks.bundled import bundled
from synth.networks.generator import read_generator
from synth.networks.stylizer import read_stylizer
from synth.networks.torchvision import torchvision
from synth.training.classifier.weights import read_weights


def weights() -> dict[str, Tensor]:
    return dict(tiny_module().state_dict())


def write(path: Path, state: dict[str, Tensor]) -> Path:
    if path.suffix == ".safetensors":
        save_file(state, path, {"about": "[1, 2]"})
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_width_comes_back_as_float32(tmp_path: Path, suffix: str, dtype: torch.dtype) -> None:
    state = {
        key: value.to(dtype) if value.is_floating_point() else value
        for key, value in weights().items()
    }
    tensors, metadata = weights_io.read(write(tmp_path / f"w{suffix}", state))
    assert tensors.keys() == state.keys()
    for key, value in tensors.items():
        assert value.dtype == (torch.float32 if state[key].is_floating_point() else torch.int64)
        assert torch.equal(value, state[key].to(value.dtype))
    assert metadata == ({"about": "[1, 2]"} if suffix == ".safetensors" else {})


def test_a_training_checkpoint_gives_its_state_dict(tmp_path: Path) -> None:
    torch.save({"state_dict": weights(), "epoch": 3}, tmp_path / "w.pt")
    tensors, _ = weights_io.read(tmp_path / "w.pt")
    assert tensors.keys() == weights().keys()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_a_finite_number_is_refused(tmp_path: Path, suffix: str, value: float) -> None:
    state = weights()
    state["conv2.bias"][3] = value
    with pytest.raises(InputError, match=r"conv2\.bias holds NaN or infinite values"):
        weights_io.read(write(tmp_path / f"w{suffix}", state))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_file_cut_short_or_bent_is_refused_in_one_line(tmp_path: Path, suffix: str) -> None:
    content = write(tmp_path / f"w{suffix}", weights()).read_bytes()
    chance, path = random.Random(0), tmp_path / f"bent{suffix}"
    cuts = [
        0,
        1,
        7,
        8,
        100,
        len(content) // 2,
        len(content) - 1,
        *(chance.randrange(len(content)) for _ in range(30)),
    ]
    for cut in cuts:
        path.write_bytes(content[:cut])
        with pytest.raises(
            InputError, match="not a whole safetensors file or torch state dict"
        ) as error:
            weights_io.read(path)
        assert "\n" not in str(error.value)
    for _ in range(120):  # one byte another: a clean read, or a clean refusal
        bent = bytearray(content)
        bent[chance.randrange(min(len(bent), 3000))] = chance.randrange(256)
        path.write_bytes(bent)
        message = ""
        try:
            weights_io.read(path)
        except InputError as error:
            message = str(error)
        assert "\n" not in message


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"PK\x03\x04junk", b"\x80\x04.", pickle.dumps([1, 2]), b"\x89PNG\r\n"],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"network\.weights=") as error:
        weights_io.read(path)
    assert "\n" not in str(error.value)


class _Bomb:
    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.mark,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_in_it_is_refused_and_not_run(tmp_path: Path, zipped: bool) -> None:
    mark, path = tmp_path / "executed", tmp_path / "w.pth"
    torch.save({"conv1.weight": _Bomb(str(mark))}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"network\.weights=") as error:
        weights_io.read(path)
    assert "\n" not in str(error.value)
    assert not mark.exists()
    path.write_bytes(pickle.dumps(_Bomb(str(mark))))
    with pytest.raises(InputError):
        weights_io.read(path)
    assert not mark.exists()
    pickle.loads(path.read_bytes())
    assert mark.exists()  # it would have been


def test_what_holds_no_state_dict_is_reported(tmp_path: Path) -> None:
    torch.save({"a": 1}, tmp_path / "w.pt")
    with pytest.raises(InputError, match="holds no state dict"):
        weights_io.read(tmp_path / "w.pt")
    with pytest.raises(InputError, match="no such file"):
        weights_io.read(tmp_path / "absent.pt")
    with pytest.raises(InputError, match=r"network\.weights="):
        weights_io.read(tmp_path)


def test_fill_loads_every_weight() -> None:
    module, state = tiny_module(seed=1), weights()
    weights_io.fill(module, state, Path("w"), "tiny")
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())
    state.pop("norm2.num_batches_tracked")  # older files have none
    weights_io.fill(module, state, Path("w"), "tiny")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("fc.bias"), r"it lacks fc\.bias \(1 in all\)"),
        (lambda state: state.update(fc9=torch.zeros(1)), r"it has an unknown fc9 \(1 in all\)"),
        (
            lambda state: state.update({"fc.bias": torch.zeros(7)}),
            r"fc\.bias is \(7,\) where tiny has \(5,\)",
        ),
        (lambda state: state.clear(), "it lacks conv1.weight"),
    ],
)
def test_weights_of_another_network_are_refused_in_one_line(change, message: str) -> None:
    module, state = tiny_module(seed=1), weights()
    change(state)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    with pytest.raises(
        InputError, match=f"the weights of another network than tiny: .*{message}"
    ) as error:
        weights_io.fill(module, state, Path("w"), "tiny")
    assert "\n" not in str(error.value)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"abc" * 100_000)
    assert weights_io.sha256(tmp_path / "w") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_metadata_is_json_or_refused() -> None:
    assert weights_io.json_of({"mean": "[0.5]"}, "mean", Path("w")) == [0.5]
    for metadata in ({}, {"mean": "[0.5"}):
        with pytest.raises(InputError, match=r"network\.weights=w: carries no readable 'mean'"):
            weights_io.json_of(metadata, "mean", Path("w"))


def test_headers_that_claim_more_than_there_is_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    claims = [
        (2**63 - 1, b"{}"),
        (90_000_000, b"{}"),
        (None, json.dumps({"a": entry([2**62, 2**62], [0, 4])}).encode()),
        (None, json.dumps({"a": entry([10**12], [0, 4 * 10**12])}).encode()),
        (None, json.dumps({"a": entry([1], [-4, 0])}).encode()),
        (None, b'{"a":' * 100_000),
    ]
    for length, header in claims:
        path.write_bytes(struct.pack("<Q", length or len(header)) + header + bytes(4))
        with pytest.raises(InputError, match="not a whole safetensors file"):
            weights_io.read(path)


def entry(shape: list[int], offsets: list[int]) -> dict[str, object]:
    return {"dtype": "F32", "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    "value",
    [
        torch.zeros(1).expand(10**6, 10**7),  # 40 TB of a file of 1 kB
        torch.eye(3).to_sparse(),
        torch.zeros(3, dtype=torch.complex64),
        torch.empty(3, device="meta"),
        torch.empty(10**15, device="meta"),
    ],
)
def test_tensors_that_are_not_whole_in_the_file_are_refused(tmp_path: Path, value: Tensor) -> None:
    torch.save({"a": value}, tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"network\.weights=") as error:
        weights_io.read(tmp_path / "w.pt")
    assert "\n" not in str(error.value)


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1_000_000)}, tmp_path / "plain.pt")
    plain, packed = zipfile.ZipFile(tmp_path / "plain.pt"), tmp_path / "packed.pt"
    with plain, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in plain.namelist():
            archive.writestr(name, plain.read(name))
    assert packed.stat().st_size < 20_000
    with pytest.raises(InputError, match=r"torch state dict \(compressed\)"):
        weights_io.read(packed)


def test_every_door_for_weights_refuses_code_and_does_not_run_it(tmp_path: Path) -> None:
    """The networks, the generator, the stylizer, a training's start, statistics of pictures."""
    mark = tmp_path / "executed"
    torch.save({"conv1.weight": _Bomb(str(mark))}, tmp_path / "zipped.pth")
    path = tmp_path / "plain.pth"
    path.write_bytes(pickle.dumps({"conv1.weight": _Bomb(str(mark))}))
    with pytest.warns(FutureWarning):
        torch.jit.script(nn.ReLU()).save(tmp_path / "script.pth")
    network = wrapped(tiny_module())
    doors = [
        lambda file: bundled("mini_alexnet", file, "cpu"),
        lambda file: torchvision("squeezenet1_1", file, "cpu"),
        lambda file: read_generator(file, "cpu"),
        lambda file: read_stylizer(file, "cpu"),
        lambda file: read_weights(Path(file)),
        lambda file: load_or_fit(network, file),
    ]
    for file in tmp_path.glob("*.pth"):
        for door in doors:
            # statistics are read from safetensors alone, whatever the file is called
            renamed = file.with_suffix(".safetensors") if door is doors[-1] else file
            renamed.write_bytes(file.read_bytes())
            with pytest.raises(InputError, match="not a whole safetensors file or torch state"):
                door(str(renamed))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({0: "crane", 1: "crane"}, ["crane", "crane"]),  # a bird and a machine
        ({"1": "b", "0": "a"}, ["a", "b"]),
        ({"b": 1, "a": 0}, ["a", "b"]),
        ({0: {"name": "a"}}, ["a"]),
        ({"a": 0, "b": 0}, None),
        ({0: ["tench"], 1: ["shark"]}, None),
        ({0: 1.5}, None),
        ({0: "a", 2: "b"}, None),
        ([["tench"]], None),
    ],
)
def test_names_in_the_forms_of_files(value: object, names: list[str] | None) -> None:
    assert weights_io.names_of(value) == names
