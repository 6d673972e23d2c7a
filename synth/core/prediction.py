"""Predicted classes from logits; a network that answers NaN or infinity predicts no class.

argmax takes NaN for the largest number and would predict the first class.
"""

from __future__ import annotations

import torch
from torch import Tensor

from synth.core.classes import Classes

NO_CLASS = -1


def predictions(logits: Tensor) -> Tensor:
    """The class of the largest logit, int64 [...], of logits [..., classes].

    It is `NO_CLASS` where the logits have no softmax: where one is NaN or plus infinity.
    """
    answered = logits.softmax(-1).isfinite().all(-1)
    return torch.where(answered, logits.argmax(-1), NO_CLASS)


def differ(before: Tensor, after: Tensor) -> Tensor:
    """Whether the predicted class is another one; False where either is `NO_CLASS`."""
    return (before != after) & (before != NO_CLASS) & (after != NO_CLASS)


def label(classes: Classes, index: int) -> str | None:
    """The short name of a predicted class; None of `NO_CLASS`."""
    return None if index == NO_CLASS else classes.label(index)
