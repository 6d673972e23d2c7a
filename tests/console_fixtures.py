"""The console script in the process of the test.

A test file has it by ``pytest_plugins = "console_fixtures"``.
"""

from synth.contract.fixtures import synth, weights

__all__ = ["synth", "weights"]
