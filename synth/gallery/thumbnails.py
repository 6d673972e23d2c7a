"""Small copies of large pictures, so that a page of thousands scrolls: WebP files beside the page.

A copy is named by its picture's path, time and size: a page that is written again makes none twice.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
from pathlib import Path

from PIL import Image

from synth.errors import InputError
from synth.files import open_image, open_regular
from synth.gallery.pictures import Picture
from synth.record.atomic import write_atomically

LARGEST = 384  # pixels a side; up to here a page shows the picture itself
SIDE = 256  # of a small copy
FIGURE_SIDE = 1024  # of a copy of a figure, which a page holds
QUALITY = 85
INLINE_BYTES = 1 << 18  # of a picture that a page holds as it is
KINDS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".gif": "gif"}


def thumbnail_of(picture: Picture, folder: Path) -> Path:
    """A small copy in `folder`; the picture itself where it is small, moves or cannot be read.

    Raises:
        InputError: the copy cannot be written.
    """
    if max(picture.width, picture.height) <= LARGEST:
        return picture.path
    try:
        state = os.stat(picture.path)
        name = f"{os.path.realpath(picture.path)} {state.st_mtime_ns} {state.st_size}"
        copy = folder / f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:24]}.webp"
        if copy.is_file():
            return copy
        content = _copied(picture.path)
    except (OSError, InputError):
        return picture.path
    if not content:
        return picture.path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(copy, content, shared=True)
    except OSError as error:
        raise InputError(f"{copy}: cannot be written ({error.strerror}).") from error
    return copy


def data_url(picture: Picture, side: int = SIDE) -> str:
    """The picture, or a copy of `side` pixels, as a URL that holds it; empty where it is damaged.

    Pictures that are neither large nor of many bytes are held as they are.
    """
    try:
        with open_regular(picture.path) as file:
            content = file.read(INLINE_BYTES + 1)
        largest = max(side, LARGEST)
        small = max(picture.width, picture.height) <= largest and len(content) <= INLINE_BYTES
        kind = KINDS.get(picture.path.suffix.lower(), "")
        if not (small and kind):
            content, kind = _copied(picture.path, side, moving=False), "webp"
    except (OSError, InputError):
        return ""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _copied(path: Path, side: int = SIDE, moving: bool = True) -> bytes:
    """A small copy as WebP; empty for a film, of which `moving` asks no still."""
    with open_image(path, str(path)) as image:
        if moving and getattr(image, "is_animated", False):
            return b""
        image.draft("RGB", (side, side))
        still = image.convert("RGBA" if "A" in image.getbands() else "RGB")
        still.thumbnail((side, side), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        still.save(file, "WEBP", quality=QUALITY, method=2)
        return file.getvalue()
