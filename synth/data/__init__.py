"""Images in, and images side by side: reading, sizes, splits, training sets, animations, sheets.

pictures.py        pictures by path, folder, glob, list or bundled name; re-exported here
arrays.py          pictures from tensors, arrays and Pillow images
sizes.py           sizes as a user writes them
collection.py      pictures of a data set, read a batch at a time
masks.py           Masks: which pixels of the pictures belong to the object
split.py           HeldOutSplit: a training set and a held-out set, by a hash of the names
class_folders.py   training images of a directory, with labels by folder
augmentation.py    random crops and mirror images of training batches
animation.py       GIF, WEBP and PNG animations
sheet.py           contact sheets
"""

from synth.data.pictures import (
    BUNDLED,
    IMAGENET_MEAN,
    LARGEST,
    SMALLEST,
    SUFFIXES,
    Picture,
    Source,
    Sources,
    amplified,
    files_of,
    fitted,
    from_image,
    levels,
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
    "Source",
    "Sources",
    "amplified",
    "files_of",
    "fitted",
    "from_image",
    "levels",
    "picture",
    "pictures",
    "rgb",
    "to_image",
]
