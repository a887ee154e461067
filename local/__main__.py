"""`python -m local run` starts the shop on this machine; `python -m local pay SESSION` plays its buyer."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from local.demo.command import add_demo_command
from local.processes import return_unused_memory
from local.quiet import quieten_libraries
from local.sample_events.command import add_sample_events_command
from local.signals import stop_as_by_ctrl_c, stop_asked
from local.stripe_stand_in.client import add_pay_command

if TYPE_CHECKING:
    from local.stack import LocalStack

DEFAULT_DIRECTORY = Path(".local")
_LOOK_SECONDS = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 1 failed."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="start everything and stay in the foreground until Ctrl-C")
    run.add_argument("--fresh", action="store_true", help="forget all of before: database, executions, alerts, logs")
    run.add_argument("--rate-limit", action="store_true", help="with deploy/rate-limit.yaml before the API")
    run.add_argument("--directory", type=Path, default=DEFAULT_DIRECTORY, help="data and logs (default: %(default)s)")
    run.set_defaults(run=run_stack)
    add_demo_command(commands)
    add_pay_command(commands)
    add_sample_events_command(commands)
    given = parser.parse_args(arguments)
    code: int = given.run(given)
    return code


def run_stack(given: argparse.Namespace) -> int:
    """Start the stack, print its addresses, wait for a signal, stop it."""
    quieten_libraries()
    stop_as_by_ctrl_c()
    stripe_secret_key = os.environ.get("STRIPE_SECRET_KEY") or None
    if stripe_secret_key and not stripe_secret_key.startswith(("sk_test_", "rk_test_")):
        print("STRIPE_SECRET_KEY must be a test key (sk_test_…): nothing local may touch real money.", file=sys.stderr)
        return 1
    try:
        return _run_until_asked_to_stop(given, stripe_secret_key)
    except KeyboardInterrupt:
        print("\nStopped.", flush=True)
        return 0


def _run_until_asked_to_stop(given: argparse.Namespace, stripe_secret_key: str | None) -> int:
    # Imported late: they take seconds, and a wrong argument should be told at once.
    from local.aws.cloud import DeploymentError  # noqa: PLC0415
    from local.aws.template import TemplateError  # noqa: PLC0415
    from local.database.installation import MariaDBUnavailableError  # noqa: PLC0415
    from local.stack import AlreadyRunningError, LocalStack, MigrationError, StackOptions  # noqa: PLC0415

    options = StackOptions(
        fresh=given.fresh,
        rate_limit=given.rate_limit,
        # A COMMIT reaches the system, and the disk within a second: a kill loses nothing, a power cut the last second.
        database_options=("--innodb-flush-log-at-trx-commit=2",),
        stripe_secret_key=stripe_secret_key,
        stripe_webhook_secret=os.environ.get("STRIPE_WEBHOOK_SECRET") or "whsec_local",
    )
    try:
        print("Starting …", flush=True)
        with LocalStack(given.directory, options) as stack:
            print_addresses(stack)
            return_unused_memory()
            # Looked at, not only raised: a signal may come inside a library's clean-up, which swallows anything.
            while not stop_asked.wait(_LOOK_SECONDS):
                pass
            raise KeyboardInterrupt
    except (AlreadyRunningError, DeploymentError, MariaDBUnavailableError, MigrationError, TemplateError) as error:
        print(f"{error}", file=sys.stderr)
        return 1


def print_addresses(stack: "LocalStack") -> None:
    """Say where everything is, and how to use it."""
    from local.aws.user_pool import READY_USER  # noqa: PLC0415 -- imported late, as above
    from local.database.sample_shop import something_to_buy  # noqa: PLC0415 -- as above

    database = stack.database_address
    mysql = f"mariadb --host={database.host} --port={database.port} --user={database.user} --password {database.name}"
    rows = [
        ("API", f"{stack.api_url}  (to read: {stack.describe()['api_page_url']})"),
        ("Operators", f"{stack.describe()['operations_url']}  (executions, orders, alerts, as they come)"),
        ("AWS", f"{stack.cloud.endpoint_url}  (region {stack.cloud.region}, any credentials)"),
        ("MariaDB", f"{mysql}  (password: see {stack.file.name})"),
        ("Stripe", stack.stripe_url),
        ("Login", f"{READY_USER.email}, {READY_USER.password}  (user pool: see {stack.file.name})"),
        ("State machine", stack.state_machine_arn),
        ("Partner bus", stack.partner_event_bus),
        ("Alerts", stack.alert_queue_url),
        ("Dead letters", stack.dead_letter_queue_url),
        ("Logs", f"tail -f {stack.logs_directory}/*.log"),
        ("All of this", str(stack.file)),
    ]
    print()
    for name, value in rows:
        print(f"  {name:<14} {value}")
    event_id, _ = something_to_buy(stack.database_address)
    print(f"\nFirst, buy a ticket:  {stack.api_url}/events/{event_id}  (all events: {stack.api_url}/)")
    print("Pay with 4242 4242 4242 4242, any future date, any code; the payment page lists other test cards.")
    print("\nLook on with .venv/bin/cachao watch, ask with .venv/bin/cachao doctor.")
    print("All is kept until `make run FRESH=1`: the database, executions, alerts and logs.")
    print("Ctrl-C stops everything.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
