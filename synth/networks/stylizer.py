"""A feed-forward style transfer network: photographs to stylised images in one forward pass.

The image transformation network of Johnson, Alahi and Fei-Fei 2016 with the instance normalisation
of Ulyanov, Vedaldi and Lempitsky 2016. A weights file holds one style.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.core import Images
from synth.core.hardware import device_of
from synth.errors import InputError, nearest
from synth.files import path_of
from synth.networks import weights_io
from synth.networks.bundled import BOX
from synth.networks.weights_io import whole

SHIPPED = BOX / "stylizer.safetensors"
NORMS = ("instance", "batch")
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif")
STRIDE = 4  # pixels a side for one place of the middle
NEAR = 0.05  # pixels are clamped to this distance from 0 and 1, where the logit diverges
SMALLEST = 8  # pixels a side: below it the middle has no border to reflect and no variance


class Stylizer(nn.Module):
    """RGB images [n, 3, h, w] in [0, 1] to images in (0, 1); h and w from 8 pixels on.

    A 9x9 convolution to `width` channels, two of stride 2 to four times as many, `blocks` residual
    blocks, and the same in reverse: nearest-neighbour upsampling before each 3x3 convolution, which
    avoids checkerboard artefacts (Odena et al. 2016), and a 5x5 convolution to d, three colours,
    and k, one number a pixel. The output is sigmoid(d + sigmoid(k) logit(x)): the share of the
    photograph x that remains is learned for each place, which keeps it recognisable at a far lower
    loss. Borders are reflected; sides that 4 does not divide are padded by reflection and cropped
    again.

    Departures from Johnson et al.: k; half their width, a smaller last kernel, reflection in every
    layer in place of once at the start, nearest-neighbour upsampling in place of strides of 1/2,
    and a sigmoid in place of a scaled tanh.

    Args:
        width: channels of the first layer, 1 to 256.
        blocks: residual blocks, 0 to 64.
        norm: ``instance`` (each channel of each image by its own mean and variance, so that the
            contrast of a photograph does not matter) or ``batch``.

    Raises:
        InputError: a value out of range.
    """

    def __init__(self, width: int = 16, blocks: int = 5, norm: str = "instance") -> None:
        super().__init__()
        if not 1 <= width <= 256:
            raise InputError(f"width={width}: channels of the first layer; write 1 to 256.")
        if not 0 <= blocks <= 64:
            raise InputError(f"blocks={blocks}: residual blocks in the middle; write 0 to 64.")
        if norm not in NORMS:
            hint = nearest(norm, NORMS) or " Write instance or batch."
            raise InputError(f"norm={norm}: no such normalisation.{hint}")
        self.width = width
        self.blocks = blocks
        self.norm = norm
        self.stem = _layer(3, width, 9, norm)
        self.down = nn.Sequential(
            _layer(width, 2 * width, 3, norm, stride=2),
            _layer(2 * width, 4 * width, 3, norm, stride=2),
        )
        self.middle = nn.Sequential(*(_Residual(4 * width, norm) for _ in range(blocks)))
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2),
            _layer(4 * width, 2 * width, 3, norm),
            nn.Upsample(scale_factor=2),
            _layer(2 * width, width, 3, norm),
        )
        self.last = nn.Conv2d(width, 4, 5, padding=2, padding_mode="reflect")

    def forward(self, images: Images) -> Tensor:
        height, width = images.shape[2:]
        values = images.contiguous(memory_format=torch.channels_last) * 2 - 1
        padding = (0, -width % STRIDE, 0, -height % STRIDE)
        if any(padding):
            values = functional.pad(values, padding, mode="reflect")
        values = self.last(self.up(self.middle(self.down(self.stem(values)))))
        values = values[:, :, :height, :width].float()
        colours = values[:, :3]
        share = values[:, 3:].sigmoid()
        return (share * images.logit(NEAR) + colours).sigmoid().contiguous()


class _Residual(nn.Module):
    """Two 3x3 convolutions added to their input, without a ReLU after (Gross & Wilber 2016)."""

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        self.first = _layer(channels, channels, 3, norm)
        self.second = _layer(channels, channels, 3, norm, active=False)

    def forward(self, values: Tensor) -> Tensor:
        return values + self.second(self.first(values))


def _layer(
    inputs: int, outputs: int, kernel: int, norm: str, stride: int = 1, active: bool = True
) -> nn.Sequential:
    """A convolution with reflection padding, an affine normalisation, and a ReLU where `active`."""
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, padding_mode="reflect", bias=False
        ),
        # a group norm with a group a channel is the instance norm, and five times as fast in
        # channels-last memory format
        norm=nn.GroupNorm(outputs, outputs) if norm == "instance" else nn.BatchNorm2d(outputs),
    )
    if active:
        parts["relu"] = nn.ReLU()
    return nn.Sequential(parts)


@dataclass(frozen=True)
class About:
    """Metadata of a stylizer's file.

    Args:
        width: as `Stylizer` has it.
        blocks: likewise.
        norm: likewise.
        style: name of the style picture.
        size: side in pixels of the photographs that it was trained on.
        network: name of the network that the perceptual loss was computed in.
        sha256: of that network's weights.
        command: the command line of the training.
    """

    width: int
    blocks: int
    norm: str
    style: str
    size: int
    network: str
    sha256: str = ""
    command: str = ""


def write_stylizer(path: Path, tensors: Mapping[str, Tensor], about: About) -> None:
    """Writes a state dict atomically, in float16; the metadata is JSON under ``stylizer``."""
    weights_io.write(path, tensors, {"stylizer": json.dumps(asdict(about), ensure_ascii=False)})


def read_stylizer(
    weights: str | Path | None = None, device: str = "auto"
) -> tuple[Stylizer, About]:
    """A stylizer, frozen and in eval mode, and the metadata of its file.

    Args:
        weights: its file; the one in the package by default.
        device: ``auto``, ``cpu``, ``cuda:0``.

    Raises:
        InputError: no such file, a damaged one, or one of another kind.
    """
    path = SHIPPED if weights is None else path_of(weights, "weights")
    if path.suffix.lower() in PICTURES:
        raise InputError(
            f"weights={path}: a picture, and a style has to be learned first: "
            "recipe=train_stylizer."
        )
    tensors, metadata = weights_io.read(path, word="weights")
    try:
        values = weights_io.json_of(metadata, "stylizer", path, "weights")
        about = About(
            width=whole(values["width"]),
            blocks=whole(values["blocks"]),
            norm=str(values["norm"]),
            style=str(values["style"]),
            size=whole(values["size"]),
            network=str(values["network"]),
            sha256=str(values["sha256"]),
            command=str(values["command"]),
        )
        build = partial(Stylizer, about.width, about.blocks, about.norm)
        with torch.device("meta"):
            build()
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise InputError(
            f"weights={path}: not of a stylizer; give a file written by recipe=train_stylizer."
        ) from error
    name = f"a stylizer of width={about.width} blocks={about.blocks} norm={about.norm}"
    module = weights_io.built(build, tensors, path, name, "weights")
    module.requires_grad_(False).eval()
    module.to(device_of(device), memory_format=torch.channels_last)
    grey = torch.full((1, 3, 16, 16), 0.5, device=device_of(device))
    weights_io.check_answer(module(grey), path, "weights")
    return module, about
