"""A storm: orders are paid while the database, the workers and the deliveries break; then operators replay the rest."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pymysql

from local.stack import LocalStack, StackOptions
from tests.balance import Balance
from tests.storm.balance import draw_up
from tests.storm.orders import Shop, events_of, place_orders
from tests.storm.sizes import Size
from tests.storm.weather import Weather
from tests.workflow.conftest import grow_old
from ticketing.database import Database, connector
from ticketing.errors import DatabaseUnavailable

_PROJECT = Path(__file__).resolve().parents[2]
_MOST_REPLAYS = 6
_REPLAYED_AGAIN = 50
_MOST_SHOWN = 8
_REPORT_SECONDS = 3.0
_COMMAND_SECONDS = 400

Say = Callable[[str], None]


class StormError(RuntimeError):
    """The storm could not be brought to its end."""


def run_storm(size: Size, *, seed: int, say: Say) -> Balance:
    """Run one storm and draw up its balance.

    Args:
        size: how large and how bad.
        seed: of every accident; the order in which threads run is still their own.
        say: takes each line of the report.

    Raises:
        StormError: the workflow did not come to rest in time, or an operator's command failed.
    """
    say(f"A storm over {size.orders} orders, seed {seed}")
    with tempfile.TemporaryDirectory(prefix="cachao-storm-") as folder:
        options = StackOptions.throw_away(
            # A COMMIT must outlive SIGKILL here.
            durable=True,
            retry_wait_factor=size.retry_wait_factor,
            max_workers=size.max_workers,
            max_database_connections=size.max_connections,
        )
        with LocalStack(Path(folder) / ".local", options) as stack:
            return _Storm(stack, size, seed, say).run()


class _Storm:
    def __init__(self, stack: LocalStack, size: Size, seed: int, say: Say) -> None:
        self._stack, self._size, self._say = stack, size, say
        self._chance = random.Random(seed)
        self._began = time.monotonic()
        # As root, who gets a connection when all others are taken.
        address = replace(stack.database_address, user="root")
        self._database = Database(connector(**asdict(address), ca_file=None))

    def run(self) -> Balance:
        shop = place_orders(self._database, self._size.orders, self._chance)
        events = events_of(shop.orders, self._size.duplicates, self._chance)
        self._tell(f"{len(shop.orders)} orders placed, {len(events)} events to send, shuffled")
        with Weather(self._stack, self._size, random.Random(self._chance.random())) as weather:
            self._send(events, weather)
            self._wait()
            weather.count_refused_connections()
        damage = weather.damage
        self._tell(f"calm again: {damage}")
        self._tell(self._state())
        self._mend()
        self._replay()
        balance = self._balance(shop)
        if not balance.off:
            self._replay_again()
            balance = self._balance(shop)
        damage.check(balance, self._size)
        for line in balance.lines:
            self._say(line)
        return balance

    def _send(self, events: Sequence[dict[str, Any]], weather: Weather) -> None:
        kills = self._size.database_kills
        marks = [len(events) * (kill + 1) // (kills + 1) for kill in range(kills)]
        reported = time.monotonic()
        for number, event in enumerate(events):
            if number in marks:
                self._tell(f"{number} events sent; mariadbd gets SIGKILL; {self._state()}")
                weather.kill_database()
                self._tell("mariadbd is back")
            began = time.monotonic()
            self._stack.put_event(event)
            time.sleep(max(0.0, 1 / self._size.events_a_second - (time.monotonic() - began)))
            if time.monotonic() - reported > _REPORT_SECONDS:
                reported = time.monotonic()
                self._tell(f"{number + 1} of {len(events)} events sent; {self._paid()} orders paid")
        self._tell(f"all {len(events)} events sent")

    def _wait(self) -> None:
        deadline = time.monotonic() + self._size.patience_seconds
        while running := len(self._stack.cloud.executions("RUNNING")):
            if time.monotonic() > deadline:
                raise StormError(f"{running} executions still run after {self._size.patience_seconds:.0f} s")
            self._tell(f"{running} executions run; {self._paid()} orders paid")
            time.sleep(_REPORT_SECONDS)

    def _mend(self) -> None:
        """The cause first: warm functions rest on all the connections there are, and keep them for a minute."""
        with self._database.transaction() as tx:  # on the connection that is kept for the administrator
            tx.change("SET GLOBAL max_connections = 500")
        self._tell("the database is given more connections")

    def _replay(self) -> None:
        """What an operator does after an incident, with the operators' own commands."""
        self._cachao("replay", "--dead-letters", "--yes")
        for _ in range(_MOST_REPLAYS):
            if self._cachao("replay", "--failed", "--since", "1d", "--yes") == 0:
                break
            self._tell(f"some replays failed; {self._state()}")
        self._tell(f"replayed; {self._state()}")

    def _replay_again(self) -> None:
        """Everything that failed once more, and what succeeded, at once: nothing may change, no alert may come."""
        executions = self._stack.cloud.executions()
        chosen = [execution["name"] for execution in executions if execution["status"] == "FAILED"]
        chosen += [execution["name"] for execution in executions if execution["status"] == "SUCCEEDED"]
        chosen = self._chance.sample(chosen, min(_REPLAYED_AGAIN, len(chosen)))
        self._tell(f"{len(chosen)} executions are replayed once more, twice at the same time")
        commands = [self._start_cachao("replay", *chosen, "--again", "--yes") for _ in range(2)]
        for command in commands:
            self._finish(command)
        self._tell(self._state())

    def _balance(self, shop: Shop) -> Balance:
        self._stack.wait_until_idle(timeout_seconds=60)
        self._summarize()
        executions = self._stack.cloud.executions()
        failed = [execution["executionArn"] for execution in executions if execution["status"] == "FAILED"]
        queue = self._stack.client("sqs").get_queue_attributes(
            QueueUrl=self._stack.dead_letter_queue_url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return draw_up(
            self._database,
            shop,
            executions,
            {arn: self._order_of(arn) for arn in failed},
            self._stack.alerts(),
            int(queue["Attributes"]["ApproximateNumberOfMessages"]),
        )

    def _summarize(self) -> None:
        """Run the summary of alerts as its schedule would some minutes later."""
        grow_old(self._stack.cloud)
        function = self._stack.cloud.deployment.functions["SummarizeAlertsFunction"].name
        answer = self._stack.cloud.lambdas.invoke(function, b"{}")
        if answer.function_error:
            raise StormError(f"the summary of alerts failed: {answer.payload!r}")

    def _order_of(self, arn: str) -> str:
        client = self._stack.client("stepfunctions")
        event = json.loads(client.describe_execution(executionArn=arn)["input"])
        return str(event["detail"]["data"]["object"]["metadata"]["order_id"])

    def _cachao(self, *arguments: str) -> int:
        return self._finish(self._start_cachao(*arguments))

    def _start_cachao(self, *arguments: str) -> subprocess.Popen[str]:
        named = len(arguments) > _MOST_SHOWN
        shown = f"replay … ({len(arguments) - 3} names) --again --yes" if named else " ".join(arguments)
        self._say(f"$ cachao {shown} --local")
        program = "from cachao.cli import main; main()"
        return subprocess.Popen(
            [sys.executable, "-c", program, *arguments, "--local", "--no-color"],
            cwd=self._stack.directory.parent,  # where it finds .local/stack.json
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_PROJECT), str(_PROJECT / "functions")])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _finish(self, command: subprocess.Popen[str]) -> int:
        try:
            printed, _ = command.communicate(timeout=_COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            command.kill()
            raise StormError(f"{command.args!r} did not end in {_COMMAND_SECONDS} s") from None
        if command.returncode not in {0, 1}:  # 1: some of what it started failed
            raise StormError(f"{command.args!r} ended with {command.returncode}:\n{printed}")
        return command.returncode

    def _paid(self) -> str:
        with contextlib.suppress(DatabaseUnavailable, pymysql.err.MySQLError), self._database.transaction() as tx:
            row = tx.one("SELECT COUNT(*) AS paid FROM ticket_orders WHERE status = 'paid'")
            return str(row["paid"]) if row else "?"
        return "?"

    def _state(self) -> str:
        statuses = Counter(execution["status"].lower() for execution in self._stack.cloud.executions())
        executions = ", ".join(f"{number} {status}" for status, number in sorted(statuses.items()))
        return f"{self._paid()} orders paid; executions: {executions}; {len(self._stack.alerts())} alerts"

    def _tell(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f} s  {text}")
