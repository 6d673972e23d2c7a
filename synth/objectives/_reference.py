"""Base of the bound objectives that compare with reference pictures at the size of the image."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping

from torch import Tensor

from synth.core import BoundObjective, Readout


class ReferenceObjective(BoundObjective):
    """A bound objective whose targets are measured on pictures, once for each image size.

    They are measured in `at`; where that was never called, by the first call, at the size of the
    images that it is given.
    """

    size: tuple[int, int] | None = None  # height, width that the targets were measured at

    @abstractmethod
    def measure_targets(self, size: tuple[int, int]) -> None:
        """Sets the targets of this object to those of the pictures at `size` (height, width)."""

    @abstractmethod
    def compare(self, readout: Readout) -> Mapping[str, Tensor]:
        """The named terms of `readout` against the targets."""

    def at(self, size: tuple[int, int]) -> BoundObjective:
        if size == self.size:
            return self
        resized = copy.copy(self)
        resized._measure(size)
        return resized

    def __call__(self, readout: Readout) -> Mapping[str, Tensor]:
        if self.size is None:
            self._measure((readout.images.shape[2], readout.images.shape[3]))
        return self.compare(readout)

    def _measure(self, size: tuple[int, int]) -> None:
        self.measure_targets(size)
        self.size = size
