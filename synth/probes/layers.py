"""Takes a network; lists its layers in the order they run, with output shapes and parameters, and its classes."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from synth.core.network import OUTPUT, Network
from synth.record.record import Record, versions


class Layers:
    """Prints one row a layer: the names that ``layer=`` takes, the shape of the output for one picture, parameters."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def run(self, record: Record) -> dict[str, Any]:
        """Prints the table and gives it as findings."""
        network = self.network
        table = Table(box=None, header_style="bold", pad_edge=False)
        for column, side in (
            ("layer", "left"),
            ("kind", "left"),
            ("output", "right"),
            ("parameters", "right"),
        ):
            table.add_column(column, justify=side)  # type: ignore[arg-type]
        rows = []
        for name, shape in network.layers.items():
            part = network.module if name == OUTPUT else network.module.get_submodule(name)
            own = 0 if name == OUTPUT else sum(value.numel() for value in part.parameters())
            kind = "scores" if name == OUTPUT else type(part).__name__
            rows.append({"layer": name, "kind": kind, "shape": list(shape), "parameters": own})
            table.add_row(name, kind, " x ".join(map(str, shape)), f"{own:,}" if own else "")
        parameters = sum(value.numel() for value in network.module.parameters())
        console = Console(width=None if Console().is_terminal else 110)
        console.print(table)
        height, width = network.size
        console.print(
            f"{network.name}: {parameters:,} parameters, {len(network.classes)} classes, "
            f"pictures of {height} x {width}, weights {network.sha256[:12]}",
            highlight=False,
        )
        return {
            "status": "done",
            "network": {"name": network.name, "sha256": network.sha256},
            "device": str(network.device),
            "versions": versions(),
            "items": [],
            "findings": {
                "parameters": parameters,
                "classes": len(network.classes),
                "layers": len(rows),
            },
            "layers": rows,
        }
