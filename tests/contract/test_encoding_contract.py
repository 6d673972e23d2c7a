"""The contract of every encoding in conf/encoding/."""

from synth.contract.test_encoding import *  # noqa: F403
