"""Activations of a network against plain forward passes with hooks of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import torch
from small_worlds import tiny_module, wrapped
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet18

from synth.core.hardware import device_of
from synth.core.network import OUTPUT, Network
from synth.errors import InputError

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Shortcut(nn.Module):
    """All in-place operations: a shared in-place ReLU, `x += shortcut`, functional, a view."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.same = nn.Identity()
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.drop = nn.Dropout(0.5, inplace=True)
        self.conv3 = nn.Conv2d(6, 6, 3, padding=1)
        self.head = nn.Linear(6, 5)

    def forward(self, images: Tensor) -> Tensor:
        first = self.conv1(images)
        through = self.same(self.relu(first))
        second = self.drop(self.conv2(through))
        second += through
        second = functional.relu(second, inplace=True)
        third = self.conv3(second)
        third.mul_(0.5).add_(1.0)
        return self.head(self.relu(third).mean((2, 3)))


def shortcut() -> Shortcut:
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        return Shortcut()


def small_resnet() -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(4)
        return resnet18(weights=None, num_classes=5)


def expected(
    module: nn.Module,
    images: Tensor,
    names: Sequence[str],
    mean: Sequence[float],
    std: Sequence[float],
) -> dict[str, Tensor]:
    """Outputs of the layers, by hooks that copy, on a module without in-place activations.

    ``NAME_1`` is the second call of ``NAME``.
    """
    for part in module.modules():
        if hasattr(part, "inplace"):
            part.inplace = False
    module.eval()
    outputs: dict[str, Tensor] = {}
    handles = []
    for name in names:
        path, _, second = name.rpartition("_")
        path, call = (path, int(second)) if second == "1" else (name, 0)

        def keep(
            _: nn.Module, __: object, out: Tensor, name: str = name, left: list = [None] * call
        ) -> None:
            if left:
                left.pop()
            else:
                outputs.setdefault(name, out.detach().clone())

        if name != OUTPUT:
            handles.append(module.get_submodule(path).register_forward_hook(keep))
    normal = torch.stack([(images[:, c] - mean[c]) / std[c] for c in range(3)], dim=1)
    with torch.no_grad():
        outputs[OUTPUT] = module(normal)
    for handle in handles:
        handle.remove()
    return outputs


def hooks_left(network: Network) -> int:
    return sum(
        len(part._forward_hooks) + len(part._forward_pre_hooks) for part in network.modules()
    )


@contextmanager
def calls(network: Network) -> Iterator[list[str]]:
    """The names of the layers that ran, in order."""
    ran: list[str] = []
    handles = [
        part.register_forward_pre_hook(lambda _, __, name=name: ran.append(name))
        for name, part in network.module.named_modules()
        if name
    ]
    yield ran
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize(
    ("build", "names", "size"),
    [
        (tiny_module, ("conv1", "relu1", "conv2", "norm2", "flatten", "fc", OUTPUT), 16),
        (tiny_module, ("conv2", "conv1"), 16),
        (tiny_module, (OUTPUT,), 16),
        (tiny_module, (OUTPUT, "pool1", "pool1"), 16),
        (shortcut, ("conv1", "relu", "same", "conv2", "drop", "conv3", "head"), 12),
        (shortcut, ("conv1", "conv2"), 12),
        (shortcut, ("conv3",), 12),
        (small_resnet, ("conv1", "bn1", "layer1.0.bn2", "layer1.0", "avgpool"), 40),
        (small_resnet, ("layer2.0.downsample", "layer1.0.conv2", "layer3", OUTPUT), 40),
    ],
)
def test_read_gives_what_a_plain_forward_gives(build, names: tuple[str, ...], size: int) -> None:
    images = torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(0))
    network = wrapped(build(), size=(size, size), mean=IMAGENET[0], std=IMAGENET[1])
    activations = network.read(images, names)
    reference = expected(build(), images, names, *IMAGENET)
    assert set(activations) == set(names)
    for name in names:
        torch.testing.assert_close(activations[name], reference[name], atol=2e-5, rtol=1e-4)
        assert tuple(activations[name].shape[1:]) == network.layers[name]
        assert activations[name].dtype == torch.float32
    assert hooks_left(network) == 0


@pytest.mark.parametrize("build", [shortcut, small_resnet])
def test_every_layer_can_be_read_and_gradients_agree_with_plain_ones(build) -> None:
    size = 33
    network = wrapped(build(), size=(size, size), mean=IMAGENET[0], std=IMAGENET[1])
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    names = list(network.layers)
    reference = expected(build(), images, names, *IMAGENET)
    for name, outputs in network.read(images, names).items():
        torch.testing.assert_close(outputs, reference[name], atol=2e-5, rtol=1e-4)
    leaf = images.clone().requires_grad_()
    (together,) = torch.autograd.grad(network.read(leaf, names)[OUTPUT].square().sum(), leaf)
    normal = (leaf - torch.tensor(IMAGENET[0]).view(1, 3, 1, 1)) / torch.tensor(IMAGENET[1]).view(
        1, 3, 1, 1
    )
    plain = build().eval()
    for part in plain.modules():
        if hasattr(part, "inplace"):
            part.inplace = False
    (alone,) = torch.autograd.grad(plain(normal).square().sum(), leaf)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize(
    ("names", "last"), [(("conv1",), "conv1"), (("relu2", "conv1"), "relu2"), (("pool2",), "pool2")]
)
def test_nothing_beyond_the_deepest_layer_runs(
    network: Network, names: tuple[str, ...], last: str
) -> None:
    with calls(network) as ran:
        network.read(torch.rand(2, 3, 16, 16), names)
    order = list(network.layers)
    assert ran == order[: order.index(last) + 1]
    with calls(network) as ran:
        assert network.read(torch.rand(2, 3, 16, 16), ()) == {}
    assert ran == []


def test_hooks_are_removed_after_an_error_and_foreign_hooks_stay(network: Network) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    own = network.module.pool1.register_forward_hook(fails)
    with pytest.raises(ZeroDivisionError):
        network.read(torch.rand(1, 3, 16, 16), ("conv1", "fc"))
    assert hooks_left(network) == 1
    own.remove()
    with pytest.raises(RuntimeError):
        network.read(torch.rand(1, 3, 1, 1), ("conv1", "fc"))
    with pytest.raises(InputError, match="layer=nowhere"):
        network.read(torch.rand(1, 3, 16, 16), ("conv1", "nowhere"))
    assert hooks_left(network) == 0
    torch.testing.assert_close(
        network.read(torch.rand(1, 3, 16, 16), ("fc",))["fc"].shape, torch.Size((1, 5))
    )


def test_an_activation_is_not_that_of_the_layer_after_it(network: Network) -> None:
    activations = network.read(torch.rand(4, 3, 16, 16), ("conv1", "relu1", OUTPUT))
    assert activations["conv1"].min() < 0
    assert torch.equal(activations["conv1"].relu(), activations["relu1"])


def test_pictures_are_normalised_inside() -> None:
    network = wrapped(
        nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 5)),
        size=(8, 8),
        mean=(0.1, 0.2, 0.3),
        std=(0.5, 0.25, 2.0),
    )
    level = torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    torch.testing.assert_close(network(level), network.module[1].bias[None])
    apart = network(level + torch.tensor([0.5, 0.25, 2.0]).view(1, 3, 1, 1)) - network(level)
    torch.testing.assert_close(apart[0], network.module[1].weight.sum(1))


def test_frozen_and_in_eval_mode(network: Network) -> None:
    assert not any(part.training for part in network.module.modules())
    assert not any(weight.requires_grad for weight in network.parameters())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.read(torch.rand(4, 3, 16, 16), (OUTPUT,))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_layers_stand_in_the_order_they_run() -> None:
    network = wrapped(shortcut(), size=(12, 12))
    assert list(network.layers) == [
        "conv1",
        "relu",
        "same",
        "conv2",
        "drop",
        "conv3",
        "relu_1",
        "head",
        OUTPUT,
    ]
    assert network.layers["conv2"] == (6, 12, 12)
    assert network.layers[OUTPUT] == (5,)
    values = 6 * 144 * 6 + 5 + 5
    assert network.bytes_per_image((12, 12)) == pytest.approx(4 * values, abs=64.001 * 144)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("conv3", "conv1"), ("Conv-2", "conv2"), ("outptu", "output"), ("zzz", "one of conv1, relu1")],
)
def test_an_unknown_layer_is_reported_with_the_nearest(
    network: Network, name: str, hint: str
) -> None:
    with pytest.raises(InputError, match=f"layer={name}: tiny has no such layer") as error:
        network.layer(name)
    assert hint in str(error.value)
    assert "\n" not in str(error.value)
    assert network.layer("conv2") == "conv2"


def test_sizes_that_do_not_fit_are_refused() -> None:
    network = wrapped(nn.Sequential(nn.Conv2d(3, 2, 5), nn.Flatten(), nn.Linear(2 * 12 * 12, 5)))
    network.check_size((16, 16))
    with pytest.raises(
        InputError, match=r"encoding\.size=20x16: tiny cannot read pictures of that size; .* 16x16"
    ):
        network.check_size((20, 16))
    wrapped(tiny_module()).check_size((40, 24))


def test_devices() -> None:
    assert device_of("cpu") == torch.device("cpu")
    assert device_of("auto").type in ("cpu", "cuda")
    for name in ("cuda:99", "toaster"):
        with pytest.raises(
            InputError, match=f"device={name}: this machine has no such device; write auto or cpu"
        ):
            device_of(name)
