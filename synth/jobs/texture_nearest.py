"""Takes a picture of a texture; leaves a new picture that is like it in every small neighbourhood, pixel by pixel.

The texture synthesis of the lectures before networks: each pixel becomes that pixel of the sample whose surroundings
look most like what is already there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
from synth.record.record import Record, versions

CENTRE = 128.0  # pixels are whole numbers about 0, -128 ... 127
EXACT = 2**24  # up to here float32 knows every whole number


class TextureNearest:
    """Synthesises `size` (height and width, or [height, width]) from the texture in the picture `style`.

    The sample is a rectangle of `crop` times the largest that fits into the picture, about `centre` (shares of its
    height and width), scaled to `sample` pixels. `neighbourhood` is the odd width of the square of which the upper
    half is compared, `levels` how many pictures of halved sides are made first, from the coarsest to the finest; 1 is
    single resolution. `seed` draws the noise.

    Wei & Levoy, "Fast texture synthesis using tree-structured vector quantization", SIGGRAPH 2000, with the
    exhaustive search instead of the tree. In scanline order every pixel takes the value of the sample's pixel whose
    neighbourhood is nearest in L2: the `neighbourhood` x (neighbourhood - 1) / 2 pixels above and the half row to the
    left; on all but the coarsest level also a square of about half that width, 2 (neighbourhood // 4) + 1, round its
    place in the level below, which is finished. Only complete neighbourhoods of the sample are compared, ties go to
    the first. The picture above the first row is noise, drawn from the pixels of the sample's level.

    Pixels with the same x + (r + 1) y, r = neighbourhood // 2, do not need each other, so a wavefront of them is one
    matrix product. Pixels are whole numbers and so are all sums, which float32 holds exactly: the picture is
    bit-equal to the one made pixel by pixel, on any device.

    Departures: the picture wraps round, so that the right border sees the left one and the coarse levels see across
    all borders, but what would be seen across the left border is left out of the comparison: it ends the row above,
    and each row would have to wait for the whole of the last. Each level draws its own noise instead of
    filtering one, and levels are rounded to 8 bits.
    """

    def __init__(
        self,
        style: str = "flower",
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
                f"neighbourhood={neighbourhood}: a width with a middle; write {near} or another odd one."
            )
        if levels < 1:
            raise InputError(f"levels={levels}: write 1 for a single resolution, or more.")
        if not 0 < crop <= 1:
            raise InputError(
                f"crop={crop}: a share of the picture; write a number above 0, up to 1 for all of it."
            )
        if len(centre) != 2 or not all(0 <= share <= 1 for share in centre):
            raise InputError(
                f"centre={list(centre)}: write [down, across] as shares of the picture, such as [0.5, 0.5]."
            )
        wanted, shape = size_of(size, "size"), size_of(sample, "sample")
        for word, given in (("size", wanted), ("sample", shape)):
            if given is None:
                raise InputError(f"{word}=null: write one number of pixels, or [height, width].")
            coarsest = min(given) / 2 ** (levels - 1)
            if coarsest < neighbourhood:
                raise InputError(
                    f"{word}={'x'.join(map(str, given))}: {coarsest:g} pixels a side at the coarsest of {levels} "
                    f"levels, too small for neighbourhood={neighbourhood}; write fewer levels, a smaller "
                    f"neighbourhood, or {word}={neighbourhood * 2 ** (levels - 1)} or more."
                )
        assert wanted is not None
        assert shape is not None
        picture = data.picture(style, "style")
        self.style, self.size, self.neighbourhood, self.levels = (
            picture.name,
            wanted,
            neighbourhood,
            levels,
        )
        self.seed, self.device = seed, device_of(device)
        self.sample = _cut(picture.image, shape, crop, centre).to(self.device)

    def run(self, record: Record) -> dict[str, Any]:
        """Synthesises, coarsest level first; gives the result record with one item."""
        began = time.perf_counter()
        record.resume()  # a run that was killed begins again: it lasts no longer than its checkpoint would take
        with torch.inference_mode():
            image, away, sources = self._synthesised(record)
            picture = ((image + CENTRE) / 255).permute(2, 0, 1)
            distance = float(away.mean()) / 255
        told = {
            "style": self.style,
            "neighbourhood": self.neighbourhood,
            "levels": self.levels,
            "seed": self.seed,
        }
        about = {"target": self.style, **told}
        file = record.picture(0, picture, about)
        shown = record.picture(0, self.sample, {"style": self.style}, "sample")
        seconds = round(time.perf_counter() - began, 3)
        width = self.sample.shape[2]
        follows = (sources[:, 1:] == sources[:, :-1] + 1) & (sources[:, 1:] % width != 0)
        unique = len(sources.unique())
        item = {"file": file, **about, "predicted": None, "success": None, "seconds": seconds}
        return {
            "status": "done",
            "seconds": seconds,
            "network": None,
            "device": str(self.device),
            "versions": versions(),
            "search": "nearest neighbour",
            "encoding": "pixels",
            "items": [item],
            "findings": {
                "mean_distance": round(
                    distance, 6
                ),  # of a pixel's neighbourhood, root mean square, finest level
                "copied": round(
                    float(follows.double().mean()), 6
                ),  # pixels that go on with the copy to their left
                "used": round(
                    unique / (width * self.sample.shape[1]), 6
                ),  # share of the sample's pixels
            },
            "figures": [{"file": shown, "caption": f"The sample, from {self.style}."}],
        }

    def _synthesised(self, record: Record) -> tuple[Tensor, Tensor, Tensor]:
        """The picture [h, w, 3], whole numbers about 0; how far each neighbourhood was off, and whose pixel it took."""
        samples, sizes = [(self.sample * 255 - CENTRE).round().permute(1, 2, 0)], [self.size]
        for _ in range(self.levels - 1):
            samples.append(_halved(samples[-1]))
            sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
        radius = self.neighbourhood // 2
        count = sum(width + (radius + 1) * (height - 1) for height, width in sizes)
        key = torch.tensor([key_of(self.seed, "texture_nearest")], device=self.device)
        rows = Rows(torch.zeros_like(key), key)
        made: tuple[Tensor, Tensor, Tensor] | None = None
        before = 0
        with progress.Steps(record.part or "texture", count) as bar:
            for level in reversed(range(self.levels)):
                below = None if made is None else (samples[level + 1], made[0])
                known = _Known.of(samples[level], below, self.neighbourhood)
                draws = rows.fold_in(level).uniform(radius, sizes[level][1])[0]
                pixels = samples[level].reshape(-1, 3)
                noise = pixels[(draws.double() * len(pixels)).long()]
                made = _scanned(known, sizes[level], noise, bar, before)
                before += sizes[level][1] + (radius + 1) * (sizes[level][0] - 1)
        assert made is not None
        return made


@dataclass(frozen=True)
class _Known:
    """The complete neighbourhoods of one level of the sample, as the matrix that a wavefront is multiplied with.

    A row is a neighbourhood: -2 times its numbers, and behind them its squared length in `radius` + 1 versions, of
    which a pixel `m` columns from the left border takes the one without the columns it cannot see. `place` says
    which pixel each belongs to, `pixels` [n, 3] what that pixel is, `below` the numbers round the places of the
    level below, of the picture that is made.
    """

    matrix: Tensor
    numbers: Tensor
    place: Tensor
    pixels: Tensor
    below: Tensor | None
    radius: int

    @staticmethod
    def of(sample: Tensor, below: tuple[Tensor, Tensor] | None, neighbourhood: int) -> _Known:
        """`sample` [h, w, 3]; `below`, the sample's and the picture's next coarser level, if there is one."""
        radius, around = neighbourhood // 2, neighbourhood // 4
        height, width, _ = sample.shape
        down = torch.arange(radius, height, device=sample.device)
        across = torch.arange(radius, width - radius, device=sample.device)
        if below is not None:
            down = down[(down // 2 >= around) & (down // 2 + around < below[0].shape[0])]
            across = across[(across // 2 >= around) & (across // 2 + around < below[0].shape[1])]
        down, across = (part.flatten() for part in torch.meshgrid(down, across, indexing="ij"))
        place = down * width + across
        dy, dx = _causal(radius, sample.device)
        pixels = sample.reshape(-1, 3)
        vectors = pixels[place[:, None] + dy * width + dx].flatten(1)
        reach = -dx.repeat_interleave(3)  # how many columns a number lies to the left
        picture = None
        if below is not None:
            vectors = torch.cat([vectors, _around(below[0], down // 2, across // 2, around)], 1)
            reach = torch.cat(
                [reach, torch.full((vectors.shape[1] - len(reach),), -radius, device=reach.device)]
            )
            picture = below[1]
        # the most that a sum can come to, of products twice and of squares once
        vectors = vectors if 3 * CENTRE**2 * vectors.shape[1] < EXACT else vectors.double()
        seen = reach[:, None] <= torch.arange(radius + 1, device=reach.device)  # [d, radius + 1]
        lengths = vectors.square() @ seen.to(vectors)
        return _Known(
            torch.cat([-2 * vectors, lengths], 1),
            seen.sum(0),
            place,
            pixels[place],
            picture,
            radius,
        )


def _scanned(
    known: _Known, size: tuple[int, int], noise: Tensor, bar: progress.Steps, before: int
) -> tuple[Tensor, Tensor, Tensor]:
    """One level of `size`, under rows of `noise` [r, w, 3], wavefront by wavefront, of which `bar` has seen `before`.

    Gives the picture [h, w, 3], the root mean square differences [h, w] and the places in the sample [h, w].
    """
    (height, width), radius, device = size, known.radius, noise.device
    # round the picture: noise above it, zeros on its left (they add nothing to a product), its left border on the right
    canvas = torch.zeros(radius + height, radius + width + radius, 3, device=device)
    canvas[:radius, radius : radius + width] = noise
    canvas[:radius, radius + width :] = noise[:, :radius]
    wide, flat = canvas.shape[1], canvas.view(-1, 3)
    dy, dx = _causal(radius, device)
    offsets = dy * wide + dx
    grid = torch.meshgrid(
        torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
    )
    front, order = (grid[1] + (radius + 1) * grid[0]).flatten().sort(stable=True)
    down, across = grid[0].flatten()[order], grid[1].flatten()[order]
    place = (down + radius) * wide + across + radius
    mirror = torch.where(across < radius, place + width, place)
    margin = functional.one_hot(across.clamp_max(radius), radius + 1).to(known.matrix)
    around = margin[:, :0]
    if known.below is not None:
        # the level below is finished and its square complete: it is seen across all borders
        half = (radius * 2 + 1) // 4
        padded = functional.pad(known.below.permute(2, 0, 1)[None], (half,) * 4, mode="circular")[
            0
        ].permute(1, 2, 0)
        around = _around(padded, down // 2 + half, across // 2 + half, half).to(known.matrix)
    transposed = known.matrix.T.contiguous()
    last = torch.zeros(height * width, dtype=torch.int64, device=device)
    away = torch.zeros(height * width, dtype=known.matrix.dtype, device=device)
    ends, done = front.bincount().cumsum(0).tolist(), 0
    for number, end in enumerate(ends):
        part = slice(done, end)
        seen = torch.cat([flat[place[part, None] + offsets].flatten(1).to(around), around[part]], 1)
        nearest = (torch.cat([seen, margin[part]], 1) @ transposed).min(1)
        flat[place[part]] = flat[mirror[part]] = known.pixels[nearest.indices]
        last[part] = nearest.indices
        away[part] = nearest.values + seen.square().sum(1)
        done = end
        bar.at(before + number + 1, f"{height} x {width}")
    away = (away / (margin @ known.numbers.to(margin))).sqrt()
    image = canvas[radius:, radius : radius + width].contiguous()
    back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=device))
    return image, away[back].view(height, width), known.place[last][back].view(height, width)


def _causal(radius: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows and columns, relative to a pixel, of what comes before it in scanline order: int64 [2 radius (radius + 1)].

    An L lying down: the rows above, and the pixels to the left.
    """
    dy, dx = torch.meshgrid(
        torch.arange(-radius, 1, device=device),
        torch.arange(-radius, radius + 1, device=device),
        indexing="ij",
    )
    earlier = (dy < 0) | (dx < 0)
    return dy[earlier], dx[earlier]


def _around(picture: Tensor, down: Tensor, across: Tensor, half: int) -> Tensor:
    """The squares of width 2 `half` + 1 round places [n] of `picture` [h, w, 3], as rows [n, d]."""
    width = picture.shape[1]
    side = torch.arange(-half, half + 1, device=picture.device)
    offsets = (side[:, None] * width + side).flatten()
    return picture.reshape(-1, 3)[(down * width + across)[:, None] + offsets].flatten(1)


def _halved(picture: Tensor) -> Tensor:
    """The next coarser level of `picture` [h, w, 3]: blurred by 1 4 6 4 1 (Burt & Adelson 1983), every other pixel."""
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=picture.device) / 16
    images = functional.pad(picture.permute(2, 0, 1)[None], (2, 2, 2, 2), mode="replicate")
    kernels = (kernel[:, None] * kernel).expand(3, 1, 5, 5)
    return functional.conv2d(images, kernels, stride=2, groups=3)[0].permute(1, 2, 0).round()


def _cut(
    image: Image.Image, shape: tuple[int, int], crop: float, centre: Sequence[float]
) -> Tensor:
    """The sample [3, h, w] in [0, 1]: the rectangle about `centre`, moved inside where it would stick out."""
    scale = crop * min(image.width / shape[1], image.height / shape[0])
    sides = [max(1.0, scale * shape[1]), max(1.0, scale * shape[0])]
    corner = [
        min(max(share * whole - side / 2, 0.0), whole - side)
        for share, whole, side in zip((centre[1], centre[0]), image.size, sides, strict=True)
    ]
    box = (corner[0], corner[1], corner[0] + sides[0], corner[1] + sides[1])
    return data.from_image(image.resize((shape[1], shape[0]), Image.Resampling.BICUBIC, box=box))
