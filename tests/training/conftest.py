"""Small fixtures to train on: folders of coloured pictures, a tiny network, a task of both."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from small_worlds import COLOURS, write_colour_folders
from torch import nn

from synth.data.augmentation import Augmentation
from synth.data.class_folders import LabelledPictures
from synth.training.classifier.task import ClassifierTask, Normalisation
from synth.training.classifier.weights import Description, write_weights


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Several threads are slower than one on tensors this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny(classes: int, dropout: float) -> nn.Sequential:
    """A classifier of pictures of any size: convolution, batch norm, dropout and a linear head."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 6, 3, 2, 1, bias=False),
            norm=nn.BatchNorm2d(6),
            relu=nn.ReLU(),
            pool=nn.AdaptiveAvgPool2d(2),
            flatten=nn.Flatten(),
            dropout=nn.Dropout(dropout),
            fc=nn.Linear(24, classes),
        )
    )


@pytest.fixture(autouse=True)
def undrawn_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing curves takes half a second, most of the time of these trainings."""

    def mark(path: Path, *_: object) -> None:
        path.write_bytes(b"curves")

    monkeypatch.setattr("synth.training.loop.draw_curves", mark)


@pytest.fixture
def tiny_network() -> Callable[[int, float], nn.Sequential]:
    return tiny


@pytest.fixture
def colour_folders(tmp_path: Path) -> Callable[..., Path]:
    """Writes a class folder for each colour, of noisy PNGs of that colour."""

    def write(
        name: str = "train", each: int = 12, size: int = 16, colours: Sequence[str] = tuple(COLOURS)
    ) -> Path:
        return write_colour_folders(tmp_path / name, each, size, colours)

    return write


@pytest.fixture
def make_task() -> Callable[..., ClassifierTask]:
    """A classifier's task on random pictures [40, 3, 8, 8], the same in every call."""

    def make(
        augmentation: Augmentation | None = None,
        dropout: float = 0.0,
        weight_decay: float = 0.0,
        rate: float = 0.05,
        samples: int = 40,
    ) -> ClassifierTask:
        draws = torch.Generator().manual_seed(5)
        pictures = torch.randint(0, 256, (samples, 3, 8, 8), generator=draws, dtype=torch.uint8)
        labels = torch.randint(0, 3, (samples,), generator=draws)
        data = LabelledPictures(
            pictures.to(memory_format=torch.channels_last), labels, ("a", "b", "c")
        )
        with torch.random.fork_rng([]):
            torch.manual_seed(1)
            network = tiny(3, dropout)
        scale = Normalisation.of(pictures)
        description = Description("tiny", (), 8, scale.mean, scale.std)
        return ClassifierTask(
            network,
            data,
            data,
            scale,
            augmentation or Augmentation(),
            rate=rate,
            momentum=0.9,
            weight_decay=weight_decay,
            low_precision=False,
            save=lambda path, row: write_weights(path, network.state_dict(), description),
        )

    return make
