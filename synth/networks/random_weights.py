"""Random weights, the sanity control: what a picture owes to training is not there with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

RANDOM = "random"  # written in place of a weights file
Module = TypeVar("Module", bound=nn.Module)


def seeded(build: Callable[[], Module], seed: int = 0) -> Module:
    """The module of `build`, whose random numbers come from `seed`; others' are left as they are.

    Args:
        build: makes a module on the CPU.
        seed: of torch's random numbers.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()
