"""Untrained classifiers by the name of their architecture, and starting weights for fine-tuning."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from synth.errors import InputError
from synth.networks import architectures
from synth.networks.architectures import Builder
from synth.training.classifier.weights import ClassName, Description

log = logging.getLogger(__name__)


def builder_of(architecture: str | Builder, size: int = 64) -> tuple[str, Builder]:
    """The name of an architecture and its builder.

    Args:
        architecture: name of an architecture of `synth.networks.architectures`, or a function with
            their parameters, ``classes`` and ``dropout``.
        size: side of the pictures, for an architecture that is made for one size.

    Raises:
        InputError: for a name that does not exist; the nearest ones are offered.
    """
    if isinstance(architecture, str):
        return architecture, architectures.builder(architecture, size=(size, size))
    inner = getattr(architecture, "func", architecture)  # what a functools.partial holds
    return getattr(inner, "__name__", type(inner).__name__), architecture


def load_into(
    network: nn.Module,
    path: Path,
    tensors: Mapping[str, Tensor],
    description: Description | None,
    architecture: str,
    classes: Sequence[ClassName],
) -> None:
    """Loads starting weights; a head for other classes stays untrained, which is logged.

    Args:
        network: changed in place.
        path: the file that they were read from, for messages.
        tensors: its state dict.
        description: its metadata; where it is None, only the number of classes is compared.
        architecture: name of the network's architecture.
        classes: of the training set, in label order.

    Raises:
        InputError: another architecture, or tensors that do not fit anywhere but in the head.
    """
    if description is not None and description.architecture != architecture:
        raise InputError(
            f"weights={path}: these are of a {description.architecture}; "
            f"write architecture={description.architecture}."
        )
    own = network.state_dict()
    # Old state dicts lack these counters, which nothing here computes with.
    tensors = {**{key: own[key] for key in own if key.endswith("num_batches_tracked")}, **tensors}
    if _other_head(network, tensors, description, classes):
        log.info(
            "weights=%s: its head is for other classes; a new one for %d is trained.",
            path,
            len(classes),
        )
        in_head = _head(network)
        tensors = {
            key: own[key] if in_head(key) and key in own else value
            for key, value in tensors.items()
        }
    wrong = sorted(own.keys() ^ tensors.keys())
    wrong += sorted(_other_shapes(own, tensors))
    if wrong:
        more = ", ..." if wrong[4:] else ""
        raise InputError(
            f"weights={path}: does not fit {architecture} in {', '.join(wrong[:4])}{more}."
        )
    network.load_state_dict(tensors)


def _other_head(
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    description: Description | None,
    classes: Sequence[ClassName],
) -> bool:
    """Whether `tensors` have a head for other classes than `classes`."""
    if description is not None and [_key(a) for a in description.classes] != [
        _key(b) for b in classes
    ]:
        return True
    return any(map(_head(network), _other_shapes(network.state_dict(), tensors)))


def _other_shapes(own: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of both whose tensors differ in shape."""
    return [key for key in own.keys() & tensors.keys() if tensors[key].shape != own[key].shape]


def _head(network: nn.Module) -> Callable[[str], bool]:
    """Whether a tensor's name belongs to the last linear layer."""
    linear = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return lambda key: bool(linear) and key.rpartition(".")[0] == linear[-1]


def _key(name: ClassName) -> str:
    return name.wnid or name.name


def fresh(builder: Builder, classes: int, dropout: float, seed: int) -> nn.Module:
    """An untrained network whose weights depend on `seed` alone.

    Args:
        builder: called with `classes` and `dropout`.
        classes: number of logits.
        dropout: probability in the fully connected layers.
        seed: of the initial weights; the global generator is left as it was.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return builder(classes=classes, dropout=dropout)
