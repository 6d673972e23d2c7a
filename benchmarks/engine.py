"""Speed and results of the engine: python -m benchmarks.engine [startup step synth ...]

Prints one row a figure; figures are startup, step, synth, classes, pictures. Ratios are medians
over interleaved pairs in one process. `pictures` needs SqueezeNet weights and photographs in the
folder that SYNTH_SHARED names (default ../shared).
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
SECONDS = 12.0  # of one ratio
SYNTH = str(Path(sys.executable).parent / "synth")


def main() -> None:
    """Measures the figures named on the command line, or all."""
    figures = sys.argv[1:] or list(FIGURES)
    unknown = set(figures) - set(FIGURES)
    if unknown:
        sys.exit(f"no such figure: {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    processor = platform.processor() or platform.machine()
    print(f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name in figures:
        for what, value in FIGURES[name]():
            print(f"{what:<112} {value}", flush=True)


def startup() -> list[tuple[str, str]]:
    """Seconds until a mistyped recipe is reported, the start of the interpreter included."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([SYNTH, "recipe=fooling_gradent"], capture_output=True, check=False)
        times.append(time.perf_counter() - start)
    return [("a mistyped recipe is reported, whole process", f"{statistics.median(times):.2f} s")]


def step() -> list[tuple[str, str]]:
    """One gradient step of the engine against a bare forward and backward to the input.

    Bare is the network alone: as searches read it, and as it is, in float32.
    """
    import torch

    from synth.config import process
    from synth.core.network import OUTPUT
    from synth.core.weighted_sum import WeightedSum
    from synth.encodings.pixels import Pixels
    from synth.engine.experiment import Experiment
    from synth.networks.bundled import bundled
    from synth.networks.torchvision import torchvision
    from synth.objectives.priors import L2, TotalVariation
    from synth.objectives.scores import ClassScore
    from synth.searches.gradient import Gradient

    process.keep_freed()  # as the command line does, for both sides
    rows = []
    networks = [bundled("mini_alexnet"), bundled("mini_resnet")]
    weights = SHARED / "weights/squeezenet1_1.fp16.safetensors"
    if weights.is_file():
        networks.append(torchvision("squeezenet1_1", str(weights)))
    for network in networks:
        target = list(range(16))
        objective = WeightedSum({"class": ClassScore(target), "l2": L2(), "tv": TotalVariation()})
        for monitored, monitor in (("", None), (" + monitor", ClassScore(target, "probability"))):
            experiment = Experiment(network, Pixels(), objective, Gradient(), monitor=monitor)
            problem = experiment.problem
            items = experiment.rows
            states = [Gradient(steps=1000).init(problem, items)]
            index = torch.tensor(target, device=network.device)

            def engine_step(
                problem=problem, items=items, states=states, search=experiment.search_method
            ) -> None:
                states[0], _ = search.step(problem, items, states[0], 0)

            first = problem.start(items)

            def bare_step(fast: bool, network=network, index=index, images=first) -> None:
                images = images.detach().requires_grad_()
                logits = network.read(images, (OUTPUT,), fast=fast)[OUTPUT]
                torch.autograd.grad(logits.gather(1, index[:, None]).sum(), images)

            for fast in (True, False):
                kind = f"{network.precision}, folded" if fast else "float32, as it is"
                what = (
                    f"{network.name}: bare forward + backward ({kind}) / a step, batch 16, "
                    f"pixels + L2 + TV{monitored}"
                )
                ratio = _ratio(partial(bare_step, fast), engine_step, network.device.type)
                rows.append((what, f"{ratio:.3f}"))
    return rows


def _ratio(first: Callable[[], None], second: Callable[[], None], device: str) -> float:
    """The median of time(first) / time(second) over pairs run one after the other.

    As many pairs as fit in `SECONDS`, from 8 to 60.
    """
    import torch

    def timed(call: Callable[[], None]) -> float:
        start = time.perf_counter()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    for call in (first, second) * 3:
        call()
    ratios: list[float] = []
    start = time.perf_counter()
    while len(ratios) < 8 or (len(ratios) < 60 and time.perf_counter() - start < SECONDS):
        ratios.append(timed(first) / timed(second))
    return statistics.median(ratios)


def synth() -> list[tuple[str, str]]:
    """The command `synth` without arguments."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run = subprocess.Popen(
            [SYNTH, f"folder={folder}/run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # the peak of this process alone
        _, _, used = os.wait4(run.pid, 0)
        seconds = time.perf_counter() - start
        peak = used.ru_maxrss / 1024
        contenders = json.loads(Path(folder, "run", "result.json").read_text())["contenders"]
    rows = [("bare synth, whole process", f"{seconds:.0f} s, peak memory {peak:,.0f} MB")]
    for name, totals in contenders.items():
        passes = f"{totals['forwards']:,} forwards, {totals['backwards']:,} backwards"
        confidence = f"mean confidence {totals['mean_confidence']:.4f}"
        text = f"{totals['success']} of {totals['items']}, {confidence}, {passes}"
        rows.append((f"  {name}: fooled", text))
    return rows


def classes() -> list[tuple[str, str]]:
    """Every class of the bundled network, from noise, in one batch."""
    return [_fooled("all 100 classes from noise, mini AlexNet", ["target=all"], 0.99)]


def pictures() -> list[tuple[str, str]]:
    """Twenty photographs towards random classes inside 8/255."""
    weights = SHARED / "weights/squeezenet1_1.fp16.safetensors"
    archive = SHARED / "data/imagenet_samples_500.tar"
    if not (weights.is_file() and archive.is_file()):
        return [("20 photographs to random classes", f"skipped: no {weights} and {archive}")]
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as tar:
            names = sorted(name for name in tar.getnames() if name.endswith(".jpg"))[::25][:20]
            tar.extractall(folder, [tar.getmember(name) for name in names], filter="data")
        words = [
            f"images={folder}/*/*/*.jpg",
            "target=random",
            "network=squeezenet1_1",
            f"network.weights={weights}",
            "encoding.epsilon=0.03137254",
            "until=0.9",
        ]
        return [
            _fooled("20 photographs to random classes, SqueezeNet 1.1, L-inf 8/255", words, 0.9)
        ]


def _fooled(what: str, words: list[str], until: float) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [SYNTH, "recipe=fooling_gradient", f"folder={folder}/run", *words],
            check=True,
            capture_output=True,
        )
        result = json.loads(Path(folder, "run", "result.json").read_text())
    items = result["items"]
    good = sum(
        item["predicted"] == item["target"] and item["confidence"] >= until for item in items
    )
    far = max((item["linf"] or 0) for item in items)
    ball = f", L-inf at most {far * 255:.0f}/255" if far else ""
    return (
        what,
        f"{good} of {len(items)} at >= {until} on the saved file{ball}, {result['seconds']:.1f} s",
    )


FIGURES = {
    "startup": startup,
    "step": step,
    "synth": synth,
    "classes": classes,
    "pictures": pictures,
}

if __name__ == "__main__":
    main()
