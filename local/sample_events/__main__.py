"""The command: writes the files of events/ and the index of its README anew; removes samples that are no more."""

from __future__ import annotations

import sys
from pathlib import Path

from local.sample_events.files import all_files, with_index

FOLDER = Path(__file__).resolve().parents[2] / "events"


def main(folder: Path = FOLDER) -> int:
    """Write the sample events; returns the exit code."""
    files = all_files()
    for path in folder.rglob("*.json"):
        if str(path.relative_to(folder)) not in files:
            path.unlink()
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    readme = folder / "README.md"
    readme.write_text(with_index(readme.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{len(files)} files in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
