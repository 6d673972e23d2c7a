"""Splits of a data set by the content of its pictures, so that copies never part.

The same picture is in the same split of every export, whatever else is exported with it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from synth.errors import InputError

DEFAULT = {"train": 0.8, "validation": 0.1, "test": 0.1}
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")  # Hugging Face takes word characters; folders do too
RESERVED = ("all", "data", "genomes")


def splits_from(text: str) -> dict[str, float]:
    """The shares in ``train=0.8,test=0.2``, adding up to 1.

    Raises:
        InputError: for another form, a name that is none, or shares that are not above 0.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        try:
            share = float(value) if equals else 1.0
        except ValueError as error:
            raise InputError(f"splits={text}: {value} is no number; write {name}=0.2.") from error
        if name in shares:
            raise InputError(f"splits={text}: {name} is there twice.")
        shares[name] = share
    return checked(shares)


def checked(shares: Mapping[str, float]) -> dict[str, float]:
    """Shares of splits by name, scaled so that they add up to 1.

    Raises:
        InputError: see `splits_from`.
    """
    text = ",".join(f"{name}={share:g}" for name, share in shares.items())
    for name, share in shares.items():
        if not NAME.fullmatch(name) or name in RESERVED:
            raise InputError(
                f"splits={text}: {name or 'nothing'} is no name of a split; write small letters, "
                "as in train=0.8,test=0.2."
            )
        if not 0 < share < math.inf:
            raise InputError(f"splits={text}: {name} needs a number above 0, as in {name}=0.2.")
    if not shares:
        raise InputError("splits: empty; write train=0.8,test=0.2, or train alone.")
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


def split_of(digest: bytes, shares: Mapping[str, float]) -> str:
    """The split of a picture.

    Args:
        digest: a hash of its pixels, 8 bytes or more.
        shares: of the splits, adding up to 1.
    """
    place = int.from_bytes(digest[:8], "big") / 2**64
    end = 0.0
    for name, share in shares.items():
        end += share
        if place < end:
            return name
    return name
