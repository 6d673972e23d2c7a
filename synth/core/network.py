"""A frozen image classifier whose layers can be read: the network that is visualised or attacked.

Images come in as RGB in [0, 1]; normalisation happens inside, and nowhere else in the package.
Gradients flow to the images, never to the weights.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy, deepcopy
from dataclasses import replace
from functools import cached_property, lru_cache, partial
from itertools import chain, count
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge
from torch.nn import functional

from synth.core.classes import Classes
from synth.core.hardware import device_of, is_out_of_memory, low_precision
from synth.core.inference import InferenceCopy, inference_copy
from synth.core.layers import (
    DIRECTION,
    Call,
    Layer,
    chains_of,
    first_tensor,
    followers_of,
    layers_of,
    traced,
)
from synth.core.outputs import logits_of
from synth.core.types import Images
from synth.errors import InputError, first_line, nearest

log = logging.getLogger(__name__)

OUTPUT = "output"  # the name of the network's own output: the logits, before the softmax
ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Hardswish, nn.Mish)
LOOKED_AT = 4  # batches on a GPU whose pixels are compared with [0, 1]
TOLERATED = 0.05  # beyond [0, 1]
LARGE = 4  # times the network's own pixels; whether it reads so many is first tried by shapes
NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)


class _Deepest(Exception):
    """Raised by the hook on the deepest layer that is read: nothing beyond it is computed."""


class _ChannelsLast(torch.autograd.Function):
    """Images in channels-last memory format, in which convolutions are fastest; gradients back.

    The gradient returns in the contiguous format of all other tensors. Without that, each later
    operation on it would mix two formats, at several times the cost.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        return images.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient.contiguous()


class _Normalised(torch.autograd.Function):
    """Normalised images in channels-last memory format and another dtype; gradients back.

    The same as `_ChannelsLast` and two operations after it, at a third of the cost: the
    multiplication and the addition are one pass over contiguous memory.
    """

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, shift: Tensor, scale: Tensor, dtype: torch.dtype
    ) -> Tensor:
        ctx.save_for_backward(scale)
        normalised = torch.addcmul(shift, images, scale)
        return normalised.to(dtype, memory_format=torch.channels_last)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        (scale,) = ctx.saved_tensors
        contiguous = gradient.to(torch.float32, memory_format=torch.contiguous_format)
        return contiguous * scale, None, None, None


class Network(nn.Module):
    """An image classifier in eval mode with frozen weights.

    It is read in two ways. `forward` and `read` compute in float32: whatever is reported comes from
    them. Searches read with ``fast=True``, from a copy whose batch normalisation is folded into the
    layers before it and whose weights and activations have the network's `precision`; the same
    outputs but for rounding.

    Layers are named by the dotted paths of modules; `synth.core.layers` says what they are of a
    reused module, and how tokens are read as places x channels.

    In-place activations are switched off (in the copy), or the activation recorded at a convolution
    would silently be the output of the ReLU after it.

    Args:
        module: gives logits [n, classes] for normalised images [n, 3, h, w].
        name: what records, pages and messages call it; the module's class name in lower case by
            default.
        classes: names of the outputs, in order; "0", "1", ... by default.
        size: height and width in pixels that it was trained at.
        mean: mean of each channel of its training images in [0, 1]; 0 by default.
        std: their standard deviation; 1 by default, so that nothing is normalised.
        sha256: identifies the weights in records and caches; by default the SHA-256 of the state
            dict (names, dtypes, shapes and values).
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda:0``.
        precision: of the copy that searches read: ``float32``, ``bfloat16``, or ``auto``, which is
            bfloat16 where the device multiplies it natively (`native_bfloat16`). Activations and
            logits are float32 in any case.
        fit: whether images of another size are scaled to `size` first (bilinear, antialiased), as
            they would be to be classified. Those of a network that reads one size only always are.
        copy: whether `module` is copied first, so that the caller's own keeps its training mode,
            ``requires_grad``, in-place activations, device and memory format. Without a copy it is
            changed.

    Attributes:
        chains: paths of the parts whose children simply run one after the other.

    Raises:
        InputError: an unknown device or precision, a mean or std that is not one number a channel,
            an output that is not [n, classes], or another number of class names than outputs.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        size: tuple[int, int],
        name: str | None = None,
        classes: Classes | None = None,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        sha256: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        fit: bool = False,
        copy: bool = True,
    ) -> None:
        super().__init__()
        _check_channels("mean", mean)
        _check_channels("std", std, positive=True)
        self.name = type(module).__name__.lower() if name is None else name
        self.size = size
        self.fit = fit
        self.device = device_of(device)
        self._low_precision = low_precision(precision, self.device, "network.precision")
        self._unseen_batches = LOOKED_AT
        self._copies: dict[bool, InferenceCopy] = {}
        self._copied_version: tuple[int, ...] = ()
        self.sha256 = sha256_of_state(module) if sha256 is None else sha256
        module = copied(module, self.name) if copy else module
        self.module = _frozen(module, self.name, self.device)
        if all(value.ndim < 5 for value in chain(module.parameters(), module.buffers())):
            self.module.to(memory_format=torch.channels_last)
        for part in self.module.modules():
            if getattr(part, "inplace", False):
                part.inplace = False  # type: ignore[assignment]
        if self.device.type == "cuda":
            # cuDNN's default for convolutions is TensorFloat-32, whose results differ from a CPU's
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
            # and it may choose algorithms whose sums differ from one call to the next
            torch.backends.cudnn.deterministic = True
        channels = {"dtype": torch.float32, "device": self.device}
        self.register_buffer("mean", torch.tensor(mean, **channels).view(1, 3, 1, 1))
        self.register_buffer("scale", 1.0 / torch.tensor(std, **channels).view(1, 3, 1, 1))
        self.register_buffer("shift", -self.mean * self.scale)
        calls, logits = self._traced()
        self._layers = layers_of(calls, self.size, frozenset(dict(self.module.named_modules())))
        kinds = (*ACTIVATIONS, *NORMALISATIONS)
        self._followers = followers_of(calls, kinds, self._layers)
        self._layers[OUTPUT] = Layer("", tuple(logits.shape[1:]))
        self.chains = chains_of(self.module, calls)
        del calls
        self._shapes = {name: layer.shape for name, layer in self._layers.items()}
        self._order = {name: place for place, name in enumerate(self._shapes)}
        self.classes = self._checked(classes)
        # of this module too: code that restores a remembered mode must not bring training's back
        self.eval()
        self._readable: dict[tuple[tuple[int, int], str], bool] = {(size, OUTPUT): True}

    def __repr__(self) -> str:
        height, width = self.size
        return (
            f"<Network {self.name}: {height} x {width}, {len(self.classes)} classes, {self.device}>"
        )

    @property
    def layers(self) -> Mapping[str, tuple[int, ...]]:
        """Names of the layers, in the order they run, with the shape of an image's activation.

        The shapes are those at the network's own size, without the batch axis.
        """
        return self._shapes

    def bytes_per_image(self, size: tuple[int, int]) -> float:
        """About how many bytes a forward and backward pass keep for an image.

        64 for each of its pixels, and all layers' outputs in float32 at the size that they are
        read at, `size_read`.

        Args:
            size: height and width of the image.
        """
        height, width = self.size_read(size)
        # a later call of a part is as a rule its activation function, which keeps its input
        firsts = [layer for layer in self._layers.values() if not layer.call]
        values = sum(math.prod(layer.shape) for layer in firsts)
        values *= height * width / (self.size[0] * self.size[1])
        return 4.0 * values + 64.0 * size[0] * size[1]

    @property
    def precision(self) -> str:
        """What a search reads it in: ``float32`` or ``bfloat16``."""
        return str(self.search_dtype).removeprefix("torch.")

    @property
    def search_dtype(self) -> torch.dtype:
        """Of the weights and activations that a search reads."""
        return self._inference_copy().dtype

    @property
    def weights_version(self) -> tuple[int, ...]:
        """Changes with every change of the weights in place, by which caches know their age."""
        weights = chain(self.module.parameters(), self.module.buffers())
        return tuple(0 if value.is_inference() else value._version for value in weights)

    def _inference_copy(self, fold: bool = True) -> InferenceCopy:
        """The copy that searches read, made at its first use; with or without folding."""
        version = self.weights_version
        if self._copied_version != version:
            self._copies.clear()
            self._copied_version = version
        if fold not in self._copies:
            dtype = torch.bfloat16 if self._low_precision else torch.float32
            with torch.inference_mode(False), torch.no_grad():
                example = self._normalised(self._example())
            self._copies[fold] = inference_copy(self.module, example, dtype, fold)
        return self._copies[fold]

    def forward(self, images: Tensor) -> Tensor:
        """Logits, float32 [n, classes], of images [n, 3, h, w] in [0, 1].

        Raises:
            InputError: they are no such images.
        """
        inputs = self._normalised(images)
        self._look_at_pixels(images)
        return logits_of(self.module(inputs), self.name).float()

    def _normalised(self, images: Tensor) -> Tensor:
        return (_ChannelsLast.apply(self._fitted(images)) - self.mean) * self.scale

    def _fitted(self, images: Tensor) -> Images:
        """The images on the network's device, at the size that it reads them at.

        Raises:
            InputError: they are no images [n, 3, h, w] of floating point numbers.
        """
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            kind = f"{str(images.dtype).removeprefix('torch.')} {list(images.shape)}"
            hint = "" if images.is_floating_point() else "; divide integers in 0 ... 255 by 255"
            raise InputError(
                f"images: {self.name} reads floats [n, 3, height, width] in [0, 1], not {kind}"
                f"{hint}."
            )
        images = images.to(self.device)
        size = (images.shape[2], images.shape[3])
        read = self.size_read(size)
        if size == read:
            return images
        return functional.interpolate(images, read, mode="bilinear", antialias=True)

    def size_read(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width that images of `size` are scaled to before they are read.

        Their own, unless the network is to `fit` them or reads one size only.
        """
        if size == self.size or self.fit or self.one_size:
            return self.size
        return size

    @cached_property
    def one_size(self) -> bool:
        """Whether no deep layer can be read for images of another size, as in most transformers.

        It is tried with images of twice the network's own size. Of a network whose convolutions
        read any size, and whose last layers do not, the convolutions can be.
        """
        spatial = [n for n, shape in self._shapes.items() if len(shape) == 3 and min(shape[1:]) > 1]
        if not spatial:
            return False
        height, width = self.size
        images = torch.zeros(1, 3, 2 * height, 2 * width, device=self.device)
        try:
            with torch.inference_mode():
                self._activations(self.module, (images - self.mean) * self.scale, spatial[-1:])
        except Exception as error:  # the module's own code decides what it raises
            if is_out_of_memory(error):
                raise
            log.info(
                "%s reads %d x %d only: pictures of another size are scaled to it.",
                *(self.name, height, width),
            )
            return True
        return False

    def _look_at_pixels(self, images: Tensor) -> None:
        """Warns, once in a process, of images outside [0, 1]: the commonest mistake.

        On a GPU only the first batches are looked at, because the host waits for the numbers.
        """
        if self._unseen_batches <= 0 or images.device.type == "meta" or not images.numel():
            return
        self._unseen_batches -= images.is_cuda
        least, most = map(float, images.detach().aminmax())
        if least < -TOLERATED or most > 1 + TOLERATED:
            _warn_of_pixels()

    def _example(self) -> Images:
        """Two images, grey and noise, on which a copy is compared with the original."""
        noise = torch.rand(1, 3, *self.size, generator=torch.Generator().manual_seed(0))
        return torch.cat([torch.full_like(noise, 0.5), noise]).to(self.device)

    def read(
        self, images: Tensor, layers: Iterable[str], *, fast: bool = False
    ) -> dict[str, Tensor]:
        """Activations of images [n, 3, h, w] at `layers`, from one forward pass.

        The pass stops at the deepest of the layers. `synth.networks.reading` reads many images.

        Args:
            images: RGB in [0, 1], on the network's device; gradients flow to them.
            layers: names of layers; ``output`` means the logits.
            fast: whether to read the copy for searches, in the network's `precision`.

        Returns:
            For each name the layer's output, float32 [n, *layers[name]] at the network's own size.
        """
        names = tuple(map(self.layer, layers))
        if not names:
            return {}
        module, inputs = (
            self._fast_inputs(images, names) if fast else (self.module, self._normalised(images))
        )
        return self._activations(module, inputs, names)

    def read_with_gradients(
        self,
        images: Tensor,
        layers: Sequence[str],
        score: Callable[[Tensor], Tensor],
        target: str = OUTPUT,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Activations of images at `layers`, and the gradient of a score with respect to them.

        Args:
            images: RGB in [0, 1], [n, 3, h, w].
            layers: names of layers that run before `target`.
            score: of the target's activation [n, ...], in whose order the scores [n] are.
            target: the layer that the score is of; ``output`` means the logits.

        Returns:
            For each name float32 [n, *layers[name]]; gradients are zero where the score does not
            depend on the layer.

        Raises:
            InputError: a layer that runs after the target.
        """
        for name in layers:
            if self._order[self.layer(name)] >= self._order[target]:
                raise InputError(f"layer={name}: {target} does not come after it.")
        parts = {name: self._layers[name] for name in layers}
        deepest = self._layers[target]
        with torch.inference_mode(False), torch.enable_grad():
            inputs = self._normalised(images.detach().clone().requires_grad_())
            hooked = [*parts.values(), *([deepest] if target != OUTPUT else [])]
            with _hooked(self.module, hooked, deepest) as outputs, suppress(_Deepest):
                outputs[deepest.path, deepest.call] = logits_of(self.module(inputs), self.name)
            stretch = inputs.shape[2] * self.size[1] / (inputs.shape[3] * self.size[0])
            scores = score(deepest.read(outputs[deepest.path, deepest.call], stretch).float())
            # what was recorded is a clone, and the output itself what it is a clone of
            recorded = {name: outputs[part.path, part.call] for name, part in parts.items()}
            edges = {
                name: GradientEdge(*values.grad_fn.next_functions[0])
                for name, values in recorded.items()
                if values.grad_fn is not None
            }
            gradients = torch.autograd.grad(scores.sum(), [*edges.values()], allow_unused=True)
        activations, sensitivities = {}, {}
        for name, values in recorded.items():
            gradient = dict(zip(edges, gradients, strict=True)).get(name)
            gradient = torch.zeros_like(values) if gradient is None else gradient
            activations[name] = parts[name].read(values.detach(), stretch).float()
            sensitivities[name] = parts[name].read(gradient, stretch).float()
        return activations, sensitivities

    def _activations(
        self, module: nn.Module, inputs: Tensor, names: Sequence[str]
    ) -> dict[str, Tensor]:
        """Activations of normalised `inputs` at the named layers; `module` is ours, or a copy."""
        if tuple(names) == (OUTPUT,):
            return {OUTPUT: logits_of(module(inputs), self.name).float()}
        layers = [self._layers[name] for name in names if name != OUTPUT]
        deepest = self._layers[max(names, key=self._order.__getitem__)]
        with _hooked(module, layers, deepest) as outputs, suppress(_Deepest):
            outputs[deepest.path, deepest.call] = logits_of(module(inputs), self.name)
        stretch = inputs.shape[2] * self.size[1] / (inputs.shape[3] * self.size[0])
        activations = {}
        for name in names:
            layer = self._layers[name]
            activations[name] = layer.read(outputs[layer.path, layer.call], stretch).float()
        return activations

    def _fast_inputs(self, images: Tensor, names: Sequence[str]) -> tuple[nn.Module, Tensor]:
        """The copy that gives the outputs of the named layers, and its inputs."""
        copy = self._inference_copy()
        if not copy.folded.isdisjoint(self._layers[name].path for name in names):
            copy = self._inference_copy(fold=False)
        fitted = self._fitted(images)
        return copy.module, _Normalised.apply(fitted, self.shift, self.scale, copy.dtype)

    def layer(self, name: str) -> str:
        """`name` itself, where the network has such a layer.

        Raises:
            InputError: it has none; the message names the nearest.
        """
        if name not in self._shapes:
            first = ", ".join([name for name in self._shapes if "." not in name][:12])
            hint = nearest(name, self._shapes) or f" Write one of {first} (synth recipe=layers)."
            raise InputError(f"layer={name}: {self.name} has no such layer.{hint}")
        return name

    def with_directions(self, layer: str, vectors: Tensor) -> Network:
        """The same network with one more layer, ``direction``, whose units are directions.

        The activation of such a unit at a place is the dot product of its vector with the channels
        of `layer` there.

        Args:
            layer: in which the directions are.
            vectors: float32 [k, channels].

        Raises:
            InputError: no such layer, one without channels, or vectors of another width.
        """
        shape = self._shapes[self.layer(layer)]
        if len(shape) not in (1, 3):
            size = " x ".join(map(str, shape))
            raise InputError(
                f"layer={layer}: its output is {size}, of which no axis is known to be channels; "
                "write another layer (synth recipe=layers)."
            )
        if vectors.shape[1] != shape[0]:
            raise InputError(
                f"directions: of {vectors.shape[1]} numbers each, but {layer} has {shape[0]} "
                "channels; write the layer that they were made of."
            )
        own = self._layers[layer]
        added = replace(
            own, shape=(len(vectors), *shape[1:]), directions=vectors.to(self.device).float()
        )
        view = copy(self)
        view._layers = {}
        for name, other in self._layers.items():
            # before the layer itself, which is none of those that come before its directions
            view._layers |= {DIRECTION: added, name: other} if name == layer else {name: other}
        view._shapes = {name: entry.shape for name, entry in view._layers.items()}
        view._order = {DIRECTION: self._order[layer], **self._order}
        view._readable = {(self.size, OUTPUT): True}
        return view

    def rectified(self, name: str) -> str:
        """The layer that holds `name`'s output after its normalisation and activation function.

        Frameworks count convolution, normalisation and ReLU as three layers; "what a convolution
        detects" means the output of the last. `name` itself where no activation function follows.
        """
        later: str | None = self.layer(name)
        while later := self._followers.get(later or ""):
            if isinstance(self.part(later), ACTIVATIONS):
                return later
        return name

    def part(self, name: str) -> nn.Module:
        """The module whose output the layer `name` is; the whole one for ``output``."""
        return self.module.get_submodule(self._layers[name].path)

    def check_size(self, size: tuple[int, int], layers: Iterable[str] = (OUTPUT,)) -> None:
        """Raises InputError where images of `size` (height, width) cannot be read at `layers`.

        Convolutions take any size; the layers after a flattening need the size of training.
        """
        names = tuple(layers)
        if not self.reads(size, names):
            height, width = self.size
            deepest = max(names, key=self._order.__getitem__)
            where = "" if deepest == OUTPUT else f" at {deepest}; name an earlier layer, or"
            raise InputError(
                f"encoding.size={size[0]}x{size[1]}: {self.name} cannot read pictures of that size"
                f"{where or ';'} write null for encoding.size and encoding.longest to get its own "
                f"{height}x{width}."
            )

    def reads(self, size: tuple[int, int], layers: Iterable[str] = (OUTPUT,)) -> bool:
        """Whether images of `size` (height, width) can be read at `layers`; tried once each."""
        names = tuple(layers)
        if not names or self.size_read(size) == self.size:
            return True
        key = (size, max(names, key=self._order.__getitem__))
        if key not in self._readable:
            large = size[0] * size[1] > LARGE * self.size[0] * self.size[1]
            self._readable[key] = not (large and self._differs_in_shape(size, names)) and (
                self._passes(torch.zeros(1, 3, *size, device=self.device), names)
            )
        return self._readable[key]

    def _differs_in_shape(self, size: tuple[int, int], names: Sequence[str]) -> bool:
        """Whether shapes alone show, without memory or time, that images cannot be read.

        False where the network has an operation that needs numbers, too.
        """
        shapes = deepcopy(self, {id(self._copies): {}}).to("meta")
        shapes.device = torch.device("meta")
        own, other = (torch.zeros(1, 3, *sides, device="meta") for sides in (self.size, size))
        return shapes._passes(own, names) and not shapes._passes(other, names)

    def _passes(self, images: Images, names: Sequence[str]) -> bool:
        """Whether `images` get through to the named layers."""
        try:
            with torch.inference_mode():
                self.read(images, names)
        except InputError:
            raise
        except Exception as error:  # the module's own code decides what it raises
            if is_out_of_memory(error):
                raise
            return False
        return True

    def _traced(self) -> tuple[list[Call], Tensor]:
        """The calls of all parts in a forward pass of two images, and the logits."""
        logits = []
        try:
            # not in inference mode, in which tensors do not count their changes in place
            with torch.inference_mode(False), torch.no_grad():
                images = torch.zeros(2, 3, *self.size, device=self.device)
                calls = traced(self.module, lambda: logits.append(self(images)), len(images))
        except InputError:
            raise
        except Exception as error:  # the module's own code decides what it raises
            if is_out_of_memory(error):
                raise
            height, width = self.size
            if isinstance(error, RuntimeError | ValueError | AssertionError):
                raise InputError(
                    f"network size={height}x{width}: {self.name} cannot read images of that size "
                    f"({first_line(error)}); give the size that it was trained at."
                ) from error
            raise InputError(
                f"network: {self.name} failed on images [2, 3, {height}, {width}] "
                f"({type(error).__name__}: {first_line(error)}); give a module that is called with "
                "images alone."
            ) from error
        return calls, logits[0]

    def _checked(self, classes: Classes | None) -> Classes:
        """`classes`, or numbered ones; InputError where they do not fit the logits."""
        shape = self._shapes[OUTPUT]
        if len(shape) != 1:
            raise InputError(
                f"network: {self.name} returns a tensor of {len(shape) + 1} axes; give a module "
                "that returns logits, [n, classes]."
            )
        outputs = shape[0]
        if classes is None:
            return Classes([str(index) for index in range(outputs)])
        if len(classes) != outputs:
            raise InputError(
                f"classes: {len(classes)} names, but {self.name} has {outputs} outputs; give one "
                "name for each output."
            )
        return classes


@contextmanager
def _hooked(
    module: nn.Module, layers: Sequence[Layer], deepest: Layer
) -> Iterator[dict[tuple[str, int], Tensor]]:
    """Forward hooks that record layers' outputs for the length of the block; removed in any case.

    Args:
        module: that is read in the block.
        layers: recorded by path and call.
        deepest: of them, at which the forward pass stops; the network's output, which has no path,
            where it does not.
    """
    outputs: dict[tuple[str, int], Tensor] = {}
    calls: dict[str, set[int]] = {}
    for layer in layers:
        calls.setdefault(layer.path, set()).add(layer.call)
    handles = []
    try:
        for path, numbers in calls.items():
            last = deepest.call if path == deepest.path else None
            hook = partial(_record, outputs, path, numbers, count(), last)
            handles.append(module.get_submodule(path).register_forward_hook(hook))
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def copied(module: nn.Module, name: str) -> nn.Module:
    """A copy of `module`; InputError where it cannot be copied."""
    try:
        return deepcopy(module)
    except Exception as error:  # the module's own code decides what it raises
        if is_out_of_memory(error):
            raise
        raise InputError(
            f"network: {name} cannot be copied ({first_line(error)}); give a module that "
            "copy.deepcopy takes."
        ) from error


def _frozen(module: nn.Module, name: str, device: torch.device) -> nn.Module:
    """`module` itself, in eval mode, without gradients, in float32 on `device`."""
    try:
        return module.eval().requires_grad_(False).to(device, torch.float32)
    except Exception as error:  # traced and exported modules refuse some of it
        if is_out_of_memory(error):
            raise
        raise InputError(
            f"network: {name} cannot be frozen ({type(error).__name__}: {first_line(error)}); give "
            "the nn.Module that it was made of."
        ) from error


@lru_cache(maxsize=1)  # so that it is given once
def _warn_of_pixels() -> None:
    log.warning(
        "images: pixels outside [0, 1], which are neither to be normalised, as networks do that "
        "inside, nor in 0 ... 255."
    )


def over_places(values: Tensor) -> Tensor:
    """Spatial mean: [n, c] from activations [n, c, h, w]; flat ones [n, c] are returned as is."""
    return values.flatten(2).mean(2) if values.ndim > 2 else values


def sha256_of_state(module: nn.Module) -> str:
    """The SHA-256, in hexadecimal, of a module's state dict: names, dtypes, shapes and values.

    It does not depend on the device or the memory format.
    """
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        if not isinstance(value, Tensor):
            continue  # what a part keeps beside its tensors
        values = value.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _check_channels(word: str, values: Sequence[float], positive: bool = False) -> None:
    fits = all(math.isfinite(value) and (value > 0 or not positive) for value in values)
    if len(values) != 3 or not fits:
        kind = "three numbers above 0" if positive else "three numbers"
        raise InputError(f"network {word}={list(values)}: write {kind}, for red, green and blue.")


def _record(
    outputs: dict[tuple[str, int], Tensor],
    path: str,
    numbers: Container[int],
    calls: Iterator[int],
    last: int | None,
    _: nn.Module,
    __: object,
    out: object,
) -> None:
    """A hook that records a clone, since an in-place operation (x += shortcut) may follow.

    Nothing follows the `last` call, so nothing needs to be cloned there.
    """
    number = next(calls)
    if number not in numbers:
        return
    output = first_tensor(out)
    assert output is not None
    outputs[path, number] = output if number == last else output.clone()
    if number == last:
        raise _Deepest
