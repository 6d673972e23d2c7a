"""Critical samples: images near a picture that a classifier gives another label.

A picture is critical where there is such an image at most a radius away in the maximum norm. The
search is that of Arpit et al. 2017 (LASS: Langevin adversarial sample search): up the sign of the
gradient of the loss of the predicted label, with Gaussian noise, within the radius. Here step and
noise are fixed parts of the radius, 0.25 / 0.3 and 0.2 / 0.3, which are the authors' at their
radius of 0.3 levels of 255, and images stay in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

STEP, NOISE = 0.25 / 0.3, 0.2 / 0.3  # of the radius


@dataclass(frozen=True)
class Neighbourhood:
    """What a search has visited near each picture.

    Attributes:
        images: the first critical sample of a picture, or the last image that was visited where
            none was critical, float32 [b, 3, h, w] in [0, 1].
        critical: whether a critical sample was visited, bool [b].
        labels: number of different labels that were predicted, for the picture and on the way,
            int64 [b]; 1 where it is not critical.
    """

    images: Tensor
    critical: Tensor
    labels: Tensor


def find_critical(
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    radius: float,
    steps: int,
    generator: torch.Generator,
) -> Neighbourhood:
    """Searches for a critical sample near each image; all of them take all steps.

    Args:
        logits: of images [b, 3, h, w], float32 [b, classes], in evaluation mode.
        images: float32 [b, 3, h, w], RGB in [0, 1].
        radius: largest change of a value, in [0, 1].
        steps: of the search, at least 1.
        generator: draws the noise, on the CPU.
    """
    low, high = (images - radius).clamp_min(0), (images + radius).clamp_max(1)
    place = images.clone()
    first = images.clone()
    own = visited = critical = None
    for step in range(steps + 1):
        place.requires_grad_(step < steps)
        with torch.set_grad_enabled(step < steps):
            answer = logits(place)
        predicted = answer.detach().argmax(1)
        if own is None or visited is None or critical is None:
            own = predicted
            visited = torch.zeros_like(answer, dtype=torch.bool)
            critical = torch.zeros_like(own, dtype=torch.bool)
        visited.scatter_(1, predicted[:, None], True)
        detached = place.detach()
        first = torch.where(critical[:, None, None, None], first, detached)
        critical = critical | (predicted != own)
        if step < steps:
            loss = functional.cross_entropy(answer, own, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, place)
            noise = torch.randn(images.shape, generator=generator).to(images.device)
            moved = detached + radius * (STEP * gradient.sign() + NOISE * noise)
            place = torch.minimum(torch.maximum(moved, low), high)
    assert visited is not None
    assert critical is not None
    return Neighbourhood(first, critical, visited.sum(1))
