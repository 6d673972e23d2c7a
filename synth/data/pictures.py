"""Takes what a user calls a picture (a path, a folder, a glob, a list, a bundled name); gives RGB pictures in [0, 1].

Bundled names are the photographs that scikit-learn carries: ``china`` and ``flower``.
"""

from __future__ import annotations

import glob
import importlib.util
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional

from synth.errors import InputError, nearest

log = logging.getLogger(__name__)

BUNDLED = ("china", "flower")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm")
SMALLEST = 8  # pixels a side; below it there is nothing to see
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # the mean picture of ImageNet, as one colour
LARGEST = 120_000_000  # pixels in all; a larger one is a decompression bomb or a mistake


@dataclass(frozen=True)
class Picture:
    """One picture in full size, the name it goes by in records, and the folder it lies in (none where it is bundled).

    In a data set the folder is what the picture shows.
    """

    name: str
    image: Image.Image
    folder: str = ""

    def at(self, size: tuple[int, int]) -> Float[Tensor, "3 h w"]:
        """The middle of the picture at `size` (height, width): scaled to cover it, then cropped. RGB in [0, 1]."""
        fitted = ImageOps.fit(self.image, (size[1], size[0]), Image.Resampling.BICUBIC)
        return from_image(fitted)


# Pictures that someone still holds, by file: encoding, objective and measures of one run share one in memory.
_HELD: WeakValueDictionary[tuple[str, int, int], Picture] = WeakValueDictionary()


def picture(source: str | Path, word: str = "image") -> Picture:
    """One picture from a path or a bundled name; `word` is what the user wrote it under, for the errors.

    Grey, palette, 16-bit and CMYK pictures become RGB, transparency is laid on white, the camera's rotation
    is applied, and of an animation the first frame is taken. Raises InputError for what cannot be read.
    """
    bundled = _bundled(str(source))
    path = bundled or Path(source).expanduser()
    if path.is_dir():
        instead = (
            f"write images={source} for all of it" if word == "image" else "name one picture in it"
        )
        raise InputError(f"{word}={source}: a folder where one picture is meant; {instead}.")
    if not path.is_file():
        hint = nearest(path.name, _neighbours(path))
        raise InputError(
            f"{word}={source}: no such file.{hint or f' Bundled pictures: {_names(BUNDLED)}.'}"
        )
    about = path.stat()
    key = (str(path.absolute()), about.st_mtime_ns, about.st_size)
    if (known := _HELD.get(key)) is not None:
        return known
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # `LARGEST` is our own bound
            with Image.open(path) as opened:
                width, height = opened.size
                if width * height > LARGEST:
                    raise InputError(
                        f"{word}={source}: {width}x{height} pixels, more than {LARGEST // 1_000_000} million; "
                        "scale it down first."
                    )
                if min(width, height) < SMALLEST:
                    raise InputError(
                        f"{word}={source}: {width}x{height} pixels; the smallest side must have {SMALLEST}."
                    )
                opened.load()
                image = rgb(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError as error:
        raise InputError(f"{word}={source}: not a picture that Pillow can read.") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{word}={source}: far too many pixels; scale it down first.") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else "damaged"
        raise InputError(
            f"{word}={source}: the picture is damaged or cut short ({reason})."
        ) from error
    _HELD[key] = found = Picture(path.name, image, "" if bundled else path.absolute().parent.name)
    return found


def pictures(source: str | Path | Sequence[str | Path], word: str = "images") -> list[Picture]:
    """All pictures of a folder (searched through), a glob, a list, one path or one bundled name, sorted by name.

    Files that cannot be read are skipped by name and counted, where others are left; a file named outright
    must be readable. Raises InputError where no picture is left.
    """
    if not isinstance(source, (str, Path)):
        if not source:
            raise InputError(f"{word}=[]: name at least one picture.")
        return [picture(one, word) for one in source]
    paths = files_of(source, word)
    if paths is None:
        return [picture(source, word)]
    good, bad, told = [], [], []
    for path in paths:
        try:
            good.append(picture(path, word))
        except InputError as error:
            bad.append(path.name)
            told.append(f"skipped: {error}")
    if not good:
        reason = told[0].removeprefix("skipped: ")
        raise InputError(
            f"{word}={source}: none of its {len(bad)} files is a readable picture; the first: {reason}"
        )
    for text in told:
        _warn(text)
    if bad:
        _warn(f"{word}={source}: {len(bad)} of {len(paths)} files skipped: {_names(bad)}")
    return good


def files_of(source: str | Path, word: str = "images") -> list[Path] | None:
    """The files of a folder (searched through) that are called as pictures are, or of a glob, sorted; None of neither.

    Raises InputError where there is none.
    """
    text = str(source)
    folder = Path(text).expanduser()
    if folder.is_dir():
        paths = sorted(
            path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()
        )
        if not paths:
            raise InputError(
                f"{word}={source}: the folder holds no picture ({', '.join(SUFFIXES)})."
            )
        return paths
    if not glob.has_magic(text) or folder.exists():
        return None
    paths = sorted(Path(found) for found in glob.glob(str(folder), recursive=True))
    if not paths:
        raise InputError(f"{word}={source}: no file matches.")
    return paths


def from_image(image: Image.Image) -> Float[Tensor, "3 h w"]:
    """A Pillow RGB picture as a tensor in [0, 1]."""
    return torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1).float().div_(255.0)


def to_image(tensor: Float[Tensor, "3 h w"]) -> Image.Image:
    """A picture in [0, 1] as 8-bit Pillow RGB, rounded to the nearest of the 256 values."""
    values = tensor.detach().clamp(0, 1).mul(255.0).round().to("cpu", torch.uint8)
    return Image.fromarray(values.permute(1, 2, 0).contiguous().numpy())


def fitted(images: Float[Tensor, "n 3 h w"], size: tuple[int, int]) -> Float[Tensor, "n 3 h2 w2"]:
    """`images` at `size` (height, width), as they are where that is their own."""
    if tuple(images.shape[2:]) == size:
        return images
    return functional.interpolate(images, size, mode="bicubic", antialias=True).clamp(0, 1)


def amplified(difference: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    """A difference of two pictures as a picture: about mid grey, its largest absolute value m at black or white.

    1/2 + difference / 2m; mid grey throughout where m is 0.
    """
    return 0.5 + difference * (0.5 / difference.abs().max().clamp_min(1e-12))


@lru_cache(maxsize=4096)
def _warn(text: str) -> None:
    """Says `text` once, however many parts of a run read the same folder."""
    log.warning("%s", text)


def rgb(image: Image.Image) -> Image.Image:
    """A picture of any mode as 8-bit RGB: 16 bits scaled down, transparency laid on white."""
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "I;16N", "F"):
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        whites = (
            (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        )  # which is meant shows in the values
        top = (
            65535.0
            if ";16" in image.mode
            else next((w for w in whites if values.max() <= w), 65535.0)
        )
        image = Image.fromarray((values / top * 255.0).clip(0, 255).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        image = Image.alpha_composite(ground, layer)
    return image.convert("RGB")


def _bundled(name: str) -> Path | None:
    if name not in BUNDLED or Path(name).exists():
        return None
    spec = importlib.util.find_spec("sklearn")  # found, not imported: importing it takes a second
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "datasets" / "images" / f"{name}.jpg"


def _neighbours(path: Path) -> list[str]:
    if not path.parent.is_dir():
        return list(BUNDLED)
    return [near.name for near in path.parent.iterdir() if near.suffix.lower() in SUFFIXES][
        :2000
    ] + list(BUNDLED)


def _names(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
