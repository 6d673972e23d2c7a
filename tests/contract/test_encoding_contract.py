"""What every encoding owes: genomes a row, pictures in [0, 1], and rows that never look at their neighbours."""

from __future__ import annotations

import pytest
import torch
from parts import names, part
from small_worlds import rows_of
from torch import Tensor

from synth.core import Encoding, Rows

SIZES = (16, 16), (18, 27)
COUNT = 2  # as many as the pictures in the YAML files


def _each_size(name: str) -> list[tuple[Encoding, tuple[int, int]]]:
    encoding = part("encoding", name)
    assert isinstance(encoding, Encoding)
    return [(encoding.at(size), size) for size in SIZES]


def _pictures(encoding: Encoding, genome: Tensor, rows: Rows) -> Tensor:
    images = encoding.decode(genome, rows)
    assert encoding.size is not None
    assert images.shape == (len(rows) * encoding.images_per_genome, 3, *encoding.size)
    assert images.dtype == torch.float32
    assert bool(images.isfinite().all())
    return images


@pytest.mark.parametrize("name", names("encoding"))
def test_shapes_and_range(name: str) -> None:
    rows = rows_of(COUNT, "contract")
    for encoding, size in _each_size(name):
        assert encoding.size == size
        genome = encoding.start(rows)
        assert len(genome) == COUNT
        assert bool(genome.isfinite().all())
        for far in (0.0, 0.1, 30.0):
            legal = encoding.project(genome + far * rows.fold_in(1).normal(*genome.shape[1:]), rows)
            assert legal.shape == genome.shape
            images = _pictures(encoding, legal, rows)
            assert 0 <= float(images.min()) <= float(images.max()) <= 1
            torch.testing.assert_close(encoding.project(legal, rows), legal, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", names("encoding"))
def test_rows_are_their_own(name: str) -> None:
    rows = rows_of(COUNT, "contract")
    swapped = torch.arange(COUNT).flip(0)
    for encoding, _ in _each_size(name):
        genome = encoding.start(rows)
        assert torch.equal(encoding.start(rows), genome)
        assert torch.equal(encoding.start(rows.select(swapped)), genome[swapped])
        moved = encoding.project(genome + 0.05 * rows.fold_in(1).normal(*genome.shape[1:]), rows)
        images = _pictures(encoding, moved, rows).unflatten(0, (COUNT, -1))
        others = _pictures(encoding, moved[swapped], rows.select(swapped)).unflatten(0, (COUNT, -1))
        torch.testing.assert_close(others, images[swapped], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", names("encoding"))
def test_gradients_reach_the_genome(name: str) -> None:
    rows = rows_of(COUNT, "contract")
    for encoding, _ in _each_size(name):
        genome = encoding.start(rows)
        if not encoding.differentiable:
            continue
        genome = encoding.project(genome, rows).requires_grad_()
        (gradient,) = torch.autograd.grad(encoding.decode(genome, rows).square().sum(), genome)
        assert bool(gradient.isfinite().all())
        assert bool((gradient.flatten(1).abs().sum(1) > 0).all())


@pytest.mark.parametrize("name", names("encoding"))
def test_the_original_is_a_picture_a_row(name: str) -> None:
    rows = rows_of(COUNT, "contract")
    for encoding, size in _each_size(name):
        original = encoding.originals(rows)
        if original is not None:
            assert original.shape[1:] == (3, *size)
            assert 0 <= float(original.min()) <= float(original.max()) <= 1
        baseline = encoding.baseline(rows)
        if baseline is not None:
            assert (encoding.start(rows) - baseline).shape == encoding.start(rows).shape
