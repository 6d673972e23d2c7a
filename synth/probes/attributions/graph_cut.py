"""Objects cut out by their saliency: a threshold, and a graph cut with colour models.

Source: Simonyan, Vedaldi & Zisserman 2014, "Deep inside convolutional networks", section 3.2:
colours of the object are learned where the saliency is strongest, those of the rest where it is
weakest, and a graph cut separates them along edges. The cut is exact (Boykov & Jolly 2001), by
maximum flow; the weights of neighbours are those of Rother et al. 2004, "GrabCut". The seeds stay
on their sides, as in both of these: where object and rest have the same colours, all of an image
would be cut off else. Departure: seeds are places of a blurred map, which hang together.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor

from synth.data.blur import gaussian_blur

OBJECT, REST = 0.95, 0.30  # quantiles of the saliency, above and below which colours are learned
COMPONENTS = 5  # of a mixture of colours
MOST_COLOURS = 1500  # that a mixture is fitted to
FLOOR = 1e-4  # of the variance of a colour: two of 256 levels and a half, squared
SMOOTHNESS = 50.0  # what it costs at most to separate neighbours; GrabCut's
MOST_GAIN = 1000.0  # of a seed; more than it costs to separate it from all of its neighbours
SCALE = 1000  # the flow is in whole numbers
BLUR = 0.02  # of the shorter side; saliency is spread over neighbours
STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))  # from a pixel to half of its neighbours


def thresholded(saliency: Tensor) -> Tensor:
    """The pixels above Otsu's threshold of a blurred map, bool [h, w].

    Args:
        saliency: magnitudes, [h, w].

    Source: Otsu 1979, "A threshold selection method from gray-level histograms".
    """
    blurred = _blurred(saliency)
    values = blurred.flatten().double().sort().values
    below = torch.arange(1, len(values), device=values.device)
    sums = values.cumsum(0)
    means = sums[:-1] / below, (sums[-1] - sums[:-1]) / (len(values) - below)
    between = below * (len(values) - below) * (means[1] - means[0]) ** 2
    return blurred > values[int(between.argmax())]


def seeds(saliency: Tensor) -> Tensor:
    """What is taken for certain: 1, of the object, -1, of the rest, else 0; int8 [h, w].

    A map that is the same everywhere has none.

    Args:
        saliency: magnitudes, [h, w].
    """
    if bool(saliency.amax() == saliency.amin()):
        return torch.zeros_like(saliency, dtype=torch.int8)
    blurred = _blurred(saliency)
    ranks = blurred.flatten().argsort(stable=True).argsort().view_as(blurred)
    share = (ranks + 0.5) / ranks.numel()
    return (share > OBJECT).to(torch.int8) - (share < REST).to(torch.int8)


def graph_cut(image: Tensor, marks: Tensor) -> Tensor:
    """The object of an image, bool [h, w]: its largest connected part; nothing without seeds.

    Args:
        image: [3, h, w], RGB in [0, 1].
        marks: as `seeds` gives them.
    """
    if not bool(marks.any()):
        return torch.zeros_like(marks, dtype=torch.bool)
    pixels = image.permute(1, 2, 0).double().cpu().numpy()
    own = marks.cpu().numpy()
    gains = _likelihood(pixels, own > 0) - _likelihood(pixels, own < 0)
    gains = np.where(own, MOST_GAIN * own, gains.clip(-MOST_GAIN, MOST_GAIN))
    parts, _ = ndimage.label(_cut(pixels, gains))
    return torch.from_numpy(parts == 1 + np.bincount(parts.ravel())[1:].argmax())


def _blurred(saliency: Tensor) -> Tensor:
    sigma = BLUR * min(saliency.shape)
    return gaussian_blur(saliency.expand(1, 3, -1, -1), sigma)[0, 0]


def _likelihood(pixels: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """Logarithm of the density [h, w] of each pixel's colour among the marked ones."""
    colours = pixels[marked]
    colours = colours[:: -(-len(colours) // MOST_COLOURS)]
    mixture = GaussianMixture(
        min(COMPONENTS, len(colours)), reg_covar=FLOOR, max_iter=50, tol=1e-2, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of an image of few colours
        mixture.fit(colours)
    return mixture.score_samples(pixels.reshape(-1, 3)).reshape(pixels.shape[:2])


def _cut(pixels: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """The set of pixels, bool [h, w], of the largest gain less the cost of its border.

    Args:
        pixels: [h, w, 3]; neighbours of different colours cost little to separate.
        gains: of a pixel that belongs to the set, [h, w].
    """
    height, width = gains.shape
    places = np.arange(gains.size).reshape(gains.shape)
    first, second, squares, lengths = [], [], [], []
    for down, across in STEPS:
        left = slice(max(0, -across), width - max(0, across))
        right = slice(max(0, across), width + min(0, across))
        difference = pixels[: height - down, left] - pixels[down:, right]
        squares.append((difference**2).sum(2).ravel())
        lengths.append(np.full(squares[-1].size, np.hypot(down, across)))
        first.append(places[: height - down, left].ravel())
        second.append(places[down:, right].ravel())
    square = np.concatenate(squares)
    contrast = max(2 * square.mean(), 1e-12)
    borders = SMOOTHNESS * np.exp(-square / contrast) / np.concatenate(lengths)
    gain, every = gains.ravel(), places.ravel()
    inside, outside = np.full(gain.size, gain.size), np.full(gain.size, gain.size + 1)
    capacities = np.concatenate([borders, borders, gain.clip(min=0), (-gain).clip(min=0)])
    capacities = np.rint(SCALE * capacities).astype(np.int32)
    starts = np.concatenate([*first, *second, inside, every])
    ends = np.concatenate([*second, *first, every, outside])
    graph = csr_array((capacities, (starts, ends)), shape=(gain.size + 2, gain.size + 2))
    graph.eliminate_zeros()
    left_over = graph - maximum_flow(graph, gain.size, gain.size + 1).flow
    left_over.data = left_over.data.clip(min=0)
    left_over.eliminate_zeros()
    reached = breadth_first_order(left_over, gain.size, return_predecessors=False)
    chosen = np.zeros(gain.size + 2, bool)
    chosen[reached] = True
    return chosen[: gain.size].reshape(gains.shape)
