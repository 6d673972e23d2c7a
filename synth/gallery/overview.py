"""A page over all runs below some folders, and its tables, written again as runs are added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from synth.errors import InputError
from synth.files import open_regular
from synth.gallery.compare import write_compare_page
from synth.gallery.entries import Entry, read_entry
from synth.gallery.finding import RunFolders, find_runs, is_run
from synth.gallery.folder import Run
from synth.gallery.item_tables import check_own, paths_of, write_tables
from synth.gallery.page import write_page
from synth.record.result import RESULT

State = tuple[int, int, bool]  # of a result: time, size, whether its page is there
POLICY = b"Content-Security-Policy"  # which each of our pages has, of any version


@dataclass(frozen=True)
class Changes:
    """What a look at the folders has shown.

    Attributes:
        added: runs that are new, or were written again.
        skipped: why folders cannot be shown, a line each, that were not skipped before.
        removed: how many runs are gone.
    """

    added: tuple[Path, ...]
    skipped: tuple[str, ...]
    removed: int

    def __bool__(self) -> bool:
        return bool(self.added or self.skipped or self.removed)


class Overview:
    """A page over runs. What it has read it does not read again.

    Args:
        paths: run folders, or folders above them.
        page: the HTML file.
        title: its heading; by default the name of its folder.
        inline: whether it holds the pictures itself.

    Attributes:
        entries: the runs, in the order of their folders.
        skipped: why others cannot be shown, a line each.
        unfinished: folders of runs that are not finished.

    Raises:
        InputError: another program's file stands where the page would.
    """

    def __init__(
        self, paths: Sequence[Path], page: Path, title: str | None = None, inline: bool = False
    ) -> None:
        self.paths = list(paths)
        self.page = page
        self.title = title
        self.inline = inline
        self.entries: list[Entry] = []
        self.skipped: list[str] = []
        self.unfinished: tuple[Path, ...] = ()
        self._read: dict[Path, tuple[State, Entry | str]] = {}
        _check_page(page)
        for table in paths_of(page.parent):
            check_own(table)

    def update(self, search: RunFolders | None = None) -> Changes:
        """Reads the runs that are new.

        Args:
            search: the run folders; looked for where None.
        """
        search = find_runs(self.paths) if search is None else search
        self.unfinished = search.unfinished
        before, read = self._read, {}
        added, skipped = [], []
        for folder in search.finished:
            state = _state(folder)
            content = before.get(folder)
            if content is None or content[0] != state:
                content = state, self._entry(folder)
                if isinstance(content[1], Entry):
                    added.append(folder)
                else:
                    skipped.append(content[1])
            read[folder] = content
        self._read = read
        contents = [content for _, content in read.values()]
        self.entries = [content for content in contents if isinstance(content, Entry)]
        self.skipped = [content for content in contents if isinstance(content, str)]
        return Changes(tuple(added), tuple(skipped), len(before.keys() - read.keys()))

    def write(self, growing: bool = False) -> Path:
        """Writes the page and the tables; a run alone gets its full page unless more will come.

        Raises:
            InputError: something cannot be written, or stands where a run has its own page.
        """
        alone = self.entries[0].folder if len(self.entries) == 1 else None
        if alone is not None and not growing and not self.inline:
            self._spare_other_runs(alone)
            write_page(Run(alone), self.page, self.title)
        else:
            self._spare_other_runs()
            write_compare_page(self.entries, self.page, self.title, self.skipped)
        if not is_run(self.page.parent):  # a run folder holds what its run has written
            write_tables(self.entries, self.page.parent)
        return self.page

    def _spare_other_runs(self, own: Path | None = None) -> None:
        """Raises InputError where the page would take the place of a run's; `own` is its run."""
        folder = self.page.parent
        if self.page.name != "index.html" or not is_run(folder):
            return
        if own is None or not own.samefile(folder):
            raise InputError(f"{folder} keeps its own page; name another: --out FILE.html.")

    def _entry(self, folder: Path) -> Entry | str:
        try:
            return read_entry(folder, self.page, self.inline)
        except InputError as error:
            return str(error).rstrip(".")


def _state(folder: Path) -> State:
    try:
        state = (folder / RESULT).stat()
    except OSError:
        return 0, 0, False
    return state.st_mtime_ns, state.st_size, (folder / "index.html").is_file()


def _check_page(page: Path) -> None:
    """Raises InputError where a page stands that this package has not written."""
    try:
        with open_regular(page) as file:
            start = file.read(2048)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise InputError(f"{page}: cannot be overwritten ({error.strerror}).") from error
    if start and POLICY not in start:
        raise InputError(f"{page}: another program's page; name another: --out FILE.html.")
