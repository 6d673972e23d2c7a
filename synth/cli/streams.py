"""Standard output and error that a closed pipe or a full disk cannot stop a run with."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager

FAILURE = 2  # exit code


class _Descriptor(io.FileIO):
    """A file descriptor whose errors in writing are kept in place of raised.

    Attributes:
        failure: the first error; that the reader has left (``| head``) is none.
    """

    failure: OSError | None = None

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            pass
        except OSError as error:
            self.failure = self.failure or error
        return memoryview(data).nbytes


@contextmanager
def guarded_streams(program: str) -> Iterator[None]:
    """Replaces ``sys.stdout`` and ``sys.stderr``, unless someone has replaced them already.

    Args:
        program: what the line about a failure begins with.

    Raises:
        SystemExit: 2 at the end, where standard output could not be written.
    """
    output = _guard("stdout")
    _guard("stderr")
    try:
        yield
    except SystemExit as leaving:
        if leaving.code:
            raise
    if sys.stdout is not None:
        sys.stdout.flush()
    if output is not None and output.failure is not None:
        print(f"{program}: standard output: {output.failure.strerror}.", file=sys.stderr)
        sys.exit(FAILURE)


def _guard(name: str) -> _Descriptor | None:
    stream = getattr(sys, name)
    if stream is None or stream is not getattr(sys, f"__{name}__"):
        return None
    descriptor = _Descriptor(stream.fileno(), "w", closefd=False)
    guarded = io.TextIOWrapper(
        io.BufferedWriter(descriptor),
        encoding=stream.encoding,
        errors="backslashreplace",  # for names with letters that the encoding lacks
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    setattr(sys, name, guarded)
    return descriptor
