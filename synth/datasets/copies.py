"""Copies among pictures: exact ones by their pixels, near ones by a perceptual hash.

A near copy has a difference hash (64 bits: is each pixel of the picture in 9x8 grey values brighter
than its right neighbour; Krawetz 2013, "Kind of like that") that differs in at most `MOST_BITS`
bits, and a 4x4 thumbnail in colour that differs by at most `MOST_LEVELS` of 255 on average. Only
pictures that agree in one of four groups of 16 bits can be that close, so that pictures are sorted
by each group, then by brightness, and compared with their `NEIGHBOURS` next ones: the cost of a
picture does not depend on how many there are.
"""

from __future__ import annotations

import hashlib

import numpy as np
from PIL import Image

MOST_BITS = 3  # so that one of the four groups of bits is equal
MOST_LEVELS = 4.0
NEIGHBOURS = 64
NO_COPY = -1
SIGNATURE = np.dtype([("pixels", "V32"), ("bits", "<u8"), ("colours", "u1", (48,))])
ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1).astype(np.uint8)


def pixels_digest(image: Image.Image) -> bytes:
    """A hash of a picture's size and RGB pixels, 32 bytes; the form of its file does not matter."""
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    digest = hashlib.sha256(f"{rgb.width}x{rgb.height}".encode())
    digest.update(rgb.tobytes())
    return digest.digest()


def signature(image: Image.Image, digest: bytes) -> tuple[bytes, int, np.ndarray]:
    """What copies of a picture have in common, a row of type `SIGNATURE`.

    Args:
        image: the picture.
        digest: of `pixels_digest`.
    """
    small = image.convert("RGB").resize((36, 32), Image.Resampling.BOX)
    grey = np.asarray(small.convert("L").resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    brighter = np.packbits(grey[:, :-1] > grey[:, 1:])
    colours = np.asarray(small.resize((4, 4), Image.Resampling.BOX)).reshape(48)
    return digest, int.from_bytes(brighter.tobytes(), "little"), colours


def exact_copies(signatures: np.ndarray) -> np.ndarray:
    """Of each picture the first one with the same pixels, `NO_COPY` for that one: int64 [n]."""
    _, first, inverse = np.unique(signatures["pixels"], return_index=True, return_inverse=True)
    originals = first[inverse].astype(np.int64)
    return np.where(originals == np.arange(len(signatures)), NO_COPY, originals)


def near_copies(signatures: np.ndarray) -> np.ndarray:
    """Of each picture the first one before it that is nearly the same, else `NO_COPY`: int64 [n].

    Exact copies are none.
    """
    none = len(signatures)
    firsts = np.full(len(signatures), none, dtype=np.int64)
    rows = np.flatnonzero(exact_copies(signatures) == NO_COPY)
    bits, colours = signatures["bits"][rows], signatures["colours"][rows]
    brightness = colours.mean(1)
    for shift in range(0, 64, 16):
        group = (bits >> np.uint64(shift)) & np.uint64(0xFFFF)
        order = np.lexsort((brightness, group))
        for distance in range(1, min(NEIGHBOURS, len(order) - 1) + 1):
            left, right = order[:-distance], order[distance:]
            candidates = group[left] == group[right]
            candidates &= brightness[right] - brightness[left] <= MOST_LEVELS
            left, right = left[candidates], right[candidates]
            near = _different_bits(bits[left], bits[right]) <= MOST_BITS
            left, right = left[near], right[near]
            levels = np.abs(colours[left].astype(np.int16) - colours[right]).mean(1)
            left, right = left[levels <= MOST_LEVELS], right[levels <= MOST_LEVELS]
            # rows are in the order of the pictures
            np.minimum.at(firsts, rows[np.maximum(left, right)], rows[np.minimum(left, right)])
    return np.where(firsts == none, NO_COPY, firsts)


def _different_bits(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """In how many bits the numbers of two uint64 [n] differ: int64 [n]."""
    return ONES[(left ^ right).view(np.uint8).reshape(-1, 8)].sum(1, dtype=np.int64)
