"""What a network prefers: `visualise`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, no_type_check

from synth.api.objectives import Spec
from synth.api.result import Result
from synth.api.running import run
from synth.core.network import Network

RECIPE = "class_ascent_fourier"


@no_type_check
def visualise(
    network: Network | str,
    objective: Spec | None = None,
    *,
    target: str | int | Sequence[str | int] | None = None,
    recipe: str = RECIPE,
    **settings: Any,
) -> Result:
    """Images that maximise an objective: the preferred image of a class, a unit, a layer.

    Args:
        network: of `synth.wrap` or `synth.network`, or a name.
        objective: ``"layer:unit"``, the mean activation of a channel (``output:17`` is the logit of
            class 17); ``"layer"``, half the mean squared activation of all of it; a function of
            activations by layer, such as ``lambda a: a["conv3"][:, 7].mean((1, 2))``; a list of
            these, an image each in one batch; or objectives of `synth.objectives`, which add and
            multiply by numbers.
        target: in its place classes by name, synset or index.
        recipe: how it is searched; ascent on the Fourier spectrum under random transforms by
            default (Olah et al. 2017).
        settings: as for `synth.run`: ``steps=256``, ``size=128``, ``seed=1``, ``folder=...``.

    Returns:
        The result; ``.images`` is float32 [n, 3, h, w] in [0, 1].

    Raises:
        InputError: as `synth.run`.

    Example:
        >>> synth.visualise("mini_alexnet", ["conv3:0", "conv3:1", "conv5:7"], steps=64).images
    """
    if target is not None:
        several = not isinstance(target, str) and hasattr(target, "__iter__")
        settings["target"] = list(target) if several else target
    if objective is not None:
        # a text without a colon is a layer here, where `run` takes it for the name of an option
        settings["objective"] = [objective] if isinstance(objective, str) else objective
    return run(recipe, network=network, **settings)
