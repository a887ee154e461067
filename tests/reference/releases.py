"""Asks PyPI when packages were released. Runs in the environment of `pypi-simple.txt` (supply_chain.py).

`python releases.py NAME…` prints, as JSON and by name: `status`, what its maintainers or PyPI say of the project
(PEP 792: active, archived, deprecated, quarantined), `released`, the day of each release, and `yanked`, the releases
that were taken back.
"""

import json
import sys

from pypi_simple import PyPISimple


def main(names: list[str]) -> None:
    answer = {}
    with PyPISimple() as client:
        for name in names:
            page = client.get_project_page(name)
            released: dict[str, str] = {}
            yanked: dict[str, bool] = {}
            for file in page.packages:
                if file.version is None or file.upload_time is None:
                    continue
                day = file.upload_time.date().isoformat()
                released[file.version] = min(day, released.get(file.version, day))
                yanked[file.version] = file.is_yanked and yanked.get(file.version, True)
            answer[name] = {
                "status": page.status or "active",
                "released": released,
                "yanked": [version for version in yanked if yanked[version]],
            }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
