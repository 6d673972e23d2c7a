"""Takes the name of a torchvision classifier; gives it as a network, with weights from a file, the cache or the web."""

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
from synth.networks import weights_io

IMAGENET = Path(__file__).parent / "imagenet.tsv"


def torchvision(
    name: str,
    weights: str | None = None,
    device: str = "auto",
    precision: str = "float32",
    fit: bool = False,
) -> Network:
    """The torchvision classifier `name` with its ImageNet-1k weights (``IMAGENET1K_V1``), or those of a file.

    Without a file they come from torch hub's cache, and are fetched by torchvision where that is empty; a
    machine without either gets an InputError that says how to give a file. With `fit` it reads pictures of any
    size, scaled to its own. Loaded once per process.
    """
    choices = models.list_models(module=models)
    if name not in choices:
        raise InputError(
            f"network.name={name}: torchvision has no such classifier.{nearest(name, choices)}"
        )
    path = Path(weights) if weights else _fetched(name, _preset(name))
    return _load(
        name, path, path.stat().st_mtime_ns if path.is_file() else 0, device, precision, fit
    )


def _preset(name: str) -> WeightsEnum:
    presets = models.get_model_weights(name)
    return getattr(presets, "IMAGENET1K_V1", None) or next(iter(presets))


def _fetched(name: str, preset: WeightsEnum) -> Path:
    """The weights file in torch hub's cache, fetched if it is not there."""
    url = preset.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = path.stem.rsplit("-", 1)[
            -1
        ]  # torchvision names its files after the start of their SHA-256
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
    options = {"aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = False  # spares a slow initialisation that the file overwrites
    state, _ = weights_io.read(path)
    module = models.get_model(name, weights=None, **options)
    if options:  # the auxiliary heads serve training alone
        state = {
            key: value for key, value in state.items() if not key.startswith(("aux", "AuxLogits"))
        }
        # Their weights were trained on inputs of mean .5 and deviation .5. torchvision turns the usual
        # normalisation into that one inside the model, but only when it loads the weights itself.
        module.transform_input = True  # type: ignore[assignment]
    weights_io.fill(module, state, path, name)
    looks = preset.transforms()
    size = looks.crop_size[0]
    return Network(
        module,
        name=name,
        classes=_imagenet(preset.meta["categories"]),
        size=(size, size),
        mean=looks.mean,
        std=looks.std,
        sha256=weights_io.sha256(path),
        device=device,
        precision=precision,
        fit=fit,
    )


def _imagenet(categories: list[str]) -> Classes:
    with IMAGENET.open(encoding="utf-8") as file:
        synsets = [row["wnid"] for row in csv.DictReader(file, delimiter="\t")]
    if len(categories) != len(synsets):
        return Classes(categories)
    return Classes(categories, synsets, list(range(len(categories))))
