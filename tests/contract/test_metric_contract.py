"""The contract of every metric in conf/metric/."""

from synth.contract.test_metric import *  # noqa: F403
