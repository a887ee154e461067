"""`python -m local demo`: starts the shop in a folder of its own, plays the scenes, stops everything."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from local.signals import INTERRUPTED, stop_as_by_ctrl_c

if TYPE_CHECKING:
    from local.demo.stage import Stage


def add_demo_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `demo` to the commands of `python -m local`."""
    parser = commands.add_parser("demo", help="show the shop from checkout to ticket, and a payment that goes wrong")
    parser.add_argument(
        "--event", type=Path, metavar="FILE", help="send this EventBridge envelope instead (see events/)"
    )
    parser.add_argument("--as-is", action="store_true", help="send it unchanged, not fitted to an order of the demo")
    parser.set_defaults(run=run_demo)


def run_demo(given: argparse.Namespace) -> int:
    """Play the demo; returns 0 when all was as it should be, 1 when not, 130 when interrupted."""
    stop_as_by_ctrl_c()
    try:
        return _run_or_say_why_not(given)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return INTERRUPTED


def _run_or_say_why_not(given: argparse.Namespace) -> int:
    # Imported late: they take seconds, and a wrong argument should be told at once.
    from local.aws.cloud import DeploymentError  # noqa: PLC0415
    from local.aws.template import TemplateError  # noqa: PLC0415
    from local.database.installation import MariaDBUnavailableError  # noqa: PLC0415
    from local.stack import MigrationError  # noqa: PLC0415

    try:
        return _run(given)
    except (DeploymentError, MariaDBUnavailableError, MigrationError, TemplateError) as error:
        print(error, file=sys.stderr)
        return 1


def _run(given: argparse.Namespace) -> int:
    from rich.console import Console  # noqa: PLC0415 -- see above

    from local.demo.stage import DemoError, Stage  # noqa: PLC0415 -- see above
    from local.quiet import quieten_libraries  # noqa: PLC0415 -- see above
    from local.stack import LocalStack, StackOptions  # noqa: PLC0415 -- see above

    quieten_libraries()
    screen = Console(width=None if sys.stdout.isatty() else 110)
    begin = time.monotonic()
    options = StackOptions(api_port=0, aws_port=0, database_port=0, stripe_port=0, run_schedules=False)
    screen.print("Starting MariaDB, the local AWS from template.yaml, and Stripe's stand-in …")
    with tempfile.TemporaryDirectory(prefix="cachao-demo-") as folder, LocalStack(Path(folder), options) as stack:
        screen.print(
            f"Ready after {time.monotonic() - begin:.0f} s. API {stack.api_url}, AWS {stack.cloud.endpoint_url}"
        )
        stage = Stage(stack, screen)
        try:
            _play(stage, given)
        except DemoError as error:
            stage.check(str(error), holds=False)
        if stage.wrong:
            _show_logs(stage)
    screen.print()
    if stage.wrong:
        screen.print(f"[bold red]{len(stage.wrong)} of the things above are not as they should be.[/]")
        return 1
    screen.print(f"[bold green]All as it should be[/], after {time.monotonic() - begin:.0f} s. Everything is stopped.")
    return 0


def _play(stage: Stage, given: argparse.Namespace) -> None:
    from local.database.sample_shop import open_sample_shop  # noqa: PLC0415 -- see above
    from local.demo import scenes  # noqa: PLC0415 -- see above

    shop = open_sample_shop(stage.stack.database_address)
    if given.event is not None:
        scenes.send_file(stage, shop, given.event, as_it_is=given.as_is)
        return
    event_id = scenes.buy_a_ticket(stage, shop)
    scenes.deliver_again(stage, shop, event_id)
    scenes.pay_a_wrong_amount(stage, shop)
    scenes.pay_by_bank_debit(stage, shop)
    scenes.pay_too_late(stage, shop)


def _show_logs(stage: Stage) -> None:
    """The functions' logs go with the folder: show the end of each before that."""
    for log in sorted(stage.stack.logs_directory.glob("*.log")):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
        if not lines:
            continue  # never invoked
        stage.screen.print(f"{log.name}{os.linesep}  " + f"{os.linesep}  ".join(lines), markup=False, highlight=False)
