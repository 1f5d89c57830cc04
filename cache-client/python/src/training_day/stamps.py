"""What the source of a sample looks like now, as a number."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Callable, Union

__all__ = ["Stamps"]

_WITH_PATHS = ("samples", "imgs", "files", "filenames")


class Stamps:
    """Calls the user's function, or looks at the files that a data set names, and makes 64 bits of
    the answer: two answers that differ give the same number once in 2^64."""

    def __init__(self, stamp: Union[str, Callable[[int], Any]], raw: Any) -> None:
        if stamp != "files" and not callable(stamp):
            raise TypeError(
                f'stamp={stamp!r}, allowed: "files", or a function of an index that says what its'
                " source looks like now"
            )
        self._look = _Files(raw) if stamp == "files" else stamp

    def __call__(self, index: int) -> int:
        """Never 0, which stands for a source that nobody looked at."""
        found = self._look(index)
        if isinstance(found, os.stat_result):
            found = (found.st_mtime_ns, found.st_size)
        if isinstance(found, bytes):
            content = b"b" + found
        elif isinstance(found, (str, int, float, tuple)):
            content = repr(found).encode()
        else:
            raise TypeError(
                f"stamp({index}) gave a {type(found).__qualname__}, allowed: a number, text, bytes,"
                " a tuple of such, or an os.stat_result"
            )
        return int.from_bytes(blake2b(content, digest_size=8).digest(), "little") or 1


class _Files:
    """Modification time and size of the file a sample is made of."""

    def __init__(self, raw: Any) -> None:
        for name in _WITH_PATHS:
            found = getattr(raw, name, None)
            if isinstance(found, Sequence) and len(found) == len(raw) and len(found):
                first = found[0][0] if isinstance(found[0], (tuple, list)) else found[0]
                if isinstance(first, (str, os.PathLike)):
                    self._entries = found
                    return
        raise TypeError(
            f'stamp="files", but {type(raw).__qualname__} has no list of its files'
            f" ({', '.join(_WITH_PATHS)}): give a function, such as"
            " stamp=lambda index: os.stat(paths[index])"
        )

    def __call__(self, index: int) -> os.stat_result:
        entry = self._entries[index]
        return os.stat(entry[0] if isinstance(entry, (tuple, list)) else entry)
