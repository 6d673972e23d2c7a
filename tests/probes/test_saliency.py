"""The probes occlusion, saliency and saliency_evaluation, on a tiny network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_worlds import noisy_pictures, traits, unanswering, wrapped
from torch import Tensor, nn

from synth.core.network import Network
from synth.errors import InputError
from synth.probes.attributions.fills import fill
from synth.probes.attributions.gradients import Vanilla
from synth.probes.attributions.score import Score
from synth.probes.attributions.windows import Occluder, Windows
from synth.probes.occlusion import Occlusion, drops
from synth.probes.saliency import Saliency
from synth.probes.saliency_evaluation import (
    SaliencyEvaluation,
    interval,
    rank_correlation,
    shuffled,
)
from synth.record.memory_record import MemoryRecord

COUNT = 3
FEW = {"samples": 2, "integration_steps": 2, "masks": 4}


class Corner(nn.Module):
    """Class 0 by the brightness of the upper left 4 x 4 pixels, class 1 by that of the rest."""

    def __init__(self) -> None:
        super().__init__()
        weights = torch.zeros(5, 3, 16, 16)
        weights[0, :, :4, :4] = 1 / 48
        weights[1, :, 4:, 4:] = 1e-4
        self.fc = nn.Linear(3 * 16 * 16, 5)
        self.fc.weight = nn.Parameter(weights.flatten(1))

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(images.flatten(1))


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(noisy_pictures(tmp_path / "pictures", COUNT))


def test_a_covered_window_drops_the_score_where_the_network_looks(folder: str) -> None:
    network = wrapped(Corner(), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    record = MemoryRecord()
    probe = Occlusion(network, folder, 4, 2, "black", target="goldfish", score="logit")
    result = probe.run(record)
    tensors = record.saved_tensors["occlusion.safetensors"]
    assert tensors["maps"].shape == (COUNT, 16, 16)
    assert tensors["drops"].shape == (COUNT, 7, 7)
    assert [item.target for item in result.items] == ["goldfish"] * COUNT
    for number, item in enumerate(result.items):
        image = record.read_back(str(item.file))
        window = image[:, :4, :4].mean()
        assert float(tensors["drops"][number, 0, 0]) == pytest.approx(float(window), abs=1e-5)
        assert item.extra["covered_row"] == item.extra["covered_column"] == 0
        assert tensors["maps"][number, 8:, 8:].abs().max() < 1e-6
        assert tensors["maps"][number, 0, 0] == tensors["drops"][number, 0, 0]  # one window alone
    assert result.findings["windows"] == 49
    assert len(result.figures) == COUNT
    with pytest.raises(InputError, match=r"window=17: write pixels, or \[height, width\], from 1"):
        Occlusion(network, folder, 17)
    with pytest.raises(InputError, match="fill=pink: no such fill"):
        Occlusion(network, folder, fill="pink")


@pytest.mark.parametrize(
    ("window", "stride"), [((4, 4), (2, 2)), ((5, 3), (4, 3)), ((3, 3), (7, 5))]
)
def test_occlusion_is_the_mean_over_windows_window_by_window(
    network: Network, window: tuple[int, int], stride: tuple[int, int]
) -> None:
    images = torch.rand(2, 3, 16, 16)
    score = Score(network, kind="probability")
    neurons = score.neurons(images)
    cover = fill("average", images, network, torch.arange(2))
    windows = Windows((16, 16), window, stride)
    values = drops(Occluder(score, windows), images, neurons, cover)
    sums, counts = torch.zeros(2, 16, 16), torch.zeros(16, 16)
    number = 0
    with torch.inference_mode():
        for top in range(0, windows.grid[0] * stride[0], stride[0]):
            for left in range(0, windows.grid[1] * stride[1], stride[1]):
                area = (..., slice(top, top + window[0]), slice(left, left + window[1]))
                occluded = images.clone()
                occluded[area] = cover[area]
                drop = score(images, neurons) - score(occluded, neurons)
                assert torch.allclose(values[:, number], drop, atol=1e-6)
                sums[area] += drop[:, None, None]
                counts[area] += 1
                number += 1
    assert number == len(windows)
    assert torch.allclose(windows.spread(values), sums / counts.clamp(min=1), atol=1e-6)


def test_occlusion_agrees_with_captum(network: Network) -> None:
    captum = pytest.importorskip("captum.attr", reason="captum is the other side")
    images = torch.rand(2, 3, 16, 16)
    score = Score(network)
    neurons = score.neurons(images)
    cover = torch.full_like(images, 0.5)
    windows = Windows((16, 16), (5, 4), (3, 4))
    maps = windows.spread(drops(Occluder(score, windows), images, neurons, cover))
    expected = captum.Occlusion(network).attribute(
        images, (3, 5, 4), strides=(3, 3, 4), baselines=cover, target=neurons
    )
    assert torch.allclose(maps, expected[:, 0], atol=1e-5)


def test_saliency_of_a_folder_leaves_items_maps_and_a_sheet_a_picture(
    network: Network, folder: str
) -> None:
    before = traits(network.module)
    record = MemoryRecord()
    result = Saliency(network, folder, "all", **FEW).run(record)
    assert traits(network.module) == before
    tensors = record.saved_tensors["saliency.safetensors"]
    assert tensors["maps"].shape == (8, COUNT, 16, 16)
    assert len(result.figures) == len(result.items) == COUNT
    images = torch.stack([record.read_back(str(item.file)) for item in result.items])
    with torch.no_grad():
        probabilities = network(images).softmax(1)
    for item, row, neuron in zip(result.items, probabilities, tensors["neurons"], strict=True):
        assert item.predicted_index == item.target_index == int(neuron) == int(row.argmax())
        assert item.confidence == pytest.approx(float(row.max()), abs=1e-5)
    plain = Vanilla()(Score(network), images, tensors["neurons"], tensors["neurons"])
    assert torch.allclose(tensors["maps"][0], plain.abs().amax(1), atol=1e-6)
    # a unit inside, and a class by its name
    inside = Saliency(network, folder, ["vanilla", "guided_backprop"], layer="conv2", unit=3)
    assert {item.target for item in inside.run(MemoryRecord()).items} == {"conv2:3"}
    named = Saliency(network, folder, "vanilla", target="lemon", score="probability")
    assert {item.target for item in named.run(MemoryRecord()).items} == {"lemon"}
    with pytest.raises(InputError, match=r"unit=3: write layer= too"):
        Saliency(network, folder, unit=3)


def test_a_network_without_an_answer_explains_nothing_and_says_so(folder: str) -> None:
    result = Saliency(unanswering(), folder, "vanilla").run(MemoryRecord())
    assert [item.predicted for item in result.items] == [None] * COUNT
    assert [item.confidence for item in result.items] == [None] * COUNT


def test_deletion_and_insertion_tell_a_right_map_from_a_random_map(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(6):  # white where the network looks, grey elsewhere
        pixels = np.full((16, 16, 3), 100 + number, np.uint8)
        pixels[:4, :4] = 255
        Image.fromarray(pixels).save(folder / f"{number}.png")
    module = Corner()
    with torch.no_grad():
        module.fc.weight.mul_(8)
        module.fc.bias.zero_()
    network = wrapped(module, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    record = MemoryRecord()
    probe = SaliencyEvaluation(
        network, str(folder), "vanilla", levels=8, fill="black", start="black", sanity_pictures=2
    )
    result = probe.run(record)
    tensors = record.saved_tensors["saliency_evaluation.safetensors"]
    assert tensors["deletion"].shape == tensors["insertion"].shape == (2, 6, 9)
    images = torch.stack([probe.pictures.picture(place).at((16, 16)) for place in range(6)])
    black = torch.zeros_like(images)
    with torch.inference_mode():
        whole, covered = (network(each).softmax(1)[:, 0] for each in (images, black))
    assert torch.allclose(tensors["deletion"][:, :, 0], whole.expand(2, 6), atol=1e-6)
    assert torch.allclose(tensors["deletion"][:, :, -1], covered.expand(2, 6), atol=1e-6)
    assert torch.allclose(tensors["insertion"][:, :, -1], whole.expand(2, 6), atol=1e-6)
    # the 16 pixels that matter are an 8th of half of all: gone, or back, at the first level
    half = images.clone()
    half[:, :, :4, :4] = 0
    with torch.inference_mode():
        expected = network(half).softmax(1)[:, 0]
    assert torch.allclose(tensors["deletion"][0, :, 1], expected, atol=1e-2)
    vanilla, random = result.findings["methods"]
    assert (vanilla["method"], random["method"]) == ("vanilla", "random")
    assert vanilla["deletion_high"] < random["deletion_low"]
    assert vanilla["insertion_low"] > random["insertion_high"]
    area = float(torch.trapezoid(tensors["deletion"][0].mean(0), dx=1 / 8))
    assert result.findings["deletion_auc"] == pytest.approx(area, abs=1e-4)
    assert vanilla["rank_correlation_shuffled"] < 0.9
    assert {figure.file for figure in result.figures} == {
        f"figures/{name}.png" for name in ("curves", "areas", "sanity", "000")
    }
    with pytest.raises(InputError, match="needs 2 pictures or more"):
        SaliencyEvaluation(network, str(folder / "0.png"))


def test_weights_are_shuffled_from_the_output_on_and_in_a_copy(network: Network) -> None:
    before = traits(network.module)
    originals = {name: value.clone() for name, value in network.module.named_parameters()}
    changed = []
    for share, copy in shuffled(network, stages=2):
        names = {
            name.split(".")[0]
            for name, value in copy.module.named_parameters()
            if not torch.equal(value, originals[name])
        }
        changed.append((share, names))
    assert changed[0][0] == 0.5
    assert "fc" in changed[0][1]
    assert "conv1" not in changed[0][1]
    assert changed[1][1] >= {"conv1", "conv2", "fc"}
    for name, value in copy.module.named_parameters():
        assert torch.equal(value.flatten().sort().values, originals[name].flatten().sort().values)
    assert traits(network.module) == before


def test_ranks_and_intervals() -> None:
    first = torch.tensor([[[[0.0, 0.0], [1.0, -3.0]]], [[[1.0, 2.0], [3.0, 4.0]]]])
    second = torch.tensor([[[[0.0, 0.5], [0.5, 9.0]]], [[[7.0, 7.0], [7.0, 7.0]]]])
    values = rank_correlation(Vanilla(), first, second)
    ranks = np.corrcoef([1.5, 1.5, 3, 4], [1, 2.5, 2.5, 4])[0, 1]  # equal values share a rank
    assert values.tolist() == pytest.approx([ranks, 0.0], abs=1e-6)
    draws = torch.randn(400, generator=torch.Generator().manual_seed(0))
    low, high = interval(draws)
    assert low < float(draws.mean()) < high
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.15)
    assert interval(draws) == (low, high)


def test_crops_give_the_scores_of_whole_images_where_that_saves_work() -> None:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(16, 8, 3, padding=1),
            nn.AdaptiveAvgPool2d(3),
            nn.Flatten(),
            nn.Linear(72, 5),
        )
    network = wrapped(module, size=(50, 46))
    before = traits(network.module)
    score = Score(network)
    windows = Windows((50, 46), (8, 7), (6, 5))
    occluder = Occluder(score, windows)
    assert occluder.layer is not None
    image, cover = torch.rand(2, 3, 50, 46)
    scores = occluder(image, torch.tensor(2), cover)
    plain = Occluder(score, windows, crop=False)(image, torch.tensor(2), cover)
    assert torch.allclose(scores, plain, atol=1e-5)
    assert float(plain.max() - plain.min()) > 1e-3
    assert traits(network.module) == before
    assert Occluder(score, Windows((50, 46), (49, 45), (1, 1))).layer is None  # nothing to save
