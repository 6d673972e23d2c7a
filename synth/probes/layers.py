"""A list of a network's layers in the order they run: names, shapes, parameters, what they see."""

from __future__ import annotations

from rich.table import Table

from synth.core.network import OUTPUT, Network
from synth.errors import printable
from synth.networks.receptive_field import receptive_fields
from synth.probes.probe import Measurement, Probe
from synth.record.progress import plain_console
from synth.record.record import Record

NOTHING = "\u2013"  # an en dash, as on the page
WIDTH = 110  # columns, where the output is piped


class Layers(Probe):
    """Prints a row a layer: the name that ``layer=`` takes, output shape, parameters, and sight.

    The receptive field is that of a unit in the middle, in pixels; ``all`` where it sees the whole
    picture. The stride is the distance between the fields of neighbours, where there are
    neighbours that see something else.

    Args:
        network: the network.
    """

    def __init__(self, network: Network) -> None:
        super().__init__(network)

    def measure(self, record: Record) -> Measurement:
        network = self.network
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column("layer")
        table.add_column("kind")
        table.add_column("output", justify="right")
        table.add_column("parameters", justify="right")
        table.add_column("sees", justify="right")
        table.add_column("stride", justify="right")
        fields = receptive_fields(network)
        rows = []
        for name, shape in network.layers.items():
            kind, parameters = "logits", 0
            if name != OUTPUT:
                module = network.part(name)
                kind = type(module).__name__
                parameters = sum(value.numel() for value in module.parameters())
            field = fields[name]
            sight = "all" if field.whole else " x ".join(map(str, field.extent))
            neighbours = min(shape[1:], default=1) > 1
            stride = (neighbours and max(field.stride)) or None  # 0 where all see the same
            rows.append(
                {
                    "layer": name,
                    "kind": kind,
                    "shape": list(shape),
                    "parameters": parameters,
                    "receptive_field": sight,
                    "stride": stride,
                }
            )
            dimensions = " x ".join(map(str, shape))
            step = NOTHING if stride is None else str(stride)
            table.add_row(printable(name), kind, dimensions, f"{parameters:,}", sight, step)
        total = sum(value.numel() for value in network.module.parameters())
        console = plain_console(piped_width=WIDTH)
        console.print(table)
        height, width = network.size
        only = " only" if network.one_size else ""
        console.print(
            f"{printable(network.name)}: {total:,} parameters, {len(network.classes)} classes, "
            f"pictures of {height} x {width}{only}, weights {network.sha256[:12]}",
            highlight=False,
        )
        findings = {"parameters": total, "classes": len(network.classes), "layers": len(rows)}
        return Measurement(findings=findings, layers=rows)
