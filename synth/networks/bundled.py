"""Networks of the bundled architectures, with the weights in the package or those of a file.

`recipe=train_classifier` writes such files: safetensors with the classes, the input size and the
normalisation in the metadata.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from synth.core.classes import Classes
from synth.core.network import Network
from synth.errors import InputError
from synth.networks import architectures, weights_io

BOX = Path(__file__).parent / "weights"


def bundled(
    name: str,
    weights: str | None = None,
    device: str = "auto",
    precision: str = "float32",
    fit: bool = False,
) -> Network:
    """A network of the architecture `name`.

    The same arguments give the same object, so that a sweep loads it once.

    Args:
        name: an architecture of `synth.networks.architectures`.
        weights: a file written by ``recipe=train_classifier``; by default the one in the package.
            It carries its own classes, size and normalisation.
        device: ``auto``, ``cpu``, ``cuda:0``.
        precision: ``float32`` or ``bfloat16``.
        fit: whether images of another size are scaled to the network's.

    Raises:
        InputError: no such architecture or file, a damaged file, or weights of another network.
    """
    architectures.builder(name, "network.name")  # an unknown name is reported before a lost file
    path = Path(weights) if weights else BOX / f"{name}.safetensors"
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    return _load(name, path, changed, device, precision, fit)


@lru_cache(maxsize=4)
def _load(name: str, path: Path, _changed: int, device: str, precision: str, fit: bool) -> Network:
    state, metadata = weights_io.read(path)
    entries = weights_io.json_of(metadata, "classes", path)
    size = weights_io.json_of(metadata, "size", path)
    mean = weights_io.json_of(metadata, "mean", path)
    std = weights_io.json_of(metadata, "std", path)
    try:
        classes = Classes(
            [str(entry["name"]) for entry in entries],
            [entry.get("wnid") for entry in entries],
            [entry.get("imagenet_index") for entry in entries],
        )
        side = int(size[0] if isinstance(size, list) else size)
        red, green, blue = map(float, mean)
        std_red, std_green, std_blue = map(float, std)
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise InputError(
            f"network.weights={path}: its metadata (classes, size, mean, std) cannot be read; "
            "give a file written by synth recipe=train_classifier."
        ) from error
    module = architectures.builder(name)(classes=len(classes))
    weights_io.fill(module, state, path, name)
    return Network(
        module,
        name=name,
        classes=classes,
        size=(side, side),
        mean=(red, green, blue),
        std=(std_red, std_green, std_blue),
        sha256=weights_io.sha256(path),
        device=device,
        precision=precision,
        fit=fit,
        copy=False,
    )
