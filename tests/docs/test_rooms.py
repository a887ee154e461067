"""The contracts of pyproject.toml on who may import whom are read and can break: each is broken on purpose here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]

# An import each that breaks one contract: the module that gets it, and what it imports.
WRONG = {
    "The shop's rooms, from top to bottom": ("functions/ticketing/orders/lock.py", "ticketing.checkout.checkout"),
    "Handlers know the shop, and each other not": ("functions/handlers/api/get_order.py", "handlers.workflow"),
    "What is deployed knows nothing of this machine or of the operators' command": (
        "functions/ticketing/money.py",
        "local.signals",
    ),
    "The operators' command knows the shop's rules, not its handlers, and nothing of the local stack": (
        "operations/cachao/watch.py",
        "handlers.settings",
    ),
    "The operators' command, from top to bottom": ("operations/cachao/aws/logs.py", "cachao.view.output"),
    "The local stack, from top to bottom": ("local/signals.py", "local.stack"),
    "Stripe's stand-in, from top to bottom": ("local/stripe_stand_in/control.py", "local.stripe_stand_in.stand_in"),
    "The local stack reaches the functions through AWS's interfaces or through the shop's rules": (
        "local/quiet.py",
        "handlers.runtime",
    ),
}


def test_every_contract_can_break(tmp_path: Path) -> None:
    assert set(WRONG) == {contract["name"] for contract in CONTRACTS}
    for room in ("functions", "operations", "local"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, module in WRONG.values():
        with (tmp_path / file).open("a", encoding="utf-8") as source:
            source.write(f"\nimport {module}\n")
    linted = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": "functions:operations:.", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    broken = re.findall(r"(?m)^(.*) BROKEN\b", linted.stdout)
    assert sorted(broken) == sorted(WRONG)
