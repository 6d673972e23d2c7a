"""Guided backpropagation: positive gradients alone pass back through each activation function.

The rule is applied in the autograd graph of a score, at the nodes that activation functions left
there, not at modules: functional, reused and in-place ReLUs are met like any other, each call once,
and nothing stays behind, since the graph goes with the gradient.

Source: Springenberg et al. 2015, "Striving for simplicity: the all convolutional net". Departure:
other activation functions than the ReLU, as in transformers, are guided likewise.
"""

from __future__ import annotations

from torch import Tensor

ACTIVATIONS = (
    "Relu",
    "LeakyRelu",
    "Hardtanh",  # which is ReLU6
    "Threshold",
    "ClampMin",
    "Elu",
    "Celu",
    "Gelu",
    "Silu",
    "Mish",
    "Hardswish",
    "Softplus",
    "PreluKernel",
)
NODES = tuple(f"{name}Backward" for name in ACTIVATIONS)


def guide(scores: Tensor) -> None:
    """Makes the next gradient of `scores` a guided one.

    Args:
        scores: with a graph, which is changed.
    """
    waiting = [scores.grad_fn]
    visited = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in visited:
            continue
        visited.add(node)
        if node.name().startswith(NODES):
            node.register_prehook(_positive)
        waiting += [inner for inner, _ in node.next_functions]


def _positive(gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    return tuple(None if gradient is None else gradient.clamp(min=0) for gradient in gradients)
