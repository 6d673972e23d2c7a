"""Takes codes, what a layer says of a picture; gives the pictures that a trained generator draws from them.

The genome is the code, [r, *code]. A search that moves codes moves among pictures that look like some, since the
generator has learned to draw nothing else: Nguyen, Dosovitskiy, Yosinski, Brox & Clune, "Synthesizing the preferred
inputs for neurons in neural networks via deep generator networks", 2016.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from synth import data
from synth.core import Encoding, Genome, Images, Rows
from synth.core.network import Network
from synth.data.sizes import Size, size_of
from synth.errors import InputError, nearest
from synth.networks import reading
from synth.networks.bundled import bundled
from synth.networks.generator import Origin, read_generator

log = logging.getLogger(__name__)

STARTS = ("random", "mean", "zeros")


class Generator(Encoding):
    """Codes of the generator in the file `weights` (None: the one in the box), drawn at its own size, then scaled.

    `start`: ``random`` (each unit normal about its mean over the training pictures, with `spread` times its
    deviation), ``mean`` or ``zeros``; or a picture, by path or name. Then, and with `image` or `images`, an item each,
    it is their codes: what the generator's layer of its own network says of them, also where another network is
    visualised. With `clip` each unit stays within
    [max(least, mean - clip * deviation), mean + clip * deviation], `least` being the smallest value it ever had, 0
    behind a ReLU; None keeps it above `least` alone. The paper clips at 3 deviations, as the default does, and starts
    from standard normal numbers, whatever the units' scales; ours are the units' own.

    Zero is where decay pulls. A code is the same picture at every size; `size` is that of the network where None, and
    what differs from the generator's own is resampled (bicubic). The generator is in eval mode and frozen.

    Raises InputError for a file that is no generator, and for pictures read by a network whose layer does not fit.
    """

    scalable = True

    def __init__(
        self,
        weights: str | None = None,
        start: str = "random",
        image: str | None = None,
        images: str | Sequence[str] | None = None,
        clip: float | None = 3.0,
        spread: float = 1.0,
        size: Size = None,
    ) -> None:
        if start not in STARTS:
            image = _named(start, image, images)
        if clip is not None and not clip > 0:
            raise InputError(
                f"encoding.clip={clip}: write a number of standard deviations above 0, or null."
            )
        if not 0 <= spread < math.inf:
            raise InputError(f"encoding.spread={spread}: write deviations of 0 or more.")
        if image is not None and images is not None:
            raise InputError(
                f"image={image}: images= names where codes start already; leave one of them out."
            )
        self.kind, self.clip, self.spread, self.size = start, clip, spread, size_of(size)
        self.pictures: list[data.Picture] = []
        if image is not None or images is not None:
            self.pictures = (
                [data.picture(image)] if image is not None else data.pictures(images or [])
            )
            self.names = [picture.name for picture in self.pictures]
        module, self.trained_for = read_generator(weights, "cpu")
        self.codes: Tensor | None = None  # [pictures, *code], once a network has read them
        self.bytes_per_image = _kept_bytes(module, module.mean)
        self._place(module)

    def start(self, rows: Rows) -> Genome:
        shape = self.module.code
        if self.pictures:
            assert self.codes is not None, "no network has read the pictures yet"
            codes = (
                self.codes.expand(len(rows), *shape)
                if len(self.codes) == 1
                else self.codes[rows.item]
            )
        elif self.kind == "random":
            codes = self.module.mean + self.spread * self.module.deviation * rows.normal(*shape)
        else:
            one = self.module.mean if self.kind == "mean" else torch.zeros_like(self.module.mean)
            codes = one.expand(len(rows), *shape)
        return self.project(codes, rows)

    def decode(self, genome: Genome, rows: Rows) -> Images:
        images = self.module(genome)
        return images if self.size is None else data.fitted(images, self.size)

    def project(self, genome: Genome, rows: Rows) -> Genome:
        return torch.minimum(torch.maximum(genome, self.low), self.high)

    def at(self, size: tuple[int, int]) -> Generator:
        other = copy.copy(self)
        other.size = size
        return other

    def to(self, device: torch.device) -> Generator:
        if self.low.device == device:
            return self
        other = copy.copy(self)
        other._place(copy.deepcopy(self.module).to(device))
        other.codes = None if self.codes is None else self.codes.to(device)
        return other

    def bind(self, network: Any) -> Generator:
        if not self.pictures:
            return self
        reader, layer = _reader(network, self.trained_for), self.trained_for.layer
        shape, code = reader.layers.get(layer), self.module.code
        if shape != code:
            has = (
                f"{layer} of {reader.name} is {list(shape)}"
                if shape
                else f"{reader.name} has no {layer}"
            )
            raise InputError(
                f"image: codes of pictures are read at {layer}, {list(code)}, of {self.trained_for.network}, for which "
                f"the generator was trained, but {has}; leave image= and images= out, or name a generator= that fits."
            )
        other = copy.copy(self)
        other.codes = reading.activations(reader, self.pictures, [layer])[layer]
        return other

    def transfer(self, genome: Genome, to: Encoding) -> Genome:
        return genome

    def baseline(self, rows: Rows) -> Genome:
        return torch.zeros(1, *[1] * len(self.module.code), device=self.low.device)

    def initial_images(self, rows: Rows) -> Images | None:
        if not self.pictures or self.size is None:
            return None
        each = [
            self.pictures[i if len(self.pictures) > 1 else 0].at(self.size)
            for i in rows.item.tolist()
        ]
        return torch.stack(each).to(self.low.device)

    def _place(self, module: Any) -> None:
        """Takes `module`, and the bounds of its codes, where it is."""
        self.module = module
        self.low, self.high = module.least, torch.full_like(module.least, torch.inf)
        if self.clip is not None:
            self.low = torch.maximum(module.least, module.mean - self.clip * module.deviation)
            self.high = module.mean + self.clip * module.deviation


def _named(start: str, image: str | None, images: str | Sequence[str] | None) -> str:
    """`start`, which is none of the STARTS, as the picture that it has to be; InputError where it is none."""
    if image is not None or images is not None:
        raise InputError(
            f"start={start}: image= or images= name where codes start already; leave one of them out."
        )
    try:
        data.picture(start, "start")
    except InputError as error:
        hint = (
            nearest(start, (*STARTS, *data.BUNDLED))
            or f" Write one of {', '.join(STARTS)}, or a picture."
        )
        raise InputError(f"start={start}: no such start, and no such picture.{hint}") from error
    return start


def _reader(network: Network, origin: Origin) -> Network:
    """The network that the generator was trained for, where `network` or the one in the box is it; else `network`."""
    if network.sha256 == origin.sha256:
        return network
    with suppress(InputError):
        boxed = bundled(origin.network, None, str(network.device))
        if boxed.sha256 == origin.sha256:
            return boxed
    log.warning("image: %s is not the %s that the generator was trained for; its codes may mean other pictures",
                network.name, origin.network)  # fmt: skip
    return network


def _kept_bytes(module: nn.Module, code: Tensor) -> float:
    """About how many bytes a forward and backward of one `code` keep: the sum of all outputs, in float32."""
    values = [0]

    def count(_: nn.Module, __: Any, out: Tensor) -> None:
        values[0] += out.numel()

    handles = [
        part.register_forward_hook(count)
        for part in module.modules()
        if next(part.children(), None) is None
    ]
    try:
        with torch.inference_mode():
            module(code[None])
    finally:
        for handle in handles:
            handle.remove()
    return 4.0 * values[0]
