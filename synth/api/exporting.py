"""Data sets from Python: `export`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import no_type_check

from synth.api import running
from synth.api.runs import places_of
from synth.core.network import Network
from synth.datasets import export as written
from synth.datasets.card import NO_LICENCE
from synth.datasets.embedding import Embedding
from synth.datasets.exporting import SHARD, DataSet
from synth.errors import InputError
from synth.files import path_of
from synth.gallery.finding import find_runs


@no_type_check  # what is given is checked here, for errors in one line
def export(
    runs: str | Path | Sequence[str | Path],
    out: str | Path,
    to: str = "folder",
    *,
    splits: Mapping[str, float] | None = None,
    drop: str = "none",
    shard: int = SHARD,
    licence: str = NO_LICENCE,
    title: str | None = None,
    embedding: Network | str | None = None,
    layer: str | None = None,
) -> DataSet:
    """Writes the pictures of finished runs as a data set, with a card, metadata and genomes.

    Args:
        runs: run folders, folders above them, or patterns such as ``runs/**``.
        out: the folder of the data set, which must not exist, or be empty.
        to: ``folder`` (class folders with ``metadata.jsonl``), ``webdataset`` (tar files), or
            ``parquet``.
        splits: shares of the splits by name; ``{"train": 0.8, "validation": 0.1, "test": 0.1}`` by
            default. The split of a picture follows from its pixels.
        drop: which copies of pictures are left out: ``none``, ``exact``, ``near`` (both).
        shard: megabytes of a tar or Parquet file at most, about.
        licence: as Hugging Face names it, ``cc0-1.0``.
        title: of the data set; the name of `out` by default.
        embedding: a network, for the columns ``embedding``, ``projection_x`` and ``projection_y``
            of Parquet files.
        layer: its layer; the penultimate one by default.

    Returns:
        The data set: ``.folder``, ``.pictures``, ``.splits``, ``.classes``, ``.skipped``.

    Raises:
        InputError: for anything that cannot be used; nothing is then left behind.

    Example:
        >>> synth.export("runs/gallery", "gallery", to="parquet").splits
        {'train': 1604, 'validation': 203, 'test': 193}
    """
    sources = [runs] if isinstance(runs, str | Path) else list(runs)
    places = [place for source in sources for place in places_of(source)]
    folders = sorted(set(find_runs(places).finished))
    if not folders:
        raise InputError(
            f"{', '.join(map(str, sources))}: there is no finished run there; name a folder that "
            "holds runs, such as runs/."
        )
    embed = None
    if embedding is not None:
        network = embedding if isinstance(embedding, Network) else running.network(embedding)
        embed = Embedding(network, layer)
    return written(
        folders,
        path_of(out, "out"),
        to,
        splits=splits,
        drop=drop,
        shard=shard,
        licence=licence,
        title=title,
        embed=embed,
    )
