"""Attribution methods against captum, closed forms, and networks whose answer is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from small_worlds import tiny_module, traits, wrapped
from torch import Tensor, nn
from torch.nn import functional

from synth.core.network import Network
from synth.errors import InputError
from synth.probes.attributions.attribution import Attribution
from synth.probes.attributions.fills import FILLS, check_fill, fill
from synth.probes.attributions.grad_cam import GradCam, GuidedGradCam, check_map, deepest_map
from synth.probes.attributions.gradients import (
    GradientTimesInput,
    GuidedBackprop,
    IntegratedGradients,
    SmoothGrad,
    Vanilla,
)
from synth.probes.attributions.methods import NAMES, methods_of
from synth.probes.attributions.rise import Rise
from synth.probes.attributions.score import Score

COUNT = 3
KEYS = torch.arange(COUNT)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(COUNT, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def score() -> Score:
    return Score(wrapped(tiny_module()))


def attributed(method: Attribution, score: Score, images: Tensor) -> Tensor:
    return method(score, images, score.neurons(images), KEYS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["logit", "probability"])
def test_maps_agree_with_captum(score: Score, images: Tensor, kind: str) -> None:
    captum = pytest.importorskip("captum.attr", reason="captum is the other side")
    score = Score(score.network, kind=kind)
    forward: nn.Module = score.network
    if kind == "probability":
        forward = nn.Sequential(score.network, nn.Softmax(1))
    neurons = score.neurons(images)
    grey = torch.full_like(images, 0.5)

    def other(name: str, *arguments: object, **rest: object) -> Tensor:
        leaf = images.clone().requires_grad_()
        method = getattr(captum, name)(forward, *arguments)
        return method.attribute(leaf, target=neurons, **rest).detach()

    pairs = [
        (Vanilla(), other("Saliency", abs=False)),
        (GradientTimesInput(), other("InputXGradient")),
        (IntegratedGradients(20, "grey"), other("IntegratedGradients", baselines=grey, n_steps=20)),
        (GuidedBackprop(), other("GuidedBackprop")),
    ]
    for method, expected in pairs:
        assert torch.allclose(attributed(method, score, images), expected, atol=1e-5, rtol=1e-5)
    expected = other("LayerGradCam", score.network.module.relu2)
    coarse = GradCam("relu2").coarse(score, images, neurons)
    assert torch.allclose(coarse, expected, atol=1e-5, rtol=1e-5)


class Functional(nn.Module):
    """Convolutions between which the ReLU is a function, a reused module, in place, or a clamp."""

    def __init__(self, relus: list[Callable[[Tensor], Tensor]]) -> None:
        super().__init__()
        with torch.random.fork_rng([]):
            torch.manual_seed(3)
            self.first = nn.Conv2d(3, 6, 3, padding=1)
            self.second = nn.Conv2d(6, 6, 3, padding=1)
            self.fc = nn.Linear(6 * 16 * 16, 5)
        self.relus = relus
        self.reused = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.relus[0](self.first(images))
        hidden = hidden + self.relus[1](self.second(hidden))
        return self.fc(self.relus[2](hidden - 0.2).flatten(1))


def by_hand(network: Network, images: Tensor, neurons: Tensor) -> Tensor:
    """Guided backprop of `Functional`, step by step."""
    module = network.module
    with torch.no_grad():
        normal = (images - network.mean) * network.scale
        one = functional.conv2d(normal, module.first.weight, module.first.bias, padding=1)
        two = functional.conv2d(one.relu(), module.second.weight, module.second.bias, padding=1)
        three = one.relu() + two.relu() - 0.2
        back = module.fc.weight[neurons].view_as(three)
        back = back.clamp(min=0) * (three > 0)
        second = back.clamp(min=0) * (two > 0)
        back = back + functional.conv_transpose2d(second, module.second.weight, padding=1)
        back = back.clamp(min=0) * (one > 0)
        return functional.conv_transpose2d(back, module.first.weight, padding=1) * network.scale


def test_guided_backprop_meets_every_relu_and_leaves_no_hook(images: Tensor) -> None:
    reused = nn.ReLU()
    kinds: list[list[Callable[[Tensor], Tensor]]] = [
        [functional.relu, torch.relu, Tensor.relu],
        [reused, reused, reused],
        [torch.relu_, lambda values: functional.relu(values, inplace=True), torch.relu],
        [lambda values: values.clamp_min(0)] * 3,
    ]
    for relus in kinds:
        network = wrapped(Functional(relus))
        score = Score(network)
        neurons = score.neurons(images)
        before = traits(network.module)
        guided = GuidedBackprop()(score, images, neurons, KEYS)
        assert torch.allclose(guided, by_hand(network, images, neurons), atol=1e-6)
        assert traits(network.module) == before
        plain = Vanilla()(score, images, neurons, KEYS)  # nothing of the rule is left
        leaf = images.clone().requires_grad_()
        logits = network(leaf).gather(1, neurons[:, None]).sum()
        assert torch.equal(plain, torch.autograd.grad(logits, leaf)[0])
        assert not torch.allclose(plain, guided)


def test_a_neuron_inside_is_the_strongest_place_of_its_channel(images: Tensor) -> None:
    network = wrapped(tiny_module())
    score = Score(network, "conv2")
    neurons = score.neurons(images, 4)
    values = network.read(images, ["conv2"])["conv2"]
    assert torch.equal(score(images, neurons), values[:, 4].flatten(1).amax(1))
    assert {score.name(int(neuron)) for neuron in neurons} == {"conv2:4"}
    strongest = score.neurons(images)
    assert torch.equal(score(images, strongest), values.flatten(1).amax(1))
    guided = GuidedBackprop()(score, images, neurons, KEYS)
    assert 0 < int((guided[0].abs().sum(0) > 0).sum()) <= 8 * 8  # its receptive field alone
    assert attributed(GradCam(), score, images).shape == (COUNT, 1, 16, 16)
    with pytest.raises(InputError, match=r"layer=fc: conv2 does not come after it\."):
        network.read_with_gradients(images, ["fc"], lambda x: x.flatten(1).sum(1), "conv2")
    for words, message in [
        ({"unit": 12}, "unit=12: conv2 has units 0 to 11."),
        ({"target": "lemon"}, "target=lemon: write unit= for a channel of layer=conv2."),
    ]:
        with pytest.raises(InputError) as error:
            score.unit(**words)
        assert str(error.value) == message


def test_closed_forms(score: Score, images: Tensor) -> None:
    neurons = score.neurons(images)
    keys = KEYS
    integrated = IntegratedGradients(200, "black")(score, images, neurons, keys)
    with torch.no_grad():
        change = score(images, neurons) - score(torch.zeros_like(images), neurons)
    assert torch.allclose(integrated.sum((1, 2, 3)), change, atol=0.01)  # completeness
    still = SmoothGrad(3, 0.0)(score, images, neurons, keys)
    assert torch.allclose(still, Vanilla()(score, images, neurons, keys), atol=1e-6)
    noisy = SmoothGrad(4, 0.2)
    whole = noisy(score, images, neurons, keys)
    alone = noisy(score, images[1:2], neurons[1:2], keys[1:2])
    assert torch.allclose(whole[1:2], alone, atol=1e-6)  # a picture draws its own numbers
    guided, cam = GuidedBackprop(), GradCam()
    product = guided(score, images, neurons, keys) * cam(score, images, neurons, keys)
    assert torch.equal(GuidedGradCam()(score, images, neurons, keys), product)


def test_rise_weights_masks_by_scores(images: Tensor) -> None:
    class Corner(nn.Module):
        """Answers with the mean of the upper left corner."""

        def forward(self, images: Tensor) -> Tensor:
            corner = images[:, :, :5, :5].mean((1, 2, 3))
            return torch.stack([corner, *[torch.zeros_like(corner)] * 4], 1)

    network = wrapped(Corner())
    score = Score(network)
    method = Rise(masks=400, cells=4, seed=2)
    white = torch.ones_like(images[:2])
    neurons = torch.zeros(2, dtype=torch.int64)
    maps = method(score, white, neurons, KEYS[:2])[:, 0]
    assert torch.allclose(maps[0], maps[1])
    assert maps[0, :4, :4].mean() > 1.2 * maps[0, 8:, 8:].mean()
    masks = method.masks(0, 400, (16, 16), torch.device("cpu"))
    assert 0.45 < float(masks.mean()) < 0.55
    assert torch.equal(method.masks(7, 3, (16, 16), torch.device("cpu")), masks[7:10])
    by_hand = sum(
        float(score(torch.lerp(network.mean, white[:1], mask), neurons[:1])) * mask
        for mask in masks[:20]
    )
    few = Rise(masks=20, cells=4, seed=2)(score, white[:1], neurons[:1], KEYS[:1])[0, 0]
    assert torch.allclose(few, by_hand / (20 * 0.5), atol=1e-5)


def test_grad_cam_reads_the_tokens_of_a_transformer_where_they_matter(images: Tensor) -> None:
    from torchvision.models import VisionTransformer

    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        module = VisionTransformer(16, 4, 2, 2, 8, 16, num_classes=5)
        nn.init.normal_(module.heads.head.weight)
    network = wrapped(module)
    # the class token alone is read, so that the last block's other tokens have no gradient
    name = deepest_map(network)
    assert name == "encoder.layers.encoder_layer_1.ln_1"
    score = Score(network)
    methods = methods_of(network, "all", samples=2, integration_steps=2, masks=4)
    neurons = score.neurons(images)
    for method in methods.values():
        values = method(score, images, neurons, KEYS)
        assert values.shape[2:] == (16, 16)
        assert values.isfinite().all()
        assert values.abs().sum() > 0
    activations, gradients = network.read_with_gradients(
        images, [name], lambda logits: score.of(logits, neurons)
    )
    moved = activations[name] + 1e-2 * gradients[name]
    assert torch.allclose(activations[name], network.read(images, [name])[name], atol=1e-5)

    def replaced(_: nn.Module, __: object, output: Tensor) -> Tensor:
        return torch.cat([output[:, :1], moved.flatten(2).mT], 1)

    handle = network.part(name).register_forward_hook(replaced)
    change = score(images, neurons)
    handle.remove()
    change = change - score(images, neurons)
    expected = 1e-2 * gradients[name].square().sum((1, 2, 3))
    assert torch.allclose(change, expected, rtol=0.1, atol=1e-4)


def test_fills_and_names(score: Score, images: Tensor) -> None:
    fills = {name: fill(name, images, score.network, KEYS) for name in FILLS}
    assert all(values.shape == images.shape for values in fills.values())
    assert torch.allclose(fills["average"][:, :, 3, 5], images.mean((2, 3)))
    assert torch.equal(fills["mean"][1, :, 0, 0], score.network.mean.flatten())
    assert fills["blur"].std() < 0.7 * images.std()
    assert not torch.equal(fills["noise"][0], fills["noise"][1])
    with pytest.raises(InputError, match=r"fill=gray: no such fill\. .*grey"):
        check_fill("gray")
    assert [*methods_of(score.network, "all")] == list(NAMES)
    for names, message in [
        ("gradcam", "methods=gradcam: no such method"),
        ([], "name at least one"),
        (["rise", "rise"], "each once"),
    ]:
        with pytest.raises(InputError, match=message):
            methods_of(score.network, names)
    with pytest.raises(InputError, match="cam_layer=fc: its output is 5, without places"):
        check_map(score.network, "fc")
    with pytest.raises(InputError, match="score=margin: write logit or probability"):
        Score(score.network, kind="margin")
