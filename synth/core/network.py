"""Takes a torch module; gives a frozen network that reads pictures at any named layer in one forward.

Pictures come in as RGB in [0, 1] and are normalised inside, and only here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.core import Images
from synth.core.classes import Classes
from synth.core.hardware import device_of
from synth.errors import InputError, nearest

OUTPUT = "output"  # the name of what the whole network gives: the scores before the softmax


class _Deepest(Exception):
    """Thrown by the tap on the deepest layer asked for: nothing beyond it needs to be computed."""


class _ChannelsLast(torch.autograd.Function):
    """Pictures in the layout convolutions are fastest in; their gradient back in the layout everything else has.

    Without the way back, each later step of the gradient would add tensors of two layouts, at several times the cost.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        return images.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient.contiguous()


class Network(nn.Module):
    """A classifier in eval mode with frozen weights.

    `module` gives scores before the softmax, [n, classes]; `mean` and `std` are per channel in [0, 1];
    `size` (height, width) is what it was trained at; with `fit` pictures of any other size are scaled to that one
    first, as they would be to be classified. In-place activations are switched off, or a tap on a
    convolution would silently hold the activation's output.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        name: str,
        classes: Classes,
        size: tuple[int, int],
        mean: Sequence[float],
        std: Sequence[float],
        sha256: str,
        device: str = "auto",
        precision: str = "float32",
        fit: bool = False,
    ) -> None:
        super().__init__()
        if precision not in ("float32", "bfloat16"):
            raise InputError(f"network.precision={precision}: write float32 or bfloat16.")
        self.device = device_of(device)
        self.module = (
            module.eval().requires_grad_(False).to(self.device, memory_format=torch.channels_last)
        )
        for part in self.module.modules():
            if getattr(part, "inplace", False):
                part.inplace = False  # type: ignore[assignment]
        self.name, self.classes, self.size, self.sha256 = name, classes, size, sha256
        self.precision, self.fit = precision, fit
        if self.device.type == "cuda" and precision == "float32":
            # TensorFloat-32, on by default in convolutions, is not what float32 says, nor what a CPU finds
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        self.register_buffer("mean", torch.tensor(mean, device=self.device).view(1, 3, 1, 1))
        self.register_buffer("scale", 1.0 / torch.tensor(std, device=self.device).view(1, 3, 1, 1))
        self._shapes = self._trace()
        self._order = {name: place for place, name in enumerate(self._shapes)}
        self.eval()  # this module too: who restores a mode would bring training's back
        self._fits: dict[tuple[tuple[int, int], str], bool] = {(size, OUTPUT): True}

    @property
    def layers(self) -> Mapping[str, tuple[int, ...]]:
        """Every named layer in the order it runs, with the shape of its output for one picture (no batch axis)."""
        return self._shapes

    @property
    def bytes_per_pixel(self) -> float:
        """About how many bytes a forward and backward keep for one input pixel: the sum of all layer outputs."""
        values = sum(torch.Size(shape).numel() for shape in self._shapes.values())
        return 4.0 * values / (self.size[0] * self.size[1]) + 64.0

    def forward(self, images: Images) -> Tensor:
        """Scores before the softmax, [n, classes], from pictures [n, 3, h, w] in [0, 1]."""
        if self.fit and tuple(images.shape[2:]) != self.size:
            images = functional.interpolate(images, self.size, mode="bilinear", antialias=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return self.module((_ChannelsLast.apply(images) - self.mean) * self.scale).float()

    def read(self, images: Images, layers: Iterable[str]) -> dict[str, Tensor]:
        """Outputs of the named `layers` on `images` [n, 3, h, w], from one forward that stops at the deepest.

        A layer's output has the shape [n, *layers[name]], float32. `output` means the scores before the softmax.
        """
        wanted = tuple(layers)
        if not wanted:
            return {}
        if wanted == (OUTPUT,):
            return {OUTPUT: self(images)}
        deepest = max(wanted, key=self._order.__getitem__)
        with self._tapped(wanted, deepest) as activations, suppress(_Deepest):
            activations[OUTPUT] = self(images)
        return {name: activations[name].float() for name in wanted}

    def layer(self, name: str) -> str:
        """`name` itself if this network has such a layer; InputError with the nearest names if not."""
        if name not in self._shapes:
            most = ", ".join([n for n in self._shapes if "." not in n][:12])
            hint = nearest(name, self._shapes) or f" It has {most}: see synth recipe=layers."
            raise InputError(f"layer={name}: {self.name} has no such layer.{hint}")
        return name

    def rectified(self, name: str) -> str:
        """The layer whose output is `name`'s after normalisation and ReLU; `name` itself where no ReLU follows it.

        Convolution, normalisation and activation are three layers; who speaks of what a convolution detects means
        the last of them.
        """
        order = list(self._shapes)
        for later in order[order.index(self.layer(name)) + 1 :]:
            part = None if later == OUTPUT else self.module.get_submodule(later)
            if isinstance(part, nn.ReLU | nn.ReLU6 | nn.SiLU | nn.GELU | nn.Hardswish):
                return later
            if not isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d | nn.GroupNorm):
                break
        return name

    def check_size(self, size: tuple[int, int], layers: Iterable[str] = (OUTPUT,)) -> None:
        """Raises InputError where the network cannot read pictures of `size` (height, width) at `layers`.

        Convolutions read any size; the layers behind a flattening want the size they were trained at.
        """
        wanted = tuple(layers)
        if not self.reads(size, wanted):
            height, width = self.size
            deepest = max(wanted, key=self._order.__getitem__)
            where = "" if deepest == OUTPUT else f" at {deepest}; name an earlier layer, or"
            raise InputError(
                f"encoding.size={size[0]}x{size[1]}: {self.name} cannot read pictures of that size{where or ';'} "
                f"write null for encoding.size and encoding.longest to get its own {height}x{width}."
            )

    def reads(self, size: tuple[int, int], layers: Iterable[str] = (OUTPUT,)) -> bool:
        """Whether pictures of `size` (height, width) can be read at `layers`."""
        wanted = tuple(layers)
        if not wanted:
            return True
        asked = (size, max(wanted, key=self._order.__getitem__))
        if asked not in self._fits:
            try:
                with torch.inference_mode():
                    self.read(torch.zeros(1, 3, *size, device=self.device), wanted)
                self._fits[asked] = True
            except torch.OutOfMemoryError:
                raise
            except (RuntimeError, AssertionError, ValueError):
                self._fits[asked] = False
        return self._fits[asked]

    @contextmanager
    def _tapped(self, names: Sequence[str], deepest: str | None) -> Iterator[dict[str, Tensor]]:
        """Hooks on the named layers for the length of the block; restored whatever happens inside."""
        activations: dict[str, Tensor] = {}
        handles = []
        try:
            for name in names:
                if name == OUTPUT:
                    continue
                hook = partial(_stop if name == deepest else _keep, activations, name)
                handles.append(self.module.get_submodule(name).register_forward_hook(hook))
            yield activations
        finally:
            for handle in handles:
                handle.remove()

    def _trace(self) -> dict[str, tuple[int, ...]]:
        """Layer names and output shapes in the order in which one forward meets them."""
        shapes: dict[str, tuple[int, ...]] = {}
        handles = []
        for name, part in self.module.named_modules():
            if name:

                def hook(_: nn.Module, __: Any, out: Any, name: str = name) -> None:
                    if isinstance(out, Tensor):
                        shapes.setdefault(name, tuple(out.shape[1:]))

                handles.append(part.register_forward_hook(hook))
        try:
            with torch.inference_mode():
                out = self(torch.zeros(1, 3, *self.size, device=self.device))
        finally:
            for handle in handles:
                handle.remove()
        shapes[OUTPUT] = tuple(out.shape[1:])
        return shapes


def over_places(values: Tensor) -> Tensor:
    """A number a unit, [n, c]: the mean over the places of a spatial layer [n, c, h, w]; a flat one [n, c] as it is."""
    return values.flatten(2).mean(2) if values.ndim > 2 else values


def _keep(activations: dict[str, Tensor], name: str, _: nn.Module, __: Any, out: Tensor) -> None:
    """The hook of a tap: keeps a clone, since an in-place operation (x += shortcut) may follow."""
    if name not in activations:
        activations[name] = out.clone()


def _stop(activations: dict[str, Tensor], name: str, _: nn.Module, __: Any, out: Tensor) -> None:
    """The hook of the deepest tap: nothing follows, so nothing needs to be cloned."""
    activations[name] = out
    raise _Deepest
