"""Several images a genome and several views of each: means over them, by hand, in any chunks."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from small_worlds import count_passes, rows_of
from torch import Tensor
from torch.nn import functional

from synth.core import BoundObjective, Encoding, Genome, Images, Objective, Readout, Rows, ones
from synth.core.network import OUTPUT, Network
from synth.core.weighted_sum import WeightedSum
from synth.encodings.pixels import Pixels
from synth.engine.fitness import EXACT_WIDTH, ImageProblem
from synth.objectives.scores import ClassScore
from synth.transforms.affine import Chain, Jitter

TARGETS = ["teapot", "lemon", "goldfish", 4, 1]
CHUNKS = [{}, {"memory": 60_000}, {"exact": True}]


class ThreeImages(Encoding):
    """A genome is decoded to three images of other brightness; saved are itself and its mirror."""

    images_per_genome = 3
    size = (16, 16)

    def start(self, rows: Rows) -> Genome:
        return rows.uniform(3, 16, 16)

    def decode(self, genome: Genome, rows: Rows) -> Images:
        return torch.stack([genome * share for share in (1.0, 0.5, 0.25)], dim=1).flatten(0, 1)

    def export(self, genome: Genome, rows: Rows) -> Images:
        return torch.stack([genome, genome.flip(3)], dim=1).flatten(0, 1)

    def picture_index(self, rows: Rows) -> Tensor:
        return torch.arange(3).repeat(len(rows)) + 10 * rows.item.repeat_interleave(3)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return genome.clamp(0, 1)

    def at(self, size: tuple[int, int]) -> Encoding:
        return self


class PictureIndexScore(BoundObjective):
    """The score of an image is its `picture_index`."""

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        return {
            "source": readout.picture_index[:, None] + 0.0 * readout.images.mean((1, 2, 3))[:, None]
        }


class SizedGreyMatch(BoundObjective):
    """Distance from a grey image of the size that it was bound to."""

    def __init__(self, size: tuple[int, int] | None = None) -> None:
        self.size = size

    def at(self, size: tuple[int, int]) -> BoundObjective:
        return SizedGreyMatch(size)

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        assert self.size is not None
        picture = torch.full((3, *self.size), 0.5)
        return {"near": -(readout.images - picture).square().mean((1, 2, 3))[:, None]}


class NearGrey(Objective):
    def bind(self, network: Network) -> BoundObjective:
        return SizedGreyMatch()


def problem(network: Network, encoding: Encoding, **parts: object) -> ImageProblem:
    bound = WeightedSum({"class": ClassScore(TARGETS, "log_probability")}).bind(network)
    monitor = ClassScore(TARGETS, "probability").bind(network)
    usual = {"network": network, "encoding": encoding, "transform": Chain()}
    usual |= {"objective": bound, "monitor": monitor}
    return ImageProblem(**{**usual, **parts})


def log_probabilities(network: Network, images: Tensor, items: Tensor) -> Tensor:
    """The logarithm of the probability of each image's target."""
    logits = network.module((images - network.mean) * network.scale)
    index = torch.tensor([network.classes.index(name) for name in TARGETS])
    return functional.log_softmax(logits, 1)[torch.arange(len(images)), index[items]]


@pytest.fixture
def forwards(network: Network) -> list[int]:
    """How many images each forward pass of the network takes."""
    return count_passes(network)


@pytest.mark.parametrize("options", CHUNKS)
@pytest.mark.parametrize("several", [False, True], ids=["one image", "three images"])
def test_scores_are_means_over_views_and_gradients_those_of_the_mean(
    several: bool, options: dict[str, object], network: Network, forwards: list[int]
) -> None:
    encoding = ThreeImages() if several else Pixels((16, 16))
    pictures = 3 if several else 1
    views = 4
    transform = Chain([Jitter(0.3)])
    rows = rows_of(5).fold_in(2)
    genome = rows.fold_in(7).uniform(3, 16, 16)
    evaluation = problem(network, encoding, transform=transform, views=views, **options).evaluate(
        genome, rows, ones
    )
    assert sum(forwards) == (EXACT_WIDTH if "exact" in options else 5) * pictures * views
    leaf = genome.clone().requires_grad_()
    images = encoding.decode(leaf, rows)
    scores = torch.zeros(5)
    probabilities = torch.zeros(5)
    image_rows = rows.split(pictures) if several else rows
    for view in range(views):  # each view of each image has random numbers of its own
        each = image_rows.split(views).select(torch.arange(view, len(images) * views, views))
        values = log_probabilities(network, transform(images, each), each.item).view(5, pictures)
        scores = scores + values.mean(1) / views
        probabilities = probabilities + values.exp().mean(1) / views
    (gradient,) = torch.autograd.grad(scores.sum(), leaf)
    torch.testing.assert_close(evaluation.scores[:, 0], scores.detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(evaluation.terms["class"], evaluation.scores)
    torch.testing.assert_close(evaluation.monitor, probabilities.detach(), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(evaluation.gradient[0], gradient, atol=1e-6, rtol=1e-4)
    assert (evaluation.forwards, evaluation.backwards) == (pictures * views, pictures * views)


def test_views_without_a_transform_are_the_image_itself(network: Network) -> None:
    rows = rows_of(5)
    genome = rows.uniform(3, 16, 16)
    once = problem(network, Pixels((16, 16))).evaluate(genome, rows, ones)
    often = problem(network, Pixels((16, 16)), views=3).evaluate(genome, rows, ones)
    torch.testing.assert_close(often.scores, once.scores, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(often.gradient, once.gradient, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("eight_bit", [True, False])
@pytest.mark.parametrize("options", CHUNKS)
def test_confirmed_values_are_means_over_the_images(
    options: dict[str, object], eight_bit: bool, network: Network
) -> None:
    encoding, rows = ThreeImages(), rows_of(5)
    encoding.eight_bit = eight_bit
    genome = rows.uniform(3, 16, 16)
    parts = {"transform": Chain([Jitter(0.3)]), "views": 2, **options}
    values = problem(network, encoding, **parts).confirmed(genome, rows)
    images = encoding.decode(genome, rows)
    images = (images * 255).round() / 255 if eight_bit else images
    expected = (
        log_probabilities(network, images, rows.item.repeat_interleave(3)).exp().view(5, 3).mean(1)
    )
    torch.testing.assert_close(values, expected, atol=1e-6, rtol=1e-5)
    assert not values.is_inference()


@pytest.mark.parametrize("options", CHUNKS)
@pytest.mark.parametrize("count", [1, 5, EXACT_WIDTH, EXACT_WIDTH + 1])
def test_the_exported_images_are_those_of_the_rows(
    count: int, options: dict[str, object], network: Network
) -> None:
    rows = rows_of(count)
    genome = rows.uniform(3, 16, 16)
    images = problem(network, ThreeImages(), **options).images(genome, rows)
    assert torch.equal(images, torch.stack([genome, genome.flip(3)], dim=1).flatten(0, 1))


@pytest.mark.parametrize("options", CHUNKS)
def test_each_image_has_the_index_of_its_picture(
    options: dict[str, object], network: Network
) -> None:
    rows = rows_of(5).select(torch.tensor([4, 1, 3]))
    genome = rows.uniform(3, 16, 16)
    whole = problem(
        network,
        ThreeImages(),
        objective=PictureIndexScore(),
        monitor=PictureIndexScore(),
        views=2,
        **options,
    )
    expected = 10.0 * rows.item + 1.0  # the mean of 0, 1 and 2
    assert torch.equal(whole.evaluate(genome, rows).scores[:, 0], expected)
    assert torch.equal(whole.confirmed(genome, rows), expected)
    plain = problem(
        network,
        Pixels((16, 16)),
        objective=PictureIndexScore(),
        monitor=PictureIndexScore(),
        **options,
    )
    assert torch.equal(plain.evaluate(genome, rows).scores[:, 0], rows.item.float())


def test_a_readout_without_picture_indices_has_its_items(network: Network) -> None:
    rows = rows_of(3).select(torch.tensor([2, 0]))
    assert torch.equal(Readout({}, torch.zeros(2, 3, 8, 8), rows).picture_index, rows.item)
    assert Pixels((8, 8)).picture_index(rows).tolist() == [2, 0]


def test_the_objective_is_bound_to_the_size_of_the_images(network: Network) -> None:
    rows, near = rows_of(2), WeightedSum({"near": NearGrey()}).bind(network)
    whole = problem(
        network, Pixels((16, 16)), objective=near.at((16, 16)), monitor=near.at((16, 16))
    )
    smaller = whole.at(size=(12, 8))
    genome = rows.uniform(3, 12, 8)
    evaluation = smaller.evaluate(genome, rows)
    torch.testing.assert_close(evaluation.scores[:, 0], -(genome - 0.5).square().mean((1, 2, 3)))
    torch.testing.assert_close(evaluation.monitor, evaluation.scores[:, 0])
    same = problem(network, Pixels((16, 16)), objective=near, monitor=near).at(size=(12, 8))
    assert same.monitor is same.objective
    assert whole.at(views=2).objective is whole.objective  # the size is the same


def test_a_sum_has_the_columns_and_alternatives_of_its_terms(network: Network) -> None:
    class Alternatives(SizedGreyMatch):
        alternatives, columns = True, 4

    class SeveralTargets(Objective):
        def bind(self, network: Network) -> BoundObjective:
            return Alternatives()

    bound = WeightedSum({"plain": NearGrey(), "alternatives": SeveralTargets()}).bind(network)
    assert (bound.alternatives, bound.columns) == (True, 4)
    assert bound.at((8, 8)).terms["plain"][0].size == (8, 8)
    assert OUTPUT not in bound.layers
