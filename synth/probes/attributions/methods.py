"""Attribution methods by name."""

from __future__ import annotations

from collections.abc import Sequence

from synth.core.network import Network
from synth.errors import InputError, nearest
from synth.probes.attributions.attribution import Attribution
from synth.probes.attributions.fills import check_fill
from synth.probes.attributions.grad_cam import GradCam, GuidedGradCam, check_map
from synth.probes.attributions.gradients import (
    GradientTimesInput,
    GuidedBackprop,
    IntegratedGradients,
    SmoothGrad,
    Vanilla,
)
from synth.probes.attributions.random_map import RandomMap
from synth.probes.attributions.rise import Rise

NAMES = (
    "vanilla",
    "guided_backprop",
    "grad_cam",
    "guided_grad_cam",
    "gradient_x_input",
    "smoothgrad",
    "integrated_gradients",
    "rise",
)
RANDOM = "random"  # the floor, in an evaluation
_TITLES = {
    "grad_cam": "Grad-CAM",
    "guided_grad_cam": "guided Grad-CAM",
    "gradient_x_input": "gradient x input",
    "smoothgrad": "SmoothGrad",
    "rise": "RISE",
    RANDOM: "random map",
}


def methods_of(
    network: Network,
    names: str | Sequence[str],
    *,
    samples: int = 25,
    noise: float = 0.15,
    integration_steps: int = 50,
    baseline: str = "black",
    masks: int = 1000,
    cam_layer: str | None = None,
    word: str = "methods",
) -> dict[str, Attribution]:
    """Methods by name, in the order named.

    Args:
        network: that they will read.
        names: of `NAMES` or ``random``; ``all`` for all but the random map.
        samples: noisy copies of a picture, of smoothgrad.
        noise: of smoothgrad, as a share of the range of the picture's pixels.
        integration_steps: of integrated gradients.
        baseline: of integrated gradients, a word of `fills`.
        masks: of RISE.
        cam_layer: whose maps Grad-CAM weights; by default the deepest.
        word: the user's key for the names, for error messages.

    Raises:
        InputError: an unknown name, no name, a name twice, or a number out of range.
    """
    names = list(NAMES) if names == "all" else [names] if isinstance(names, str) else list(names)
    choices = (*NAMES, RANDOM)
    for name in names:
        if name not in choices:
            last = ", or all" if word == "methods" else ""
            hint = nearest(name, choices) or f" Write some of {', '.join(choices)}{last}."
            raise InputError(f"{word}={name}: no such method.{hint}")
    if not names or len(set(names)) < len(names):
        raise InputError(f"methods={names}: name at least one, and each once.")
    check_fill(baseline, "baseline")
    if cam_layer is not None:
        check_map(network, cam_layer)
    every: dict[str, Attribution] = {
        "vanilla": Vanilla(),
        "guided_backprop": GuidedBackprop(),
        "grad_cam": GradCam(cam_layer),
        "guided_grad_cam": GuidedGradCam(cam_layer),
        "gradient_x_input": GradientTimesInput(),
        "smoothgrad": SmoothGrad(samples, noise),
        "integrated_gradients": IntegratedGradients(integration_steps, baseline),
        "rise": Rise(masks),
        RANDOM: RandomMap(),
    }
    return {name: every[name] for name in names}


def title(name: str) -> str:
    """The name of a method as figures print it: ``Grad-CAM``, ``guided backprop``."""
    return _TITLES.get(name, name.replace("_", " "))
