"""Types of the tensors that the parts exchange; r counts rows, n images or items, k columns.

Shapes of images are checked while calls happen (jaxtyping with beartype), a few microseconds each:
worth it where a wrong shape would pass silently. The other tensors go through the hot path and are
described in words.
"""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "n 3 h w"]  # RGB in [0, 1]
Genome = Tensor  # [r, *shape], an individual a row: pixels, spectrum, perturbation, code, graph
Scores = Tensor  # [r, k], higher is better
PerRow = Tensor  # [r], one number a row
State = dict[str, Tensor]  # all that a search remembers; axis 0 of every tensor is the item
Cotangents = Callable[[Tensor], Tensor]  # scores [r, k] -> covectors [v, r, k]
