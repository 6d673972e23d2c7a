"""The classifiers of torchvision as options of the group ``network``, beside those of ``conf/``.

``network=vgg19`` is ``network=torchvision network.name=vgg19``. The names are read from
torchvision's sources, because importing it imports torch.
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
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return ()
    names: list[str] = []
    for path in (Path(spec.origin).parent / "models").glob("*.py"):
        parts = path.read_text(encoding="utf-8").split("\n@register_model()")[1:]
        names += [name for part in parts for name in re.findall(r"\ndef (\w+)\(", part)[:1]]
    return tuple(sorted(names))


def offer_classifiers(conf: Path, words: Sequence[str]) -> None:
    """Makes those classifiers of torchvision options that `words` of a command line choose.

    Args:
        conf: the folder of the configuration; its own options come first.
        words: ``network=vgg19``, ``network@transfer=vgg11,vgg13``.
    """
    for word in words:
        key, _, values = word.partition("=")
        if key.lstrip("+").partition("@")[0] != GROUP:
            continue
        for name in values.split(","):
            if not (conf / GROUP / f"{name}.yaml").exists() and name in classifiers():
                node = OmegaConf.load(conf / GROUP / "torchvision.yaml")
                node.name = name
                ConfigStore.instance().store(name, node, group=GROUP)
