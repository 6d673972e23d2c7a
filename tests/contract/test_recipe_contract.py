"""The contract of every recipe in conf/recipe/."""

from synth.contract.test_recipe import *  # noqa: F403
