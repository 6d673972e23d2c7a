"""Adversarial objective: targeted where a target class is named, untargeted where none is."""

from __future__ import annotations

from collections.abc import Sequence

from synth import data
from synth.core import Objective
from synth.errors import InputError
from synth.objectives.scores import ClassScore, Names, check_score
from synth.objectives.untargeted import Untargeted

# the name of each untargeted score in `ClassScore`
SCORES = {"margin": "margin", "cross_entropy": "log_probability", "probability": "probability"}


def attack(
    target: Names | None = None,
    image: data.Source | None = None,
    images: data.Sources | None = None,
    label: str | int | Sequence[str | int] | None = None,
    score: str = "margin",
    weight: float = 1.0,
) -> Objective:
    """`ClassScore` of the `target`, a targeted attack, or, without a target, `Untargeted`.

    With logits z, probabilities p, the target class t and the label y of the clean image, the
    `score` is one of

    - ``margin``: z_t - max_{j != t} z_j, or max_{j != y} z_j - z_y; above 0 where the attack
      succeeds (Carlini & Wagner 2017);
    - ``cross_entropy``: log p_t, or -log p_y, the training loss lowered or raised;
    - ``probability``: p_t, or 1 - p_y.

    Args:
        target: the target class by name, synset or index, a list (an item each), ``all`` or
            ``random``; None for an untargeted attack.
        image: the picture that the perturbation starts from.
        images: several of them, an item each, in place of `image`.
        label: the class of the pictures of an untargeted attack, as for `Untargeted`; by default
            what the network predicts for them.
        score: ``margin``, ``cross_entropy`` or ``probability``.
        weight: factor of this term in a weighted sum.

    Raises:
        InputError: where there is neither a target nor a picture, or a target and a label.
    """
    check_score(score, SCORES)
    if target is None and image is None and images is None:
        raise InputError(
            "target: there is neither a target class nor a clean image; write target=NAME, "
            "image=PATH or images=FOLDER."
        )
    if target is None:
        return Untargeted(image, images, label, score, weight)
    if label is not None:
        raise InputError(
            f"label={label}: a targeted attack does not use the label of the pictures; leave out "
            "label= or target=."
        )
    targeted = ClassScore(target, SCORES[score], weight)
    targeted.needs_original = image is not None or images is not None
    return targeted
