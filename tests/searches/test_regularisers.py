"""The regularisers of Yosinski et al. 2015: clipping by contribution, and the published sets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from console import CONF
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from synth.errors import InputError
from synth.searches.regularisers import Regularisers

ORIGIN = torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1)


@pytest.mark.parametrize("percentage", [2.0, 33.3, 90.0])
def test_pixels_that_contribute_least_are_set_to_the_origin(percentage: float) -> None:
    draws = torch.Generator().manual_seed(0)
    genome = torch.rand(2, 3, 9, 11, generator=draws)
    gradient = torch.randn(2, 3, 9, 11, generator=draws)
    rule = Regularisers(clip_contributions=percentage)
    assert rule.active
    result = rule(genome, gradient, ORIGIN, 0)
    for row in range(2):
        difference = genome[row] - ORIGIN[0]
        # what the score would lose, to first order, were each pixel alone set to the origin
        lost = np.array(
            [
                [abs(float(gradient[row, :, y, x] @ difference[:, y, x])) for x in range(11)]
                for y in range(9)
            ]
        )
        saved = torch.from_numpy(lost > np.sort(lost.flatten())[int(99 * percentage / 100) - 1])
        assert int((~saved).sum()) == int(99 * percentage / 100)
        torch.testing.assert_close(
            result[row], torch.where(saved, genome[row], ORIGIN[0].expand(3, 9, 11))
        )


def test_a_percentage_is_below_a_hundred() -> None:
    with pytest.raises(InputError, match=r"search\.regularisers\.clip_contributions=100"):
        Regularisers(clip_contributions=100.0)


def _composed(*overrides: str) -> dict[str, float]:
    """The numbers that a command gives the regularisers."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        settings = compose("config", overrides=list(overrides)).search.regularisers
    return {str(key): value for key, value in settings.items() if key != "_target_"}


# decay, blur, every, clipped by norm, by contribution: as published, but for the second decay
PUBLISHED = {
    "none": (0.0, 1.0, 0, 0.0, 0.0),
    "yosinski_1": (0.0, 0.5, 4, 50.0, 0.0),
    "yosinski_2": (0.03, 1.0, 0, 20.0, 0.0),
    "yosinski_3": (0.0001, 1.0, 4, 0.0, 0.0),
    "yosinski_4": (0.0, 0.5, 4, 0.0, 90.0),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_one_word_exchanges_the_regularisers_and_nothing_else(name: str) -> None:
    result = _composed("recipe=class_ascent", f"search/regularisers={name}")
    words = ("decay", "blur_sigma", "blur_every", "clip_pixels", "clip_contributions")
    assert tuple(result.pop(word) for word in words) == PUBLISHED[name]
    assert result == {"clip_gradients": 0.0}
    changed = _composed(
        "recipe=class_ascent", f"search/regularisers={name}", "search.regularisers.decay=0.5"
    )
    assert changed["decay"] == 0.5
    assert _composed("recipe=class_ascent")["blur_every"] == 4
