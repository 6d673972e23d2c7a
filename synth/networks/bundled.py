"""Takes the name of an architecture of ours; gives the network in the box, or one trained by `train_classifier`."""

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
    """The network `name` with the weights in the box, or with those of the file `weights`.

    The file carries its own classes, size and normalisation. The same arguments give the same object, so
    that a sweep loads it once. With `fit` it reads pictures of any size, scaled to its own.
    """
    architectures.builder(
        name, "network.name"
    )  # says so where there is none, before a file is looked for
    path = Path(weights) if weights else BOX / f"{name}.safetensors"
    return _load(
        name, path, path.stat().st_mtime_ns if path.is_file() else 0, device, precision, fit
    )


@lru_cache(maxsize=4)
def _load(name: str, path: Path, _changed: int, device: str, precision: str, fit: bool) -> Network:
    state, metadata = weights_io.read(path)
    classes, size, mean, std = (
        weights_io.json_of(metadata, key, path) for key in ("classes", "size", "mean", "std")
    )
    try:
        names = [str(entry["name"]) for entry in classes]
        known = Classes(
            names,
            [entry.get("wnid") for entry in classes],
            [entry.get("imagenet_index") for entry in classes],
        )
        side = int(size[0] if isinstance(size, list) else size)
        (r, g, b), (sr, sg, sb) = map(float, mean), map(float, std)
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise InputError(
            f"network.weights={path}: its metadata (classes, size, mean, std) cannot be read; "
            "give a file written by synth recipe=train_classifier."
        ) from error
    module = architectures.builder(name)(classes=len(known))
    weights_io.fill(module, state, path, name)
    return Network(
        module,
        name=name,
        classes=known,
        size=(side, side),
        mean=(r, g, b),
        std=(sr, sg, sb),
        sha256=weights_io.sha256(path),
        device=device,
        precision=precision,
        fit=fit,
    )
