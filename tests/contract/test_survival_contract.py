"""The contract of every survivor selection in conf/search/survive/."""

from synth.contract.test_survival import *  # noqa: F403
