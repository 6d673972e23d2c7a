"""Class names and WordNet synsets of a network's outputs, and the lookup of a class by either."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import index as integer
from typing import SupportsIndex

from synth.errors import InputError, nearest

Name = str | int
MOST_NEAR = 8  # classes that an error names at most


@dataclass(frozen=True)
class Classes:
    """The classes of one network, in the order of its outputs.

    Args:
        names: one entry an output; it may hold several names of the class separated by commas
            ("goldfish, Carassius auratus").
        synsets: WordNet ids ("n01443537"), one an output, None where unknown; empty where none is.
        imagenet: indices among ImageNet's 1,000 classes, one an output, likewise.
    """

    names: Sequence[str]
    synsets: Sequence[str | None] = ()
    imagenet: Sequence[int | None] = ()
    _exact: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)
    _index: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for index, name in enumerate(self.names):
            for alias in [name, *name.split(",")]:
                # ImageNet has a dog named "Cardigan" and a garment named "cardigan"
                self._exact.setdefault(alias.strip(), index)
                self._index.setdefault(_plain(alias), index)
        for index, synset in enumerate(self.synsets):
            if synset:
                self._index.setdefault(_plain(synset), index)

    def __len__(self) -> int:
        return len(self.names)

    def label(self, index: SupportsIndex) -> str:
        """The short name of a class, the first of its names: ``goldfish``."""
        return self.names[integer(index)].split(",")[0].strip()

    def index(self, name: Name, network: str = "the network", word: str = "target") -> int:
        """The index of one class.

        Args:
            name: a name (case, ``_`` and ``-`` do not matter unless two classes differ in them), a
                synset, or an index.
            network: the network's name, for the error message.
            word: the user's key for `name`, for the error message.

        Raises:
            InputError: there is no such class; the message names the nearest.
        """
        text = str(name).strip()
        if re.fullmatch(r"-?[0-9]{1,18}", text):
            if not 0 <= int(text) < len(self):
                raise InputError(f"{word}={text}: {network} has classes 0 to {len(self) - 1}.")
            return int(text)
        if text in self._exact:
            return self._exact[text]
        if _plain(text) not in self._index:
            if all(map(str.isdecimal, self.names)):  # a module given without names
                raise InputError(f"{word}={text}: {network} has classes 0 to {len(self) - 1}.")
            hint = self._near(text) or " synth list classes network=NAME lists them."
            raise InputError(f"{word}={text}: {network} has no such class.{hint}")
        return self._index[_plain(text)]

    def _near(self, text: str) -> str:
        """A sentence about the classes in whose names all words of `text` are; else the nearest."""
        aliases = [part.strip() for name in self.names for part in name.split(",")]
        typed = set(_plain(text).split())
        matches = [alias for alias in aliases if typed and typed <= set(_plain(alias).split())]
        matches = list(dict.fromkeys(matches))
        if not matches:
            return nearest(text, aliases)
        more = len(matches) - MOST_NEAR
        names = ", ".join(matches[:MOST_NEAR]) + (f" and {more} more" if more > 0 else "")
        return f" It has {names}."

    def indices(
        self, names: Name | Sequence[Name], network: str = "the network", word: str = "target"
    ) -> list[int]:
        """The indices of a class, a list of classes, or ``all``; arguments as for `index`.

        Raises:
            InputError: naming all that are no classes, each with the nearest that are.
        """
        if isinstance(names, (str, int)):
            if names == "all":
                return list(range(len(self)))
            names = [names]
        if not names:
            raise InputError(f"{word}=[]: name at least one class, or write {word}=all.")
        indices, mistakes = [], []
        for name in names:
            try:
                indices.append(self.index(name, network, word))
            except InputError as error:
                mistakes.append(str(error))
        if mistakes:
            raise InputError(" ".join(dict.fromkeys(mistakes)))
        return indices

    def counterpart(self, index: int, other: Classes) -> int | None:
        """The index in `other` of the class that is `index` here; None where it has no such class.

        By synset where both networks have synsets, since names are ambiguous ("crane" is a bird
        and a machine); else by name, all names of the class together before each alone.
        """
        synset = self.synsets[index] if self.synsets else None
        if synset and any(other.synsets):
            matches = (place for place, name in enumerate(other.synsets) if name == synset)
            return next(matches, None)
        for name in (self.names[index], *self.names[index].split(",")):
            match = other._exact.get(name.strip(), other._index.get(_plain(name)))
            if match is not None:
                return match
        return None


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("_", " ").replace("-", " ").split())
