"""Configurations as YAML: the text of `OmegaConf.to_yaml`, sooner where there is libyaml."""

from __future__ import annotations

from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf._utils import OmegaConfDumper


class _Dumper(getattr(yaml, "CDumper", yaml.Dumper)):  # type: ignore[misc]
    """The quotes of OmegaConf around strings that look like numbers or truth values."""


_Dumper.add_representer(str, OmegaConfDumper.str_representer)


def yaml_of(cfg: Any) -> str:
    """The YAML of a configuration, interpolations as they are written.

    Args:
        cfg: a configuration, or plain lists and dictionaries.
    """
    if OmegaConf.is_config(cfg):
        cfg = OmegaConf.to_container(cfg, resolve=False, enum_to_str=True)
    options = {"default_flow_style": False, "allow_unicode": True, "sort_keys": False}
    try:
        return yaml.dump(cfg, Dumper=_Dumper, **options)
    except UnicodeEncodeError:  # of a name that is not UTF-8, which libyaml does not write
        return yaml.dump(cfg, Dumper=OmegaConfDumper, **options)
