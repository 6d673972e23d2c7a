"""Images in and images side by side: reading, sizes, splits, class folders, films, contact sheets."""

from synth.data.pictures import (
    BUNDLED,
    IMAGENET_MEAN,
    LARGEST,
    SMALLEST,
    SUFFIXES,
    Picture,
    amplified,
    files_of,
    fitted,
    from_image,
    picture,
    pictures,
    rgb,
    to_image,
)

__all__ = [
    "BUNDLED",
    "IMAGENET_MEAN",
    "LARGEST",
    "SMALLEST",
    "SUFFIXES",
    "Picture",
    "amplified",
    "files_of",
    "fitted",
    "from_image",
    "picture",
    "pictures",
    "rgb",
    "to_image",
]
