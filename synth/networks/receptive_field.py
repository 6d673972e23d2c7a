"""Receptive fields: the part of a picture that a unit sees, by geometry and by gradient.

By geometry: one forward pass, in which each operation says which rows and columns of its input a
row and column of its output reads (a convolution of kernel k, stride s, padding p and dilation d:
rows i s - p to i s - p + d (k - 1)). It works at the level of PyTorch's own operators, so that
functions, shortcuts, concatenations and reused modules are followed like layers. By gradient: the
pixels on which a unit depends once weights are positive, activation functions linear and maxima
means, which takes a pass for each place. Source: Araujo, Norris & Sim 2019, Computing receptive
fields of convolutional neural networks, Distill; they give it for chains and known graphs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from synth.core.hardware import is_out_of_memory
from synth.core.network import Network
from synth.errors import first_line

log = logging.getLogger(__name__)

Shape = tuple[int, ...]
Spans = dict[int, Tensor]  # by axis of a tensor: first and last pixel of each index, int64 [n, 2]


@dataclass(frozen=True)
class ReceptiveField:
    """Which pixels the units of a layer see; beyond the border they see padding.

    Attributes:
        rows: first and last row of pixels of each row of the map, int64 [h, 2].
        columns: first and last column of pixels of each column, int64 [w, 2].
        size: height and width of the images.
    """

    rows: Tensor
    columns: Tensor
    size: tuple[int, int]

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width of the field of the unit in the middle, in pixels."""
        top, left, bottom, right = self.box(len(self.rows) // 2, len(self.columns) // 2)
        return bottom - top, right - left

    @property
    def stride(self) -> tuple[int, int]:
        """Pixels between the fields of neighbours; its own length where there is one place."""
        return _step(self.rows), _step(self.columns)

    @property
    def whole(self) -> bool:
        """Whether the unit in the middle sees every pixel."""
        top, left, bottom, right = self.box(len(self.rows) // 2, len(self.columns) // 2)
        return min(top, left) <= 0 and bottom >= self.size[0] and right >= self.size[1]

    @property
    def boxes(self) -> Tensor:
        """Top, left, bottom and right of every place, the last two exclusive, int64 [h, w, 4]."""
        shape = (len(self.rows), len(self.columns))
        sides = (self.rows[:, None, 0], self.columns[None, :, 0])
        ends = (self.rows[:, None, 1] + 1, self.columns[None, :, 1] + 1)
        return torch.stack([side.expand(shape) for side in (*sides, *ends)], dim=2)

    def box(self, row: int, column: int) -> tuple[int, int, int, int]:
        """Top, left, bottom and right of a place, the last two exclusive; padding included."""
        (top, bottom), (left, right) = self.rows[row].tolist(), self.columns[column].tolist()
        return top, left, bottom + 1, right + 1


def receptive_fields(network: Network) -> dict[str, ReceptiveField]:
    """The receptive field of every layer by geometry, for images of the network's own size.

    It is the whole image where there are no places, and wherever places are mixed in a way that is
    not followed: attention, and maps that are cut up and put together.

    Args:
        network: the network; one image passes through it.
    """
    try:
        spans = _spans_of_layers(network)
    except Exception as error:  # the module's own code decides what it raises
        if is_out_of_memory(error):
            raise
        log.info("%s cannot be followed: %s", network.name, first_line(error))
        spans = {}
    return {
        name: _field(network.size, shape, spans.get(name) or {})
        for name, shape in network.layers.items()
    }


def support(network: Network, layer: str, row: int = 0, column: int = 0) -> Tensor:
    """The pixels that the units of a layer depend on at one place, by gradient: bool [h, w].

    Args:
        network: the network.
        layer: the layer.
        row: of the place; of a layer without places both are 0.
        column: of the place.
    """
    draws = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, *network.size, generator=draws).to(network.device).requires_grad_()
    with torch.enable_grad():
        with _Linear():
            activations = network.read(image, [layer])[layer]
        units = activations[0, :, row, column] if activations.ndim == 4 else activations[0]
        (gradient,) = torch.autograd.grad(units.sum(), image)
    return gradient[0].abs().sum(0) > 0


# -- geometry ------------------------------------------------------------------------------------


def _spans_of_layers(network: Network) -> dict[str, Spans | None]:
    height, width = network.size
    with torch.no_grad(), _Places(), _Geometry() as geometry:
        image = torch.zeros(1, 3, height, width, device=network.device)
        geometry.spans[image] = {2: _every(height), 3: _every(width)}
        activations = network.read(image, network.layers)
        return {name: geometry.spans.get(values) for name, values in activations.items()}


class _Places(TorchFunctionMode):
    """Lets linear layers keep their axes, which PyTorch's operator for them joins; not the values.

    A linear layer reads the last axis only, as the slice and the product here do.
    """

    def __torch_function__(
        self, func: Any, types: object, args: Any = (), kwargs: Any = None
    ) -> object:
        if getattr(func, "__name__", "") == "linear":
            values, weight = args[0], args[1] if len(args) > 1 else (kwargs or {})["weight"]
            return values[..., :1] * weight.new_zeros(len(weight))
        return func(*args, **(kwargs or {}))


class _Geometry(TorchDispatchMode):
    """Follows which pixels the rows and columns of each tensor see, operator by operator.

    Attributes:
        spans: of the tensors that depend on the image; empty where it is not known on what part.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spans: Any = WeakTensorKeyDictionary()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # PyTorch would import its compiler, which takes seconds, to leave this out

    def __torch_dispatch__(
        self, func: Any, types: object, args: Any = (), kwargs: Any = None
    ) -> object:
        inputs = list(_tensors(args))
        shapes = [tuple(value.shape) for value in inputs]
        spans = [self.spans.get(value) for value in inputs]
        output = func(*args, **(kwargs or {}))
        if any(own is not None for own in spans):
            for tensor in _tensors(output):
                self.spans[tensor] = _spans_of(func, args, tensor, shapes, spans)
        return output


def _spans_of(
    func: Any,
    args: Sequence[Any],
    output: Tensor,
    shapes: Sequence[Shape],
    spans: Sequence[Spans | None],
) -> Spans:
    """What the axes of an operator's output see; empty where that is not followed."""
    name = func.overloadpacket.__name__
    words = dict(zip([word.name for word in func._schema.arguments], args, strict=False))
    if torch.Tag.pointwise in func.tags or name in POINTWISE or "batch_norm" in name:
        return _joint(spans, shapes, output)
    own = spans[0]
    if not own:
        return _joint(spans, shapes, output) if name == "cat" and words["dim"] == 1 else {}
    if name == "convolution" and not words["transposed"]:
        return _windows(own, output, shapes[1][2:], words)
    if name in POOLS:
        return _windows(own, output, words["kernel_size"], words)
    same_axes = name == "mean" and output.ndim == len(shapes[0])
    if same_axes or "adaptive" in name or name == "upsample_nearest2d":
        return {axis: _shared(span, output.shape[axis]) for axis, span in own.items()}
    if name == "constant_pad_nd":
        return _padded(own, output, words["pad"])
    if name == "cat":
        inside = words.get("dim", 0) % output.ndim in own
        return {} if inside else _joint(spans, shapes, output)
    if name in ("permute", "transpose", "t"):
        order = list(range(output.ndim))
        if name == "permute":
            order = [axis % output.ndim for axis in words["dims"]]
        else:
            first, second = words.get("dim0", 0), words.get("dim1", 1)
            order[first], order[second] = order[second], order[first]
        return {order.index(axis): span for axis, span in own.items()}
    if name in VIEWS:
        return _viewed(own, shapes[0], tuple(output.shape))
    if name in CUTS:
        return {} if words.get("dim", 0) % output.ndim in own else own
    if name == "select":
        cut = words["dim"] % len(shapes[0])
        return {} if cut in own else {axis - (axis > cut): span for axis, span in own.items()}
    if name == "native_layer_norm" and output.ndim - 1 not in own:
        return own
    return {}


POINTWISE = ("clone", "detach", "alias", "_to_copy", "native_dropout")
POOLS = ("max_pool2d_with_indices", "max_pool2d", "avg_pool2d", "mkldnn_max_pool2d")
VIEWS = ("view", "_unsafe_view", "_reshape_alias", "squeeze", "unsqueeze")
CUTS = ("slice", "split", "split_with_sizes")


def _windows(
    spans: Spans, output: Tensor, kernel: int | Sequence[int], words: Mapping[str, Any]
) -> Spans:
    """Of each output index the span of the window that it reads."""
    sizes = _pair(kernel)
    steps = _pair(words.get("stride") or kernel)
    margins, gaps = _pair(words.get("padding", 0)), _pair(words.get("dilation", 1))
    windows = {}
    for axis, size, step, margin, gap in zip(
        sorted(spans), sizes, steps, margins, gaps, strict=True
    ):
        first = torch.arange(output.shape[axis]) * step - margin
        windows[axis] = _reached(spans[axis], first, first + gap * (size - 1))
    return windows


def _shared(span: Tensor, count: int) -> Tensor:
    """Adaptive windows: index i of `count` reads floor(i n / count) to ceil((i + 1) n / count)."""
    index, length = torch.arange(count), len(span)
    return _reached(span, index * length // count, -(-(index + 1) * length // count) - 1)


def _padded(spans: Spans, output: Tensor, pad: Sequence[int]) -> Spans:
    """After padding; `pad` has two numbers an axis, those of the last axis first."""
    result = dict(spans)
    for axis, span in spans.items():
        place = 2 * (output.ndim - 1 - axis)
        index = torch.arange(output.shape[axis]) - (pad[place] if place < len(pad) else 0)
        result[axis] = _reached(span, index, index)
    return result


def _viewed(spans: Spans, before: Shape, after: Shape) -> Spans:
    """After a reshaping that leaves the axes alone; empty where it splits or joins them."""
    result = {}
    for axis, span in spans.items():
        for place, length in enumerate(after):
            if length == len(span) and prod(after[place:]) == prod(before[axis:]):
                result[place] = span
                break
    return result if len(result) == len(spans) else {}


def _joint(spans: Sequence[Spans | None], shapes: Sequence[Shape], output: Tensor) -> Spans:
    """The union of what the operands see; empty where one sees something that is not followed."""
    result: Spans = {}
    for own, shape in zip(spans, shapes, strict=True):
        if own is None:
            continue  # weights
        if not own:
            return {}
        for axis, span in own.items():
            place = axis + output.ndim - len(shape)
            if place >= output.ndim or len(span) != output.shape[place]:
                return {}
            other = result.get(place, span)
            ends = torch.minimum(span[:, 0], other[:, 0]), torch.maximum(span[:, 1], other[:, 1])
            result[place] = torch.stack(ends, dim=1)
    return result


def _reached(span: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """From the first pixel of index `first` to the last of index `last`, padding included."""
    ends = []
    for side, index in enumerate((first, last)):
        inside = index.clamp(0, len(span) - 1)
        ends.append(span[inside, side] + (index - inside) * _step(span))
    return torch.stack(ends, dim=1)


def _step(span: Tensor) -> int:
    """Pixels from the start of the middle index to the next; the size of a single one."""
    if len(span) == 1:
        return int(span[0, 1] - span[0, 0]) + 1
    middle = (len(span) - 1) // 2
    return int(span[middle + 1, 0] - span[middle, 0])


def _field(size: tuple[int, int], shape: Shape, spans: Spans) -> ReceptiveField:
    """The field of a layer of `shape`; the whole image where its spans are unknown."""
    sides = [span for _, span in sorted(spans.items())]
    places = shape[1:] if len(shape) == 3 else (prod(shape[1:]), 1)
    if [len(span) for span in sides] != [*places]:
        sides = [
            torch.tensor([[0, length - 1]]).expand(count, 2)
            for length, count in zip(size, places, strict=True)
        ]
    return ReceptiveField(sides[0], sides[1], size)


def _every(length: int) -> Tensor:
    return torch.arange(length)[:, None].expand(length, 2)


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    values = [value] if isinstance(value, int) else list(value)
    return values[0], values[-1]


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, tuple | list):
        for value in values:
            yield from _tensors(value)


# -- gradient ------------------------------------------------------------------------------------


class _Linear(TorchFunctionMode):
    """Makes every layer a mean with positive weights, whose gradient is zero nowhere it looks."""

    def __torch_function__(
        self, func: Any, types: object, args: Any = (), kwargs: Any = None
    ) -> object:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in ("conv2d", "linear"):
            values, weight = args[0], args[1] if len(args) > 1 else kwargs.pop("weight")
            rest = (None, *args[3:]) if name == "conv2d" else ()
            kwargs.pop("bias", None)
            return func(values, torch.full_like(weight, 1 / weight[0].numel()), *rest, **kwargs)
        if name in PASSED:
            return args[0] * 1
        if "max_pool2d" in name:
            return _mean_pool(*args, **kwargs)
        return func(*args, **kwargs)


PASSED = ("relu", "relu_", "relu6", "hardtanh", "hardtanh_", "leaky_relu", "layer_norm")


def _mean_pool(
    values: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    """A mean over the windows of a maximum."""
    return functional.avg_pool2d(values, kernel_size, stride, padding, ceil_mode)
