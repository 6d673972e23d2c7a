"""Images of which a window is covered, and the scores of the network for them.

A window changes the maps of an early layer only around itself. Up to such a layer the network reads
a crop that holds all that changes, the result is put into the maps of the whole image, and the rest
of the network reads these: the same numbers but for rounding, at less than the price of a forward
pass for each window.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.core.hardware import is_out_of_memory
from synth.core.network import Network
from synth.core.types import Images
from synth.errors import first_line
from synth.networks.receptive_field import receptive_fields
from synth.probes.attributions.score import Score

log = logging.getLogger(__name__)

TRIED = 16  # windows for which a crop is compared with the whole image
TOLERANCE = 1e-4  # of the logits' range
LEAST_GAIN = 0.9  # of the cost of whole images; a smaller gain is not worth the copying
ELEMENT = 64  # multiplications that cost as much as an output's way through memory

Span = tuple[int, int]


class Windows:
    """A window that slides over images; the last of a row or column is cut off at the border.

    Args:
        size: height and width of the images.
        window: height and width of the window.
        stride: pixels from a window to the next, down and across.
    """

    def __init__(
        self, size: tuple[int, int], window: tuple[int, int], stride: tuple[int, int]
    ) -> None:
        self.size, self.window, self.stride = size, window, stride
        self.grid = tuple(
            math.ceil((side - part) / step) + 1
            for side, part, step in zip(size, window, stride, strict=True)
        )

    def __len__(self) -> int:
        return self.grid[0] * self.grid[1]

    def span(self, axis: int, place: int) -> Span:
        """First row (axis 0) or column (1) of the window at a place of the grid, and the end."""
        first = place * self.stride[axis]
        return first, min(first + self.window[axis], self.size[axis])

    def box(self, number: int) -> tuple[Span, Span]:
        """Rows and columns of a window."""
        row, column = divmod(number, self.grid[1])
        return self.span(0, row), self.span(1, column)

    def spread(self, values: Tensor) -> Tensor:
        """For each pixel the mean over the windows that cover it, [n, h, w].

        Args:
            values: one a window, [n, windows].
        """
        kernel = torch.ones(1, 1, *self.window, device=values.device)
        grids = torch.cat([values, torch.ones_like(values[:1])]).view(-1, 1, *self.grid)
        sums = functional.conv_transpose2d(grids, kernel, stride=self.stride)[:, 0]
        sums = sums[:, : self.size[0], : self.size[1]]
        return sums[:-1] / sums[-1].clamp(min=1)  # a stride beyond the window leaves gaps


@dataclass(frozen=True)
class Axis:
    """What a window changes along an axis of a layer's maps, for each of its places.

    Attributes:
        length: of the crop, in pixels; all crops have the same.
        starts: first pixel of the crop.
        changed: first index of the maps that changes, and the end.
        shifts: index of the maps at which the crop's own begin.
    """

    length: int
    starts: list[int]
    changed: list[Span]
    shifts: list[int]


class Occluder:
    """Scores of images under each of several windows.

    Args:
        score: what is explained.
        windows: that cover the images.
        crop: whether crops may be read where that gives the same scores.
    """

    def __init__(self, score: Score, windows: Windows, crop: bool = True) -> None:
        self.score = score
        self.windows = windows
        self.layer: str | None = None  # up to which crops are read
        self._axes: tuple[Axis, Axis] | None = None
        if crop:
            self._choose()

    @torch.inference_mode()
    def __call__(self, image: Tensor, neuron: Tensor, cover: Tensor) -> Tensor:
        """The scores [windows] of an image [3, h, w].

        Args:
            image: RGB in [0, 1], on the network's device.
            neuron: whose score is read, int64 [].
            cover: what covers it, [3, h, w].
        """
        numbers = range(len(self.windows))
        return self._scores(image, neuron, cover, numbers)

    def _scores(self, image: Tensor, neuron: Tensor, cover: Tensor, numbers: range) -> Tensor:
        clean = None
        if self.layer is not None:
            clean = self.score.network.read(image[None], [self.layer])[self.layer]
        scores = []
        for first in range(0, len(numbers), self.score.rows):
            part = numbers[first : first + self.score.rows]
            own = neuron.expand(len(part))
            if clean is None:
                scores.append(self.score(self._whole(image, cover, part), own))
            else:
                scores.append(self._cropped(image, cover, part, own, clean))
        return torch.cat(scores)

    def _whole(self, image: Tensor, cover: Tensor, numbers: range) -> Images:
        occluded = image.expand(len(numbers), -1, -1, -1).clone()
        for place, number in enumerate(numbers):
            (top, bottom), (left, right) = self.windows.box(number)
            occluded[place, :, top:bottom, left:right] = cover[:, top:bottom, left:right]
        return occluded

    def _cropped(
        self, image: Tensor, cover: Tensor, numbers: range, neurons: Tensor, clean: Tensor
    ) -> Tensor:
        assert self._axes is not None
        assert self.layer is not None
        down, across = self._axes
        crops = image.new_empty(len(numbers), 3, down.length, across.length)
        for place, number in enumerate(numbers):
            row, column = divmod(number, self.windows.grid[1])
            y, x = down.starts[row], across.starts[column]
            crops[place] = image[:, y : y + down.length, x : x + across.length]
            (top, bottom), (left, right) = self.windows.box(number)
            area = cover[:, top:bottom, left:right]
            crops[place, :, top - y : bottom - y, left - x : right - x] = area

        def paste(_: nn.Module, __: object, output: Tensor) -> Tensor:
            maps = clean.expand(len(numbers), -1, -1, -1)
            maps = maps.contiguous(memory_format=torch.channels_last)
            for place, number in enumerate(numbers):
                row, column = divmod(number, self.windows.grid[1])
                (top, bottom), (left, right) = down.changed[row], across.changed[column]
                y, x = down.shifts[row], across.shifts[column]
                area = output[place, :, top - y : bottom - y, left - x : right - x]
                maps[place, :, top:bottom, left:right] = area
            return maps

        handle = self.score.network.part(self.layer).register_forward_hook(paste)
        try:
            return self.score(crops, neurons)
        finally:
            handle.remove()

    # -- which layer -----------------------------------------------------------------------------

    def _choose(self) -> None:
        """Takes the layer up to which crops cost least, where they give the same scores."""
        network = self.score.network
        if network.fit or network.one_size:
            return  # it would scale the crops
        fields = receptive_fields(network)
        names = [*network.layers]
        names = names[: names.index(self.score.layer)]
        costs = {name: _cost(network, name) for name in names}
        total = sum(costs.values())
        before, candidates = 0.0, []
        for name in names:
            before += costs[name]
            shape = network.layers[name]
            # what runs beside a layer inside a block would not see the whole maps
            alone = "." not in name or name.rpartition(".")[0] in network.chains
            if not alone or len(shape) != 3 or min(shape[1:]) < 2 or fields[name].whole:
                continue
            spans = (fields[name].rows, fields[name].columns)
            axes = tuple(
                self._axis(axis, span, fields[name].stride) for axis, span in enumerate(spans)
            )
            share = math.prod(
                part.length / side for part, side in zip(axes, network.size, strict=True)
            )
            candidates.append((total - before + before * share, name, axes))
        for cost, name, axes in sorted(candidates, key=lambda entry: entry[0])[:3]:
            if cost < LEAST_GAIN * total and self._agrees(name, axes):
                self.layer, self._axes = name, axes
                log.info(
                    "%s reads crops of %d x %d pixels up to %s.",
                    network.name,
                    axes[0].length,
                    axes[1].length,
                    name,
                )
                return

    def _axis(self, axis: int, spans: Tensor, strides: tuple[int, int]) -> Axis:
        """The crops along an axis, from the first and last pixel of each index of the maps."""
        side, stride = self.windows.size[axis], strides[axis]
        starts, ends, changed = [], [], []
        for place in range(self.windows.grid[axis]):
            first, end = self.windows.span(axis, place)
            indices = ((spans[:, 1] >= first) & (spans[:, 0] < end)).nonzero()[:, 0]
            low, high = (int(indices[0]), int(indices[-1])) if len(indices) else (0, -1)
            changed.append((low, high + 1))
            needed = min(first, max(0, int(spans[low, 0])))
            starts.append(needed // stride * stride)
            ends.append(max(end, min(side, int(spans[high, 1]) + 1)))
        longest = max(end - start for start, end in zip(starts, ends, strict=True))
        # crops begin at a multiple of the stride, those at the border end there
        length = min(side, longest + (side - longest) % stride)
        starts = [min(start, side - length) for start in starts]
        return Axis(length, starts, changed, [start // stride for start in starts])

    @torch.inference_mode()
    def _agrees(self, layer: str, axes: tuple[Axis, Axis]) -> bool:
        """Whether crops give the logits that whole images give, tried with noise."""
        network = self.score.network
        draws = torch.Generator().manual_seed(0)
        image, cover = torch.rand(2, 3, *network.size, generator=draws).to(network.device)
        trial = Occluder(self.score, self.windows, crop=False)
        count = len(self.windows)
        numbers = range(0, count, max(1, count // TRIED))
        neuron = self.score.neurons(image[None])[0]
        expected = trial._scores(image, neuron, cover, numbers)
        trial.layer, trial._axes = layer, axes
        try:
            scores = trial._scores(image, neuron, cover, numbers)
        except Exception as error:  # the module's own code decides what it raises
            if is_out_of_memory(error):
                raise
            log.info("%s reads no crops up to %s: %s", network.name, layer, first_line(error))
            return False
        scale = expected.abs().max().clamp(min=1e-12)
        return bool((scores - expected).abs().max() <= TOLERANCE * scale)


def _cost(network: Network, name: str) -> float:
    """About what a layer costs: its multiplications, and its output's way through memory."""
    shape = network.layers[name]
    places = math.prod(shape[1:])
    weights = sum(weight.numel() for weight in network.part(name).parameters(recurse=False))
    return places * weights + ELEMENT * math.prod(shape)
