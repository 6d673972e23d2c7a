"""Takes photographs; gives them painted in the one style that the weights were trained for, in a single pass.

The image transformation network of Johnson, Alahi and Fei-Fei 2016, with the instance normalisation of Ulyanov,
Vedaldi and Lempitsky 2016.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.core import Images
from synth.core.hardware import device_of
from synth.errors import InputError, nearest
from synth.networks import weights_io
from synth.networks.bundled import BOX

SHIPPED = BOX / "stylizer.safetensors"
NORMS = ("instance", "batch")
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif")
STRIDE = 4  # pixels that meet in one place of the middle
NEAR = 0.05  # values this near to 0 and 1 count as that near: beyond, the logit runs away
SMALLEST = (
    8  # pixels a side: below it the middle has no border to reflect and no variance to divide by
)


class Stylizer(nn.Module):
    """RGB pictures [n, 3, h, w] in [0, 1] to pictures of the same shape in (0, 1); h and w from 8 pixels on.

    A 9x9 convolution to `width` channels, two of stride 2 to four times as many, `blocks` residual blocks there, and
    the same way back: nearest neighbours doubled before a 3x3 convolution, so that no pixel is written to more often
    than its neighbour (Odena et al. 2016), and a 5x5 convolution to d, three colours, and k, one number a pixel. What
    comes out is sigmoid(d + sigmoid(k) logit(x)): how much of the photograph x is kept is learned, place by place,
    which leaves it recognisable at a far lower loss. Borders are reflected; sides that 4 does not divide are continued
    by reflection and cut again. `norm` is ``instance`` (each picture by its own mean and variance, each channel's, so
    that the contrast of a photograph does not matter) or ``batch``.

    Departures from Johnson et al.: k; half their width, a smaller last kernel, reflection in every layer in place of
    once at the start, nearest neighbours in place of strides of 1/2, and a sigmoid in place of a scaled tanh.
    """

    def __init__(self, width: int = 16, blocks: int = 5, norm: str = "instance") -> None:
        super().__init__()
        if not 1 <= width <= 256:
            raise InputError(f"width={width}: channels of the first layer; write 1 to 256.")
        if not 0 <= blocks <= 64:
            raise InputError(f"blocks={blocks}: residual blocks in the middle; write 0 to 64.")
        if norm not in NORMS:
            raise InputError(
                f"norm={norm}: no such normalisation.{nearest(norm, NORMS) or ' Write instance or batch.'}"
            )
        self.width, self.blocks, self.norm = width, blocks, norm
        self.stem = _layer(3, width, 9, norm)
        self.down = nn.Sequential(
            _layer(width, 2 * width, 3, norm, stride=2),
            _layer(2 * width, 4 * width, 3, norm, stride=2),
        )
        self.middle = nn.Sequential(*(_Residual(4 * width, norm) for _ in range(blocks)))
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2), _layer(4 * width, 2 * width, 3, norm),
            nn.Upsample(scale_factor=2), _layer(2 * width, width, 3, norm),
        )  # fmt: skip
        self.last = nn.Conv2d(width, 4, 5, padding=2, padding_mode="reflect")

    def forward(self, images: Images) -> Tensor:
        height, width = images.shape[2:]
        values = images.contiguous(memory_format=torch.channels_last) * 2 - 1
        beyond = (0, -width % STRIDE, 0, -height % STRIDE)
        if any(beyond):
            values = functional.pad(values, beyond, mode="reflect")
        values = self.last(self.up(self.middle(self.down(self.stem(values)))))[
            :, :, :height, :width
        ].float()
        drawn, kept = values[:, :3], values[:, 3:].sigmoid()
        return (kept * images.logit(NEAR) + drawn).sigmoid().contiguous()


class _Residual(nn.Module):
    """Two 3x3 convolutions added to what came in, without an activation after the sum (Gross & Wilber 2016)."""

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        self.first = _layer(channels, channels, 3, norm)
        self.second = _layer(channels, channels, 3, norm, active=False)

    def forward(self, values: Tensor) -> Tensor:
        return values + self.second(self.first(values))


def _layer(
    inputs: int, outputs: int, kernel: int, norm: str, stride: int = 1, active: bool = True
) -> nn.Sequential:
    """A convolution with a reflected border, its normalisation with a scale and a shift, and a ReLU."""
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, padding_mode="reflect", bias=False
        ),
        # a group norm with a group a channel is the instance norm, and five times as fast in this layout of memory
        norm=nn.GroupNorm(outputs, outputs) if norm == "instance" else nn.BatchNorm2d(outputs),
    )
    if active:
        parts["relu"] = nn.ReLU()
    return nn.Sequential(parts)


@dataclass(frozen=True)
class About:
    """What a stylizer's file says of itself: its shape, its `style`, the `size` it was trained at, and how.

    `network` and its `sha256` are those the loss was read from.
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
    """Writes `tensors` atomically, in fp16 but for counters; the metadata is JSON under ``stylizer``."""
    weights_io.write(path, tensors, {"stylizer": json.dumps(asdict(about), ensure_ascii=False)})


def read_stylizer(
    weights: str | Path | None = None, device: str = "auto"
) -> tuple[Stylizer, About]:
    """The stylizer in the file `weights`, the one in the box where null, in eval mode and frozen; no code is run.

    Raises:
        InputError: no such file, one that is damaged, or the weights of something else.
    """
    path = SHIPPED if weights is None else Path(weights).expanduser()
    if path.suffix.lower() in PICTURES:
        raise InputError(
            f"weights={path}: a picture, and a style has to be learned first: recipe=train_stylizer."
        )
    tensors, metadata = weights_io.read(path, word="weights")
    try:
        said = json.loads(metadata["stylizer"])
        shape = (int(said["width"]), int(said["blocks"]), str(said["norm"]))
        told = (str(said[name]) for name in ("network", "sha256", "command"))
        about = About(*shape, str(said["style"]), int(said["size"]), *told)
        module = Stylizer(*shape)
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise InputError(
            f"weights={path}: not of a stylizer; give a file written by recipe=train_stylizer."
        ) from error
    width, blocks, norm = shape
    weights_io.fill(
        module, tensors, path, f"a stylizer of {width=} {blocks=} norm={norm}", word="weights"
    )
    module.requires_grad_(False).eval()
    return module.to(device_of(device), memory_format=torch.channels_last), about
