"""ImageNet classifiers of torchvision, with weights from a file, torch hub's cache or the web."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from urllib.error import URLError

import torch
from torchvision import models
from torchvision.models import WeightsEnum

from synth.core.classes import Classes
from synth.core.network import Network
from synth.errors import InputError, nearest
from synth.files import path_of
from synth.networks import weights_io

IMAGENET = Path(__file__).parent / "imagenet.tsv"
INCEPTIONS = ("googlenet", "inception_v3")


def torchvision(
    name: str,
    weights: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    fit: bool = False,
) -> Network:
    """The torchvision classifier `name`, trained on ImageNet-1k; loaded once per process.

    Args:
        name: as `torchvision.models.list_models` gives them.
        weights: a file with its state dict. By default those of ``IMAGENET1K_V1``, from torch hub's
            cache, into which they are downloaded where it lacks them.
        device: ``auto``, ``cpu``, ``cuda:0``.
        precision: of what searches read: ``auto``, ``float32`` or ``bfloat16``.
        fit: whether images of another size are scaled to the network's.

    Raises:
        InputError: no such classifier, weights that are neither cached nor can be downloaded (the
            message says how to give a file), a damaged file, or weights of another network.
    """
    choices = models.list_models(module=models)
    if name not in choices:
        raise InputError(
            f"network.name={name}: torchvision has no such classifier.{nearest(name, choices)}"
        )
    path = _fetched(name, _preset(name)) if weights is None else path_of(weights, "network.weights")
    return _load(name, path, weights_io.modified(path), device, precision, fit)


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
            f"put {path.name} there, or write network.weights=FILE."
        ) from error
    return path


@lru_cache(maxsize=4)
def _load(name: str, path: Path, _changed: int, device: str, precision: str, fit: bool) -> Network:
    preset = _preset(name)
    state, _ = weights_io.read(path)
    if name in INCEPTIONS:
        # without the auxiliary heads, which serve training alone, and without a slow initialisation
        # that the file overwrites
        module = models.get_model(name, weights=None, aux_logits=False, init_weights=False)
        state = {
            key: value for key, value in state.items() if not key.startswith(("aux", "AuxLogits"))
        }
        # Their weights were trained on inputs of mean 0.5 and deviation 0.5. torchvision converts
        # the usual normalisation inside the model, but only when it loads the weights itself.
        module.transform_input = True  # type: ignore[assignment]
    else:
        module = models.get_model(name, weights=None)
    weights_io.fill(module, state, path, name)
    preprocessing = preset.transforms()
    size = preprocessing.crop_size[0]
    network = Network(
        module,
        name=name,
        classes=_imagenet(preset.meta["categories"]),
        size=(size, size),
        mean=preprocessing.mean,
        std=preprocessing.std,
        sha256=weights_io.sha256(path),
        device=device,
        precision=precision,
        fit=fit,
        copy=False,
    )
    grey = torch.full((1, 3, size, size), 0.5, device=network.device)
    weights_io.check_answer(network(grey), path)
    return network


def _imagenet(categories: list[str]) -> Classes:
    """ImageNet's classes with their WordNet synsets; names alone where there are not 1,000."""
    with IMAGENET.open(encoding="utf-8") as file:
        synsets = [row["wnid"] for row in csv.DictReader(file, delimiter="\t")]
    if len(categories) != len(synsets):
        return Classes(categories)
    return Classes(categories, synsets, list(range(len(categories))))
