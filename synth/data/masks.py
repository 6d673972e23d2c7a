"""Masks of pictures: which pixels belong to the object, from a folder of label maps."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from synth.data.collection import Collection
from synth.data.pictures import files_of
from synth.errors import InputError
from synth.files import open_image

log = logging.getLogger(__name__)

REST, OBJECT, IGNORED = 0, 1, 2
MOST_NAMED = 4  # files in a message
TOLERANCE = 0.02  # of the ratio of the sides, for pictures whose sides were rounded
WITHOUT_LOSS = ("PNG", "BMP", "GIF", "TIFF", "PPM")
COLOURED = ("RGB", "RGBA", "CMYK", "YCbCr")


class Masks:
    """Masks beside the pictures of a collection, paired by their names without the suffix.

    Where several masks have the name of a picture, that in a folder of the same name is its own,
    as where both have class folders. A mask covers its picture: of another size it is scaled like
    it, by nearest neighbour, and of another shape it is refused. A file is read as a label map,
    whose values are grey levels or indices of its palette; a coloured one has the values 0, black,
    and 1.

    Args:
        source: a folder, at any depth, or a glob.
        collection: the pictures.
        values: of the pixels that belong to the object; by default all but 0.
        ignore: value of pixels that do not count, as of a border that nobody drew exactly.

    Attributes:
        missing: places of the pictures that have no mask.
        unused: how many masks belong to no picture.

    Raises:
        InputError: no masks, none of a picture, two of one, one of another shape, or one that lost
            its values in compression.
    """

    def __init__(
        self,
        source: str | Path,
        collection: Collection,
        values: int | Sequence[int] | None = None,
        ignore: int | None = None,
    ) -> None:
        self._values = [values] if isinstance(values, int) else values
        self._ignore = ignore
        self._source = source
        paths = files_of(source, "masks")
        if paths is None:
            raise InputError(f"masks={source}: no folder; write one of masks named as pictures.")
        own: dict[tuple[str, str], list[Path]] = {}
        for path in paths:
            for key in (("", path.stem), (path.absolute().parent.name, path.stem)):
                own.setdefault(key, []).append(path)
        self._paths: dict[int, Path] = {}
        for place, (folder, name) in enumerate(
            zip(collection.folders, collection.names, strict=True)
        ):
            stem = Path(name).stem
            matches = own.get((folder, stem)) or own.get(("", stem), [])
            if len(matches) > 1:
                raise InputError(
                    f"masks={source}: {matches[0]} and {matches[1]} are both named as {name}; put "
                    "them into folders named as those of the pictures."
                )
            if matches:
                self._paths[place] = matches[0]
        if not self._paths:
            raise InputError(
                f"masks={source}: none of its {len(paths)} files is named as a picture "
                f"({paths[0].name} is the first, {collection.names[0]} that of the pictures)."
            )
        self.missing = [place for place in range(len(collection)) if place not in self._paths]
        self.unused = len(set(paths) - set(self._paths.values()))
        self._check(collection)
        if self.missing:
            names = [collection.names[place] for place in self.missing[:MOST_NAMED]]
            log.warning(
                "masks=%s: %d of %d pictures have none: %s%s",
                *(source, len(self.missing), len(collection), ", ".join(names)),
                ", ..." if len(self.missing) > MOST_NAMED else "",
            )
        if self.unused:
            log.warning("masks=%s: %d of %d belong to no picture.", source, self.unused, len(paths))

    def at(self, place: int, size: tuple[int, int]) -> Tensor | None:
        """The mask of the picture at a place, as the picture at that size is scaled and cropped.

        Args:
            place: in the collection.
            size: height and width.

        Returns:
            uint8 [h, w] of `REST`, `OBJECT` and `IGNORED`; None where the picture has no mask.
        """
        path = self._paths.get(place)
        if path is None:
            return None
        with open_image(path, self._where(path)) as image:
            label_map = Image.fromarray(_labels(image))
        fit = ImageOps.fit(label_map, (size[1], size[0]), Image.Resampling.NEAREST)
        labels = torch.from_numpy(np.array(fit))
        inside = labels != 0
        if self._values is not None:
            inside = torch.isin(labels, torch.tensor(self._values, dtype=labels.dtype))
        mask = inside.to(torch.uint8) * OBJECT
        if self._ignore is not None:
            mask[labels == self._ignore] = IGNORED
        return mask

    def _check(self, collection: Collection) -> None:
        for place, path in self._paths.items():
            size = collection.size(place)
            with open_image(path, self._where(path)) as image:
                width, height = image.size
                if image.format not in WITHOUT_LOSS:
                    raise InputError(
                        f"{self._where(path)}: {image.format} changes the values of a label map; "
                        "save it as PNG."
                    )
                if self._values is not None and image.mode in COLOURED:
                    raise InputError(
                        f"{self._where(path)}: a coloured picture has no values to name; leave "
                        "object= out, or save it as a grey label map."
                    )
            if size and abs(width / height * size[0] / size[1] - 1) > TOLERANCE:
                raise InputError(
                    f"{self._where(path)}: {width}x{height} pixels, of another shape than its "
                    f"picture of {size[1]}x{size[0]}; a mask covers its whole picture."
                )

    def _where(self, path: Path) -> str:
        return f"masks={path}"


def _labels(image: Image.Image) -> np.ndarray:
    """The values of a label map, int32 [h, w]."""
    values = np.array(
        image if image.mode not in ("RGBA", "LA", "PA", "CMYK") else image.convert("RGB")
    )
    return (values if values.ndim == 2 else values.any(2)).astype(np.int32)


def centred_box(size: tuple[int, int], share: float) -> Tensor:
    """A box in the middle, of the shape of the picture, bool [h, w].

    Args:
        size: height and width of the picture.
        share: of its area, in [0, 1].
    """
    box = torch.zeros(size, dtype=torch.bool)
    height, width = (round(side * share**0.5) for side in size)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    box[top : top + height, left : left + width] = True
    return box
