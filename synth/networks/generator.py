"""A convolutional generator that inverts a layer: images from the layer's activations (codes).

After Dosovitskiy & Brox 2016; `recipe=train_generator` trains one, `encoding=generator` searches
its codes. Files of it are safetensors, with what is needed to build it in the metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.core.hardware import device_of
from synth.core.inference import inference_copy
from synth.errors import InputError
from synth.files import path_of
from synth.networks import weights_io
from synth.networks.bundled import BOX
from synth.networks.weights_io import whole

WIDEST = 192  # channels of a stage at most
HIDDEN = 512  # units between a flat code and the first feature map
FLAT_SIDE = 4  # rows and columns, at least, of the first feature map of a flat code
WORD = "generator"  # the user's key for such a file, and the key of its metadata
STATISTICS = ("mean", "deviation", "least")
BUNDLED = BOX / "mini_alexnet.generator.safetensors"


class UpConvolution(nn.Module):
    """Images [n, 3, size, size] in [0, 1] from codes [n, *code], a layer's activations.

    A flat code goes through two linear layers to the first feature map; a spatial code [c, h, w] is
    resized to a side that doubles to `size`. Each stage then doubles the sides (nearest neighbour,
    then a 3x3 convolution, since transposed convolutions leave a grid in the images), from at most
    192 channels down to `width`; up to 16x16 a second convolution follows. Batch normalisation and
    leaky ReLUs of slope 0.2 throughout, colours through a sigmoid. After Dosovitskiy & Brox 2016
    ("Generating images with perceptual similarity metrics based on deep networks"), table 1, with
    fewer channels.

    Codes are standardised first, so that units of any scale have the same weight.

    Args:
        code: shape of a code, [units] or [channels, h, w].
        size: height and width of the images in pixels, from 8 to 1024.
        width: channels of the last stage.

    Attributes:
        mean: of each unit over the training images, [*code]; set by `measure`.
        deviation: of each unit, likewise.
        least: the smallest value of each unit, likewise; 0 after a ReLU.

    Raises:
        InputError: a shape that is no code, or a size that cannot be reached by doubling.
    """

    mean: Tensor
    deviation: Tensor
    least: Tensor

    def __init__(self, code: Sequence[int], size: int = 64, width: int = 20) -> None:
        super().__init__()
        self.code = tuple(code)
        self.size = size
        self.width = width
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
            self.enter = nn.Sequential(
                nn.Flatten(),
                nn.Linear(self.mean.numel(), HIDDEN, bias=False),
                nn.BatchNorm1d(HIDDEN),
                nn.LeakyReLU(0.2),
                nn.Linear(HIDDEN, first * self.side * self.side, bias=False),
                nn.Unflatten(1, (first, self.side, self.side)),
                nn.BatchNorm2d(first),
                nn.LeakyReLU(0.2),
            )
        else:
            self.enter = nn.Sequential(_Resized(self.side), *_convolution(self.code[0], first))
        stages: list[nn.Module] = []
        side = self.side
        channels = first
        for width_of_stage in widths:
            side *= 2
            stages += [nn.Upsample(scale_factor=2), *_convolution(channels, width_of_stage)]
            channels = width_of_stage
            if side <= 16:
                stages += _convolution(channels, channels)
        self.stages = nn.Sequential(*stages)
        self.colours = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, code: Tensor) -> Tensor:
        values = self.enter((code - self.mean) / self.deviation)
        values = self.stages(values.contiguous(memory_format=torch.channels_last))
        return self.colours(values).float().sigmoid()

    @torch.inference_mode(False)  # autograd may use the copy's weights, wherever it is made
    def fast(self, dtype: torch.dtype) -> nn.Module:
        """A copy for searches, of a trained generator: the same images but for rounding, sooner.

        Batch normalisation is folded, and a doubling and the convolution after it are one
        transposed convolution, with 4 products where they have 9.

        Args:
            dtype: ``torch.float32`` or ``torch.bfloat16``, of weights and activations.
        """
        return _Fast(self, dtype)

    @torch.no_grad()
    def measure(self, codes: Tensor) -> None:
        """Sets the statistics to those of `codes` [n, *code]; constant units get deviation 1."""
        deviation = codes.std(0, correction=0)
        self.mean.copy_(codes.mean(0))
        self.deviation.copy_(torch.where(deviation > 1e-6, deviation, 1.0))
        self.least.copy_(codes.amin(0))


@dataclass(frozen=True)
class Origin:
    """What a generator was trained to invert.

    Args:
        network: name of the network.
        layer: name of the layer whose activations are its codes.
        sha256: of the network's weights.
        command: the command line of the training.
    """

    network: str
    layer: str
    sha256: str
    command: str = ""


def write_generator(
    path: Path, module: UpConvolution, tensors: Mapping[str, Tensor], origin: Origin
) -> None:
    """Writes `tensors`, a state dict of `module`'s kind, with what is needed to build it again."""
    about = {"code": module.code, "size": module.size, "width": module.width, **asdict(origin)}
    weights_io.write(path, tensors, {WORD: json.dumps(about, ensure_ascii=False)})


def read_generator(
    weights: str | Path | None = None, device: str = "auto", word: str = WORD
) -> tuple[UpConvolution, Origin]:
    """A generator and what it inverts: frozen, in eval mode, one object for the same arguments.

    Args:
        weights: its file; the one in the package by default.
        device: ``auto``, ``cpu``, ``cuda:0``.
        word: the user's key for the file, for error messages.

    Raises:
        InputError: no such file, a damaged one, one of another kind, or one without the statistics
            of the codes.
    """
    path = BUNDLED if weights is None else path_of(weights, word)
    return _read(path, weights_io.modified(path), device_of(device), word)


@lru_cache(maxsize=4)
def _read(
    path: Path, _changed: int, device: torch.device, word: str
) -> tuple[UpConvolution, Origin]:
    tensors, metadata = weights_io.read(path, word)
    try:
        about = weights_io.json_of(metadata, WORD, path, word)
        code = [whole(side) for side in about.pop("code")]
        size, width = whole(about.pop("size")), whole(about.pop("width"))
        if min(*code, size, width) < 1 or width > WIDEST:
            raise ValueError
        if not all(isinstance(value, str) for value in about.values()):
            raise TypeError
        origin = Origin(**about)
        build = partial(UpConvolution, code, size, width)
        with torch.device("meta"):
            build()
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        raise InputError(
            f"{word}={path}: not a generator; give a file of recipe=train_generator."
        ) from error
    lacking = [name for name in STATISTICS if name not in tensors]
    if lacking:
        raise InputError(
            f"{word}={path}: the statistics of the code are missing ({', '.join(lacking)}), and "
            "codes are drawn and clipped by them; give a file of recipe=train_generator."
        )
    module = weights_io.built(build, tensors, path, "the generator it says it is", word)
    module.requires_grad_(False).eval()
    module.to(device, memory_format=torch.channels_last)
    weights_io.check_answer(module((module.mean + module.deviation)[None]), path, word)
    return module, origin


class _Fast(nn.Module):
    """See `UpConvolution.fast`."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, generator: UpConvolution, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("mean", generator.mean)
        self.register_buffer("deviation", generator.deviation)
        example = torch.zeros_like(generator.mean)[None]
        layers = nn.Sequential(generator.enter, generator.stages, generator.colours)
        enter, stages, colours = inference_copy(layers, example).module
        merged = nn.Sequential(*enter, *_transposed(stages), colours)
        lowered = inference_copy(merged, example, dtype, fold=False)
        self.layers = lowered.module
        self.dtype = lowered.dtype

    def forward(self, code: Tensor) -> Tensor:
        standardised = (code - self.mean) / self.deviation
        return self.layers(standardised.to(self.dtype)).float().sigmoid()


def _transposed(stages: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """The layers of `stages` with each doubling as a part of the convolution after it."""
    doubled = False
    for part in stages:
        if isinstance(part, nn.Upsample):
            doubled = True
        elif isinstance(part, nn.Conv2d) and doubled:
            doubled = False
            yield _transposed_convolution(part)
        elif isinstance(part, nn.LeakyReLU):
            yield nn.LeakyReLU(part.negative_slope, inplace=True)
        elif not isinstance(part, nn.Identity):
            yield part


@torch.no_grad()
def _transposed_convolution(convolution: nn.Conv2d) -> nn.ConvTranspose2d:
    """Nearest-neighbour doubling and a 3x3 `convolution` with padding 1, in one.

    Doubling is a transposed convolution of stride 2 with a kernel of ones, 2x2. The kernel of two
    convolutions in a row is the convolution of their kernels, here 4x4.
    """
    weight = convolution.weight
    kernel = weight.flip(2, 3).transpose(0, 1)
    # each value is the sum of up to 2x2 neighbours: the convolution with ones
    kernel = functional.avg_pool2d(kernel, 2, 1, padding=1, divisor_override=1)
    inputs, outputs = kernel.shape[:2]
    result = nn.ConvTranspose2d(
        inputs, outputs, 4, 2, 1, bias=convolution.bias is not None, device=weight.device
    )
    result.weight.copy_(kernel)
    if convolution.bias is not None:
        result.bias.copy_(convolution.bias)
    result.requires_grad_(False)
    return result.to(memory_format=torch.channels_last)


class _Resized(nn.Module):
    """Resizes a feature map to `side` x `side` (bilinear, antialiased)."""

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
    """How often a map of about `side` is doubled to `size`; InputError where that is impossible."""
    doublings = 1
    while size >> (doublings + 1) >= side and size % (1 << (doublings + 1)) == 0:
        doublings += 1
    if size % 2 or not 8 <= size <= 1024 or side > size or size >> doublings > 2 * side + 7:
        raise InputError(
            f"size={size}: a map of {side} x {side} is doubled until it is the picture; write a "
            f"size from 8 to 1024 that can be halved down to about {side}, such as {side << 4}."
        )
    return doublings
