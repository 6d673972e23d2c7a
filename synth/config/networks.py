"""The networks of torchvision and timm as options of the group ``network``, beside ``conf/``'s.

``network=vgg19`` is ``network=torchvision network.name=vgg19``; a name that torchvision does not
have, ``network=deit_tiny_patch16_224``, is timm's. They are read from the sources, because
importing either imports torch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

GROUP = "network"


@lru_cache(maxsize=1)
def classifiers() -> tuple[str, ...]:
    """Names of torchvision's classifiers, in alphabetical order; empty where it is not there."""
    return _registered("torchvision")


@lru_cache(maxsize=1)
def timm_models() -> tuple[str, ...]:
    """Names of timm's models, likewise, without the tags of weights that may follow a dot."""
    return _registered("timm")


def _registered(package: str) -> tuple[str, ...]:
    """The functions in ``models/`` of a package that are decorated as models."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return ()
    names: list[str] = []
    for path in (Path(spec.origin).parent / "models").glob("*.py"):
        parts = re.split(r"\n@register_model\b", path.read_text(encoding="utf-8"))[1:]
        names += [name for part in parts for name in re.findall(r"\ndef (\w+)\(", part)[:1]]
    return tuple(sorted(names))


def loader_of(name: str) -> str | None:
    """The option of the group that loads the network `name` by its name; None where none does."""
    if name in classifiers():
        return "torchvision"
    return "timm" if name.partition(".")[0] in timm_models() else None


def offer_classifiers(conf: Path, words: Sequence[str]) -> None:
    """Makes those networks of torchvision and timm options that `words` of a command line choose.

    Args:
        conf: the folder of the configuration; its own options come first.
        words: ``network=vgg19``, ``network@transfer=vgg11,vgg13``.
    """
    for word in words:
        key, _, values = word.partition("=")
        if key.lstrip("+").partition("@")[0] != GROUP:
            continue
        for name in values.split(","):
            if (conf / GROUP / f"{name}.yaml").exists():
                continue
            loader = loader_of(name)
            if loader is not None:
                node = OmegaConf.load(conf / GROUP / f"{loader}.yaml")
                node.name = name
                ConfigStore.instance().store(name, node, group=GROUP)
