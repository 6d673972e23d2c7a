"""Any ``nn.Module`` that maps [n, 3, h, w] to scores as a network: an object, or a path to code.

The path is code that is imported and run. It is the user's own, on the command line or in a file of
his: what comes out of a run folder, a picture or weights never reaches `module`.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, no_type_check

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from synth.core.classes import Classes
from synth.core.hardware import is_out_of_memory
from synth.core.network import Network, copied
from synth.data.sizes import Size, size_of
from synth.errors import BrokenModule, InputError, first_line, nearest
from synth.files import find_modules_here, path_of
from synth.networks import weights_io
from synth.networks.class_names import classes_of
from synth.networks.random_weights import RANDOM, draw, seeded

WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)
log = logging.getLogger(__name__)

IMAGENET_CLASSES = 1000
SIZE = 224  # that most classifiers of photographs read


@no_type_check  # what is given is checked here, for errors in one line
def wrap(
    module: nn.Module,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    size: Size = None,
    classes: Classes | Sequence[str] | Mapping[int, str] | str | None = None,
    *,
    name: str | None = None,
    device: str | torch.device = "auto",
    precision: str = "auto",
    fit: bool = False,
) -> Network:
    """A copy of the caller's module as a network that reads RGB images in [0, 1].

    The module itself stays as it is: weights, training mode, ``requires_grad``, hooks, device. Its
    hooks belong to what it computes (spectral normalisation, an ablation), so they run in the copy
    too; remove those that only record before it is wrapped, or they record what searches read.

    Args:
        module: gives scores [n, classes], before the softmax, for images [n, 3, h, w].
        mean: of each channel of its training images in [0, 1], by which it expects its inputs to
            be normalised; a single number stands for all three. By default those that the module
            carries (timm's ``pretrained_cfg``), else 0: a module that normalises inside needs none.
        std: their standard deviation, likewise; 1 by default.
        size: height and width in pixels that it was trained at: a number, or [height, width]. By
            default the size that the module carries, else 224.
        classes: names of the outputs, in order, as a list, by index, or in a file with a name a
            line; "0", "1", ... by default.
        name: what records, pages and messages call it; the module's class name by default.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda:0``.
        precision: of what searches read: ``auto``, ``float32`` or ``bfloat16``.
        fit: whether images of another size are always scaled to the network's.

    Raises:
        InputError: no module, or one that gives no scores [n, classes] for images of that size.
    """
    module = _unwrapped(module)
    shape, means, deviations = _preprocessing(module, mean, std, size)
    network = Network(
        module,
        name=name,
        classes=classes_of(classes),
        size=shape,
        mean=means,
        std=deviations,
        device=str(device),
        precision=str(precision).removeprefix("torch."),
        fit=fit,
    )
    _check_answer(network)
    _warn_of_normalisation(network, mean is not None or "mean" in carried(module))
    return network


def module(
    path: str,
    arguments: Mapping[str, Any] | None = None,
    weights: str | None = None,
    classes: str | Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    size: Size = None,
    name: str | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    fit: bool = False,
) -> Network:
    """The module that a function or class gives, as `wrap` makes it a network.

    Args:
        path: ``package.file:name``, of a function or class that gives the module. The file may be
            in the current folder.
        arguments: what it is called with, by name.
        weights: a file with its state dict, alone or in a checkpoint beside other things (see
            `synth.networks.weights_io`); ``random`` for freshly drawn ones; by default the module
            is taken as it is given.
        classes: names of the outputs, a list or a file (`synth.networks.class_names`); by default
            those in the weights file, else "0", "1", ...
        mean: as of `wrap`.
        std: as of `wrap`.
        size: as of `wrap`.
        name: as of `wrap`.
        seed: of the random numbers that are drawn while it is made.
        device: ``auto``, ``cpu``, ``cuda:0``.
        precision: of what searches read: ``auto``, ``float32`` or ``bfloat16``.
        fit: whether images of another size are always scaled to the network's.

    Raises:
        InputError: no such function, one that fails or gives no module, a damaged file, weights of
            another module, and as `wrap`.
    """
    build = _function(path)
    made = seeded(lambda: _made(build, path, arguments or {}), seed)
    if weights is not None:
        made = copied(made, name or type(made).__name__.lower())  # it may be in use elsewhere
    if weights == RANDOM:
        draw(made, *_preprocessing(made, mean, std, size), seed, anew=True)
    names = None
    if weights not in (None, RANDOM):
        file = path_of(str(weights), "network.weights")
        contents = weights_io.checkpoint(file)
        names = contents.names
        weights_io.fill(made, contents.state, file, name or type(made).__name__.lower())
    labels = classes_of(classes, names)
    return wrap(
        made, mean, std, size, labels, name=name, device=device, precision=precision, fit=fit
    )


def _function(path: str) -> Callable[..., object]:
    """The function or class of ``package.file:name``."""
    where = f"network.path={path}"
    place, _, attribute = path.partition(":") if ":" in path else path.rpartition(".")
    if not place or not attribute:
        raise InputError(f"{where}: write package.file:function.")
    find_modules_here()
    try:
        file = importlib.import_module(place)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{place}.".startswith(f"{missing}."):
            if place.endswith(".py"):
                module = place.removesuffix(".py").strip("/").replace("/", ".")
                raise InputError(f"{where}: write {module}:{attribute}.") from error
            raise InputError(
                f"{where}: there is no module {missing}, neither installed nor in this folder."
            ) from error
        kind = type(error).__name__
        raise BrokenModule(
            f"{where}: {place} failed while it was imported: {kind}: {first_line(error)}"
        ) from error
    value = getattr(file, attribute, None)
    if not callable(value):
        hint = nearest(attribute, [key for key in vars(file) if not key.startswith("_")])
        raise InputError(f"{where}: {place} has no function or class {attribute}.{hint}")
    return value


def _made(build: Callable[..., object], path: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The module that `build` gives, or is."""
    try:
        result = build if isinstance(build, nn.Module) else build(**arguments)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        kind = type(error).__name__
        raise BrokenModule(
            f"network.path={path}: it failed: {kind}: {first_line(error)}"
        ) from error
    if not isinstance(result, nn.Module):
        raise InputError(
            f"network.path={path}: it gives a {type(result).__name__}, and a torch nn.Module is "
            "wanted."
        )
    return result


def _unwrapped(module: object) -> nn.Module:
    """The module itself, where it is wrapped to train on several devices, or compiled."""
    if not isinstance(module, nn.Module):
        kind = type(module).__name__
        raise InputError(f"network: a {kind} is no module; give a torch nn.Module.")
    if isinstance(module, Network):
        raise InputError(f"network: {module.name} is a network already; use it as it is.")
    while isinstance(module, WRAPPERS) or hasattr(module, "_orig_mod"):
        module = getattr(module, "_orig_mod", None) or module.module
        assert isinstance(module, nn.Module)
    for key, value in (*module.named_parameters(), *module.named_buffers()):
        if is_lazy(value) or value.is_meta:
            raise InputError(
                f"network: {key} has no numbers yet; load the weights, or call the module once."
            )
    return module


def _check_answer(network: Network) -> None:
    """Raises InputError where a grey image is answered with NaN, naming the weights at fault."""
    with torch.inference_mode():
        answer = network(torch.full((1, 3, *network.size), 0.5, device=network.device))
    if bool(answer.isfinite().all()):
        return
    tensors = (*network.module.named_parameters(), *network.module.named_buffers())
    bad = [name for name, value in tensors if not bool(value.isfinite().all())]
    reason = f"; {bad[0]} holds NaN or infinity" if bad else ", though its weights are finite"
    raise InputError(f"network: {network.name} answers a grey image with NaN{reason}.")


def _warn_of_normalisation(network: Network, normalises: bool) -> None:
    """Warns where images are certainly normalised twice, or likely not at all.

    Neither shows in the predictions for a few photographs: they stay plausible.
    """
    first = network.part(next(iter(network.layers)))
    own = not type(first).__module__.startswith("torch.nn.")
    inside = own and re.search("normali[sz]", type(first).__name__.lower()) is not None
    identity = not bool(network.mean.any()) and bool((network.scale == 1).all())
    if inside and not identity:
        log.warning(
            "%s normalises images itself (%s), and mean and std normalise them once more: leave "
            "mean and std out.",
            *(network.name, type(first).__name__),
        )
    elif not inside and not normalises and len(network.classes) == IMAGENET_CLASSES:
        log.warning(
            "%s is given without mean and std, so nothing is normalised; most classifiers of 1,000 "
            "classes were trained with mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225).",
            network.name,
        )


def _preprocessing(
    module: nn.Module, mean: Any, std: Any, size: Any
) -> tuple[tuple[int, int], tuple[float, ...], tuple[float, ...]]:
    """Size, mean and std: the user's, else those that the module carries, else the defaults."""
    own = carried(module)
    shape = size_of(_sides(own.get("size", SIZE) if size is None else size), "network size")
    assert shape is not None
    means = own.get("mean", 0.0) if mean is None else mean
    deviations = own.get("std", 1.0) if std is None else std
    return shape, _channels(means, "mean"), _channels(deviations, "std")


def _sides(size: Any) -> Size:
    """Whole sides, of which some may be given as floats."""
    sides = list(size) if hasattr(size, "__iter__") and not isinstance(size, str) else [size]
    try:
        whole = [int(side) for side in sides]
        fits = not isinstance(size, str) and whole == [float(side) for side in sides]
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise InputError(
            f"network size={size}: write one number, or [height, width], from 8 to 8192 pixels."
        )
    return whole if len(whole) > 1 else whole[0] if whole else []


def _channels(values: Any, word: str) -> tuple[float, ...]:
    """One number for each channel from these, or from a single one."""
    try:
        many = values.tolist() if isinstance(values, Tensor) else values
        return tuple(map(float, many if hasattr(many, "__iter__") else [many] * 3))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"network {word}={values}: write three numbers, for red, green and blue."
        ) from error


def carried(module: nn.Module) -> dict[str, Any]:
    """`size`, `mean` and `std` of the training images, as far as a module carries them itself."""
    own = getattr(module, "pretrained_cfg", None)  # timm's
    if not isinstance(own, Mapping):
        return {}
    about = {key: own[key] for key in ("mean", "std") if own.get(key)}
    if own.get("input_size"):
        about["size"] = list(own["input_size"][1:])
    return about
