"""Pictures from tensors, NumPy arrays and Pillow images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from synth.data.pictures import SMALLEST, Picture, levels, rgb, to_image
from synth.errors import InputError, first_line

TOLERANCE = 1e-4  # by which rounding may have moved a value out of [0, 1]

Array = Tensor | np.ndarray | Image.Image


def picture_of(array: Array, name: str = "picture", word: str = "image") -> Picture:
    """One image as a picture.

    Args:
        array: RGB or grey: a Pillow image; a float tensor or array [3, h, w] or [1, h, w] in
            [0, 1]; or one of uint8, 0 to 255. Arrays of NumPy may have the channels last.
        name: what records call it.
        word: the user's key for it, for error messages.

    Raises:
        InputError: another shape or type, values outside of [0, 1], or too small an image.
    """
    if isinstance(array, Image.Image):
        image = rgb(array)
        _check_size(image.height, image.width, word)
        return Picture(name, image)
    values = _rgb_values(array, word)
    if len(values) > 1:
        raise InputError(
            f"{word}: {len(values)} images where one is meant; give images= for several."
        )
    return _of_values(values[0], name)


def pictures_of(array: Array | Sequence[Array], word: str = "images") -> list[Picture]:
    """Several images as pictures, named by their numbers ("000", "001", ...).

    Args:
        array: a batch [n, 3, h, w], or a list of images, as for `picture_of`.
        word: the user's key for them, for error messages.

    Raises:
        InputError: none at all, and as for `picture_of`.
    """
    if isinstance(array, Image.Image):
        return [picture_of(array, "000", word)]
    if isinstance(array, Tensor | np.ndarray):
        values = _rgb_values(array, word)
        return [_of_values(image, f"{number:03d}") for number, image in enumerate(values)]
    if not array:
        raise InputError(f"{word}=[]: name at least one picture.")
    return [picture_of(image, f"{number:03d}", word) for number, image in enumerate(array)]


def _of_values(values: Tensor, name: str) -> Picture:
    exact = bool((levels(values).float().div_(255.0) == values).all())
    return Picture(name, to_image(values), values=None if exact else values)


def _rgb_values(array: Tensor | np.ndarray, word: str) -> Tensor:
    """Images as float32 [n, 3, h, w] in [0, 1], on the CPU."""
    try:  # a copy: torch takes neither negative strides nor arrays that are read only
        tensor = torch.as_tensor(array if isinstance(array, Tensor) else np.array(array))
    except (TypeError, ValueError) as error:
        raise InputError(f"{word}: {first_line(error)}; write an array of numbers.") from error
    tensor = tensor.detach().cpu()
    shape = "x".join(map(str, tensor.shape))
    if tensor.ndim in (2, 3):
        tensor = tensor[None, None] if tensor.ndim == 2 else tensor[None]
    if tensor.ndim == 4 and tensor.shape[1] not in (1, 3) and tensor.shape[3] in (1, 3):
        tensor = tensor.permute(0, 3, 1, 2)
    if tensor.ndim != 4 or tensor.shape[1] not in (1, 3) or not len(tensor):
        raise InputError(
            f"{word}: an array of {shape or 'no'} values; write [3, h, w] or [n, 3, h, w]."
        )
    _check_size(tensor.shape[2], tensor.shape[3], word)
    if tensor.dtype == torch.uint8:
        tensor = tensor.float() / 255.0
    elif not tensor.is_floating_point():
        raise InputError(
            f"{word}: values of type {str(tensor.dtype).removeprefix('torch.')}; write floats in "
            "[0, 1], or uint8 from 0 to 255."
        )
    tensor = tensor.float()
    low, high = (float(value) for value in tensor.aminmax())
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):  # also where it is no number
        raise InputError(
            f"{word}: values from {low:.4g} to {high:.4g}; write RGB in [0, 1], "
            + ("divided by 255." if low >= 0 and high > 2 else "before any normalisation.")
        )
    return tensor.clamp(0, 1).expand(-1, 3, -1, -1)


def _check_size(height: int, width: int, word: str) -> None:
    if min(height, width) < SMALLEST:
        raise InputError(
            f"{word}: {width}x{height} pixels; the smallest side must have {SMALLEST}."
        )
