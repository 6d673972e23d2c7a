"""CPPNs taken apart: measures of graphs built by hand, sweeps, resume, and mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_worlds import NAMES, tiny_module, wrapped

from synth.core import Rows, graph
from synth.encodings.cppn import Cppn
from synth.encodings.cppn_nodes import graph_of
from synth.encodings.cppn_weights import CppnWeights
from synth.encodings.pixels import Pixels
from synth.engine.experiment import Experiment
from synth.errors import InputError
from synth.objectives.scores import ClassScore
from synth.probes.cppn_parts import CppnParts, _Parts
from synth.record.folder_record import FolderRecord
from synth.record.memory_record import MemoryRecord
from synth.searches.gradient import Gradient

X, Y, DISTANCE, CONSTANT, FIRST, SECOND, RED, GREEN, BLUE = range(9)
GAUSSIAN, LINEAR, SIGMOID = 3, 4, 2


def built(
    *links: tuple[int, int, float], functions: tuple[int, int] = (GAUSSIAN, LINEAR)
) -> _Parts:
    """A graph of two hidden nodes and linear colours, from (to, from, weight)."""
    graphs = graph.blank(1, 4, 2, 3, torch.device("cpu"))[0]
    graphs[FIRST : SECOND + 1, graph.FUNCTION] = torch.tensor(functions).float()
    graphs[FIRST : SECOND + 1, graph.PLACE] = torch.tensor([0.3, 0.6])
    graphs[RED:, graph.FUNCTION] = LINEAR
    for end, start, weight in links:
        graphs[end, graph.WEIGHTS + start] = weight
    return _Parts(Cppn((32, 32), hidden=2, first=0), graphs)


def test_a_weight_of_a_small_spot_changes_little_of_the_image_and_a_background_all() -> None:
    spot = built((FIRST, DISTANCE, 4.0), (RED, FIRST, 0.5), (RED, CONSTANT, 0.4))
    share = dict(zip(map(spot.name, range(3)), spot.changes, strict=True))
    assert [*share] == ["distance to Gaussian 0", "constant to red", "Gaussian 0 to red"]

    def changed(name: str) -> float:
        change = share[name].double()
        return float(change.sum() ** 2 / (change.numel() * change.square().sum()))

    assert changed("constant to red") == pytest.approx(1.0, abs=0.05)
    even = built((RED, CONSTANT, 0.4)).numbers()
    assert (even["changed_share"], even["symmetry"], even["hidden_nodes"]) == (1.0, 1.0, 0)
    assert even["independent_nodes"] is None
    assert (built().numbers()["connections"], built().strongest(3)) == (0, [])


def test_symmetry_stays_where_only_the_distance_is_read_and_goes_with_x() -> None:
    round_one = built((FIRST, DISTANCE, 2.0), (GREEN, FIRST, 0.8)).numbers()
    assert (round_one["symmetry"], round_one["symmetry_kept"]) == (1.0, 1.0)
    tilted = built((SECOND, X, 0.7), (SECOND, Y, 0.7), (BLUE, SECOND, 1.0)).numbers()
    assert float(str(tilted["symmetry"])) < 0.1
    links = ((FIRST, X, 1.0), (SECOND, X, 1.0), (RED, FIRST, 1.0), (RED, SECOND, 1.0))
    alike = built(*links, functions=(LINEAR, LINEAR))
    assert alike.numbers()["independent_nodes"] == pytest.approx(0.5)


def test_a_sweep_ends_with_the_image_and_passes_the_one_without_the_weight() -> None:
    parts = built((FIRST, X, 3.0), (RED, FIRST, 0.9), (GREEN, DISTANCE, 0.5))
    weight = parts.strongest(8)[0]
    frames = parts.swept(weight, [-1.0, 0.0, 1.0])
    assert torch.equal(frames[2], parts.image)
    without = parts.genome.clone()
    end, start = parts.weights[weight].tolist()
    without[end, graph.WEIGHTS + start] = 0.0
    assert torch.equal(frames[1], _Parts(parts.encoding, without).image)
    assert len({int(parts.weights[place, 1]) for place in parts.strongest(8)}) == 3


def test_what_is_swept_is_the_weight_of_the_genome_and_not_of_the_graph() -> None:
    """A Gaussian unit's offset is a part of the graph's constants, and stays where it is."""
    encoding = CppnWeights((16, 16), 2, 8)
    genome = 2 * encoding.start(Rows(torch.arange(1), torch.arange(1)))[0]
    parts = _Parts(encoding, genome)
    assert len(parts.weights) == len(genome)
    assert sorted(parts._places.tolist()) == list(range(len(genome)))
    names = [parts.name(weight) for weight in range(len(genome))]
    row = Rows(torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    for weight in (0, names.index(next(n for n in names if n.startswith("Gaussian"))), -1):
        turned = genome.clone()
        turned[parts._places[weight]] *= -1
        weight %= len(genome)
        assert torch.equal(parts.swept(weight, [-1.0])[0], encoding.decode(turned[None], row)[0])
    # the connection's ends are those that the graph has
    end, start = parts.weights[0].tolist()
    without = genome.clone()
    without[parts._places[0]] = 0.0
    assert graph_of(encoding, without)[end, graph.WEIGHTS + start] == 0


def search(targets: list[str], encoding: object = None) -> Experiment:
    network = wrapped(tiny_module(len(NAMES), gain=8.0), NAMES)
    chosen = encoding or CppnWeights(16, 1, 4)
    return Experiment(
        network, chosen, ClassScore(targets, "log_probability"), Gradient(2, "adam", 0.1)
    )  # type: ignore[arg-type]


def test_it_goes_on_from_the_searches_of_an_earlier_attempt(tmp_path: Path) -> None:
    entry = search(["lemon"])
    probe = CppnParts(entry.network, {"trained": entry}, 16, weights=2, frames=3)
    first = probe.run(FolderRecord(tmp_path))
    entry.search_method.steps = 0  # a second search would end at its start
    again = probe.run(FolderRecord(tmp_path))
    assert again.findings == first.findings
    assert [figure.file for figure in first.figures] == ["figures/000.png", "figures/001.png"]
    (tmp_path / "genomes_trained.safetensors").unlink()
    with pytest.raises(InputError, match=r"genomes_trained\.safetensors is gone or damaged"):
        probe.run(FolderRecord(tmp_path))
    memory = MemoryRecord()
    entry = search(["lemon"])
    CppnParts(entry.network, {"trained": entry}, 16, weights=2, frames=3).run(memory)
    tensors = memory.saved_tensors["cppn_parts.safetensors"]
    assert tensors["trained.changes"].shape == (len(tensors["trained.weights"]), 16, 16)


@pytest.mark.parametrize(
    ("targets", "encoding", "message"),
    [
        (["lemon", "teapot"], None, "searches 2 images; name one class"),
        (["lemon"], Pixels(16), "paints without nodes"),
    ],
)
def test_what_has_no_parts_is_refused(targets: list[str], encoding: object, message: str) -> None:
    entry = search(targets, encoding)
    with pytest.raises(InputError, match=message):
        CppnParts(entry.network, {"trained": entry})


def test_frames_without_a_middle_and_images_beyond_the_memory_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("synth.core.hardware.total_memory", lambda device: 1 << 30)
    entry = search(["lemon"])
    with pytest.raises(InputError, match="frames=4: write an odd number"):
        CppnParts(entry.network, {"trained": entry}, frames=4)
    with pytest.raises(InputError, match="size=4096: the changes by all weights take"):
        CppnParts(entry.network, {"trained": entry}, size=4096)
