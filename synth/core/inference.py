"""Fast copies of frozen modules: batch normalisation folded into the layer before it, bfloat16.

Searches read such a copy; whatever is reported is measured with the module itself, in float32.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from synth.core.hardware import is_out_of_memory
from synth.core.outputs import logits_of

log = logging.getLogger(__name__)

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
# largest error of a folded network, as a share of its largest output; float32 gives about 1e-6
TOLERANCE = 1e-3


@dataclass(frozen=True)
class InferenceCopy:
    """A module for inference, which gives the same outputs but for rounding.

    Attributes:
        module: the copy; the original itself where there was nothing to change.
        dtype: of its weights and of the inputs that it takes.
        folded: names of the layers into which a batch normalisation was folded, and of those that
            they are in without it: their own outputs may be those of the normalisation now.
    """

    module: nn.Module
    dtype: torch.dtype = torch.float32
    folded: frozenset[str] = field(default_factory=frozenset)


@torch.inference_mode(False)  # autograd may use the copy's weights, wherever it is made
@torch.no_grad()
def inference_copy(
    module: nn.Module, example: Tensor, dtype: torch.dtype = torch.float32, fold: bool = True
) -> InferenceCopy:
    """A faster copy of `module`, checked on `example`; the module itself is not changed.

    In bfloat16 the logits are still float32: a last linear layer computes in float32, and the
    output of a last convolution is pooled in float32. Their 8 bits would otherwise leave steps of
    0.1 between logits.

    Args:
        module: frozen and in eval mode; maps one tensor to one tensor.
        example: an input of it, float32.
        dtype: ``torch.float32`` or ``torch.bfloat16``, of weights and activations.
        fold: whether to fold batch normalisation into the convolution or linear layer before it
            (Jacob et al. 2018, section 3.2).

    Returns:
        The copy. Folding is left out where it would change the outputs, as in modules that read the
        weights of a normalisation or a convolution's output twice. float32 remains where the module
        fails in bfloat16 or answers with NaN; that is logged.
    """
    calls = _calls(module, example)
    copy = InferenceCopy(module)
    pairs = _pairs(calls) if fold else {}
    if pairs:
        expected = logits_of(module(example))
        candidate = deepcopy(module)
        for layer, norm in pairs.items():
            _fold(candidate, layer, norm)
        if _close(candidate, example, expected):
            copy = InferenceCopy(candidate, folded=_changed(pairs))
    if dtype == torch.float32:
        return copy
    lowered = deepcopy(copy.module).to(dtype)
    name = _last_weighted(calls)
    if name:
        last = copy.module.get_submodule(name)
        linear = isinstance(last, nn.Linear)
        lowered.set_submodule(
            name, _InFloat32(deepcopy(last)) if linear else _ToFloat32(lowered.get_submodule(name))
        )
    reason = _failure(lowered, example.to(dtype))
    if reason:
        log.warning("bfloat16: %s %s; float32 is used", type(module).__name__.lower(), reason)
        return copy
    return InferenceCopy(lowered, dtype, copy.folded)


class _InFloat32(nn.Module):
    """A layer that computes in float32, whatever its input is."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, values: Tensor) -> Tensor:
        return self.layer(values.float())


class _ToFloat32(nn.Module):
    """A layer whose output is cast to float32, so that what follows computes in it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, values: Tensor) -> Tensor:
        return self.layer(values).float()


@dataclass
class _Call:
    """A call of a layer without children: its name, module, first input and output."""

    name: str
    part: nn.Module
    value: Tensor | None
    output: Tensor | None


def _calls(module: nn.Module, example: Tensor) -> list[_Call]:
    """The calls of all layers without children, in order, for one forward pass of `example`."""
    calls: list[_Call] = []
    handles = []

    def record(name: str) -> Callable[..., None]:
        def hook(part: nn.Module, inputs: tuple, output: object) -> None:
            value = inputs[0] if inputs and isinstance(inputs[0], Tensor) else None
            calls.append(_Call(name, part, value, output if isinstance(output, Tensor) else None))

        return hook

    for name, part in module.named_modules():
        if name and not list(part.children()):
            handles.append(part.register_forward_hook(record(name)))
    try:
        module(example)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _pairs(calls: list[_Call]) -> dict[str, str]:
    """Layers that are followed by a batch normalisation of their output alone, with its name."""
    names = [call.name for call in calls]
    pairs = {}
    for call in calls:
        if not isinstance(call.part, (*CONVOLUTIONS, nn.Linear)) or names.count(call.name) > 1:
            continue
        readers = [other for other in calls if other.value is call.output]
        if len(readers) != 1:
            continue
        norm = readers[0].part
        if (
            isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d))
            and norm.running_mean is not None
            and names.count(readers[0].name) == 1
            and isinstance(norm, nn.BatchNorm1d) == isinstance(call.part, (nn.Linear, nn.Conv1d))
        ):
            pairs[call.name] = readers[0].name
    return pairs


def _fold(module: nn.Module, layer: str, norm: str) -> None:
    """Replaces `layer` by one that includes `norm`, and `norm` by the identity, in place."""
    part = module.get_submodule(layer)
    fuse = fuse_linear_bn_eval if isinstance(part, nn.Linear) else fuse_conv_bn_eval
    fused = fuse(part, module.get_submodule(norm)).requires_grad_(False)
    if part.weight.ndim == 4:
        fused.to(memory_format=torch.channels_last)
    module.set_submodule(layer, fused)
    module.set_submodule(norm, nn.Identity())


def _changed(pairs: Mapping[str, str]) -> frozenset[str]:
    """Layers whose outputs folding may change: the folded, and what holds them, but not the norm.

    Args:
        pairs: names of the normalisations by those of the layers that they are folded into.
    """
    names = set(pairs)
    for layer, norm in pairs.items():
        parts = layer.split(".")
        outer = {".".join(parts[:depth]) for depth in range(1, len(parts))}
        names |= {name for name in outer if not norm.startswith(f"{name}.")}
    return frozenset(names)


def _close(module: nn.Module, example: Tensor, expected: Tensor) -> bool:
    """Whether the outputs are those `expected`, up to rounding."""
    try:
        error = (logits_of(module(example)) - expected).abs().amax()
    except Exception as problem:  # the module's own code decides what it raises
        if is_out_of_memory(problem):
            raise
        return False
    return bool(error <= TOLERANCE * expected.abs().amax())


def _failure(module: nn.Module, example: Tensor) -> str:
    """Why `module` cannot be used on inputs like `example`; empty where it can."""
    try:
        output = logits_of(module(example))
    except Exception as problem:  # the module's own code decides what it raises
        if is_out_of_memory(problem):
            raise
        return f"fails in it ({type(problem).__name__})"
    return "" if bool(output.isfinite().all()) else "answers with NaN or infinity in it"


def _last_weighted(calls: list[_Call]) -> str:
    """The last convolution or linear layer that runs, if it runs once; empty otherwise."""
    names = [call.name for call in calls]
    for call in reversed(calls):
        if isinstance(call.part, (*CONVOLUTIONS, nn.Linear)):
            return call.name if names.count(call.name) == 1 else ""
    return ""
