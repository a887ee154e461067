"""A file to which JSON objects are appended, a line each. After a kill, all of it but the last line is whole."""

import json
import os
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from local.private_files import append_private

Entry = Mapping[str, Any]


class Journal:
    """Entries in the order in which they were appended, readable by the owner only."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is made with the first entry."""
        self.path = path
        self._lock = threading.Lock()

    def load(self) -> list[dict[str, Any]]:
        """Give all entries. A line that was cut is taken off, so that the next one does not go on in it."""
        with self._lock:
            try:
                text = self.path.read_bytes()
            except FileNotFoundError:
                return []
            whole = text.rfind(b"\n") + 1
            if whole < len(text):
                os.truncate(self.path, whole)
            return [entry for line in text[:whole].splitlines() if (entry := _read(line)) is not None]

    def append(self, entry: Entry) -> None:
        """Write an entry behind the others; it is there when this returns, also when we are killed then."""
        line = json.dumps(entry, default=str, separators=(",", ":")).encode() + b"\n"
        with self._lock, append_private(self.path, buffering=0) as stream:
            stream.write(line)

    def replace(self, entries: Iterable[Entry]) -> None:
        """Keep only these; the file is the old one or the new one at every moment."""
        with self._lock:
            descriptor, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f"{self.path.name}.")  # mode 0600
            with os.fdopen(descriptor, "wb") as stream:
                for entry in entries:
                    stream.write(json.dumps(entry, default=str, separators=(",", ":")).encode() + b"\n")
            Path(temporary).replace(self.path)


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
