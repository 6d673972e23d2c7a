"""Takes the shape of what a layer says of a picture; gives the network that draws pictures from it, and reads one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.core.hardware import device_of
from synth.errors import InputError
from synth.networks import weights_io
from synth.networks.bundled import BOX

WIDEST = 192  # channels of a stage
HIDDEN = 512  # units between a flat code and the first feature map
FLAT_SIDE = 4  # rows and columns, at least, of the first feature map of a flat code
WORD = "generator"  # what a user calls such a file, and the key of its metadata
STATISTICS = ("mean", "deviation", "least")


class UpConvolution(nn.Module):
    """Pictures ``[n, 3, size, size]`` in [0, 1] from codes ``[n, *code]``: a layer's outputs, flat or ``[c, h, w]``.

    A flat code goes through two linear layers to the first feature map; a map is brought to a side that doubles to
    `size`. Each stage then doubles the sides (nearest neighbour, 3 x 3 convolution: transposed convolutions left
    their grid in the pictures), from at most 192 channels down to `width`; up to 16 x 16 a second convolution
    follows. Batch normalisation and leaky ReLUs of slope 0.2 throughout, colours through a sigmoid. After Dosovitskiy
    & Brox 2016 ("Generating images with perceptual similarity metrics based on deep networks"), table 1, with fewer
    channels.

    The code's statistics over the training pictures are part of it: `mean` and `deviation` of each unit, and `least`,
    the smallest value it ever had (0 behind a ReLU), each ``[*code]``. Codes are measured by the first two before
    anything else happens, so that units of any scale weigh alike.
    """

    mean: Tensor
    deviation: Tensor
    least: Tensor

    def __init__(self, code: Sequence[int], size: int = 64, width: int = 20) -> None:
        super().__init__()
        self.code, self.size, self.width = tuple(code), size, width
        if len(self.code) not in (1, 3):
            raise InputError(
                f"layer: a generator draws from [units] or [channels, h, w], not from {list(code)}."
            )
        flat = len(self.code) == 1 or max(self.code[1:]) == 1
        doublings = _doublings(size, FLAT_SIDE if flat else max(self.code[1:]))
        self.side = size >> doublings
        widths = [min(WIDEST, width << place) for place in reversed(range(doublings))]
        first = min(256, 2 * widths[0])
        for name in STATISTICS:
            self.register_buffer(name, torch.zeros(self.code))
        self.deviation.fill_(1.0)
        self.enter: nn.Module
        if flat:
            area = self.side * self.side
            self.enter = nn.Sequential(
                nn.Flatten(),
                *(
                    nn.Linear(self.mean.numel(), HIDDEN, bias=False),
                    nn.BatchNorm1d(HIDDEN),
                    nn.LeakyReLU(0.2),
                ),
                *(
                    nn.Linear(HIDDEN, first * area, bias=False),
                    nn.Unflatten(1, (first, self.side, self.side)),
                ),
                *(nn.BatchNorm2d(first), nn.LeakyReLU(0.2)),
            )
        else:
            self.enter = nn.Sequential(_Resized(self.side), *_convolution(self.code[0], first))
        stages: list[nn.Module] = []
        side, before = self.side, first
        for wide in widths:
            side *= 2
            stages += [nn.Upsample(scale_factor=2), *_convolution(before, wide)]
            if side <= 16:
                stages += _convolution(wide, wide)
            before = wide
        self.stages = nn.Sequential(*stages)
        self.colours = nn.Conv2d(before, 3, 3, padding=1)

    def forward(self, code: Tensor) -> Tensor:
        entered = self.enter((code - self.mean) / self.deviation)
        return (
            self.colours(self.stages(entered.contiguous(memory_format=torch.channels_last)))
            .float()
            .sigmoid()
        )

    @torch.no_grad()
    def measure(self, codes: Tensor) -> None:
        """Takes the statistics of `codes` ``[n, *code]``; a unit that never varies gets the deviation 1."""
        deviation = codes.std(0, correction=0)
        self.mean.copy_(codes.mean(0))
        self.deviation.copy_(torch.where(deviation > 1e-6, deviation, 1.0))
        self.least.copy_(codes.amin(0))


@dataclass(frozen=True)
class Origin:
    """What a generator was trained for: the `layer` of the network `network`, whose weights have the hash `sha256`."""

    network: str
    layer: str
    sha256: str
    command: str = ""


def write_generator(
    path: Path, module: UpConvolution, tensors: Mapping[str, Tensor], origin: Origin
) -> None:
    """Writes `tensors`, the weights of a module like `module`, with what is needed to build it again."""
    about = {"code": module.code, "size": module.size, "width": module.width, **asdict(origin)}
    weights_io.write(path, tensors, {WORD: json.dumps(about, ensure_ascii=False)})


def read_generator(
    weights: str | Path | None = None, device: str = "auto", word: str = WORD
) -> tuple[UpConvolution, Origin]:
    """The generator in the file `weights`, the one in the box where None: frozen, in eval mode, shared by all readers.

    `word` is the user's key for the file.

    Raises:
        InputError: no such file, a damaged one, one of something else, or one without the statistics of the code.
    """
    path = (
        BOX / "mini_alexnet.generator.safetensors"
        if weights is None
        else Path(weights).expanduser()
    )
    return _read(path, path.stat().st_mtime_ns if path.is_file() else 0, device_of(device), word)


@lru_cache(maxsize=4)
def _read(
    path: Path, _changed: int, device: torch.device, word: str
) -> tuple[UpConvolution, Origin]:
    tensors, metadata = weights_io.read(path, word)
    try:
        about = json.loads(metadata[WORD])
        module = UpConvolution(about.pop("code"), about.pop("size"), about.pop("width"))
        origin = Origin(**about)
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        raise InputError(
            f"{word}={path}: not a generator; give a file of recipe=train_generator."
        ) from error
    lacking = [name for name in STATISTICS if name not in tensors]
    if lacking:
        raise InputError(
            f"{word}={path}: the statistics of the code are missing ({', '.join(lacking)}), and codes are drawn and "
            "clipped by them; give a file of recipe=train_generator."
        )
    weights_io.fill(module, tensors, path, "the generator it says it is", word)
    module.requires_grad_(False).eval()
    return module.to(device, memory_format=torch.channels_last), origin


class _Resized(nn.Module):
    """A feature map at `side` x `side`."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, values: Tensor) -> Tensor:
        if values.shape[2:] == (self.side, self.side):
            return values
        return functional.interpolate(
            values, (self.side, self.side), mode="bilinear", antialias=True
        )


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    kernel = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return [kernel, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]


def _doublings(size: int, side: int) -> int:
    """How often a map of about `side` is doubled to become a picture of `size`; InputError where that cannot be."""
    doublings = 1
    while size >> (doublings + 1) >= side and size % (1 << (doublings + 1)) == 0:
        doublings += 1
    if size % 2 or not 8 <= size <= 1024 or side > size or size >> doublings > 2 * side + 7:
        raise InputError(
            f"size={size}: a map of {side} x {side} is doubled until it is the picture; write a size from 8 to 1024 "
            f"that can be halved down to about {side}, such as {side << 4}."
        )
    return doublings
