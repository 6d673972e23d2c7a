"""The contract of every search in conf/search/."""

from synth.contract.test_search import *  # noqa: F403
