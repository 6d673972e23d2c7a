"""Takes an architecture by name or builder; gives a network, untrained or started from a file of weights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from synth.errors import InputError
from synth.networks import architectures
from synth.networks.architectures import Builder
from synth.training.classifier.weights import ClassName, Description, read_weights

log = logging.getLogger(__name__)


def builder_of(architecture: str | Builder) -> tuple[str, Builder]:
    """The name of an architecture and its builder: one of ours by name, or anything that is called as they are.

    Raises:
        InputError: for a name that none of ours has; the nearest ones are offered.
    """
    if isinstance(architecture, str):
        return architecture, architectures.builder(architecture)
    inner = getattr(architecture, "func", architecture)  # what a functools.partial holds
    return getattr(inner, "__name__", type(inner).__name__), architecture


def load_into(
    network: nn.Module, path: Path, architecture: str, classes: Sequence[ClassName]
) -> Description | None:
    """Starts `network` from the weights in `path`; a head for other classes stays untrained, which is said.

    Returns:
        What the file says of itself; None where it is not one of ours, and then only the number of classes is
        compared.

    Raises:
        InputError: no such file, another architecture, or tensors that do not fit somewhere else than in the
            head.
    """
    tensors, said = read_weights(path)
    if said is not None and said.architecture != architecture:
        raise InputError(
            f"weights={path}: these are of a {said.architecture}; write architecture={said.architecture}."
        )
    own = network.state_dict()
    # Old state dicts lack these counters, which nothing here computes with.
    tensors = {**{key: own[key] for key in own if key.endswith("num_batches_tracked")}, **tensors}
    head = _head(network)
    other = said is not None and [_key(a) for a in said.classes] != [_key(b) for b in classes]
    if other or any(
        tensors[key].shape != own[key].shape for key in own.keys() & tensors.keys() if head(key)
    ):
        log.info(
            "weights=%s: its head knows other classes; a new one for %d is trained.",
            path,
            len(classes),
        )
        tensors = {
            key: own[key] if head(key) and key in own else value for key, value in tensors.items()
        }
    wrong = sorted(own.keys() ^ tensors.keys())
    wrong += sorted(
        key for key in own.keys() & tensors.keys() if own[key].shape != tensors[key].shape
    )
    if wrong:
        more = ", ..." if wrong[4:] else ""
        raise InputError(
            f"weights={path}: does not fit {architecture} in {', '.join(wrong[:4])}{more}."
        )
    network.load_state_dict(tensors)
    return said


def _head(network: nn.Module) -> Callable[[str], bool]:
    """Whether a tensor's name belongs to the last linear layer."""
    linear = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return lambda key: bool(linear) and key.rpartition(".")[0] == linear[-1]


def _key(name: ClassName) -> str:
    return name.wnid or name.name


def parameters_of(network: nn.Module) -> int:
    """How many trainable numbers `network` has."""
    return sum(weight.numel() for weight in network.parameters())


def fresh(builder: Builder, classes: int, dropout: float, seed: int) -> nn.Module:
    """An untrained network whose weights depend on `seed` alone; the global generator stays as it was."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return builder(classes=classes, dropout=dropout)
