"""The documents say what is so: links lead somewhere, commands exist, the rules name what the code has."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from cachao.doctor.mariadb_versions import MAINTAINED_UNTIL
from ticketing import errors

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "events" / "README.md"])
NAMES = [str(document.relative_to(ROOT)) for document in DOCUMENTS]
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@each_document
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), f"{target} is not there"
        if anchor:
            assert anchor in anchors(file), f"{target}: no such heading"


@each_document
def test_every_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`|&& |    )make ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets


@each_document
def test_every_file_that_is_named_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    rooms = "functions|tests|local|operations|docs|events|statemachine"
    for name in re.findall(rf"`((?:{rooms})/[\w./-]+)`", text):
        assert (ROOT / name).exists(), f"{name} is not there"


def sources() -> list[Path]:
    rooms = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    found = [path for room in rooms for suffix in ("py", "sql", "yaml") for path in room.rglob(f"*.{suffix}")]
    return sorted([*found, ROOT / "template.yaml", ROOT / "pyproject.toml", ROOT / "Makefile"])


def test_every_page_and_heading_that_the_code_names_is_there() -> None:
    named = 0
    for source in sources():
        text = " ".join(source.read_text(encoding="utf-8").split()).replace("# ", "")
        for page, headings in re.findall(r"docs/(\w+\.md)((?:(?:,| and) \"[^\"]+\")*)", text):
            named += 1
            document = ROOT / "docs" / page
            assert document.exists(), f"{source}: docs/{page}"
            for heading in re.findall(r'"([^"]+)"', headings):
                begins = re.search(
                    rf"^(#+ +|\*\*){re.escape(heading)}\b", document.read_text(encoding="utf-8"), re.MULTILINE
                )
                assert begins, f"{source}: docs/{page} has nothing that begins with {heading}"
    assert named


def test_every_permanent_error_of_a_payment_is_in_the_rules() -> None:
    rules = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    internal = {
        "DataInconsistent",
        "ConfigurationError",
        "UnexpectedResult",
    }  # faults of the system, not cases of the shop
    for error in errors.PermanentError.__subclasses__():
        if error.__module__ == errors.__name__ and error.__name__ not in internal:
            assert error.__name__ in rules


def test_the_commands_of_the_readme_are_the_makefiles_own() -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("demo", "test", "run"):
        assert re.search(rf"^{target} +\S", told, re.MULTILINE)


def test_the_releases_of_mariadb_are_told_as_the_doctor_knows_them() -> None:
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| ([\d.]+) \| (\d{4}-\d\d-\d\d)", text, re.MULTILINE)
    assert told == [(f"{major}.{minor}", str(until)) for (major, minor), until in MAINTAINED_UNTIL.items()]
    network = yaml_parse((ROOT / "deploy" / "network-and-database.yaml").read_text(encoding="utf-8"))
    assert set(network["Parameters"]["EngineVersion"]["AllowedValues"]) <= dict(told).keys()
