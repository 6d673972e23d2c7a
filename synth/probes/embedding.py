"""Embedding: vectors of pictures at a layer, their nearest neighbours, and maps of all of them.

Neighbours in a layer's space stand beside neighbours in the space of pixels, with the share that is
of the same class. Pictures of earlier runs can be set among the natural ones.
Source: Krizhevsky, Sutskever & Hinton 2012, "ImageNet classification with deep convolutional
networks", whose figure 4 has such neighbours; van der Maaten & Hinton 2008 for the maps.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from synth import data
from synth.core.hardware import check_results_fit
from synth.core.network import Network
from synth.data.collection import Collection
from synth.errors import InputError, check_least
from synth.networks.style_layers import penultimate_layer
from synth.probes.embeddings import parquet, viewer
from synth.probes.embeddings.neighbours import (
    Neighbours,
    chance,
    mean_interval,
    nearest,
    same_class,
)
from synth.probes.embeddings.projections import (
    NAMES,
    check_maps,
    has_umap,
    pca,
    project,
    share_in_plane,
    silhouette,
)
from synth.probes.embeddings.runs import run_pictures
from synth.probes.embeddings.sheets import Row, colours, map_sheet, neighbour_sheet
from synth.probes.embeddings.vectors import Vectors
from synth.probes.probe import Measurement, Probe
from synth.record import progress
from synth.record.record import Record
from synth.record.result import Figure, Json

log = logging.getLogger(__name__)

QUERIES = 10_000  # pictures whose neighbours are looked for, evenly over all, at most
ROW = 8  # neighbours of each space on a sheet
NATURAL = "images"  # the source of the pictures that are no run's


@dataclass(frozen=True)
class _Pictures:
    """What is embedded: the natural pictures first, then those of runs.

    Attributes:
        vectors: float32 [n, d].
        thumbnails: uint8 [n, 3, side, side].
        names: of their files.
        classes: names of the classes.
        labels: int64 [n], -1 for none.
        sources: `NATURAL`, and the recipes of the runs.
        of: source of each, int64 [n].
        natural: how many are no run's.
    """

    vectors: Tensor
    thumbnails: Tensor
    names: list[str]
    classes: list[str]
    labels: Tensor
    sources: list[str]
    of: Tensor
    natural: int

    def label(self, row: int) -> str:
        """The name of a picture's class; empty for none."""
        label = int(self.labels[row])
        return self.classes[label] if label >= 0 else ""


class Embedding(Probe):
    """Vectors of a folder's pictures at a layer, compared with their pixels, and maps of them.

    A copy of a picture, by its pixels as the network reads them, is left out: it would be its own
    nearest neighbour. The class of a picture is the folder it is in, of a run's picture its target.

    Tensors ``embedding``: ``embeddings`` float32 [n, d]; ``places`` int64 [m] of the m natural
    pictures, which come first, among the files of `images`; ``labels`` int64 [n] in the order of
    the findings' ``class_names``, -1 for none; ``source`` int64 [n], 0 for `images`; ``queries``
    int64 [q], and of each ``neighbours``, ``neighbours_cosine``, ``neighbours_pixels`` int64
    [q, k], rows of the embeddings, with ``distances``, ``distances_cosine``, ``distances_pixels``;
    ``map_pca`` [n, 3], ``map_tsne`` and ``map_umap`` [n, 2].

    Args:
        network: the network.
        images: a folder, glob or list of pictures, 2 or more.
        layer: the layer; None for the penultimate one. A layer with places is averaged over them.
        runs: folders or patterns of finished runs, whose pictures are mapped too.
        k: neighbours a picture.
        shown: pictures on the sheet of neighbours, those on which the two spaces disagree most.
        maps: ``tsne``, ``umap``, ``pca`` or a list of them; the first is drawn. None for t-SNE, and
            UMAP where it is installed. There is always a PCA.
        pixels: height and width in pixels at which pictures are compared pixel by pixel, or the
            network's where that is smaller.
        parquet: whether ``embedding.parquet`` is written; None for where pyarrow is installed.
        seed: of the maps.

    Raises:
        InputError: for pictures, a layer, a run or a map that does not exist, a number out of
            range, or pictures beyond the memory.
    """

    needs_pictures = True

    def __init__(
        self,
        network: Network,
        images: data.Sources,
        layer: str | None = None,
        runs: str | Path | Sequence[str | Path] | None = None,
        k: int = 5,
        shown: int = 8,
        maps: str | Sequence[str] | None = None,
        pixels: int = 32,
        parquet: bool | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(network, images, penultimate_layer(network) if layer is None else layer)
        check_least(1, k=k, shown=shown, pixels=pixels)
        if len(self.pictures) < 2:
            raise InputError("images: one picture has no neighbours; name 2 or more.")
        chosen = ["tsne", *(["umap"] if has_umap() else [])] if maps is None else maps
        self.maps = [chosen] if isinstance(chosen, str) else list(dict.fromkeys(chosen))
        check_maps(self.maps)
        self.maps = self.maps or ["pca"]
        self.runs = run_pictures(runs) if runs is not None else []
        self.k = k
        self.shown = shown
        self.size = (min(pixels, network.size[0]), min(pixels, network.size[1]))
        self.side = viewer.thumbnail_side(len(self.pictures) + len(self.runs))
        self.parquet = _wants_parquet(parquet)
        self.seed = seed
        shape = network.layers[self.layers[0]]
        self._average = f" (the mean over {_product(shape[1:])} places)" if shape[1:] else ""
        self._check_memory()

    def _check_memory(self) -> None:
        width = 4 * self.network.layers[self.layers[0]][0]
        bytes_each = width + 3 * (self.size[0] * self.size[1] + self.side**2)
        check_results_fit(
            bytes_each * (len(self.pictures) + len(self.runs)),
            f"images: vectors and pixels of {len(self.pictures)} pictures",
            "name fewer, or write a smaller pixels=",
        )

    def measure(self, record: Record) -> Measurement:
        collection = self.pictures
        of_runs = None
        if self.runs:
            # before the folder's pass, whose skipped files are those that count
            self.collection = Collection([picture.path for picture in self.runs], "runs")
            of_runs = self._scan(record, "pictures of runs")
            self.collection = collection
        natural = self._scan(record, "pictures")
        everything = self._joined(natural, of_runs)
        count = everything.natural
        if count < 2:
            raise InputError("images: all pictures are copies of one; name 2 or more.")
        if self.k > count - 1:
            log.warning("k=%d: there are %d pictures, so k is %d", self.k, count, count - 1)
        k = min(self.k, count - 1)
        queries = torch.linspace(0, count - 1, min(count, QUERIES)).round().long()
        spaces = self._neighbours(everything.vectors[:count], natural.pixels, queries, k)
        with progress.Steps("maps", 1 + len(self.maps)) as bar:
            maps = {"pca": pca(everything.vectors, 3, self.seed)}
            for number, name in enumerate(self.maps, 1):
                bar.at(number, NAMES[name])
                if name != "pca":
                    maps[name] = project(name, everything.vectors, self.seed)
            bar.at(1 + len(self.maps), "")
        findings = self._findings(everything, natural, spaces, queries, maps, k)
        figures = [
            self._neighbour_sheet(record, everything, natural, spaces, queries),
            self._map_sheet(record, everything, maps[self.maps[0]]),
        ]
        self._save(record, everything, natural, spaces, queries, maps)
        return Measurement(findings, figures=figures)

    # -- the pass --------------------------------------------------------------------------------

    def _scan(self, record: Record, title: str) -> Vectors:
        (layer,) = self.layers
        tally = Vectors(self.network, layer, len(self.pictures), self.size, self.side)
        self.scan(record, [layer], {"vectors": tally}, title)
        broken = int((~tally.vectors.isfinite().all(1)).sum())
        if broken:
            raise InputError(
                f"layer={layer}: {self.network.name} answers {broken} pictures with NaN or "
                "infinity; name another layer."
            )
        if tally.duplicates:
            log.warning("%s: %d copies of another are left out", title, tally.duplicates)
        return tally

    def _joined(self, natural: Vectors, of_runs: Vectors | None) -> _Pictures:
        places = natural.places.tolist()
        folders = [self._class_name(self.pictures.folders[place]) for place in places]
        if len(set(folders)) < 2:
            log.warning("images: they are in one folder, so there are no classes to compare")
            folders = [""] * len(folders)
        names = [self.pictures.names[place] for place in places]
        sources = [NATURAL] * len(places)
        runs = [] if of_runs is None else [self.runs[place] for place in of_runs.places.tolist()]
        targets = folders + [picture.target for picture in runs]
        names += [picture.path.name for picture in runs]
        sources += [picture.recipe for picture in runs]
        classes = sorted(set(targets) - {""})
        numbers = {name: number for number, name in enumerate(classes)}
        parts = [natural] if of_runs is None else [natural, of_runs]
        kinds = list(dict.fromkeys(sources))
        return _Pictures(
            vectors=torch.cat([part.vectors for part in parts]).cpu(),
            thumbnails=torch.cat([part.thumbnails for part in parts]),
            names=names,
            classes=classes,
            labels=torch.tensor([numbers.get(name, -1) for name in targets]),
            sources=kinds,
            of=torch.tensor([kinds.index(source) for source in sources]),
            natural=len(places),
        )

    def _class_name(self, folder: str) -> str:
        """The folder's name; of a synset the class's."""
        classes = self.network.classes
        synsets = list(classes.synsets)
        return classes.label(synsets.index(folder)) if folder in synsets else folder

    def _neighbours(
        self, vectors: Tensor, pixels: Tensor, queries: Tensor, k: int
    ) -> dict[str, Neighbours]:
        spaces = {"": (vectors, "l2"), "_cosine": (vectors, "cosine"), "_pixels": (pixels, "l2")}
        near = {}
        with progress.Steps("neighbours", len(spaces)) as bar:
            for number, (name, (base, metric)) in enumerate(spaces.items(), 1):
                near[name] = nearest(base[queries], base, k, metric, queries, self.network.device)
                bar.at(number, "")
        return near

    # -- numbers ---------------------------------------------------------------------------------

    def _findings(
        self,
        everything: _Pictures,
        natural: Vectors,
        spaces: dict[str, Neighbours],
        queries: Tensor,
        maps: dict[str, Tensor],
        k: int,
    ) -> dict[str, Json]:
        (layer,) = self.layers
        shape = self.network.layers[layer]
        findings: dict[str, Json] = {
            "pictures": everything.natural,
            "layer": layer,
            **({"averaged_over": f"{_product(shape[1:])} places"} if shape[1:] else {}),
            "duplicate_pictures": natural.duplicates,
            "dimensions": everything.vectors.shape[1],
            "k": k,
        }
        last = self._of_runs(everything) | _class_names(everything)
        count = everything.natural
        labels = everything.labels[:count]
        classed = bool((labels >= 0).all())
        if classed and int(labels.bincount().max()) < 2:
            log.warning("images: no class has two pictures, so there is no share of the same class")
            classed = False
        if not classed:
            return findings | last
        shares = {
            name: same_class(space.rows, labels[queries], labels) for name, space in spaces.items()
        }
        titles = {"": f"{layer}, L2", "_cosine": f"{layer}, cosine", "_pixels": "pixels, L2"}
        rows = [_space(titles[name], share) for name, share in shares.items()]
        map_shares = {}
        for name, points in maps.items():
            plane = points[:count, :2]
            share = share_in_plane(plane, labels, k, queries)
            row = _space(f"{NAMES[name]} map", share)
            map_shares[name] = row["same_class"]
            rows.append(row | {"silhouette": _rounded(silhouette(plane, labels, self.seed))})
        findings |= {
            "classes": len(labels.unique()),
            "neighbour_share_features": rows[0]["same_class"],
            "neighbour_share_cosine": rows[1]["same_class"],
            "neighbour_share_pixels": rows[2]["same_class"],
            "neighbour_share_chance": _rounded(chance(labels)),
            "map_share": map_shares[self.maps[0]],
        }
        return findings | {"spaces": rows} | last

    def _of_runs(self, everything: _Pictures) -> dict[str, Json]:
        """How near pictures of runs are to natural ones, a record a recipe."""
        if not self.runs:
            return {}
        count = everything.natural
        base = everything.vectors[:count]
        rows = torch.arange(count)[:QUERIES]
        plain = nearest(base[rows], base, 1, own=rows, device=self.network.device)
        middle = float(plain.distances.median())
        records = []
        for number, source in enumerate(everything.sources[1:], 1):
            own = (everything.of == number).nonzero()[:, 0]
            k = min(self.k, count)
            near = nearest(everything.vectors[own], base, k, device=self.network.device)
            labels, natural = everything.labels[own], everything.labels[:count]
            share = same_class(near.rows, labels, natural)[labels >= 0]
            classed = len(share) > 0 and bool((natural >= 0).all())
            records.append(
                {
                    "recipe": source,
                    "pictures": len(own),
                    "natural_neighbours_of_its_class": _rounded(float(share.mean()))
                    if classed
                    else None,
                    # 1 is as far as a natural picture is from its nearest
                    "distance_to_natural": _rounded(
                        float(near.distances[:, 0].median()) / max(middle, 1e-12)
                    ),
                }
            )
        return {"run_pictures": len(self.runs), "sources": records}

    # -- figures and files -----------------------------------------------------------------------

    def _neighbour_sheet(
        self,
        record: Record,
        everything: _Pictures,
        natural: Vectors,
        spaces: dict[str, Neighbours],
        queries: Tensor,
    ) -> Figure:
        (layer,) = self.layers
        compared = [spaces[""], spaces["_pixels"]]
        order = _disagreement(*compared, queries, everything.labels)[: self.shown]

        def image(row: int) -> Tensor:
            place = int(natural.places[row])
            return self.pictures.picture(place).at(self.network.size)

        def label(row: int) -> str:
            return everything.label(row) or everything.names[row]

        rows = []
        for number in order.tolist():
            query = int(queries[number])
            own = everything.labels[query]
            near = [
                [
                    (image(row), label(row), bool(own >= 0 and everything.labels[row] == own))
                    for row in space.rows[number, :ROW].tolist()
                ]
                for space in compared
            ]
            rows.append(Row((image(query), label(query)), near))
        headings = ("Picture", f"Nearest in {layer}", "Nearest in pixels")
        sheet = data.from_image(neighbour_sheet(rows, headings))
        caption = (
            f"Pictures, their nearest neighbours in {layer}{self._average} and in pixels (at "
            f"{_product(self.size)}), by the L2 distance, the nearest first. "
            f"{'Green: of the same class. ' if everything.classes else ''}"
            "The pictures are those on which the two disagree most."
        )
        return Figure(record.picture(0, sheet, {}, "figures"), caption)

    def _map_sheet(self, record: Record, everything: _Pictures, points: Tensor) -> Figure:
        draws = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(points), generator=draws)
        # those of runs first, which are few
        first = order[everything.of[order].gt(0).logical_not().long().argsort(stable=True)]
        names, groups = everything.classes, everything.labels
        by = "class"
        if self.runs:
            names, groups, by = everything.sources, everything.of, "where they come from"
        sheet, drawn = map_sheet(points[:, :2], everything.thumbnails, groups, names, first)
        file = io.BytesIO()
        sheet.save(file, "PNG")
        record.keep("map.png", file.getvalue())
        dots = f"; the other {len(points) - drawn} are dots" if drawn < len(points) else ""
        coloured = f", coloured by {by}" if names else ""
        caption = (
            f"{NAMES[self.maps[0]]} of {self.layers[0]}{self._average}: {drawn} of "
            f"{len(points)} pictures at their places without overlap{dots}{coloured}."
        )
        return Figure("map.png", caption)

    def _save(
        self,
        record: Record,
        everything: _Pictures,
        natural: Vectors,
        spaces: dict[str, Neighbours],
        queries: Tensor,
        maps: dict[str, Tensor],
    ) -> None:
        tensors = {
            "embeddings": everything.vectors,
            "places": natural.places,
            "labels": everything.labels,
            "source": everything.of,
            "queries": queries,
        }
        for name, space in spaces.items():
            tensors |= {f"neighbours{name}": space.rows, f"distances{name}": space.distances}
        tensors |= {f"map_{name}": points for name, points in maps.items()}
        record.tensors("embedding", tensors)
        groups = {}
        if everything.classes:
            shades = colours(len(everything.classes))
            groups["class"] = (everything.classes, everything.labels, shades)
        if self.runs:
            shades = colours(len(everything.sources))
            groups["source"] = (everything.sources, everything.of, shades)
        near = {f"Nearest in {self.layers[0]}": spaces[""], "Nearest in pixels": spaces["_pixels"]}
        if len(queries) < everything.natural:
            near = {}
        drawn = {NAMES[name]: maps[name][:, :2] for name in dict.fromkeys([*self.maps, "pca"])}
        drawn["PCA in 3-D"] = maps["pca"]
        title = f"{len(everything.names):,} pictures in {self.layers[0]} of {self.network.name}"
        viewer.save(
            record,
            title,
            drawn,
            everything.thumbnails,
            everything.names,
            groups,
            {name: space.rows for name, space in near.items()},
        )
        if self.parquet:
            places = natural.places.tolist()
            pictures = [partial(self.pictures.picture, place) for place in places]
            pictures += [partial(data.picture, picture.path) for picture in self.runs]
            labels = [everything.label(row) for row in range(len(pictures))]
            points = maps[self.maps[0]]
            parquet.write(record.folder, pictures, labels, everything.vectors, points)


def _class_names(everything: _Pictures) -> dict[str, Json]:
    """The classes in the order of their labels, with how many pictures each has."""
    if not everything.classes:
        return {}
    sizes = everything.labels[everything.labels >= 0].bincount().tolist()
    records = [
        {"label": label, "class": name, "pictures": size}
        for label, (name, size) in enumerate(zip(everything.classes, sizes, strict=True))
    ]
    return {"class_names": records}


def _wants_parquet(wanted: bool | None) -> bool:
    if wanted is None and not parquet.is_available():
        log.info("%s is left out, which needs pyarrow: pip install synth[maps]", parquet.FILE)
    if wanted and not parquet.is_available():
        raise InputError("parquet=true: needs pyarrow; pip install synth[maps], or write null.")
    return parquet.is_available() if wanted is None else wanted


def _disagreement(
    features: Neighbours, pixels: Neighbours, queries: Tensor, labels: Tensor
) -> Tensor:
    """The queries in the order of how much the two spaces disagree, int64 [q].

    By the difference of the shares of neighbours of the same class, among equals by that of the
    neighbours themselves, and then with the first of each class before the second.
    """
    own = labels[queries]
    gap = (same_class(features.rows, own, labels) - same_class(pixels.rows, own, labels)).abs() * (
        own >= 0
    )
    both = torch.cat([features.rows, pixels.rows], 1).sort(1).values
    common = (both[:, 1:] == both[:, :-1]).sum(1) / features.rows.shape[1]
    keys = list(zip((-gap).tolist(), common.tolist(), own.tolist(), strict=True))
    counts: dict[tuple[float, float, int], int] = {}
    ranks = []
    for key in keys:
        counts[key] = counts.get(key, -1) + 1
        ranks.append(counts[key])
    order = sorted(range(len(keys)), key=lambda row: (*keys[row][:2], ranks[row], row))
    return torch.tensor(order, dtype=torch.int64)


def _product(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def _space(name: str, shares: Tensor) -> dict[str, Json]:
    """A record of the table of spaces."""
    mean, low, high = mean_interval(shares)
    return {
        "space": name,
        "same_class": _rounded(mean),
        "low": _rounded(low),
        "high": _rounded(high),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
