"""Layers: which call of which module a name means, and its output as channels x places.

A name is the module's dotted path; the second and third call of a reused module are ``NAME_1`` and
``NAME_2``, as in `torchvision.models.feature_extraction`. Transformers give tokens [n, t, c], or
maps with the channels last; both are read as [n, c, h, w], as a convolution's output is. Class,
distillation and register tokens, which belong to no place, are a layer of their own,
``NAME.tokens``, [n, c, tokens, 1]. Directions in a layer can be one, ``direction``, [n, k, h, w].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

Size = tuple[int, int]

TOKENS = "tokens"
DIRECTION = "direction"  # the layer whose units are directions in another
MOST_EXTRA = 8  # tokens beside those of the places
LIKELY_EXTRA = (0, 1, 2, 5)  # none; a class token; and distillation; and four registers


@dataclass(frozen=True)
class Layer:
    """What a layer's name means.

    Attributes:
        path: of the module.
        shape: of an image's activation at the network's own size, channels first.
        call: which of the module's calls in a forward pass, from 0.
        layout: of what the module returns: ``maps`` [n, c, h, w] or [n, units], as it is read;
            ``channels_last`` [n, h, w, c]; ``tokens`` [n, t, c]; ``flat`` [n, c, h w].
        extra: how many tokens come before those of the places.
        apart: whether the layer is these tokens, not the places.
        directions: float32 [k, channels], in place of whose channels they are read; none as a rule.
    """

    path: str
    shape: tuple[int, ...]
    call: int = 0
    layout: Literal["maps", "channels_last", "tokens", "flat"] = "maps"
    extra: int = 0
    apart: bool = False
    directions: Tensor | None = field(default=None, compare=False)

    def read(self, output: Tensor, stretch: float = 1.0) -> Tensor:
        """Activations [n, c, h, w] from the module's `output`.

        Args:
            output: for a batch of images.
            stretch: how much larger than the network's own the ratio height / width of these images
                is.
        """
        values = self._channels_first(output, stretch)
        return values if self.directions is None else along(values.float(), self.directions)

    def _channels_first(self, output: Tensor, stretch: float) -> Tensor:
        if self.layout == "maps":
            return output
        if self.layout == "channels_last":
            return output.movedim(-1, 1)
        values = output if self.layout == "flat" else output.mT
        if self.apart:
            return values[:, :, : self.extra, None]
        places = values[:, :, self.extra :]
        return places.unflatten(2, self._grid(places.shape[2], stretch))

    def _grid(self, places: int, stretch: float) -> Size:
        """Rows and columns of so many places, nearest to the network's own ratio x `stretch`."""
        if stretch == 1.0 and places == self.shape[1] * self.shape[2]:
            return self.shape[1], self.shape[2]
        rows = math.sqrt(places * stretch * self.shape[1] / self.shape[2])
        height = min(
            (part for part in range(1, places + 1) if places % part == 0),
            key=lambda part: abs(math.log(part / rows)),
        )
        return height, places // height


def along(values: Tensor, directions: Tensor) -> Tensor:
    """Projections on directions: at every place their dot products with the channels.

    Args:
        values: activations, float32 [n, c] or [n, c, h, w].
        directions: [k, c].

    Returns:
        [n, k] or [n, k, h, w].
    """
    vectors = directions.to(values.device)
    if values.ndim == 2:
        return functional.linear(values, vectors)
    return functional.conv2d(values, vectors[:, :, None, None])


@dataclass
class Call:
    """A call of a module in a forward pass, with the first tensors that it took and returned.

    Their versions count changes in place.
    """

    path: str
    part: nn.Module
    number: int
    taken: Tensor | None
    output: Tensor

    def __post_init__(self) -> None:
        self.taken_version = 0 if self.taken is None else _version(self.taken)
        self.version = _version(self.output)

    def reads(self, earlier: Call) -> bool:
        """Whether it took the very output of an earlier call, to which nothing was added since."""
        return self.taken is earlier.output and self.taken_version == earlier.version


def _version(values: Tensor) -> int:
    return 0 if values.is_inference() else values._version


def traced(module: nn.Module, run: Callable[[], object], count: int) -> list[Call]:
    """The calls of all parts of `module` that return a tensor of `count` images, as they end.

    Windows of an attention, which lie side by side in the batch, are no such tensor.

    Args:
        module: the whole.
        run: passes a batch through it.
        count: images in the batch, 2 or more.
    """
    calls: list[Call] = []
    handles = []

    def hook_of(path: str) -> Callable[..., None]:
        def hook(part: nn.Module, inputs: tuple, output: object) -> None:
            first = first_tensor(output)
            if first is not None and first.ndim > 1 and len(first) == count:
                number = sum(call.path == path for call in calls)
                calls.append(Call(path, part, number, first_tensor(inputs), first))

        return hook

    try:
        for path, part in module.named_modules():
            if path:
                handles.append(part.register_forward_hook(hook_of(path)))
        run()
    finally:
        for handle in handles:
            handle.remove()
    return calls


def first_tensor(values: object) -> Tensor | None:
    """A tensor itself, or the first entry of a tuple where that is one, as attention returns it."""
    if isinstance(values, tuple | list) and values:
        values = values[0]
    return values if isinstance(values, Tensor) else None


def layers_of(calls: Sequence[Call], size: Size, names: frozenset[str]) -> dict[str, Layer]:
    """The layers that calls make, by name, in their order.

    Args:
        calls: of one forward pass, as `traced` gives them.
        size: height and width of its images.
        names: paths of all modules; a name made here yields to such a path.
    """
    last = any(map(_ends_in_channels, calls))
    grids: list[Size] = []
    maps: set[tuple[int, ...]] = set()  # shapes of maps with the channels first
    lasts: set[int] = set()  # outputs with the channels last
    layers = {}
    for call in calls:
        shape = tuple(call.output.shape[1:])
        turned = last or shape[2:] + shape[:2] in maps
        layer = _layer(call, size, grids, turned, id(call.taken) in lasts)
        name = f"{call.path}_{call.number}" if call.number else call.path
        if call.number and name in names:
            continue
        layers[name] = layer
        apart = f"{name}.{TOKENS}"
        if layer.extra and apart not in names:
            shape = (layer.shape[0], layer.extra, 1)
            layers[apart] = replace(layer, shape=shape, apart=True)
        if layer.layout == "maps":
            maps.add(shape)
        elif layer.layout == "channels_last":
            lasts.add(id(call.output))
        if len(layer.shape) == 3:
            grids.append((layer.shape[1], layer.shape[2]))
    return layers


def _layer(call: Call, size: Size, grids: Sequence[Size], turned: bool, follows: bool) -> Layer:
    """The layer of one call.

    Args:
        call: the call.
        size: height and width of the images.
        grids: places of the layers before it.
        turned: whether its channels may come last.
        follows: whether those of its input do.
    """
    shape = tuple(call.output.shape[1:])
    plain = Layer(call.path, shape, call.number)
    if len(shape) == 3 and turned and _is_channels_last(call, size, follows):
        return replace(plain, shape=(shape[2], *shape[:2]), layout="channels_last")
    if len(shape) != 2:
        return plain
    tokens, channels = shape
    match = _grid_of(tokens, size, grids)
    if match is not None:
        grid, extra = match
        return replace(plain, shape=(channels, *grid), layout="tokens", extra=extra)
    for grid in reversed(grids):
        if grid[0] * grid[1] == channels and min(grid) > 1:
            return replace(plain, shape=(tokens, *grid), layout="flat")
    return plain


def _grid_of(tokens: int, size: Size, grids: Sequence[Size]) -> tuple[Size, int] | None:
    """Rows and columns of so many tokens, and how many belong to no place; None for other vectors.

    The places are those of a layer before, the nearest one; where there is none, as in a network
    that cuts its patches itself, the ratio of the sides is that of the images.
    """
    extras = {grid: tokens - grid[0] * grid[1] for grid in dict.fromkeys(reversed(grids))}
    for grid, extra in sorted(extras.items(), key=lambda item: item[1] != 0):
        if 0 <= extra <= MOST_EXTRA and min(grid) > 1:
            return grid, extra
    if any(min(grid) > 1 for grid in grids):
        return None
    for extra in LIKELY_EXTRA:
        rows = round(math.sqrt(max(tokens - extra, 0) * size[0] / size[1]))
        if rows > 1 and rows * rows * size[1] == (tokens - extra) * size[0]:
            return (rows, (tokens - extra) // rows), extra
    return None


def _ends_in_channels(call: Call) -> bool:
    """Whether a layer reads the last of an image's three axes as its channels."""
    if call.output.ndim != 4:
        return False
    part = call.part
    if isinstance(part, nn.Linear):
        return True
    if not isinstance(part, nn.LayerNorm) or len(part.normalized_shape) > 1:
        return False
    # what derives from it may move the axes around
    plain = type(part).forward is nn.LayerNorm.forward
    return plain or part.normalized_shape[0] == call.output.shape[3] != call.output.shape[1]


def _is_channels_last(call: Call, size: Size, follows: bool) -> bool:
    """Whether the first two of an image's three axes are its places, by the ratio of its sides.

    Where that leaves it open, as with 8 channels of 8 x 8 places, it is as its input is.
    """
    if _ends_in_channels(call):
        return True
    first, second, third = call.output.shape[1:]
    ratio = size[0] / size[1]
    errors = abs(math.log(first / second / ratio)), abs(math.log(second / third / ratio))
    return follows if errors[0] == errors[1] else errors[0] < errors[1]


def followers_of(
    calls: Sequence[Call], kinds: tuple[type[nn.Module], ...], layers: dict[str, Layer]
) -> dict[str, str]:
    """For each layer the one of a class in `kinds` that is called with its very output, if any."""
    names = {(layer.path, layer.call): name for name, layer in layers.items() if not layer.apart}
    named = [(names[key], call) for call in calls if (key := (call.path, call.number)) in names]
    followers: dict[str, str] = {}
    for later, call in named:
        if isinstance(call.part, kinds):
            for name, earlier in named:
                if earlier is not call and call.reads(earlier):
                    followers.setdefault(name, later)
    return followers


def chains_of(module: nn.Module, calls: Sequence[Call]) -> frozenset[str]:
    """Paths of the parts whose children simply run one after the other, each once.

    Such a part is no block: nothing is added to, or put beside, what runs through it.
    """
    of_path: dict[str, list[Call]] = {}
    for call in calls:
        of_path.setdefault(call.path, []).append(call)
    order = {id(call): place for place, call in enumerate(calls)}
    chains = set()
    for path, part in module.named_modules():
        inner = [call for child in _children(part, path) for call in of_path.get(child, [])]
        inner.sort(key=lambda call: order[id(call)])
        whole = of_path.get(path, [])
        if (
            inner
            and len({call.path for call in inner}) == len(inner)
            and all(later.reads(earlier) for earlier, later in pairwise(inner))
            and all(
                call.output is inner[-1].output and call.version == inner[-1].version
                for call in whole
            )
        ):
            chains.add(path)
    return frozenset(chains)


def _children(part: nn.Module, path: str) -> list[str]:
    """Paths of a part's children; in place of a list of modules, which is not called, its own."""
    paths = []
    for name, child in part.named_children():
        inner = f"{path}.{name}".lstrip(".")
        paths += _children(child, inner) if isinstance(child, nn.ModuleList) else [inner]
    return paths
