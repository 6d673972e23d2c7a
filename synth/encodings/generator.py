"""Latent codes of a trained image generator: the genome is the code, [r, *code].

A code is what a layer of a network computes from an image, and the generator was trained to invert
it. A search over codes stays among images that resemble natural ones: Nguyen, Dosovitskiy,
Yosinski, Brox & Clune, "Synthesizing the preferred inputs for neurons in neural networks via deep
generator networks", 2016.
"""

from __future__ import annotations

import copy
import logging
import math
from contextlib import suppress

import torch
from torch import Tensor, nn

from synth import data
from synth.core import Encoding, Genome, Images, Rows
from synth.core.network import Network
from synth.data.sizes import Size, size_of
from synth.errors import InputError, nearest
from synth.networks import reading
from synth.networks.bundled import bundled
from synth.networks.generator import Origin, UpConvolution, read_generator

log = logging.getLogger(__name__)

STARTS = ("random", "mean", "zeros")


class Generator(Encoding):
    """Codes of a generator, which is frozen and in eval mode; its images are scaled to `size`.

    Zero is the baseline. A code is the same image at every size. The paper clips at 3 standard
    deviations, as the default does, and starts from standard normal numbers, whatever the scales of
    the units; here a random start has the statistics of the units.

    Args:
        weights: the generator's file, made by ``recipe=train_generator``; None: the bundled one.
        start: ``random``, also called ``noise`` (each unit normal about its mean over the training
            images), ``mean`` or ``zeros``; or an image, by path or name, whose code is the start.
        image: an image whose code is the start: the activations of the layer and network that the
            generator was trained for, also where another network is visualised.
        images: several such images, an item each: a folder, a glob or a list.
        clip: each unit stays within [max(least, mean - clip * deviation), mean + clip * deviation],
            `least` being its smallest value in training, 0 behind a ReLU; in standard deviations,
            above 0. None bounds it by `least` alone.
        spread: standard deviation of a random start, in those of the units; 0 or more.
        size: height and width; those that the network reads where None. Images of another size than
            the generator's own are resampled (bicubic).

    Raises:
        InputError: for a file that is no generator, and (from `bind`) for images read by a network
            whose layer does not fit the code.
    """

    scalable = True

    def __init__(
        self,
        weights: str | None = None,
        start: str = "random",
        image: data.Source | None = None,
        images: data.Sources | None = None,
        clip: float | None = 3.0,
        spread: float = 1.0,
        size: Size = None,
    ) -> None:
        if start == "noise":  # as encoding=canvas calls it
            start = "random"
        if start not in STARTS:
            image = _start_image(start, image, images)
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
        self.kind = start
        self.clip = clip
        self.spread = spread
        self.size = size_of(size)
        self.pictures: list[data.Picture] = []
        if image is not None:
            self.pictures = [data.picture(image)]
        elif images is not None:
            self.pictures = data.pictures(images)
        if self.pictures:
            self.names = [picture.name for picture in self.pictures]
        module, self.trained_for = read_generator(weights, "cpu")
        self.codes: Tensor | None = None  # [images, *code], set by `bind`
        self.bytes_per_image = _activation_bytes(module, module.mean)
        self._set_module(module)

    def start(self, rows: Rows) -> Genome:
        shape = self.module.code
        if self.pictures:
            assert self.codes is not None, "bind() has not read the codes of the images yet"
            single = len(self.codes) == 1
            codes = self.codes.expand(len(rows), *shape) if single else self.codes[rows.item]
        elif self.kind == "random":
            codes = self.module.mean + self.spread * self.module.deviation * rows.normal(*shape)
        else:
            mean = self.module.mean
            code = mean if self.kind == "mean" else torch.zeros_like(mean)
            codes = code.expand(len(rows), *shape)
        return self.project(codes, rows)

    def decode(self, genome: Genome, rows: Rows) -> Images:
        images = self.decoder(genome)
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
        other._set_module(copy.deepcopy(self.module).to(device))
        other.codes = None if self.codes is None else self.codes.to(device)
        return other

    def fast(self, dtype: torch.dtype) -> Generator:
        other = copy.copy(self)
        if dtype not in self._decoders:
            self._decoders[dtype] = self.module.fast(dtype)
        other.decoder = self._decoders[dtype]
        other.bytes_per_image = _activation_bytes(other.decoder, self.module.mean)
        return other

    def bind(self, network: Network) -> Generator:
        if not self.pictures:
            return self
        reader = _code_network(network, self.trained_for)
        self._check_layer(reader)
        layer = self.trained_for.layer
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
        images = [
            self.pictures[i if len(self.pictures) > 1 else 0].at(self.size)
            for i in rows.item.tolist()
        ]
        return torch.stack(images).to(self.low.device)

    def _check_layer(self, reader: Network) -> None:
        """Raises InputError where the outputs of `reader`'s layer are no codes of the generator."""
        layer = self.trained_for.layer
        code = self.module.code
        shape = reader.layers.get(layer)
        if shape == code:
            return
        difference = f"{reader.name} has no {layer}"
        if shape:
            difference = f"{layer} of {reader.name} is {list(shape)}"
        raise InputError(
            f"image: codes of pictures are read at {layer}, {list(code)}, of "
            f"{self.trained_for.network}, for which the generator was trained, but {difference}; "
            "leave image= and images= out, or name a generator= that fits."
        )

    def _set_module(self, module: UpConvolution) -> None:
        """Takes `module` and, on its device, the bounds of its codes."""
        self.module = module
        self.decoder: nn.Module = module
        self._decoders: dict[torch.dtype, nn.Module] = {}
        self.low = module.least
        self.high = torch.full_like(module.least, torch.inf)
        if self.clip is not None:
            self.low = torch.maximum(module.least, module.mean - self.clip * module.deviation)
            self.high = module.mean + self.clip * module.deviation


def _start_image(start: str, image: data.Source | None, images: data.Sources | None) -> str:
    """`start`, none of the STARTS, as the image whose code is the start; InputError if not one."""
    if image is not None or images is not None:
        raise InputError(
            f"start={start}: image= or images= name where codes start already; "
            "leave one of them out."
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


def _code_network(network: Network, origin: Origin) -> Network:
    """The network the generator was trained for, if it is `network` or bundled; else `network`.

    The weights are compared by their hash; where neither fits, a warning is logged.
    """
    if network.sha256 == origin.sha256:
        return network
    with suppress(InputError):
        candidate = bundled(origin.network, None, str(network.device))
        if candidate.sha256 == origin.sha256:
            return candidate
    log.warning(
        "image: %s is not the %s that the generator was trained for; "
        "its codes may mean other pictures",
        network.name,
        origin.network,
    )
    return network


def _activation_bytes(module: nn.Module, code: Tensor) -> float:
    """About how many bytes a forward and backward of one `code` keep: all outputs, in float32."""
    counts: list[int] = []

    def count(part: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        if not getattr(part, "inplace", False):  # which keeps nothing of its own
            counts.append(output.numel())

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
    return 4.0 * sum(counts)
