"""Types of configurations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Config = Any  # a DictConfig, whose own type hints beartype calls out of date
Settings = Mapping[str, Any]  # a configuration as plain dictionaries and lists
