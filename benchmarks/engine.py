"""What the engine costs and what it reaches: python -m benchmarks.engine [startup step synth classes pictures]

Prints one row a figure. Ratios are medians over interleaved pairs in one process. The pictures' figure needs
SqueezeNet weights and photographs, looked for in the folder that SYNTH_SHARED names (default ../shared).
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
from pathlib import Path

SHARED = Path(os.environ.get("SYNTH_SHARED", "../shared"))
SYNTH = str(Path(sys.executable).parent / "synth")


def main() -> None:
    """Measures the figures named on the command line, or all."""
    wanted = sys.argv[1:] or list(FIGURES)
    unknown = set(wanted) - set(FIGURES)
    if unknown:
        sys.exit(f"no such figure: {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    for name in wanted:
        for what, found in FIGURES[name]():
            print(f"{what:<78} {found}", flush=True)


def startup() -> list[tuple[str, str]]:
    """Seconds until a mistyped recipe is told, the interpreter's own start included."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([SYNTH, "recipe=fooling_gradent"], capture_output=True, check=False)
        times.append(time.perf_counter() - began)
    return [("a mistyped recipe is told, whole process", f"{statistics.median(times):.2f} s")]


def step() -> list[tuple[str, str]]:
    """One gradient step of the engine against a bare forward and backward to the input."""
    import torch

    from synth.cli import memory
    from synth.encodings.pixels import Pixels
    from synth.engine.experiment import Experiment
    from synth.networks.bundled import bundled
    from synth.objectives.priors import L2, TotalVariation
    from synth.objectives.scores import ClassScore
    from synth.objectives.weighted import WeightedSum
    from synth.searches.gradient import Gradient

    memory.keep_freed()  # as the command line does, for both sides
    rows = []
    for name in ("mini_alexnet", "mini_resnet"):
        network = bundled(name)
        target = list(range(16))
        objective = WeightedSum({"class": ClassScore(target), "l2": L2(), "tv": TotalVariation()})
        for monitored, monitor in (("", None), (" + watch", ClassScore(target, "probability"))):
            experiment = Experiment(network, Pixels(), objective, Gradient(), monitor=monitor)
            problem, who = experiment.problem, experiment.rows
            states = [Gradient(steps=1000).init(problem, who)]
            index = torch.tensor(target, device=network.device)

            def ours(problem=problem, who=who, states=states, search=experiment.search_method) -> None:
                states[0], _ = search.step(problem, who, states[0], 0)

            first = problem.start(who)

            def bare(network=network, index=index, images=first) -> None:
                images = images.detach().requires_grad_()
                torch.autograd.grad(network(images).gather(1, index[:, None]).sum(), images)

            what = (
                f"{name}: bare forward + backward / a step, batch 16, pixels + L2 + TV{monitored}"
            )
            rows.append((what, f"{_ratio(bare, ours, network.device.type):.3f}"))
    return rows


def _ratio(
    one: Callable[[], None], other: Callable[[], None], device: str, pairs: int = 60
) -> float:
    """The median of time(one) / time(other) over pairs run one after the other."""
    import torch

    def timed(call: Callable[[], None]) -> float:
        began = time.perf_counter()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    for call in (one, other) * 10:
        call()
    return statistics.median(timed(one) / timed(other) for _ in range(pairs))


def synth() -> list[tuple[str, str]]:
    """Bare `synth`, as a newcomer types it."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        run = subprocess.Popen(
            [SYNTH, f"folder={folder}/run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, _, used = os.wait4(
            run.pid, 0
        )  # the peak of this one process, not of all that ran before
        seconds, peak = time.perf_counter() - began, used.ru_maxrss / 1024
        found = json.loads(Path(folder, "run", "result.json").read_text())["contenders"]
    rows = [("bare synth, whole process", f"{seconds:.0f} s, peak memory {peak:,.0f} MB")]
    for name, one in found.items():
        passes = f"{one['forwards']:,} forwards, {one['backwards']:,} backwards"
        said = f"{one['success']} of {one['items']}, mean confidence {one['mean_confidence']:.4f}, {passes}"
        rows.append((f"  {name}: fooled", said))
    return rows


def classes() -> list[tuple[str, str]]:
    """Every class of the network in the box, from noise, in one batch."""
    return [_fooled("all 100 classes from noise, mini AlexNet", ["target=all"], 0.99)]


def pictures() -> list[tuple[str, str]]:
    """Twenty photographs towards random classes inside 8/255."""
    weights, archive = (
        SHARED / "weights/squeezenet1_1.fp16.safetensors",
        SHARED / "data/imagenet_samples_500.tar",
    )
    if not (weights.is_file() and archive.is_file()):
        return [("20 photographs to random classes", f"skipped: no {weights} and {archive}")]
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as tar:
            names = sorted(name for name in tar.getnames() if name.endswith(".jpg"))[::25][:20]
            tar.extractall(folder, [tar.getmember(name) for name in names], filter="data")
        words = [f"images={folder}/*/*/*.jpg", "target=random", "network=squeezenet1_1", f"network.weights={weights}",
                 "encoding.epsilon=0.03137254", "until=0.9"]  # fmt: skip
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
