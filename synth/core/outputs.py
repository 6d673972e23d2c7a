"""The logits in what a module returns: a tensor, or a tuple, dictionary or object that holds it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from synth.errors import InputError

KEYS = ("logits", "out")  # of transformers and of torchvision


def logits_of(output: object, name: str = "the module") -> Tensor:
    """The logits in a module's `output`; a tensor is returned as it is.

    They are what is called ``logits`` or ``out`` in it, or else the first of its tensors [n, k],
    where all of these have the same k: the heads of one classifier.

    Args:
        output: what the module returned for a batch of images.
        name: of the network, for the error message.

    Raises:
        InputError: where it holds no such tensor, or several of different widths.
    """
    if isinstance(output, Tensor):
        return output
    entries: object = output
    if isinstance(output, Mapping):
        entries = tuple(output.values())
    for key in KEYS:
        value = output.get(key) if isinstance(output, Mapping) else getattr(output, key, None)
        if isinstance(value, Tensor):
            return value
    tensors = [
        value
        for value in (entries if isinstance(entries, list | tuple) else ())
        if isinstance(value, Tensor) and value.ndim == 2
    ]
    kind = type(output).__name__
    if not tensors:
        raise InputError(
            f"network: {name} returns a {kind} without a tensor [n, classes]; give a module that "
            "returns logits."
        )
    widths = dict.fromkeys(value.shape[1] for value in tensors)
    if len(widths) > 1:
        raise InputError(
            f"network: {name} returns a {kind} with tensors of {' and '.join(map(str, widths))} "
            "numbers an image, any of which may be the logits; give a module that returns them "
            "alone."
        )
    return tensors[0]
