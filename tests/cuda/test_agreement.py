"""Encodings and objectives on a GPU: the numbers of a CPU, and the same bits when repeated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from parts import names, part
from small_worlds import rows_of
from torch import Tensor

from synth.core import BoundObjective, Encoding, Readout, Rows
from synth.core.network import Network
from synth.networks.bundled import bundled

pytest_plugins = "console_fixtures"
pytestmark = pytest.mark.cuda
SIZE = (16, 16)
CLOSE = {"rtol": 1e-3, "atol": 1e-4}
IMAGES = 3


@pytest.fixture(scope="module")
def alexnets(device: str, weights: Path) -> tuple[Network, Network]:
    """The network whose layers the YAML files name, on the CPU and on the device."""
    cpu, gpu = (bundled("mini_alexnet", str(weights), place) for place in ("cpu", device))
    return cpu, gpu


def rows_on(count: int, device: str) -> Rows:
    rows = rows_of(count, "cuda")
    return Rows(rows.item.to(device), rows.key.to(device))


def test_random_numbers_are_those_of_a_cpu(device: str) -> None:
    cpu, gpu = rows_on(5, "cpu"), rows_on(5, device)
    assert torch.equal(gpu.fold_in(3).split(7).key.cpu(), cpu.fold_in(3).split(7).key)
    assert torch.equal(gpu.uniform(3, 11).cpu(), cpu.uniform(3, 11))
    torch.testing.assert_close(gpu.normal(3, 11).cpu(), cpu.normal(3, 11), rtol=1e-5, atol=1e-5)


def _encoding(name: str, network: Network) -> Encoding:
    encoding = part("encoding", name).at(SIZE)
    return encoding.to(network.device).bind(network)


def _decoded(encoding: Encoding, genome: Tensor, rows: Rows) -> tuple[Tensor, Tensor]:
    """Images, and the gradient of the sum of their squares where there is one."""
    if not encoding.differentiable:
        return encoding.decode(genome, rows), torch.zeros_like(genome)
    genome = genome.detach().requires_grad_()
    images = encoding.decode(genome, rows)
    (gradient,) = torch.autograd.grad(images.square().sum(), genome)
    return images.detach(), gradient


@pytest.mark.parametrize("name", names("encoding"))
def test_an_encoding_decodes_to_the_images_and_gradients_of_a_cpu(
    name: str, alexnets: tuple[Network, Network], device: str
) -> None:
    on_cpu, on_gpu = (_encoding(name, network) for network in alexnets)
    count = max(2, len(on_cpu.names or ()))
    cpu, gpu = rows_on(count, "cpu"), rows_on(count, device)
    torch.testing.assert_close(on_gpu.start(gpu).cpu(), on_cpu.start(cpu), **CLOSE)
    genome = on_cpu.start(cpu)
    genome = on_cpu.project(genome + 0.05 * cpu.fold_in(1).normal(*genome.shape[1:]), cpu)
    moved = genome.to(device)
    torch.testing.assert_close(on_gpu.project(moved, gpu).cpu(), genome, **CLOSE)
    images, gradient = _decoded(on_gpu, moved, gpu)
    expected, expected_gradient = _decoded(on_cpu, genome, cpu)
    torch.testing.assert_close(images.cpu(), expected, **CLOSE)
    scale = float(expected_gradient.abs().amax().clamp_min(1.0))
    torch.testing.assert_close(gradient.cpu() / scale, expected_gradient / scale, **CLOSE)
    again, gradient_again = _decoded(on_gpu, moved, gpu)
    assert torch.equal(again, images)
    assert torch.equal(gradient_again, gradient)


def _scored(
    bound: BoundObjective, network: Network, images: Tensor, rows: Rows
) -> tuple[Mapping[str, Tensor], Tensor]:
    """The terms, and the gradient of the sum of those that are finite."""
    images = images.detach().requires_grad_()
    activations = network.read(images, bound.layers)
    terms = bound(Readout(activations, images, rows, images_per_genome=1))
    finite = [torch.where(value.isfinite(), value, 0.0).sum() for value in terms.values()]
    (gradient,) = torch.autograd.grad(torch.stack(finite).sum(), images)
    return {name: value.detach() for name, value in terms.items()}, gradient


@pytest.mark.parametrize("name", names("objective"))
def test_an_objective_scores_as_on_a_cpu(
    name: str, alexnets: tuple[Network, Network], device: str
) -> None:
    results = []
    for network, place in zip(alexnets, ("cpu", device), strict=True):
        bound = part("objective", name).bind(network).at(network.size)
        images = rows_on(IMAGES, "cpu").uniform(3, *network.size).to(place)
        rows = rows_on(IMAGES, place)
        results.append(_scored(bound, network, images, rows))
        terms, gradient = _scored(bound, network, images, rows)
        assert torch.equal(gradient, results[-1][1])
        assert all(torch.equal(value, results[-1][0][key]) for key, value in terms.items())
    (expected, expected_gradient), (terms, gradient) = results
    for key, value in terms.items():
        torch.testing.assert_close(value.cpu(), expected[key], rtol=1e-3, atol=1e-3)
    scale = float(expected_gradient.abs().amax().clamp_min(1e-6))
    torch.testing.assert_close(
        gradient.cpu() / scale, expected_gradient / scale, rtol=1e-2, atol=1e-2
    )


def test_logits_are_those_of_a_cpu_and_the_copy_for_searches_is_close(
    alexnets: tuple[Network, Network], device: str
) -> None:
    images = rows_on(8, "cpu").uniform(3, 64, 64)
    expected = alexnets[0](images)
    logits = alexnets[1](images.to(device))
    torch.testing.assert_close(logits.cpu(), expected, rtol=1e-3, atol=1e-3)
    fast = alexnets[1].read(images.to(device), ["output"], fast=True)["output"].cpu()
    assert float((fast - expected).abs().amax() / expected.abs().amax()) < 0.05
    assert fast.argmax(1).tolist() == expected.argmax(1).tolist()
