"""Takes the words `target`, `image` and `label`; gives what an attack climbs: towards a class, or away from one."""

from __future__ import annotations

from collections.abc import Sequence

from synth.core import Objective
from synth.errors import InputError, nearest
from synth.objectives.scores import ClassScore, Names
from synth.objectives.untargeted import Untargeted

# what each measure is called towards a class; away from one it goes by its own name
SCORES = {"margin": "margin", "cross_entropy": "log_probability", "probability": "probability"}


def attack(
    target: Names | None = None,
    image: str | None = None,
    images: str | Sequence[str] | None = None,
    label: str | int | Sequence[str | int] | None = None,
    score: str = "margin",
    weight: float = 1.0,
) -> Objective:
    """A `ClassScore` towards `target` where one is named, else `Untargeted`: away from what the pictures show.

    The `score` is the same number either way, above 0 or high where the attack succeeds. With scores z before the
    softmax, probabilities p, the target t and the class y of the picture, ``margin`` is z_t - max_{j != t} z_j, or
    max_{j != y} z_j - z_y; ``cross_entropy``, the loss that classifiers are trained by, lowered or raised: log p_t,
    or -log p_y; ``probability``: p_t, or 1 - p_y.
    """
    if score not in SCORES:
        hint = nearest(score, SCORES) or f" There are {', '.join(SCORES)}."
        raise InputError(f"objective score={score}: no such score.{hint}")
    if target is None and image is None and images is None:
        raise InputError(
            "target: there is no class to go for, and no picture to be led away from; write target=NAME, image=PATH "
            "or images=FOLDER."
        )
    if target is None:
        return Untargeted(image, images, label, score, weight)
    if label is not None:
        raise InputError(
            f"label={label}: a target is named, so what the pictures show plays no part; leave label= out, or target=."
        )
    towards = ClassScore(target, SCORES[score], weight)
    towards.needs_original = image is not None or images is not None
    return towards
