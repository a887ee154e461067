"""What ships is pinned, agrees with pyproject.toml, and names no package index."""

from __future__ import annotations

import itertools
import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.reference import supply_chain

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "functions" / "requirements.txt"
DEVELOPED = ROOT / "tests" / "requirements.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FILES = pytest.mark.parametrize("file", [SHIPPED, DEVELOPED], ids=["functions", "tests"])


_HASH = "    --hash=sha256:"


def pins(file: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", _HASH)):
            requirement = Requirement(line.removesuffix(" \\"))
            [specifier] = requirement.specifier
            assert specifier.operator == "==", f"{line} is not pinned"
            found[canonicalize_name(requirement.name)] = specifier.version
    return found


@FILES
def test_no_file_names_a_package_index(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not re.search(rf"^(?!{_HASH})\s*-|https?://|file://", text, re.MULTILINE)


@FILES
def test_all_is_pinned_by_its_content(file: Path) -> None:
    """With one hash pip takes nothing without: https://pip.pypa.io/en/stable/topics/secure-installs/."""
    lines = file.read_text(encoding="utf-8").splitlines()
    for line, following in itertools.pairwise([*lines, ""]):
        if "==" in line:
            assert line.endswith(" \\"), line
            assert following.startswith(_HASH), f"{line}: run `make lock`"


def test_the_bundle_has_what_pyproject_asks_for() -> None:
    shipped = pins(SHIPPED)
    for line in PROJECT["dependencies"]:
        requirement = Requirement(line)
        assert shipped[canonicalize_name(requirement.name)] in requirement.specifier, f"{line}: run `make lock`"


def test_the_tests_run_on_what_ships() -> None:
    developed = pins(DEVELOPED)
    assert {name: developed.get(name) for name in pins(SHIPPED)} == pins(SHIPPED), "run `make lock`"


@pytest.mark.parametrize("extra", ["operations", "local", "dev"])
def test_what_is_developed_with_is_pinned(extra: str) -> None:
    developed = pins(DEVELOPED)
    for line in PROJECT["optional-dependencies"][extra]:
        requirement = Requirement(line)
        assert developed[canonicalize_name(requirement.name)] in requirement.specifier, f"{line}: run `make lock`"


def test_what_ships_comes_in_versions_that_the_audit_reads() -> None:
    assert supply_chain.shipped() == pins(SHIPPED)
    assert set(supply_chain.ACCEPTED) <= set(pins(SHIPPED)), "it does not ship any more"


@pytest.mark.parametrize(
    ("newest", "status", "yanked", "said"),
    [
        ("2026-01-01", "active", [], None),
        ("2024-11-01", "active", [], "newest release is of 2024-11-01"),
        ("2026-01-01", "archived", [], "its project is archived"),
        ("2026-01-01", "active", ["1.0"], "1.0 was taken back"),
    ],
)
def test_what_nobody_keeps_up_is_found(newest: str, status: str, yanked: list[str], said: str | None) -> None:
    project = {"status": status, "released": {"1.0": "2020-01-01", "2.0": newest}, "yanked": yanked}
    found = list(supply_chain.not_kept_up({"a": "1.0"}, {"a": project}, date(2026, 11, 29)))
    assert [str(said) in finding for finding in found] == ([] if said is None else [True])


@pytest.mark.parametrize(("day", "number"), [(date(2028, 6, 1), 0), (date(2028, 7, 15), 1)])
def test_a_runtime_that_ends_within_a_year_is_found(day: date, number: int) -> None:
    """AWS supports Python 3.13 until the end of June 2029."""
    assert len(list(supply_chain.runtime_that_ends("3.13", day))) == number


def test_nothing_of_the_bundle_needs_what_is_not_shipped() -> None:
    """functions/ imports nothing of local/, operations/ or tests/, nor a package that is not in the bundle."""
    for module in (ROOT / "functions").rglob("*.py"):
        for line in module.read_text(encoding="utf-8").splitlines():
            assert not re.match(r"\s*(from|import) (local|operations|tests|moto|pytest)\b", line), f"{module}: {line}"
