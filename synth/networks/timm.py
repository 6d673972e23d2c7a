"""Classifiers of timm, with weights from a file, the Hugging Face cache or the web.

timm is an extra: ``pip install synth[timm]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.request import urlopen

import torch
from torch import nn

from synth.core.classes import Classes
from synth.core.hardware import is_out_of_memory
from synth.core.network import Network, sha256_of_state
from synth.errors import InputError, first_line, nearest
from synth.files import path_of
from synth.networks import weights_io
from synth.networks.class_names import classes_of, imagenet
from synth.networks.random_weights import RANDOM, draw, seeded

FILES = ("model.safetensors", "pytorch_model.bin")  # of weights on the hub


def timm(
    name: str,
    weights: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    fit: bool = False,
    num_classes: int | None = None,
    classes: str | Sequence[str] | None = None,
    seed: int = 0,
) -> Network:
    """The classifier `name` of timm; loaded once per process.

    Normalisation, size and classes are those of the model's own configuration. Pictures are read
    whole: its ``crop_pct``, the share of a photograph that is read in an evaluation, is not used.

    Args:
        name: as ``timm.list_models`` gives them, ``vit_tiny_patch16_224``; a tag of weights may
            follow, ``vit_tiny_patch16_224.augreg_in21k_ft_in1k``.
        weights: a file with its state dict, alone or in a checkpoint beside other things (see
            `synth.networks.weights_io`), or ``random``. By default those of the tag, or the first
            ones of the model, from the Hugging Face cache, into which they are downloaded.
        device: ``auto``, ``cpu``, ``cuda:0``.
        precision: of what searches read: ``auto``, ``float32`` or ``bfloat16``.
        fit: whether images of another size are scaled to the network's.
        num_classes: outputs of another head; by default as many as the file has, else the model's.
        classes: names of the outputs, a list or a file (`synth.networks.class_names`); by default
            those in the file, else ImageNet's, else "0", "1", ...
        seed: of random weights.

    Raises:
        InputError: timm is not installed or has no such model, weights that are neither cached nor
            can be downloaded, a damaged file, or weights of another network.
    """
    library = _library(f"network.name={name}")
    base, _, tag = name.partition(".")
    if not library.is_model(base) or ":" in name:
        hint = nearest(name, library.list_models())
        raise InputError(f"network.name={name}: timm has no such model.{hint}")
    if tag and name not in library.list_pretrained(f"{base}.*"):
        hint = nearest(name, library.list_pretrained(f"{base}.*"))
        raise InputError(f"network.name={name}: timm has no such weights.{hint}")
    if num_classes is not None and num_classes < 1:
        raise InputError(f"network.num_classes={num_classes}: write 1 or more.")
    if weights is None and num_classes is not None:
        raise InputError(
            f"network.num_classes={num_classes}: timm has no weights of {name} for another head; "
            "write network.weights=FILE, or network.weights=random."
        )
    path = None if weights in (None, RANDOM) else path_of(str(weights), "network.weights")
    changed = 0 if path is None else weights_io.modified(path)
    labels = classes if classes is None or isinstance(classes, str) else tuple(classes)
    pretrained = weights is None
    return _load(name, path, changed, pretrained, num_classes, labels, seed, device, precision, fit)


def _library(where: str) -> ModuleType:
    try:
        import timm as library
    except ImportError as error:
        raise InputError(f"{where}: timm is not installed; pip install timm.") from error
    return library


@lru_cache(maxsize=4)
def _load(
    name: str,
    path: Path | None,
    _changed: int,
    pretrained: bool,
    num_classes: int | None,
    labels: str | tuple[str, ...] | None,
    seed: int,
    device: str,
    precision: str,
    fit: bool,
) -> Network:
    names: Sequence[str] | None = None
    sha256 = None
    if path is None:
        module = _fetched(name) if pretrained else seeded(lambda: _built(name, num_classes), seed)
    else:
        contents = weights_io.checkpoint(path)
        names = contents.names
        if num_classes is None:
            with torch.device("meta"):
                outline = _built(name)
            count = int(getattr(outline, "num_classes", 0))
            size = weights_io.head_size(outline, contents.state, count)
            num_classes = None if size == count else size
        module = _built(name, num_classes)
        weights_io.fill(module, contents.state, path, name)
        sha256 = weights_io.sha256(path)
    from timm.data import resolve_model_data_config

    about = resolve_model_data_config(module)
    size = tuple(about["input_size"][1:])
    if path is None and not pretrained:
        draw(module, size, about["mean"], about["std"], seed)
    own = None if num_classes else _classes(module)
    network = Network(
        module,
        name=name,
        classes=classes_of(labels, names) or own,
        size=size,
        mean=tuple(about["mean"]),
        std=tuple(about["std"]),
        sha256=sha256 or sha256_of_state(module),
        device=device,
        precision=precision,
        fit=fit,
        copy=False,
    )
    if path is not None:
        grey = torch.full((1, 3, *size), 0.5, device=network.device)
        weights_io.check_answer(network(grey), path)
    return network


def _built(name: str, classes: int | None = None) -> nn.Module:
    """The module, untrained, with a head for so many classes, by default its own."""
    settings: dict[str, Any] = {} if classes is None else {"num_classes": classes}
    return _library(f"network.name={name}").create_model(name, pretrained=False, **settings)


def _fetched(name: str) -> nn.Module:
    """The module with its weights, downloaded if they are not in the cache."""
    try:
        _check_reachable(name)
        return _library(f"network.name={name}").create_model(name, pretrained=True)
    except Exception as error:  # of the hub's many kinds
        if is_out_of_memory(error):
            raise
        raise InputError(
            f"network.name={name}: its weights are not in the Hugging Face cache and could not be "
            f"fetched ({first_line(error)[:100]}); write network.weights=FILE (or random)."
        ) from error


def _check_reachable(name: str) -> None:
    """Raises OSError where weights that are not cached cannot be asked for; the hub tries long."""
    from huggingface_hub import constants, try_to_load_from_cache

    hub = _library(f"network.name={name}").get_pretrained_cfg(name).hf_hub_id
    if hub and not any(isinstance(try_to_load_from_cache(hub, file), str) for file in FILES):
        urlopen(f"{constants.ENDPOINT}/{hub}/resolve/main/config.json", timeout=10).close()


def _classes(module: nn.Module) -> Classes | None:
    """The classes that timm has for a model of its own; None where it has none."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    about = getattr(module, "pretrained_cfg", None)
    count = getattr(module, "num_classes", 0)
    if not isinstance(about, Mapping) or about.get("num_classes") != count:
        return None
    subset = infer_imagenet_subset(module)
    if count == 1000:
        from torchvision.models._meta import _IMAGENET_CATEGORIES

        return imagenet(_IMAGENET_CATEGORIES)
    if subset is None:
        return None
    info = ImageNetInfo(subset)
    names = [info.index_to_description(index) for index in range(info.num_classes())]
    return Classes(names, info.label_names())
