"""Files that only their owner may read: logs and databases have buyers' names in them."""

import os
from pathlib import Path
from typing import IO

_OWNER_ONLY = 0o600


def make_private(path: Path) -> None:
    """Let only the owner read and write a file; it is made, empty, where it is missing."""
    with append_private(path):
        pass


def append_private(path: Path, *, buffering: int = -1) -> IO[bytes]:
    """Open a file to append bytes, readable by its owner only from its first moment on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _OWNER_ONLY)
    try:
        os.fchmod(descriptor, _OWNER_ONLY)  # an earlier version may have made it
        return os.fdopen(descriptor, "ab", buffering=buffering)
    except BaseException:
        os.close(descriptor)
        raise
