"""Contract of every encoding in ``conf/encoding``: shapes, range, rows, gradients, options.

Nothing here names an encoding: what one needs in a test stands in its YAML, ``# test: ...``.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor

from synth.contract.cases import for_each
from synth.contract.parts import part
from synth.contract.worlds import rows_of, tiny_module, wrapped
from synth.core import Encoding, Rows
from synth.errors import InputError
from synth.searches.regularisers import Regularisers

SIZES = (16, 16), (18, 27)
MOVE = 0.05  # of a genome, in standard normal steps

# members of `Encoding` that may be left out, and what is lost without them
OPTIONAL = {
    "transfer": "search=stages cannot transfer a genome from one size to the next",
    "baseline": "decay and clipping of a gradient search have nothing to pull towards",
    "originals": "no distances to a clean image are measured, and no objective may need one",
    "initial_images": "no image of the start is shown beside the result",
}


@cache
def _bound(name: str) -> Encoding:
    """The encoding of that YAML at the first of SIZES, bound to a small network."""
    encoding = part("encoding", name)
    assert isinstance(encoding, Encoding)
    return encoding.at(SIZES[0]).bind(wrapped(tiny_module()))


def _each_size(name: str) -> list[Encoding]:
    return [_bound(name).at(size) for size in SIZES]


def _rows(encoding: Encoding) -> Rows:
    """A row for each image that the encoding starts from; two where it serves any number."""
    return rows_of(max(2, len(encoding.names or ())), "contract")


def _moved(encoding: Encoding, rows: Rows, distance: float = MOVE) -> Tensor:
    """A legal genome at about `distance` from the start."""
    genome = encoding.start(rows)
    noise = rows.fold_in(1).normal(*genome.shape[1:])
    return encoding.project(genome + distance * noise, rows)


def _images(encoding: Encoding, genome: Tensor, rows: Rows) -> Tensor:
    """The decoded images, after a check of their shape, type and finiteness."""
    images = encoding.decode(genome, rows)
    assert encoding.size is not None
    assert images.shape == (len(rows) * encoding.images_per_genome, 3, *encoding.size)
    assert images.dtype == torch.float32
    assert bool(images.isfinite().all())
    return images


def _skip_where_left_out(name: str, encoding: Encoding, member: str) -> None:
    if getattr(type(encoding), member) is getattr(Encoding, member):
        pytest.skip(f"encoding={name} leaves out {member}(): {OPTIONAL[member]}")


@for_each(name="encoding")
def test_at_sets_the_size_and_changes_nothing_else(name: str) -> None:
    bound = _bound(name)
    for encoding, size in zip(_each_size(name), SIZES, strict=True):
        assert encoding.size == size
        assert type(encoding) is type(bound)
        assert encoding.differentiable == bound.differentiable
        assert encoding.stochastic == bound.stochastic
        assert encoding.images_per_genome == bound.images_per_genome
        assert list(encoding.names or ()) == list(bound.names or ())
    assert bound.size == SIZES[0], "at() must give another encoding, not change this one"


@for_each(name="encoding")
def test_images_are_in_range_and_projection_is_idempotent(name: str) -> None:
    for encoding in _each_size(name):
        rows = _rows(encoding)
        genome = encoding.start(rows)
        assert len(genome) == len(rows)
        assert bool(genome.isfinite().all())
        for distance in (0.0, 0.1, 30.0):
            legal = _moved(encoding, rows, distance)
            assert legal.shape == genome.shape
            images = _images(encoding, legal, rows)
            assert 0 <= float(images.min()) <= float(images.max()) <= 1
            torch.testing.assert_close(encoding.project(legal, rows), legal, rtol=1e-5, atol=1e-6)


@for_each(name="encoding")
def test_rows_are_independent_of_their_order(name: str) -> None:
    for encoding in _each_size(name):
        rows = _rows(encoding)
        order = torch.arange(len(rows)).flip(0)
        genome = encoding.start(rows)
        assert torch.equal(encoding.start(rows), genome)
        assert torch.equal(encoding.start(rows.select(order)), genome[order])
        genome = _moved(encoding, rows)
        images = _images(encoding, genome, rows).unflatten(0, (len(rows), -1))
        reordered = _images(encoding, genome[order], rows.select(order))
        reordered = reordered.unflatten(0, (len(rows), -1))
        torch.testing.assert_close(reordered, images[order], rtol=0, atol=1e-6)


@for_each(name="encoding")
def test_gradients_reach_the_genome(name: str) -> None:
    if not _bound(name).differentiable:
        pytest.skip(f"encoding={name} is not differentiable: it cannot have a gradient search")
    for encoding in _each_size(name):
        rows = _rows(encoding)
        genome = encoding.project(encoding.start(rows), rows).requires_grad_()
        (gradient,) = torch.autograd.grad(encoding.decode(genome, rows).square().sum(), genome)
        assert bool(gradient.isfinite().all())
        assert bool((gradient.flatten(1).abs().sum(1) > 0).all())


@for_each(name="encoding")
def test_a_decoded_image_belongs_to_a_picture(name: str) -> None:
    for encoding in _each_size(name):
        rows = _rows(encoding)
        index = encoding.picture_index(rows)
        assert index.dtype == torch.int64
        assert index.shape == (len(rows) * encoding.images_per_genome,)
        exported = encoding.export(_moved(encoding, rows), rows)
        assert len(exported) % len(rows) == 0
        assert exported.shape[1:] == (3, *encoding.size)
        assert 0 <= float(exported.min()) <= float(exported.max()) <= 1


@for_each(name="encoding")
def test_a_transferred_genome_is_one_of_the_other_size(name: str) -> None:
    small, large = _each_size(name)
    _skip_where_left_out(name, small, "transfer")
    rows = _rows(small)
    genome = small.transfer(_moved(small, rows), large)
    assert genome.shape == large.start(rows).shape
    legal = large.project(genome, rows)
    assert bool(legal.isfinite().all())
    _images(large, legal, rows)


@for_each(name="encoding")
def test_a_baseline_broadcasts_to_genomes_and_without_one_decay_is_refused(name: str) -> None:
    for encoding in _each_size(name):
        rows = _rows(encoding)
        genome = encoding.start(rows)
        baseline = encoding.baseline(rows)
        if baseline is None:
            with pytest.raises(InputError, match="this encoding defines no baseline"):
                Regularisers(decay=0.01)(genome, torch.zeros_like(genome), None, 0)
            pytest.skip(f"encoding={name} defines no baseline: {OPTIONAL['baseline']}")
        assert (genome - baseline).shape == genome.shape


@for_each(name="encoding")
@pytest.mark.parametrize("member", ["originals", "initial_images"])
def test_clean_and_initial_images_are_one_a_row(name: str, member: str) -> None:
    for encoding in _each_size(name):
        rows = _rows(encoding)
        images = (
            encoding.originals(rows) if member == "originals" else encoding.initial_images(rows)
        )
        if images is None:
            pytest.skip(f"encoding={name} has no {member}: {OPTIONAL[member]}")
        assert images.shape == (len(rows), 3, *encoding.size)
        assert 0 <= float(images.min()) <= float(images.max()) <= 1
