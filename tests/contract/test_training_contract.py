"""The contract of every architecture in conf/training/."""

from synth.contract.test_training import *  # noqa: F403
