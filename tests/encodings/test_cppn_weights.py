"""CPPNs of fixed topology, against plain Python point by point, and input symmetries."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small_worlds import rows_of
from torch import Tensor
from torch.nn import functional

from synth.encodings.cppn_weights import CppnWeights
from synth.errors import InputError


def colours_at(
    genome: np.ndarray, layers: int, width: int, gain: float, x: float, y: float
) -> list[float]:
    """The colour of a point, unit by unit."""
    functions = (lambda s: math.sin(math.pi * s), lambda s: math.exp(-s * s), math.tanh, abs)
    values, place = [x, y, math.hypot(x, y), 1.0], 0
    for layer in range(layers + 1):
        scale, sums = gain / math.sqrt(len(values)), []
        for _ in range(3 if layer == layers else width):
            weights = genome[place : place + len(values)] * scale
            sums.append(sum(weight * value for weight, value in zip(weights, values, strict=True)))
            place += len(values)
        if layer == layers:
            assert place == len(genome)
            return [1 / (1 + math.exp(-value)) for value in sums]
        # outputs are sorted by function
        values = [functions[kind](value) for kind in range(4) for value in sums[kind::4]] + [1.0]
    raise AssertionError


@pytest.mark.parametrize(("layers", "width"), [(1, 4), (2, 7), (3, 12)])
def test_every_point_is_that_of_plain_python(layers: int, width: int) -> None:
    encoding, rows = CppnWeights((8, 11), layers, width, gain=1.5), rows_of(2)
    genome = encoding.start(rows)
    pictures = encoding.decode(genome, rows)
    for row in range(2):
        for i, j in ((0, 0), (3, 7), (7, 10)):
            x, y = (2 * j + 1 - 11) / 8, (2 * i + 1 - 8) / 8
            expected = colours_at(genome[row].double().numpy(), layers, width, 1.5, x, y)
            assert pictures[row, :, i, j].tolist() == pytest.approx(expected, abs=2e-5)


def without(encoding: CppnWeights, genome: Tensor, *inputs: int) -> Tensor:
    """`genome` with the weights of some inputs of the first layer at 0."""
    genome = genome.clone()
    genome[:, : encoding.lengths[0]].unflatten(1, encoding.shapes[0])[..., list(inputs)] = 0
    return genome


def test_symmetries_are_those_of_the_inputs() -> None:
    encoding, rows = CppnWeights((17, 24)), rows_of(4)
    genome = encoding.start(rows)
    mirrored = encoding.decode(without(encoding, genome, 1), rows)  # no y: top and bottom are alike
    torch.testing.assert_close(mirrored, mirrored.flip(2), atol=2e-4, rtol=0)
    assert float((mirrored - mirrored.flip(3)).abs().max()) > 0.1
    mirrored = encoding.decode(without(encoding, genome, 0), rows)  # no x
    torch.testing.assert_close(mirrored, mirrored.flip(3), atol=2e-4, rtol=0)
    # neither x nor y: invariant under a quarter turn
    rings = CppnWeights((24, 24)).decode(without(encoding, genome, 0, 1), rows)
    torch.testing.assert_close(rings, rings.rot90(1, (2, 3)), atol=2e-4, rtol=0)
    # the constant alone: a single colour
    plain = encoding.decode(without(encoding, genome, 0, 1, 2), rows)
    torch.testing.assert_close(plain, plain[..., :1, :1].expand_as(plain))


def test_a_genome_is_the_same_picture_at_every_size() -> None:
    small, rows = CppnWeights(64, sd=0.7), rows_of(2)
    large = small.at((1024, 1024))
    assert small.scalable
    genome = small.start(rows)
    assert small.transfer(genome, large) is genome
    shrunk = functional.avg_pool2d(large.decode(genome, rows), 16)
    difference = (shrunk - small.decode(genome, rows)).abs()
    assert float(difference.mean()) < 0.003
    assert float(difference.max()) < 0.1  # at an edge between two pixels
    exact = small.at((192, 192)).decode(genome, rows)[..., 1::3, 1::3]  # the same points
    torch.testing.assert_close(exact, small.decode(genome, rows), atol=1e-4, rtol=0)


def test_gradient_by_finite_differences() -> None:
    encoding, rows = CppnWeights((8, 9), 2, 5, gain=1.0), rows_of(1)
    weights = rows_of(1, "weights").normal(3, 8, 9).double()
    encoding.points = encoding.points.double()
    genome = encoding.start(rows).double().requires_grad_()
    (gradient,) = torch.autograd.grad((encoding.decode(genome, rows) * weights).sum(), genome)
    way = rows_of(1, "way").normal(genome.shape[1]).double()
    with torch.no_grad():
        ahead, behind = (encoding.decode(genome + sign * 1e-5 * way, rows) for sign in (1, -1))
    slope = float(((ahead - behind) * weights).sum() / 2e-5)
    assert float((gradient * way).sum()) == pytest.approx(slope, rel=1e-4)


def test_starts_have_contrast_and_genomes_are_short() -> None:
    encoding, rows = CppnWeights(32), rows_of(50)
    genome = encoding.start(rows)
    assert genome.shape == (50, 4 * 8 + 2 * 8 * 9 + 3 * 9)
    assert float(genome.std()) == pytest.approx(1, rel=0.03)
    deviations = encoding.decode(genome, rows).flatten(1).std(1)
    assert float(deviations.median()) > 0.1
    assert encoding.project(genome, rows) is genome
    other = CppnWeights(16, 2, 5, 0.3, 1.5).at((9, 9)).to(torch.device("cpu"))
    assert (other.size, other.layers, other.width, other.sd, other.gain) == ((9, 9), 2, 5, 0.3, 1.5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layers": 0}, r"encoding\.layers=0: write 1 hidden layer or more"),
        ({"width": 3}, r"encoding\.width=3: write 4 units or more"),
        ({"sd": 0.0}, r"encoding\.sd=0\.0"),
        ({"gain": -1.0}, r"encoding\.gain=-1\.0"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CppnWeights(8, **wrong)
