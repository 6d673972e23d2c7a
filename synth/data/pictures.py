"""Reading pictures (a path, folder, glob, list or bundled name) as RGB images in [0, 1].

Bundled names are the photographs that scikit-learn contains: ``china`` and ``flower``.
"""

from __future__ import annotations

import glob
import importlib.util
import os
import stat
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from synth.errors import InputError, nearest
from synth.files import SUFFIXES, files_below, open_image, path_of, reason_of, warn

BUNDLED = ("china", "flower")
SMALLEST = 8  # pixels a side; a smaller image shows nothing
LARGEST = 120_000_000  # pixels in all; a larger image is a decompression bomb or a mistake
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # the mean colour of ImageNet's training images


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture in full size.

    Args:
        name: its file's name, which records use.
        image: in RGB.
        folder: name of the folder it is in, in a data set the class; empty where it is in none.
        values: float32 [3, h, w] in [0, 1] where the picture was given in finer steps than the 256
            levels of `image`.
    """

    name: str
    image: Image.Image
    folder: str = ""
    values: Tensor | None = None

    def __str__(self) -> str:
        return self.name

    def at(self, size: tuple[int, int]) -> Float[Tensor, "3 h w"]:
        """The picture at `size` (height, width), in [0, 1]: scaled to cover it, centre-cropped."""
        if self.values is not None:
            return _covering(self.values, size)
        return from_image(ImageOps.fit(self.image, (size[1], size[0]), Image.Resampling.BICUBIC))


Source = str | Path | Picture  # of one picture
Sources = Source | Sequence[Source]


# pictures in use, by file: encoding, objective and metrics of a run share one in memory
_IN_USE: WeakValueDictionary[tuple[str, int, int], Picture] = WeakValueDictionary()


def picture(source: Source, word: str = "image") -> Picture:
    """One picture from a path or a bundled name; a `Picture` is given back as it is.

    Grey, palette, 16-bit and CMYK images become RGB, transparent ones get a white background, the
    camera's rotation is applied, and of an animation the first frame is read.

    Args:
        source: the path or name.
        word: the user's key for it, for error messages.

    Raises:
        InputError: no such file, no permission, a folder, too small or too large an image, or one
            that cannot be read.
    """
    if isinstance(source, Picture):
        return source
    where = f"{word}={source}"
    bundled = _bundled(str(source))
    path = bundled or path_of(source, word)
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        reason = reason_of(error)
        hint = nearest(path.name, _neighbours(path)) or f" Bundled pictures: {_names(BUNDLED)}."
        hint = hint if isinstance(error, FileNotFoundError) else ""
        raise InputError(f"{where}: {reason}.{hint}") from error
    if stat.S_ISDIR(status.st_mode):
        instead = (
            f"write images={source} for all of it" if word == "image" else "name one picture in it"
        )
        raise InputError(f"{where}: a folder where one picture is meant; {instead}.")
    key = (str(path.absolute()), status.st_mtime_ns, status.st_size)
    in_use = _IN_USE.get(key)
    if in_use is not None:
        return in_use
    folder = "" if bundled else path.absolute().parent.name
    result = _IN_USE[key] = Picture(path.name, _opened(path, where), folder)
    return result


def _opened(path: Path, where: str) -> Image.Image:
    """The image in a file, as RGB; InputErrors begin with `where`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about metadata and size; `LARGEST` is checked
        with open_image(path, where) as image:
            _check_size(image, where)
            image.load()
            return rgb(ImageOps.exif_transpose(image))


def _check_size(image: Image.Image, where: str) -> None:
    width, height = image.size
    if width * height > LARGEST:
        raise InputError(
            f"{where}: {width}x{height} pixels, more than {LARGEST // 1_000_000} million; scale it "
            "down first."
        )
    if min(width, height) < SMALLEST:
        raise InputError(
            f"{where}: {width}x{height} pixels; the smallest side must have {SMALLEST}."
        )


def pictures(source: Sources, word: str = "images") -> list[Picture]:
    """All pictures of a folder, a glob, a list, one path or one bundled name.

    Those of a folder (at any depth) or a glob are sorted by path, and files that cannot be read are
    skipped with a warning. A file that is named itself must be readable.

    Args:
        source: the folder, glob, list, path or name.
        word: the user's key for it, for error messages.

    Raises:
        InputError: no picture that can be read, or an unreadable one that is named itself.
    """
    if isinstance(source, Picture):
        return [source]
    if not isinstance(source, (str, Path)):
        if not source:
            raise InputError(f"{word}=[]: name at least one picture.")
        return [picture(path, word) for path in source]
    paths = files_of(source, word)
    if paths is None:
        return [picture(source, word)]
    readable = []
    skipped = []
    reasons = []
    for path in paths:
        try:
            readable.append(picture(path, word))
        except InputError as error:
            skipped.append(path.name)
            reasons.append(str(error))
    if not readable:
        raise InputError(
            f"{word}={source}: none of its {len(skipped)} files is a readable picture; the first: "
            f"{reasons[0]}"
        )
    for reason in reasons:
        warn(f"skipped: {reason}")
    if skipped:
        warn(f"{word}={source}: {len(skipped)} of {len(paths)} files skipped: {_names(skipped)}")
    return readable


def files_of(source: str | Path, word: str = "images") -> list[Path] | None:
    """The files of a folder, at any depth, with a picture's suffix, or of a glob; sorted.

    None where `source` is neither a folder nor a glob.

    Raises:
        InputError: there is no such file.
    """
    text = str(source)
    folder = path_of(source, word)
    if os.path.isdir(folder):
        paths = files_below(folder, f"{word}={source}")
        if not paths:
            raise InputError(
                f"{word}={source}: the folder holds no picture ({', '.join(SUFFIXES)})."
            )
        return paths
    if not glob.has_magic(text) or os.path.exists(folder):
        return None
    paths = sorted(Path(match) for match in glob.glob(str(folder), recursive=True))
    if not paths:
        raise InputError(f"{word}={source}: no file matches.")
    return paths


def from_image(image: Image.Image) -> Float[Tensor, "3 h w"]:
    """A Pillow RGB image as a float32 tensor in [0, 1]."""
    return torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1).float().div_(255.0)


def levels(image: Float[Tensor, "3 h w"]) -> UInt8[Tensor, "3 h w"]:
    """An image in [0, 1] rounded to the nearest of the 256 levels of a file, on the CPU."""
    return image.detach().clamp(0, 1).mul(255.0).round().to("cpu", torch.uint8)


def to_image(tensor: Float[Tensor, "3 h w"]) -> Image.Image:
    """An image in [0, 1] as 8-bit Pillow RGB, rounded to the nearest of the 256 levels."""
    return Image.fromarray(levels(tensor).permute(1, 2, 0).contiguous().numpy())


def fitted(images: Float[Tensor, "n 3 h w"], size: tuple[int, int]) -> Float[Tensor, "n 3 h2 w2"]:
    """`images` resized to `size` (height, width): bicubic, antialiased; unchanged at that size."""
    if tuple(images.shape[2:]) == size:
        return images
    return functional.interpolate(images, size, mode="bicubic", antialias=True).clamp(0, 1)


def _covering(values: Float[Tensor, "3 h w"], size: tuple[int, int]) -> Float[Tensor, "3 h2 w2"]:
    """`values` scaled to cover `size` (height, width) and centre-cropped, as Pillow's ``fit``."""
    height, width = values.shape[1:]
    share = max(size[0] / height, size[1] / width)
    crop = (round(size[0] / share), round(size[1] / share))  # of the picture, in its own pixels
    top, left = (height - crop[0]) // 2, (width - crop[1]) // 2
    return fitted(values[None, :, top : top + crop[0], left : left + crop[1]], size)[0]


def amplified(difference: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    """A difference of two images as an image: 1/2 + difference / 2m, m its largest magnitude.

    Zero is mid grey and m is black or white; mid grey throughout where m is 0.
    """
    return 0.5 + difference * (0.5 / difference.abs().max().clamp_min(1e-12))


def rgb(image: Image.Image) -> Image.Image:
    """An image of any mode as 8-bit RGB: 16 bits are scaled down, transparency becomes white."""
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "I;16N", "F"):
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        white = 65535.0 if ";16" in image.mode else _white_level(values, image.mode == "F")
        image = Image.fromarray((values / white * 255.0).clip(0, 255).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        background = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        image = Image.alpha_composite(background, layer)
    return image.convert("RGB")


def _white_level(values: np.ndarray, floating: bool) -> float:
    """The value of white that an image without a declared range uses, judged by its maximum."""
    levels = (1.0, 255.0, 65535.0) if floating else (255.0, 65535.0)
    return next((level for level in levels if values.max() <= level), 65535.0)


def _bundled(name: str) -> Path | None:
    return None if name not in BUNDLED or Path(name).exists() else bundled_path(name)


def bundled_path(name: str) -> Path | None:
    """The file of a bundled picture, whatever the current folder has of that name.

    None where scikit-learn is not installed.
    """
    spec = importlib.util.find_spec("sklearn")  # located, not imported, which takes a second
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "datasets" / "images" / f"{name}.jpg"


def _neighbours(path: Path) -> list[str]:
    try:
        names = [file.name for file in path.parent.iterdir() if file.suffix.lower() in SUFFIXES]
    except OSError:
        return list(BUNDLED)
    return names[:2000] + list(BUNDLED)


def _names(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
