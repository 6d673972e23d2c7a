"""Texture synthesis by nearest neighbourhoods (Wei & Levoy 2000), without a network.

Each pixel takes the value of the sample's pixel whose neighbourhood is most similar to the pixels
that are already synthesised around it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from synth import data
from synth.core import Rows
from synth.core.hardware import device_of
from synth.core.randomness import key_of
from synth.data.sizes import Size, size_of
from synth.errors import InputError
from synth.record import progress
from synth.record.job import Job
from synth.record.record import Record, versions
from synth.record.result import Figure, Item, Result

CENTRE = 128.0  # pixels are whole numbers about 0, -128 ... 127
EXACT = 2**24  # up to here float32 represents every whole number


class TextureNearest(Job):
    """Synthesises a texture like the one in a picture, pixel by pixel in scanline order.

    Every pixel takes the value of the sample's pixel whose neighbourhood is nearest in L2: the
    ``neighbourhood x (neighbourhood - 1) / 2`` pixels above and the half row to the left; on all
    but the coarsest level also a square of about half that width, ``2 (neighbourhood // 4) + 1``,
    around its place in the next coarser level, which is finished. Only complete neighbourhoods of
    the sample are compared, ties go to the first. Above the first row is noise, drawn from the
    pixels of the sample's level.

    Pixels with the same x + (r + 1) y, r = neighbourhood // 2, are independent of each other, so a
    wavefront of them is one matrix product. Pixels are whole numbers and so are all sums, which
    float32 represents exactly: the image is bit-equal to the one made pixel by pixel, on any
    device.

    Source: Wei & Levoy, "Fast texture synthesis using tree-structured vector quantization",
    SIGGRAPH 2000, with the exhaustive search instead of the tree.

    Departures: the image wraps round, so that the right border is compared with the left one and
    the coarse levels across all borders, but what lies across the left border is left out of the
    comparison: it ends the row above, and each row would have to wait for the whole of the last.
    Each level draws its own noise instead of filtering one, and levels are rounded to 8 bits.

    Args:
        style: path or bundled name of the picture.
        size: height and width of the result in pixels, or [height, width].
        neighbourhood: odd width of the square whose upper half is compared, 3 or more.
        levels: resolutions of the pyramid; 1 is single resolution.
        sample: height and width in pixels that the sample is scaled to.
        crop: the sample's share of the largest rectangle that fits into the picture, in (0, 1].
        centre: of the sample, as shares of the picture's height and width.
        seed: of the noise.
        device: ``auto``, ``cpu``, ``cuda:0``.

    Raises:
        InputError: for a value out of range, or levels too small for the neighbourhood.
    """

    def __init__(
        self,
        style: data.Source = "flower",
        size: Size = 128,
        neighbourhood: int = 9,
        levels: int = 3,
        sample: Size = 128,
        crop: float = 1.0,
        centre: Sequence[float] = (0.5, 0.5),
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        if neighbourhood < 3 or neighbourhood % 2 == 0:
            near = max(3, neighbourhood + 1)
            raise InputError(
                f"neighbourhood={neighbourhood}: a width with a middle; write {near} or another "
                "odd one."
            )
        if levels < 1:
            raise InputError(f"levels={levels}: write 1 for a single resolution, or more.")
        if not 0 < crop <= 1:
            raise InputError(
                f"crop={crop}: a share of the picture; write a number above 0, up to 1 for all of "
                "it."
            )
        if len(centre) != 2 or not all(0 <= share <= 1 for share in centre):
            raise InputError(
                f"centre={list(centre)}: write [down, across] as shares of the picture, such as "
                "[0.5, 0.5]."
            )
        self.size = _checked_size("size", size, levels, neighbourhood)
        sample_size = _checked_size("sample", sample, levels, neighbourhood)
        picture = data.picture(style, "style")
        self.style = picture.name
        self.neighbourhood = neighbourhood
        self.levels = levels
        self.seed = seed
        self.device = device_of(device)
        self.sample = _cut(picture.image, sample_size, crop, centre).to(self.device)

    def run(self, record: Record) -> Result:
        """Synthesises from the coarsest level to the finest; one item."""
        start = time.perf_counter()
        record.resume()  # a run this short begins again where it was killed
        with torch.inference_mode():
            synthesis = self._synthesise(record)
            picture = ((synthesis.image + CENTRE) / 255).permute(2, 0, 1)
            distance = float(synthesis.distance.mean()) / 255
        item = Item(
            target=self.style,
            style=self.style,
            neighbourhood=self.neighbourhood,
            levels=self.levels,
            seed=self.seed,
        )
        about = {
            "target": item.target,
            "style": item.style,
            "neighbourhood": item.neighbourhood,
            "levels": item.levels,
            "seed": item.seed,
        }
        item.file = record.picture(0, picture, about)
        sample_file = record.picture(0, self.sample, {"style": self.style}, "sample")
        item.seconds = round(time.perf_counter() - start, 3)
        places, width = synthesis.places, self.sample.shape[2]
        follows = (places[:, 1:] == places[:, :-1] + 1) & (places[:, 1:] % width != 0)
        used = len(places.unique()) / (width * self.sample.shape[1])
        return Result(
            status="done",
            seconds=item.seconds,
            device=str(self.device),
            versions=versions(),
            search="nearest neighbour",
            encoding="pixels",
            items=[item],
            findings={
                # root mean square over a neighbourhood of the finest level
                "mean_distance": round(distance, 6),
                # share of pixels that continue the copy of the pixel to their left
                "copied": round(float(follows.double().mean()), 6),
                # share of the sample's pixels
                "used": round(used, 6),
            },
            figures=[Figure(sample_file, f"The sample, from {self.style}.")],
        )

    def _synthesise(self, record: Record) -> _Synthesis:
        """All levels, from the coarsest to the finest, which is returned."""
        samples = [(self.sample * 255 - CENTRE).round().permute(1, 2, 0)]
        sizes = [self.size]
        for _ in range(self.levels - 1):
            samples.append(_halved(samples[-1]))
            sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
        radius = self.neighbourhood // 2
        fronts = [width + (radius + 1) * (height - 1) for height, width in sizes]
        key = torch.tensor([key_of(self.seed, "texture_nearest")], device=self.device)
        rows = Rows(torch.zeros_like(key), key)
        synthesis: _Synthesis | None = None
        before = 0
        with progress.Steps(record.part or "texture", sum(fronts)) as bar:
            for level in reversed(range(self.levels)):
                coarser = None if synthesis is None else (samples[level + 1], synthesis.image)
                candidates = _Candidates.of(samples[level], coarser, self.neighbourhood)
                draws = rows.fold_in(level).uniform(radius, sizes[level][1])[0]
                pixels = samples[level].reshape(-1, 3)
                noise = pixels[(draws.double() * len(pixels)).long()]
                synthesis = _scan(candidates, sizes[level], noise, bar, before)
                before += fronts[level]
        assert synthesis is not None
        return synthesis


@dataclass(frozen=True)
class _Synthesis:
    """One synthesised level.

    Attributes:
        image: [h, w, 3], whole numbers about 0.
        distance: [h, w], root mean square difference of each neighbourhood from its match.
        places: int64 [h, w], which pixel of the sample each took.
    """

    image: Tensor
    distance: Tensor
    places: Tensor


@dataclass(frozen=True)
class _Candidates:
    """The complete neighbourhoods of one level of the sample, as a matrix for the wavefront.

    A row of `matrix` is a neighbourhood: -2 times its numbers, then its squared length in
    `radius` + 1 versions, of which a pixel `m` columns from the left border takes the one without
    the columns that lie across it.

    Attributes:
        matrix: [n, d + radius + 1].
        numbers: [radius + 1], how many numbers each version compares.
        places: int64 [n], which pixel of the sample each neighbourhood belongs to.
        pixels: [n, 3], the values of these pixels.
        coarser: [h, w, 3], the next coarser level of the image; None on the coarsest level.
        radius: of the neighbourhood.
    """

    matrix: Tensor
    numbers: Tensor
    places: Tensor
    pixels: Tensor
    coarser: Tensor | None
    radius: int

    @staticmethod
    def of(
        sample: Tensor, coarser: tuple[Tensor, Tensor] | None, neighbourhood: int
    ) -> _Candidates:
        """The candidates of one level.

        Args:
            sample: [h, w, 3].
            coarser: the next coarser level of the sample and of the image, if there is one.
            neighbourhood: odd width.
        """
        radius, half = neighbourhood // 2, neighbourhood // 4
        height, width, _ = sample.shape
        down = torch.arange(radius, height, device=sample.device)
        across = torch.arange(radius, width - radius, device=sample.device)
        if coarser is not None:
            down = down[(down // 2 >= half) & (down // 2 + half < coarser[0].shape[0])]
            across = across[(across // 2 >= half) & (across // 2 + half < coarser[0].shape[1])]
        down, across = (part.flatten() for part in torch.meshgrid(down, across, indexing="ij"))
        places = down * width + across
        dy, dx = _causal(radius, sample.device)
        pixels = sample.reshape(-1, 3)
        vectors = pixels[places[:, None] + dy * width + dx].flatten(1)
        reach = -dx.repeat_interleave(3)  # how many columns a number lies to the left
        if coarser is not None:
            vectors = torch.cat([vectors, _squares(coarser[0], down // 2, across // 2, half)], 1)
            rest = vectors.shape[1] - len(reach)
            reach = torch.cat([reach, torch.full((rest,), -radius, device=reach.device)])
        # the largest possible sum, of products twice and of squares once
        if 3 * CENTRE**2 * vectors.shape[1] >= EXACT:
            vectors = vectors.double()
        # [d, radius + 1]
        visible = reach[:, None] <= torch.arange(radius + 1, device=reach.device)
        lengths = vectors.square() @ visible.to(vectors)
        return _Candidates(
            matrix=torch.cat([-2 * vectors, lengths], 1),
            numbers=visible.sum(0),
            places=places,
            pixels=pixels[places],
            coarser=None if coarser is None else coarser[1],
            radius=radius,
        )


def _scan(
    candidates: _Candidates,
    size: tuple[int, int],
    noise: Tensor,
    bar: progress.Steps,
    before: int,
) -> _Synthesis:
    """Synthesises one level, wavefront by wavefront.

    Args:
        candidates: neighbourhoods of the sample.
        size: height and width of the level.
        noise: [r, w, 3], the rows above the first.
        bar: progress.
        before: wavefronts of earlier levels.
    """
    (height, width), radius, device = size, candidates.radius, noise.device
    # around the image: noise above it, zeros on its left (which add nothing to a product), and its
    # left border again on its right
    canvas = torch.zeros(radius + height, radius + width + radius, 3, device=device)
    canvas[:radius, radius : radius + width] = noise
    canvas[:radius, radius + width :] = noise[:, :radius]
    canvas_width, flat = canvas.shape[1], canvas.view(-1, 3)
    dy, dx = _causal(radius, device)
    offsets = dy * canvas_width + dx
    grid = torch.meshgrid(
        torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
    )
    front, order = (grid[1] + (radius + 1) * grid[0]).flatten().sort(stable=True)
    down, across = grid[0].flatten()[order], grid[1].flatten()[order]
    places = (down + radius) * canvas_width + across + radius
    mirror = torch.where(across < radius, places + width, places)
    margin = functional.one_hot(across.clamp_max(radius), radius + 1).to(candidates.matrix)
    coarse = margin[:, :0]
    if candidates.coarser is not None:
        # the coarser level is finished, so its squares are complete across all borders
        half = (radius * 2 + 1) // 4
        padded = functional.pad(
            candidates.coarser.permute(2, 0, 1)[None], (half,) * 4, mode="circular"
        )
        padded = padded[0].permute(1, 2, 0)
        coarse = _squares(padded, down // 2 + half, across // 2 + half, half).to(candidates.matrix)
    transposed = candidates.matrix.T.contiguous()
    matches = torch.zeros(height * width, dtype=torch.int64, device=device)
    distance = torch.zeros(height * width, dtype=candidates.matrix.dtype, device=device)
    first = 0
    for number, end in enumerate(front.bincount().cumsum(0).tolist()):
        part = slice(first, end)
        neighbours = flat[places[part, None] + offsets].flatten(1).to(coarse)
        neighbours = torch.cat([neighbours, coarse[part]], 1)
        nearest = (torch.cat([neighbours, margin[part]], 1) @ transposed).min(1)
        flat[places[part]] = flat[mirror[part]] = candidates.pixels[nearest.indices]
        matches[part] = nearest.indices
        distance[part] = nearest.values + neighbours.square().sum(1)
        first = end
        bar.at(before + number + 1, f"{height} x {width}")
    distance = (distance / (margin @ candidates.numbers.to(margin))).sqrt()
    image = canvas[radius:, radius : radius + width].contiguous()
    back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=device))
    return _Synthesis(
        image=image,
        distance=distance[back].view(height, width),
        places=candidates.places[matches][back].view(height, width),
    )


def _causal(radius: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows and columns, relative to a pixel, of what precedes it in scanline order.

    The rows above and the pixels to the left: int64 [2 radius (radius + 1)] each.
    """
    dy, dx = torch.meshgrid(
        torch.arange(-radius, 1, device=device),
        torch.arange(-radius, radius + 1, device=device),
        indexing="ij",
    )
    earlier = (dy < 0) | (dx < 0)
    return dy[earlier], dx[earlier]


def _squares(picture: Tensor, down: Tensor, across: Tensor, half: int) -> Tensor:
    """The squares of width 2 `half` + 1 around places [n] of `picture` [h, w, 3]: [n, d]."""
    width = picture.shape[1]
    side = torch.arange(-half, half + 1, device=picture.device)
    offsets = (side[:, None] * width + side).flatten()
    return picture.reshape(-1, 3)[(down * width + across)[:, None] + offsets].flatten(1)


def _halved(picture: Tensor) -> Tensor:
    """The next coarser level of `picture` [h, w, 3].

    Blurred by 1 4 6 4 1 (Burt & Adelson 1983), then every other pixel.
    """
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=picture.device) / 16
    images = functional.pad(picture.permute(2, 0, 1)[None], (2, 2, 2, 2), mode="replicate")
    kernels = (kernel[:, None] * kernel).expand(3, 1, 5, 5)
    return functional.conv2d(images, kernels, stride=2, groups=3)[0].permute(1, 2, 0).round()


def _checked_size(name: str, size: Size, levels: int, neighbourhood: int) -> tuple[int, int]:
    """`size` as height and width; InputError where its coarsest level is too small."""
    shape = size_of(size, name)
    if shape is None:
        raise InputError(f"{name}=null: write one number of pixels, or [height, width].")
    coarsest = min(shape) / 2 ** (levels - 1)
    if coarsest < neighbourhood:
        raise InputError(
            f"{name}={'x'.join(map(str, shape))}: {coarsest:g} pixels a side at the coarsest of "
            f"{levels} levels, too small for neighbourhood={neighbourhood}; write fewer levels, a "
            f"smaller neighbourhood, or {name}={neighbourhood * 2 ** (levels - 1)} or more."
        )
    return shape


def _cut(
    image: Image.Image, shape: tuple[int, int], crop: float, centre: Sequence[float]
) -> Tensor:
    """The sample [3, h, w] in [0, 1]: the rectangle about `centre`, moved inside the picture."""
    scale = crop * min(image.width / shape[1], image.height / shape[0])
    sides = [max(1.0, scale * shape[1]), max(1.0, scale * shape[0])]
    corner = [
        min(max(share * whole - side / 2, 0.0), whole - side)
        for share, whole, side in zip((centre[1], centre[0]), image.size, sides, strict=True)
    ]
    box = (corner[0], corner[1], corner[0] + sides[0], corner[1] + sides[1])
    return data.from_image(image.resize((shape[1], shape[0]), Image.Resampling.BICUBIC, box=box))
