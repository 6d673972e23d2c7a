"""The contract of every YAML file in conf/."""

from synth.contract.test_yaml import *  # noqa: F403
