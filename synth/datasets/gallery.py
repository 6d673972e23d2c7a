"""A gallery: pictures of every class by several methods, exported as a data set at the end."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean

from synth.datasets.card import NO_LICENCE
from synth.datasets.exporting import DROPS, LAYOUTS, export
from synth.engine.experiment import Experiment
from synth.errors import InputError, nearest
from synth.gallery.folder import Run
from synth.record.folder_record import FolderRecord
from synth.record.job import Job
from synth.record.record import Record, versions
from synth.record.result import Item, Json, Result

log = logging.getLogger(__name__)

DATA_SET = "dataset"  # the folder within the run folder


class Gallery(Job):
    """Pictures of every class by several methods, one search a method and seed.

    The pictures of a class are shared out among the methods, the first ones taking the remainder;
    each further picture of a class by a method has the next seed. What is finished when a run is
    interrupted or killed is not searched for again, and the search that was going on resumes.

    Args:
        experiments: methods by name, each called with ``seed=``; None entries are left out.
        pictures: of each class, by all methods together.
        methods: names of those that take part; all where None.
        seed: the first seed of each method.
        to: layout of the data set in the folder ``dataset``, as of `export`; None for none. In
            memory there is none.
        splits: shares of its splits by name, as of `export`.
        drop: which copies of pictures it leaves out: ``none``, ``exact``, ``near``.
        licence: of it, as Hugging Face names it.

    Raises:
        InputError: for an unknown method, a number below 1, or a layout that there is not.
    """

    def __init__(
        self,
        experiments: Mapping[str, Callable[..., Experiment] | None],
        pictures: int = 6,
        methods: Sequence[str] | str | None = None,
        seed: int = 0,
        to: str | None = "folder",
        splits: Mapping[str, float] | None = None,
        drop: str = "none",
        licence: str = NO_LICENCE,
    ) -> None:
        if pictures < 1:
            raise InputError(f"pictures={pictures}: write 1 or more, of each class.")
        if to is not None and to not in LAYOUTS:
            raise InputError(f"to={to}: write one of {', '.join(LAYOUTS)}, or null.")
        if drop not in DROPS:
            raise InputError(f"drop={drop}: write one of {', '.join(DROPS)}.")
        entries = {name: entry for name, entry in experiments.items() if entry is not None}
        names = [methods] if isinstance(methods, str) else list(methods or entries)
        for name in names:
            if name not in entries:
                hint = nearest(name, entries) or f" Write some of {', '.join(entries)}."
                raise InputError(f"methods={name}: no such method.{hint}")
        self.methods = {name: entries[name] for name in names}
        if not self.methods:
            raise InputError("experiments: empty; name at least one method.")
        self.pictures = pictures
        self.seed = seed
        self.to = to
        self.splits = splits
        self.drop = drop
        self.licence = licence
        for method in self.methods.values():  # what cannot run is refused before anything does
            method(seed=seed)

    def run(self, record: Record) -> Result:
        """Runs one search after the other, or resumes; exports the pictures."""
        start = time.monotonic()
        by_method: dict[str, list[Item]] = {name: [] for name in self.methods}
        criteria: dict[str, str] = {}
        items: list[Item] = []
        for name, seed in self._plan():
            part = f"{name}-{seed}"
            share = record.of(part, len(items))
            result = share.part_result()
            if result is None:
                log.info("%s, seed %d: %d pictures so far", name, seed, len(items))
                result = self.methods[name](seed=seed).run(share)
                share.keep_part_result(result)
            for item in result.items:
                item.contender = part
                item.extra |= {"search": result.search, "encoding": result.encoding}
            criteria[name] = (result.about or {}).get("success", "")
            by_method[name] += result.items
            items += result.items
            if result.status != "done":
                break
        joint = Result(
            status=result.status,
            seconds=round(time.monotonic() - start, 3),
            network=result.network,
            device=result.device,
            versions=versions(),
            search=_names(item.extra["search"] for item in items),
            encoding=_names(item.extra["encoding"] for item in items),
            items=items,
            findings={
                "pictures": sum(item.file is not None for item in items),
                "methods": [_row(name, of_it) for name, of_it in by_method.items() if of_it],
            },
            about={"success": text} if (text := _criterion(criteria)) else None,
        )
        if self.to is not None and joint.status == "done" and isinstance(record, FolderRecord):
            joint.findings |= self._export(record, joint, self.to)
        return joint

    def _plan(self) -> list[tuple[str, int]]:
        """The method and the seed of each search."""
        count, more = divmod(self.pictures, len(self.methods))
        return [
            (name, self.seed + number)
            for place, name in enumerate(self.methods)
            for number in range(count + (place < more))
        ]

    def _export(self, record: FolderRecord, result: Result, to: str) -> dict[str, Json]:
        """Writes the data set; gives findings about it."""
        out = record.folder / DATA_SET
        # of this run, whose end was killed before its result was written
        shutil.rmtree(out, ignore_errors=True)
        content = {**result.to_dict(), "recipe": record.provenance.get("recipe") or "gallery"}
        content["overrides"] = record.provenance.get("overrides") or []
        run = Run(record.folder, result=content)
        written = export(
            [run],
            out,
            to,
            splits=self.splits,
            drop=self.drop,
            licence=self.licence,
            title=record.folder.resolve().name,
        )
        log.info("%s: %s", out, ", ".join(f"{n:,} {name}" for name, n in written.splits.items()))
        return {
            "data_set": DATA_SET,
            "exact_copies": written.exact_copies,
            "near_copies": written.near_copies,
        }


def _row(name: str, items: Sequence[Item]) -> dict[str, Json]:
    """The numbers of a method."""
    counted = [item.success for item in items if item.success is not None]
    confidences = [item.confidence for item in items if item.confidence is not None]
    return {
        "method": name,
        "pictures": sum(item.file is not None for item in items),
        "success": sum(counted) if counted else None,
        "mean_confidence": round(fmean(confidences), 4) if confidences else None,
        "passes": sum(item.passes for item in items),
    }


def _criterion(criteria: Mapping[str, str]) -> str:
    """The criterion of success; each method's own where they differ."""
    if len(set(criteria.values())) == 1:
        return next(iter(criteria.values()))
    return "; ".join(f"{name}: {text or 'none'}" for name, text in criteria.items())


def _names(names: Iterable[Json]) -> str:
    return ", ".join(dict.fromkeys(map(str, names)))
