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

    A mask in a folder of the same name as the picture's is its own, as where both have class
    folders; of the others it is the only one of its name. A mask covers its picture: of another
    size it is scaled like it, by nearest neighbour, and of another shape it is refused. A file is
    read as a label map, whose values are grey levels or indices of its palette; a coloured one has
    the values 0, black, and 1.

    Args:
        source: a folder, at any depth, or a glob.
        collection: the pictures.
        values: of the pixels that belong to the object; by default all but 0.
        ignore: value of pixels that do not count, as of a border that nobody drew exactly.

    Attributes:
        missing: places of the pictures that have no mask.
        unused: how many masks belong to no picture.

    Raises:
        InputError: no masks, none of a picture, two of one, one of two, one of another shape, or
            one that lost its values in compression.
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
        self._paths = self._paired(paths, collection)
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

    def _paired(self, paths: Sequence[Path], collection: Collection) -> dict[int, Path]:
        """The mask of each place that has one: by folder and name, and the rest by name alone."""
        own: dict[tuple[str, str], list[Path]] = {}
        for path in paths:
            own.setdefault((path.absolute().parent.name, path.stem), []).append(path)
        names = [Path(name).stem for name in collection.names]
        keys = list(zip(collection.folders, names, strict=True))
        others: dict[str, list[Path]] = {}
        for key in own.keys() - set(keys):
            others.setdefault(key[1], []).extend(own[key])
        pairs: dict[int, Path] = {}
        places: dict[Path, int] = {}
        for place, key in enumerate(keys):
            matches = own.get(key) or others.get(key[1], [])
            if not matches:
                continue
            name = collection.names[place]
            if len(matches) > 1:
                first, second = sorted(matches)[:2]
                raise InputError(
                    f"masks={self._source}: {first} and {second} are both named as {name}; put "
                    "them into folders named as those of the pictures."
                )
            pairs[place] = matches[0]
            if places.setdefault(matches[0], place) != place:
                raise InputError(
                    f"masks={self._source}: {matches[0]} is named as two pictures, {name} in "
                    f"{' and '.join(collection.folders[p] for p in (places[matches[0]], place))}; "
                    "put it into a folder named as that of its own."
                )
        return pairs

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


def masks_of(
    source: str | Path | None,
    collection: Collection,
    values: int | Sequence[int] | None,
    ignore: int | None,
) -> Masks | None:
    """The masks of a probe, None where it has no `source`; as of `Masks`.

    Raises:
        InputError: as for `Masks`, or values without masks.
    """
    if source is not None:
        return Masks(source, collection, values, ignore)
    for word, value in (("object", values), ("ignore", ignore)):
        if value is not None:
            raise InputError(f"{word}={value}: a value of label maps; write masks=FOLDER too.")
    return None


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
