"""ImageNet classifiers of torchvision, with weights from a file, torch hub's cache or the web."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from urllib.error import URLError

import torch
from torch import nn
from torchvision import models
from torchvision.models import WeightsEnum

from synth.core.network import Network, sha256_of_state
from synth.errors import InputError, nearest
from synth.files import path_of
from synth.networks import weights_io
from synth.networks.class_names import classes_of, imagenet
from synth.networks.random_weights import RANDOM, draw, seeded

INCEPTIONS = ("googlenet", "inception_v3")


def torchvision(
    name: str,
    weights: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    fit: bool = False,
    num_classes: int | None = None,
    classes: str | Sequence[str] | None = None,
    seed: int = 0,
) -> Network:
    """The torchvision classifier `name`, trained on ImageNet-1k; loaded once per process.

    Args:
        name: as `torchvision.models.list_models` gives them.
        weights: a file with its state dict, alone or in a checkpoint beside other things (see
            `synth.networks.weights_io`), or ``random``. By default those of ``IMAGENET1K_V1``, from
            torch hub's cache, into which they are downloaded where it lacks them.
        device: ``auto``, ``cpu``, ``cuda:0``.
        precision: of what searches read: ``auto``, ``float32`` or ``bfloat16``.
        fit: whether images of another size are scaled to the network's.
        num_classes: outputs of another head; by default as many as the file has, else 1000.
        classes: names of the outputs, a list or a file (`synth.networks.class_names`); by default
            those in the file, else ImageNet's where there are 1,000, else "0", "1", ...
        seed: of random weights.

    Raises:
        InputError: no such classifier, weights that are neither cached nor can be downloaded (the
            message says how to give a file), a damaged file, or weights of another network.
    """
    choices = models.list_models(module=models)
    if name not in choices:
        raise InputError(
            f"network.name={name}: torchvision has no such classifier.{nearest(name, choices)}"
        )
    if num_classes is not None and num_classes < 1:
        raise InputError(f"network.num_classes={num_classes}: write 1 or more.")
    path = None
    if weights is None:
        count = len(_preset(name).meta["categories"])
        if num_classes not in (None, count):
            raise InputError(
                f"network.num_classes={num_classes}: torchvision's weights of {name} are for "
                f"{count}; write network.weights=FILE, or network.weights=random."
            )
        path = _fetched(name, _preset(name))
    elif weights != RANDOM:
        path = path_of(weights, "network.weights")
    changed = 0 if path is None else weights_io.modified(path)
    labels = classes if classes is None or isinstance(classes, str) else tuple(classes)
    return _load(name, path, changed, num_classes, labels, seed, device, precision, fit)


def _preset(name: str) -> WeightsEnum:
    presets = models.get_model_weights(name)
    return getattr(presets, "IMAGENET1K_V1", None) or next(iter(presets))


def _fetched(name: str, preset: WeightsEnum) -> Path:
    """The weights file in torch hub's cache, downloaded if it is not there."""
    url = preset.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # torchvision names its files after the beginning of their SHA-256
        digest = path.stem.rsplit("-", 1)[-1]
        torch.hub.download_url_to_file(url, str(path), hash_prefix=digest)
    except (URLError, OSError, RuntimeError) as error:
        raise InputError(
            f"network.name={name}: its weights are not in {path.parent} and could not be fetched; "
            f"put {path.name} there, or write network.weights=FILE (or random)."
        ) from error
    return path


@lru_cache(maxsize=4)
def _load(
    name: str,
    path: Path | None,
    _changed: int,
    num_classes: int | None,
    labels: str | tuple[str, ...] | None,
    seed: int,
    device: str,
    precision: str,
    fit: bool,
) -> Network:
    preset = _preset(name)
    categories = preset.meta["categories"]
    count = num_classes or len(categories)
    names: Sequence[str] | None = None
    preprocessing = preset.transforms()
    size = preprocessing.crop_size[0]
    if path is None:
        module = seeded(lambda: _built(name, count), seed)
        draw(module, (size, size), preprocessing.mean, preprocessing.std, seed)
        sha256 = sha256_of_state(module)
    else:
        contents = weights_io.checkpoint(path)
        state = contents.state
        names = contents.names
        if name in INCEPTIONS:
            # without the auxiliary heads, which serve training alone
            state = {key: v for key, v in state.items() if not key.startswith(("aux", "AuxLogits"))}
        if num_classes is None:
            with torch.device("meta"):
                count = weights_io.head_size(_built(name, count), state, count)
        module = _built(name, count)
        weights_io.fill(module, state, path, name)
        sha256 = weights_io.sha256(path)
    classes = classes_of(labels, names)
    network = Network(
        module,
        name=name,
        classes=imagenet(categories) if classes is None and count == len(categories) else classes,
        size=(size, size),
        mean=preprocessing.mean,
        std=preprocessing.std,
        sha256=sha256,
        device=device,
        precision=precision,
        fit=fit,
        copy=False,
    )
    if path is not None:
        grey = torch.full((1, 3, size, size), 0.5, device=network.device)
        weights_io.check_answer(network(grey), path)
    return network


def _built(name: str, classes: int) -> nn.Module:
    """The module, untrained, with a head for so many classes."""
    if name not in INCEPTIONS:
        return models.get_model(name, weights=None, num_classes=classes)
    # without a slow initialisation that a file overwrites
    module = models.get_model(
        name, weights=None, aux_logits=False, init_weights=False, num_classes=classes
    )
    # Their weights were trained on inputs of mean 0.5 and deviation 0.5. torchvision converts the
    # usual normalisation inside the model, but only when it loads the weights itself.
    module.transform_input = True  # type: ignore[assignment]
    return module
