"""Any ``nn.Module`` that maps [n, 3, h, w] to scores as a network: an object, or a path to code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from synth.core.classes import Classes
from synth.core.network import Network
from synth.data.sizes import Size, size_of
from synth.errors import InputError

SIZE = 224  # that most classifiers of photographs read


def wrap(
    module: nn.Module,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    size: Size = None,
    classes: Classes | Sequence[str] | None = None,
    *,
    name: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    fit: bool = False,
) -> Network:
    """A copy of the caller's module as a network that reads RGB images in [0, 1].

    The module itself stays as it is: weights, training mode, ``requires_grad``, hooks, device.

    Args:
        module: gives scores [n, classes], before the softmax, for images [n, 3, h, w].
        mean: of each channel of its training images in [0, 1], by which it expects its inputs to
            be normalised. By default those that the module carries (timm's ``pretrained_cfg``),
            else 0: a module that normalises inside needs none.
        std: their standard deviation, likewise; 1 by default.
        size: height and width in pixels that it was trained at: a number, or [height, width]. By
            default the size that the module carries, else 224.
        classes: names of the outputs, in order; "0", "1", ... by default.
        name: what records, pages and messages call it; the module's class name by default.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda:0``.
        precision: of what searches read: ``auto``, ``float32`` or ``bfloat16``.
        fit: whether images of another size are always scaled to the network's.

    Raises:
        InputError: no module, or one that gives no scores [n, classes] for images of that size.
    """
    if not isinstance(module, nn.Module):
        raise InputError(
            f"network: a {type(module).__name__} is no module; give a torch nn.Module."
        )
    own = carried(module)
    shape = size_of(own.get("size", SIZE) if size is None else size, "size")
    assert shape is not None
    if classes is not None and not isinstance(classes, Classes):
        classes = Classes([str(label) for label in classes])
    return Network(
        module,
        name=name,
        classes=classes,
        size=shape,
        mean=tuple(own.get("mean", (0.0, 0.0, 0.0)) if mean is None else mean),
        std=tuple(own.get("std", (1.0, 1.0, 1.0)) if std is None else std),
        device=device,
        precision=precision,
        fit=fit,
    )


def carried(module: nn.Module) -> dict[str, Any]:
    """`size`, `mean` and `std` of the training images, as far as a module carries them itself."""
    own = getattr(module, "pretrained_cfg", None)  # timm's
    if not isinstance(own, Mapping):
        return {}
    about = {key: own[key] for key in ("mean", "std") if own.get(key)}
    if own.get("input_size"):
        about["size"] = list(own["input_size"][1:])
    return about
