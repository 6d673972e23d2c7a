"""The contract of every transform in conf/transform/."""

from synth.contract.test_transform import *  # noqa: F403
