"""Files that only their owner may read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cachao.problems import USAGE, Problem

_OWNER_ONLY: Final = 0o600


def write_private(path: Path, content: bytes, *, overwrite: bool = False) -> None:
    """Write a file that its owner alone may read, from its first moment on; what is there is not written over.

    Raises:
        Problem: there is such a file, or it cannot be written.
    """
    replaces = os.O_TRUNC if overwrite else os.O_EXCL
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | replaces, _OWNER_ONLY), "wb") as file:
            os.fchmod(file.fileno(), _OWNER_ONLY)  # it may have been there
            file.write(content)
    except FileExistsError:
        raise Problem(f"{path} is there already.", advice="Give another --output.", exit_code=USAGE) from None
    except OSError as error:
        raise Problem(f"{path} cannot be written: {error.strerror}.", exit_code=USAGE) from None
