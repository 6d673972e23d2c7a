"""The network that draws: its shapes, its statistics, and the file it is kept in."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from small_worlds import overflowing

from synth.errors import InputError
from synth.networks import weights_io
from synth.networks.generator import Origin, UpConvolution, read_generator, write_generator

ORIGIN = Origin("tiny", "relu2", "0" * 64, "synth ...")


def drawn(code: tuple[int, ...], size: int, width: int = 4) -> UpConvolution:
    torch.manual_seed(1)
    return UpConvolution(code, size, width).eval()


@pytest.mark.parametrize(
    ("code", "size"),
    [((5,), 64), ((5,), 16), ((7, 1, 1), 32), ((6, 8, 8), 64), ((6, 13, 13), 224), ((3, 7, 5), 48)],
)
def test_pictures_have_the_size_asked_for(code: tuple[int, ...], size: int) -> None:
    images = drawn(code, size)(torch.randn(2, *code)).detach()
    assert images.shape == (2, 3, size, size)
    assert float(images.min()) > 0
    assert float(images.max()) < 1


@pytest.mark.parametrize(("code", "size"), [((5,), 32), ((6, 13, 13), 56)])
def test_a_copy_for_searches_gives_the_same_images_and_gradients(
    code: tuple[int, ...], size: int
) -> None:
    module = drawn(code, size)
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):  # statistics of a trained one
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2.0)
    module.measure(torch.randn(20, *code))
    fast = module.fast(torch.float32)
    kinds = [type(part) for part in fast.modules()]
    assert torch.nn.Upsample not in kinds
    assert torch.nn.ConvTranspose2d in kinds
    codes = torch.randn(3, *code, requires_grad=True)
    images, expected = fast(codes), module(codes)
    assert torch.allclose(images, expected, atol=1e-5)
    weights = torch.randn_like(images)
    (gradient,) = torch.autograd.grad((images * weights).sum(), codes)
    (exact,) = torch.autograd.grad((expected * weights).sum(), codes)
    assert torch.allclose(gradient, exact, rtol=1e-3, atol=1e-4 * float(exact.abs().max()))
    rounded = module.fast(torch.bfloat16)(codes)
    assert rounded.dtype == torch.float32
    assert torch.allclose(rounded, expected, atol=0.05)


def test_codes_are_measured_by_their_statistics() -> None:
    """With statistics set, codes give what standardised codes give without."""
    codes = torch.rand(50, 5) * torch.tensor([1.0, 10.0, 0.1, 3.0, 0.0]) + torch.tensor(
        [0.0, 5.0, 1.0, 0.0, 2.0]
    )
    module, plain = drawn((5,), 16), drawn((5,), 16)
    module.measure(codes)
    values = codes.numpy()
    assert module.mean.numpy() == pytest.approx(values.mean(0), rel=1e-5)
    assert module.least.numpy() == pytest.approx(values.min(0))
    assert module.deviation[:4].numpy() == pytest.approx(values.std(0)[:4], rel=1e-4)
    assert float(module.deviation[4]) == 1.0  # a unit that never varies
    standard = (codes - codes.mean(0)) / torch.where(
        module.deviation == 1, 1.0, codes.std(0, correction=0)
    )
    assert torch.allclose(module(codes), plain(standard), atol=1e-5)


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    module = drawn((5,), 16)
    module.measure(torch.randn(20, 5))
    write_generator(tmp_path / "g.safetensors", module, module.state_dict(), ORIGIN)
    again, origin = read_generator(tmp_path / "g.safetensors", "cpu")
    assert origin == ORIGIN
    assert (again.code, again.size, again.width, again.training) == ((5,), 16, 4, False)
    assert not any(weight.requires_grad for weight in again.parameters())
    code = torch.randn(3, 5)
    assert torch.allclose(again(code), module(code), atol=5e-3)  # fp16 on the way
    assert read_generator(tmp_path / "g.safetensors", "cpu")[0] is again


@pytest.mark.parametrize(
    ("code", "size", "message"),
    [
        ((5, 4), 16, r"^layer: .* not from \[5, 4\]"),
        ((5,), 63, "^size=63: "),
        ((5,), 4, "^size=4: "),
        ((6, 32, 32), 16, "^size=16: "),
    ],
)
def test_shapes_that_cannot_be_are_refused(code: tuple[int, ...], size: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        UpConvolution(code, size)


def test_other_files_are_refused_in_a_line(tmp_path: Path) -> None:
    module = drawn((5,), 16)
    path = tmp_path / "g.safetensors"

    def refused(message: str) -> None:
        with pytest.raises(InputError, match=message) as error:
            read_generator(path, "cpu")
        assert "\n" not in str(error.value)

    refused(r"^generator=.*g\.safetensors: no such file")
    path.write_bytes(b"not weights")
    refused("^generator=.*: not a whole safetensors file")
    save_file({"a": torch.zeros(2)}, path)
    refused("not a generator; give a file of recipe=train_generator")
    weights_io.write(
        path, module.state_dict(), {"generator": json.dumps({"code": [5], "size": 16})}
    )
    refused("not a generator")
    tensors = {
        name: value
        for name, value in module.state_dict().items()
        if name not in ("deviation", "least")
    }
    write_generator(path, module, tensors, ORIGIN)
    refused(r"the statistics of the code are missing \(deviation, least\)")
    write_generator(path, drawn((5,), 16, width=8), module.state_dict(), ORIGIN)
    refused("the weights of another network than the generator it says it is")
    write_generator(
        path, module, {**module.state_dict(), "mean": torch.full((5,), torch.nan)}, ORIGIN
    )
    refused("mean holds NaN")


@pytest.mark.parametrize(
    "change",
    [
        {"width": -1},
        {"width": 0},
        {"width": 10**9},
        {"width": 20.0},
        {"width": True},
        {"size": 0},
        {"size": 10**6},
        {"size": "16"},
        {"code": []},
        {"code": [0]},
        {"code": [10**12]},
        {"code": [5, 1]},
        {"code": "5"},
        {"code": None},
        {"network": 7},
        {"more": 1},
    ],
)
def test_damaged_metadata_is_refused_in_a_line(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "g.safetensors"
    about = {"code": [5], "size": 16, "width": 4, **asdict(ORIGIN), **change}
    tensors = drawn((5,), 16).state_dict()
    weights_io.write(path, tensors, {"generator": json.dumps(about)})
    with pytest.raises(InputError, match=r"^generator=") as error:
        read_generator(path, "cpu")
    assert "\n" not in str(error.value)


def test_metadata_that_is_no_object_and_weights_that_overflow_are_refused(tmp_path: Path) -> None:
    path, tensors = tmp_path / "g.safetensors", drawn((5,), 16).state_dict()
    for text in ("[" * 100_000, "[]", "7", "null", "{"):
        weights_io.write(path, tensors, {"generator": text})
        with pytest.raises(InputError, match="not a generator"):
            read_generator(path, "cpu")
    about = {"code": [5], "size": 16, "width": 4, **asdict(ORIGIN)}
    save_file(overflowing(tensors), path, {"generator": json.dumps(about)})
    with pytest.raises(InputError, match="with these weights the output is NaN or infinite"):
        read_generator(path, "cpu")
