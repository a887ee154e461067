"""`python -m local.parameter_table` writes docs/parameters.md from template.yaml; a test compares the two."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from local.lint.subject import load

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "parameters.md"
_HEAD: Final = """# The stack's parameters

Made from template.yaml by `make parameters`. In bold: those without a default, which each deployment must be given.
"""


def page(template: dict[str, Any]) -> str:
    """Give the page: a table for each group of parameters, in the order of CloudFormation's console."""
    parameters = template["Parameters"]
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    parts = [_HEAD]
    for group in groups:
        rows = [_row(name, parameters[name]) for name in group["Parameters"]]
        parts.append(
            "\n".join(
                [f"## {group['Label']['default']}\n", "| Parameter | Default | Meaning |", "|---|---|---|", *rows]
            )
            + "\n"
        )
    return "\n".join(parts)


def _row(name: str, parameter: dict[str, Any]) -> str:
    given = str(parameter["Default"]) if "Default" in parameter else None
    shown = f"`{name}`" if given is not None else f"**`{name}`**"
    default = "" if given is None else f"`{given}`" if given else "empty"
    bounds = [str(parameter[bound]) for bound in ("MinValue", "MaxValue") if bound in parameter]
    meaning = " ".join(str(parameter["Description"]).split())
    limits = f" ({' to '.join(bounds)})" if len(bounds) > 1 else f" (at least {bounds[0]})" if bounds else ""
    return f"| {shown} | {default} | {meaning.replace('|', chr(92) + '|')}{limits} |"


if __name__ == "__main__":
    PAGE.write_text(page(load(ROOT / "template.yaml").template), encoding="utf-8")
    print(f"Wrote {PAGE.relative_to(ROOT)}.")
