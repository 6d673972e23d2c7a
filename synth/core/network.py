"""A frozen image classifier whose layers can be read: the network that is visualised or attacked.

Images come in as RGB in [0, 1]; normalisation happens inside, and nowhere else in the package.
Gradients flow to the images, never to the weights.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.core.classes import Classes
from synth.core.hardware import device_of, is_out_of_memory, low_precision
from synth.core.inference import InferenceCopy, inference_copy
from synth.core.types import Images
from synth.errors import InputError, first_line, nearest

OUTPUT = "output"  # the name of the network's own output: the logits, before the softmax
ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Hardswish, nn.Mish)
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
            they would be to be classified.
        copy: whether `module` is copied first, so that the caller's own keeps its training mode,
            ``requires_grad``, in-place activations, device and memory format. Without a copy it is
            changed.

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
        self._copies: dict[bool, InferenceCopy] = {}
        self._copied_version: tuple[int, ...] = ()
        self.sha256 = sha256_of_state(module) if sha256 is None else sha256
        module = deepcopy(module) if copy else module
        self.module = (
            module.eval().requires_grad_(False).to(self.device, memory_format=torch.channels_last)
        )
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
        self._shapes = self._trace()
        self._order = {name: place for place, name in enumerate(self._shapes)}
        self.classes = self._checked(classes)
        # of this module too: code that restores a remembered mode must not bring training's back
        self.eval()
        self._readable: dict[tuple[tuple[int, int], str], bool] = {(size, OUTPUT): True}

    @property
    def layers(self) -> Mapping[str, tuple[int, ...]]:
        """Names of the layers, in the order they run, with the shape of an image's activation.

        The shapes are those at the network's own size, without the batch axis.
        """
        return self._shapes

    def bytes_per_image(self, size: tuple[int, int]) -> float:
        """About how many bytes a forward and backward pass keep for an image.

        64 for each of its pixels, and all layers' outputs in float32 at the size that they are
        read at: with `fit` the network's own.

        Args:
            size: height and width of the image.
        """
        height, width = self.size if self.fit else size
        values = sum(torch.Size(shape).numel() for shape in self._shapes.values())
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

    def forward(self, images: Images) -> Tensor:
        """Logits, float32 [n, classes], of images [n, 3, h, w] in [0, 1]."""
        return self.module(self._normalised(images)).float()

    def _normalised(self, images: Images) -> Tensor:
        return (_ChannelsLast.apply(self._fitted(images)) - self.mean) * self.scale

    def _fitted(self, images: Images) -> Images:
        """The images at the network's size, where it is to `fit` them."""
        if not self.fit or tuple(images.shape[2:]) == self.size:
            return images
        return functional.interpolate(images, self.size, mode="bilinear", antialias=True)

    def _example(self) -> Images:
        """Two images, grey and noise, on which a copy is compared with the original."""
        noise = torch.rand(1, 3, *self.size, generator=torch.Generator().manual_seed(0))
        return torch.cat([torch.full_like(noise, 0.5), noise]).to(self.device)

    def read(
        self, images: Images, layers: Iterable[str], *, fast: bool = False
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
        names = tuple(layers)
        if not names:
            return {}
        module, inputs = (
            self._fast_inputs(images, names) if fast else (self.module, self._normalised(images))
        )
        if names == (OUTPUT,):
            return {OUTPUT: module(inputs).float()}
        deepest = max(names, key=self._order.__getitem__)
        with _hooked(module, names, deepest) as activations, suppress(_Deepest):
            activations[OUTPUT] = module(inputs)
        return {name: activations[name].float() for name in names}

    def _fast_inputs(self, images: Images, names: Sequence[str]) -> tuple[nn.Module, Tensor]:
        """The copy that gives the outputs of the named layers, and its inputs."""
        copy = self._inference_copy()
        if not copy.folded.isdisjoint(names):
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

    def rectified(self, name: str) -> str:
        """The layer that holds `name`'s output after its normalisation and activation function.

        Frameworks count convolution, normalisation and ReLU as three layers; "what a convolution
        detects" means the output of the last. `name` itself where no activation function follows.
        """
        order = list(self._shapes)
        for later in order[order.index(self.layer(name)) + 1 :]:
            part = None if later == OUTPUT else self.module.get_submodule(later)
            if isinstance(part, ACTIVATIONS):
                return later
            if not isinstance(part, NORMALISATIONS):
                break
        return name

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
        if not names:
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
        own, other = (torch.zeros(1, 3, *sides, device="meta") for sides in (self.size, size))
        return shapes._passes(own, names) and not shapes._passes(other, names)

    def _passes(self, images: Images, names: Sequence[str]) -> bool:
        """Whether `images` get through to the named layers."""
        try:
            with torch.inference_mode():
                self.read(images, names)
        except (RuntimeError, AssertionError, ValueError) as error:
            if is_out_of_memory(error):
                raise
            return False
        return True

    def _trace(self) -> dict[str, tuple[int, ...]]:
        """Layer names and output shapes, in the order in which one forward pass meets them."""
        shapes: dict[str, tuple[int, ...]] = {}
        handles = []
        for name, part in self.module.named_modules():
            if name:

                def hook(_: nn.Module, __: object, out: object, name: str = name) -> None:
                    if isinstance(out, Tensor):
                        shapes.setdefault(name, tuple(out.shape[1:]))

                handles.append(part.register_forward_hook(hook))
        handles.append(self.module.register_forward_hook(self._refuse_other_than_tensors))
        try:
            with torch.inference_mode():
                logits = self(torch.zeros(1, 3, *self.size, device=self.device))
        except (RuntimeError, ValueError, AssertionError) as error:
            if is_out_of_memory(error):
                raise
            height, width = self.size
            raise InputError(
                f"network size={height}x{width}: {self.name} cannot read images of that size "
                f"({first_line(error)}); give the size that it was trained at."
            ) from error
        finally:
            for handle in handles:
                handle.remove()
        shapes[OUTPUT] = tuple(logits.shape[1:])
        return shapes

    def _refuse_other_than_tensors(self, _: nn.Module, __: object, out: object) -> None:
        """A hook on the whole module; InputError where it returns a tuple or a dictionary."""
        if not isinstance(out, Tensor):
            raise InputError(
                f"network: {self.name} returns a {type(out).__name__}; give a module that returns "
                "logits, a tensor [n, classes]."
            )

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
def _hooked(module: nn.Module, names: Sequence[str], deepest: str) -> Iterator[dict[str, Tensor]]:
    """Forward hooks on the named layers for the length of the block; removed in any case."""
    activations: dict[str, Tensor] = {}
    handles = []
    try:
        for name in names:
            if name == OUTPUT:
                continue
            hook = partial(_stop if name == deepest else _keep, activations, name)
            handles.append(module.get_submodule(name).register_forward_hook(hook))
        yield activations
    finally:
        for handle in handles:
            handle.remove()


def over_places(values: Tensor) -> Tensor:
    """Spatial mean: [n, c] from activations [n, c, h, w]; flat ones [n, c] are returned as is."""
    return values.flatten(2).mean(2) if values.ndim > 2 else values


def sha256_of_state(module: nn.Module) -> str:
    """The SHA-256, in hexadecimal, of a module's state dict: names, dtypes, shapes and values.

    It does not depend on the device or the memory format.
    """
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        values = value.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _check_channels(word: str, values: Sequence[float], positive: bool = False) -> None:
    fits = all(math.isfinite(value) and (value > 0 or not positive) for value in values)
    if len(values) != 3 or not fits:
        kind = "three numbers above 0" if positive else "three numbers"
        raise InputError(f"network {word}={list(values)}: write {kind}, for red, green and blue.")


def _keep(activations: dict[str, Tensor], name: str, _: nn.Module, __: object, out: Tensor) -> None:
    """A hook that records a clone, since an in-place operation (x += shortcut) may follow."""
    if name not in activations:
        activations[name] = out.clone()


def _stop(activations: dict[str, Tensor], name: str, _: nn.Module, __: object, out: Tensor) -> None:
    """The hook of the deepest layer: nothing follows, so nothing needs to be cloned."""
    activations[name] = out
    raise _Deepest
