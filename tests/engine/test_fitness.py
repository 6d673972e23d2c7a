"""The fitness module against one autograd computation over the whole batch, written out here."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_worlds import count_passes, modules_of, rows_of, tiny_module, wrapped
from torch import Tensor, nn
from torch.nn import functional

from synth.core import (
    BoundObjective,
    Cotangents,
    Encoding,
    Genome,
    Images,
    Readout,
    Rows,
    Transform,
    ones,
)
from synth.core.network import OUTPUT, Network
from synth.core.weighted_sum import WeightedSum
from synth.encodings.fourier import Fourier
from synth.encodings.pixels import Pixels
from synth.engine.fitness import EXACT_WIDTH, ImageProblem
from synth.objectives.priors import L2, TotalVariation
from synth.objectives.scores import Channel, ClassScore
from synth.transforms.affine import Chain, Jitter

TARGETS = ["teapot", "lemon", "goldfish", 4, 1, 1, 0]
MEAN = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)


def objective() -> WeightedSum:
    return WeightedSum(
        {
            "class": ClassScore(TARGETS, "log_probability", weight=2.0),
            "channel": Channel("conv2", 3, weight=-0.5),
            "tv": TotalVariation(weight=0.01),
            "l2": L2(weight=0.1),
        }
    )


def problem(network: Network, **parts: object) -> ImageProblem:
    usual = {"network": network, "encoding": Pixels(16), "transform": Chain()}
    usual |= {
        "objective": objective().bind(network),
        "monitor": ClassScore(TARGETS, "probability").bind(network),
    }
    return ImageProblem(**{**usual, **parts})


def by_hand(network: Network, images: Tensor, items: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """The terms of `objective` and the monitored probability, from the definitions."""
    maps: list[Tensor] = []
    handle = network.module.conv2.register_forward_hook(lambda _, __, out: maps.append(out))
    logits = network.module((images - network.mean) * network.scale)
    handle.remove()
    targets = torch.tensor([network.classes.index(name) for name in TARGETS])[items]
    rows = torch.arange(len(images))
    terms = {
        "class": 2.0 * functional.log_softmax(logits, 1)[rows, targets],
        "channel": -0.5 * maps[0][:, 3].mean((1, 2)),
        "tv": -0.01
        * (images.diff(dim=2).square().sum((1, 2, 3)) + images.diff(dim=3).square().sum((1, 2, 3))),
        "l2": -0.1 * (images - MEAN).square().sum((1, 2, 3)),
    }
    return terms, functional.softmax(logits, 1)[rows, targets]


def pixels(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def forwards(network: Network) -> list[int]:
    """How many images each forward pass of the network takes."""
    return count_passes(network)


def test_scores_terms_monitor_and_gradient_are_those_of_plain_autograd(network: Network) -> None:
    genome, rows = pixels(7), rows_of(7)
    evaluation = problem(network).evaluate(genome, rows, ones)
    leaf = genome.clone().requires_grad_()
    terms, monitor = by_hand(network, leaf, rows.item)
    total = sum(terms.values())
    (gradient,) = torch.autograd.grad(total.sum(), leaf)
    assert list(evaluation.terms) == list(terms)
    for name, value in terms.items():
        torch.testing.assert_close(
            evaluation.terms[name][:, 0], value.detach(), atol=1e-5, rtol=1e-5
        )
    torch.testing.assert_close(evaluation.scores[:, 0], total.detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(evaluation.monitor, monitor.detach(), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(evaluation.gradient[0], gradient, atol=1e-6, rtol=1e-4)
    assert (evaluation.forwards, evaluation.backwards) == (1, 1)
    blind = problem(network).evaluate(genome, rows)
    torch.testing.assert_close(blind.scores, evaluation.scores)
    assert blind.gradient is None
    assert (blind.forwards, blind.backwards) == (1, 0)


def test_rows_out_of_order_keep_their_targets(network: Network) -> None:
    genome, rows = pixels(7), rows_of(7)
    whole = problem(network).evaluate(genome, rows, ones)
    order = torch.tensor([5, 0, 6])
    part = problem(network).evaluate(genome[order], rows.select(order), ones)
    torch.testing.assert_close(part.scores, whole.scores[order], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(part.gradient, whole.gradient[:, order], atol=1e-6, rtol=1e-4)


@given(st.integers(1, 7), st.integers(1, 400_000), st.booleans())
def test_any_chunk_size_gives_the_same_numbers(
    count: int, memory: int, with_gradient: bool
) -> None:
    network = wrapped(tiny_module())
    genome, rows = pixels(count), rows_of(count).fold_in(3)
    jittered = {"transform": Chain([Jitter(0.2)])}
    cotangents = ones if with_gradient else None
    whole = problem(network, **jittered).evaluate(genome, rows, cotangents)
    parts = problem(network, memory=memory, **jittered).evaluate(genome, rows, cotangents)
    torch.testing.assert_close(parts.scores, whole.scores, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(parts.monitor, whole.monitor, atol=1e-5, rtol=1e-5)
    assert parts.terms.keys() == whole.terms.keys()
    for name, value in whole.terms.items():
        torch.testing.assert_close(parts.terms[name], value, atol=1e-5, rtol=1e-5)
    if with_gradient:
        torch.testing.assert_close(parts.gradient, whole.gradient, atol=1e-6, rtol=1e-4)
    assert (parts.forwards, parts.backwards) == (1, int(with_gradient))


def test_chunks_fit_the_memory_and_are_even(network: Network, forwards: list[int]) -> None:
    row = network.bytes_per_image((16, 16))
    for most, count, expected in (
        (7, 7, [7]),
        (3, 7, [3, 3, 1]),
        (4, 7, [4, 3]),
        (1, 3, [1, 1, 1]),
        (5, 6, [3, 3]),
    ):
        forwards.clear()
        problem(network, memory=int(row * most + 1)).evaluate(pixels(count), rows_of(count))
        assert forwards == expected
    forwards.clear()
    problem(network, memory=1).evaluate(pixels(2), rows_of(2), ones)  # less than one row: one row
    assert forwards == [1, 1]
    forwards.clear()
    problem(network, exact=True).evaluate(pixels(2), rows_of(2), ones)
    assert forwards == [EXACT_WIDTH]


def test_the_estimate_of_memory_is_that_of_the_layers(network: Network) -> None:
    values = 8 * 256 * 2 + 8 * 64 + 12 * 64 * 3 + 12 * 16 * 2 + 5 * 2
    assert network.bytes_per_image((16, 16)) == pytest.approx(4 * values + 64 * 256)
    assert network.bytes_per_image((64, 16)) == pytest.approx(4 * (4 * values + 64 * 256))
    network.fit = True  # read at its own size, whatever the image's
    for size in ((16, 16), (64, 16), (8, 8)):
        expected = 4 * values + 64 * size[0] * size[1]
        assert network.bytes_per_image(size) == pytest.approx(expected)


def test_fitted_images_are_charged_at_the_size_that_they_are_read_at(
    network: Network, forwards: list[int]
) -> None:
    network.fit = True
    score = ClassScore("lemon").bind(network)
    parts = {"objective": score, "monitor": score, "encoding": Pixels(64)}
    memory = int(network.bytes_per_image((64, 64)) * 5 + 1)
    genome = rows_of(5).uniform(3, 64, 64)
    problem(network, memory=memory, **parts).evaluate(genome, rows_of(5))
    assert forwards == [5]
    unfitted = network.bytes_per_image((16, 16)) * 16 * 5
    assert memory < 0.7 * unfitted


def test_exact_is_bit_equal_alone_in_any_batch_and_at_any_place(network: Network) -> None:
    """The convolution is so wide that the library takes other paths at other batch sizes."""
    genome, rows = pixels(37), rows_of(37)
    wide = nn.Conv2d(3, 64, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 256, 5)
    for module in (
        tiny_module(),
        nn.Sequential(OrderedDict(zip(("conv2", "relu", "flat", "fc"), wide, strict=True))),
    ):
        network = wrapped(module)
        score = ClassScore("lemon", "log_probability").bind(network)
        exact = problem(network, exact=True, objective=score, monitor=score)
        whole = exact.evaluate(genome, rows, ones)
        for index in ([0], [3], [36], [20, 4], list(range(5, 30))):
            place = torch.tensor(index)
            part = exact.evaluate(genome[place], rows.select(place), ones)
            assert torch.equal(part.scores, whole.scores[place])
            assert torch.equal(part.monitor, whole.monitor[place])
            assert torch.equal(part.gradient, whole.gradient[:, place])
            assert torch.equal(
                exact.evaluate(genome[place], rows.select(place)).scores,
                exact.evaluate(genome, rows).scores[place],
            )


class AllScores(BoundObjective):
    """Every class as a column."""

    layers, columns = (OUTPUT,), 5

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        return {"logits": readout.activations[OUTPUT]}


@pytest.mark.parametrize("memory", [1 << 30, 60_000])
def test_every_covector_gives_its_own_product_with_the_jacobian(
    network: Network, memory: int, forwards: list[int]
) -> None:
    genome, rows = pixels(4), rows_of(4)
    draws = torch.randn(3, 1, 5, generator=torch.Generator().manual_seed(1))

    def cotangents(scores: Tensor) -> Tensor:
        assert not scores.requires_grad
        # covectors may depend on the scores of their own row
        return draws * (1 + scores.detach().abs())

    forwards.clear()
    evaluation = problem(
        network, objective=AllScores(), monitor=AllScores(), memory=memory
    ).evaluate(genome, rows, cotangents)
    assert sum(forwards) == 4  # one forward for three backwards
    assert evaluation.gradient.shape == (3, 4, 3, 16, 16)
    assert (evaluation.forwards, evaluation.backwards) == (1, 3)

    def logits(image: Tensor) -> Tensor:
        return network.module((image[None] - network.mean) * network.scale)[0]

    for row in range(4):
        jacobian = torch.autograd.functional.jacobian(logits, genome[row])  # [5, 3, 16, 16]
        covectors = draws[:, 0] * (1 + logits(genome[row]).abs())
        expected = torch.einsum("vk,kchw->vchw", covectors, jacobian)
        torch.testing.assert_close(evaluation.gradient[:, row], expected, atol=1e-5, rtol=1e-4)


class ThreeImages(Encoding):
    """A genome is decoded to three images: itself, darker, and mirrored."""

    images_per_genome = 3
    size = (16, 16)

    def start(self, rows: Rows) -> Genome:
        return rows.uniform(3, 16, 16)

    def decode(self, genome: Genome, rows: Rows) -> Images:
        return torch.stack([genome, genome * 0.5, genome.flip(3)], dim=1).flatten(0, 1)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome.clamp(0, 1)

    def at(self, size: tuple[int, int]) -> Encoding:
        return self


@pytest.mark.parametrize("options", [{}, {"memory": 60_000}, {"exact": True}])
def test_scores_of_several_images_of_a_genome_are_averaged(
    network: Network, options: dict[str, object]
) -> None:
    genome, rows = pixels(5), rows_of(5)
    evaluation = problem(network, encoding=ThreeImages(), **options).evaluate(genome, rows, ones)
    leaf = genome.clone().requires_grad_()
    total, monitored = torch.zeros(5), torch.zeros(5)
    for image in (leaf, leaf * 0.5, leaf.flip(3)):
        terms, monitor = by_hand(network, image, rows.item)
        total, monitored = total + sum(terms.values()) / 3, monitored + monitor / 3
    (gradient,) = torch.autograd.grad(total.sum(), leaf)
    torch.testing.assert_close(evaluation.scores[:, 0], total.detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(evaluation.monitor, monitored.detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(evaluation.gradient[0], gradient, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(sum(evaluation.terms.values()), evaluation.scores)
    assert (evaluation.forwards, evaluation.backwards) == (3, 3)


class Draws(Transform):
    """Records the random numbers of each image."""

    def __init__(self) -> None:
        self.draws: list[Tensor] = []

    def __call__(self, images: Images, rows: Rows) -> Images:
        assert len(images) == len(rows)
        self.draws.append(rows.uniform())
        return images


def test_each_image_of_a_genome_draws_its_own_transform(network: Network) -> None:
    draws = Draws()
    problem(network, encoding=ThreeImages(), transform=draws).evaluate(pixels(4), rows_of(4))
    assert len(draws.draws[0].unique()) == 12
    problem(network, encoding=ThreeImages(), transform=draws, memory=60_000).evaluate(
        pixels(4), rows_of(4)
    )
    assert torch.equal(torch.cat(draws.draws[1:]), draws.draws[0])


@pytest.mark.parametrize("cotangents", [None, ones])
@pytest.mark.parametrize("options", [{}, {"memory": 60_000}, {"exact": True}])
def test_no_graph_and_no_inference_tensor_leaves(
    network: Network, cotangents: Cotangents | None, options: dict[str, object]
) -> None:
    genome = pixels(5).requires_grad_()
    evaluation = problem(network, **options).evaluate(genome, rows_of(5), cotangents)
    tensors = [evaluation.scores, evaluation.monitor, *evaluation.terms.values()]
    tensors += [] if evaluation.gradient is None else [evaluation.gradient]
    for tensor in tensors:
        assert not tensor.requires_grad
        assert not tensor.is_inference()
        weight = torch.ones((), requires_grad=True)
        (weight * tensor).sum().backward()  # fails for an inference tensor
        tensor.add_(1.0)
    assert genome.grad is None
    assert not problem(network).confirmed(genome.detach(), rows_of(5)).is_inference()


def test_a_search_under_no_grad_still_gets_its_gradient(network: Network) -> None:
    with torch.no_grad():
        evaluation = problem(network).evaluate(pixels(2), rows_of(2), ones)
    assert evaluation.gradient.abs().sum() > 0


def test_the_gradient_of_a_spectrum_is_that_by_its_coefficients(network: Network) -> None:
    encoding = Fourier(16, sd=0.3)
    rows = rows_of(3)
    genome = encoding.start(rows)
    evaluation = problem(network, encoding=encoding).evaluate(genome, rows, ones)
    leaf = genome.clone().requires_grad_()
    terms, _ = by_hand(network, encoding.decode(leaf, rows), rows.item)
    (gradient,) = torch.autograd.grad(sum(terms.values()).sum(), leaf)
    torch.testing.assert_close(evaluation.gradient[0], gradient, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("eight_bit", [True, False])
def test_confirmed_values_are_of_the_untransformed_8_bit_image(
    eight_bit: bool, network: Network
) -> None:
    images, rows, encoding = pixels(6), rows_of(6), Pixels((16, 16))
    encoding.eight_bit = eight_bit
    values = problem(network, encoding=encoding, transform=Chain([Jitter(0.3)])).confirmed(
        images, rows
    )
    expected_images = (images * 255).round() / 255 if eight_bit else images
    torch.testing.assert_close(
        values, by_hand(network, expected_images, rows.item)[1], atol=1e-6, rtol=1e-5
    )


def test_only_the_layers_that_are_read_run(network: Network) -> None:
    ran: list[str] = []
    parts = [pair for module in modules_of(network) for pair in module.named_children()]
    for name, part in parts:
        part.register_forward_hook(lambda _, __, ___, name=name: ran.append(name))
    score = Channel("conv1", 2).bind(network)
    problem(network, objective=score, monitor=score).evaluate(pixels(2), rows_of(2))
    assert ran in (["conv1"], [])  # a later hook may end the pass before this one
    assert "relu1" not in ran


def test_the_problem_is_its_parts(network: Network) -> None:
    whole = problem(network)
    rows = rows_of(2)
    assert torch.equal(whole.start(rows), whole.encoding.start(rows))
    assert torch.equal(whole.project(pixels(2) * 3, rows), (pixels(2) * 3).clamp(0, 1))
    assert torch.equal(whole.baseline(rows), MEAN)
    assert (whole.stochastic, whole.differentiable) == (False, True)
    resized = whole.at(size=(24, 20), transform=Chain([Jitter()]), memory=7)
    assert resized.encoding.size == (24, 20)
    assert (resized.stochastic, resized.memory, whole.memory) == (True, 7, 1 << 30)
    assert resized.evaluate(resized.start(rows), rows).scores.shape == (2, 1)
