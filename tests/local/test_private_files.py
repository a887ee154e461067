from __future__ import annotations

import stat
from pathlib import Path

from local.private_files import append_private


def test_a_log_is_its_owners(tmp_path: Path) -> None:
    log = tmp_path / "function.log"
    for made_before in (False, True):
        if made_before:
            log.chmod(0o644)
        with append_private(log) as stream:
            stream.write(b"line\n")
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert log.read_bytes() == b"line\nline\n"
