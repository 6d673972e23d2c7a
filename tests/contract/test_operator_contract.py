"""The contract of every operator in conf/search/."""

from synth.contract.test_operator import *  # noqa: F403
