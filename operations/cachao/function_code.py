"""Puts built code into a deployed function, ahead of a deployment: migrations come before the code that needs them."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path
from typing import Final

from cachao.aws.environment import Environment
from cachao.problems import BROKEN, USAGE, Problem

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: a zip that is sent as such.
_LARGEST_BYTES: Final = 50 * 1024 * 1024
_WAIT_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 1.0


def put(environment: Environment, function: str, folder: Path) -> int:
    """Put what `sam build` made of a function into it, and wait until it is there; give the zip's size in bytes.

    Raises:
        Problem: the folder is not that function's, the zip is too large, or Lambda refuses it.
    """
    text = _zipped(folder)
    client, name = environment.client("lambda"), environment.resource(function)
    client.update_function_code(FunctionName=name, ZipFile=text)
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        settings = client.get_function_configuration(FunctionName=name)
        state = settings.get("LastUpdateStatus", "Successful")
        if state == "Successful":
            return len(text)
        if state == "Failed" or time.monotonic() > deadline:
            raise Problem(
                f"Lambda did not take the code of {name}: {settings.get('LastUpdateStatusReason', state)}.",
                advice="Fix the reason and say the command again; nothing was migrated.",
                exit_code=BROKEN,
            )
        time.sleep(_LOOK_SECONDS)


def _zipped(folder: Path) -> bytes:
    if not (folder / "migrations").is_dir() or not (folder / "handlers" / "maintenance").is_dir():
        raise Problem(
            f"{folder} has no built functions.",
            advice="Run `make build` in the version that is to be deployed, and name"
            " .aws-sam/build/MigrateDatabaseFunction.",
            exit_code=USAGE,
        )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
            file.write(path, path.relative_to(folder))
    text = archive.getvalue()
    if len(text) > _LARGEST_BYTES:
        raise Problem(
            f"The code in {folder} is {len(text):,} bytes as a zip; Lambda takes 50 MB this way.",
            advice="Deploy first, then run cachao migrate: what fails between the two is tried again for minutes.",
            exit_code=USAGE,
        )
    return text
