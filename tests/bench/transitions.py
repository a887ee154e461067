"""Section `transitions`: what each outcome costs on Step Functions, and how long it takes from event to final state."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import asdict
from statistics import median
from typing import Any, Final

from rich.progress import Progress

from tests.bench.report import Line, Section
from tests.bench.scale import Scale
from tests.bench.shop import Shop
from tests.factories import create_code, create_order, create_ticket, envelope, row_of, session_of
from tests.workflow.conftest import Ended, ended
from tests.workflow.scenarios import SCENARIOS, Scene
from ticketing.database import Database, connector

_START_SECONDS: Final = 60.0


def transitions(shop: Shop, scale: Scale, progress: Progress) -> Section:
    """Transitions, invocations and time for each outcome, in the local cloud, with warm functions."""
    section = Section(
        "transitions",
        "each outcome's transitions, Lambda invocations and time, warm",
        ("ends as", "transitions", "Lambda invocations", "event to end ms"),
        notes=[
            "Transitions as Step Functions bills them: states entered, and retries.",
            (
                "Time: from putting the event to the last event of the execution's history, in the local cloud; medians"
                f" of {max(scale.executions - 1, 1)}. AWS's own time is another."
            ),
        ],
    )
    task = progress.add_task("transitions: executions", total=len(OUTCOMES) * scale.executions)
    database = Database(connector(**asdict(shop.stack.database_address), ca_file=None))
    with contextlib.closing(database):
        timed = _TimedRuns(shop)
        assert shop.stack.stripe is not None
        scene = Scene(shop.stack.cloud, database, timed, shop.stack.stripe)
        for name, outcome in OUTCOMES.items():
            ends, seconds = [], []
            for _ in range(scale.executions):
                ends.append(outcome(scene))
                seconds.append(timed.seconds)
                progress.advance(task)
            end = ends[-1]
            # The first one finds cold functions.
            warm = seconds[1:] or seconds
            section.lines.append(
                Line(
                    name,
                    (end.error or end.output["result"], _transitions(end), _invocations(end), 1000 * median(warm)),
                )
            )
    return section


class _TimedRuns:
    """Puts an envelope on its bus, waits for the execution that it starts, and knows how long that took."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.seconds = 0.0

    def __call__(self, event: dict[str, Any]) -> Ended:
        stack = self._shop.stack
        began = time.time()
        event_id = stack.put_event({**event, "source": stack.partner_event_bus})
        deadline = time.monotonic() + _START_SECONDS
        while (arn := stack.execution_of_event(event_id)) is None:
            assert time.monotonic() < deadline, "the event started no execution"
            time.sleep(0.01)
        end = ended(stack.cloud, arn)
        self.seconds = float(end.history[-1]["timestamp"].timestamp()) - began
        return end


def _transitions(end: Ended) -> int:
    scheduled = sum(event["type"] == "TaskScheduled" for event in end.history)
    tasks = sum(event["type"] == "TaskStateEntered" for event in end.history)
    return len(end.states) + int(scheduled) - int(tasks)


def _invocations(end: Ended) -> int:
    scheduled = [event.get("taskScheduledEventDetails", {}) for event in end.history]
    return sum(1 for details in scheduled if details.get("resourceType") == "lambda")


def _paid_with_code(scene: Scene) -> Ended:
    ticket_id = create_ticket(scene.database)
    event_id = row_of(scene.database, "tickets", ticket_id)["event_id"]
    code_id = create_code(scene.database, event_id=event_id)
    return scene.complete(
        row_of(
            scene.database,
            "ticket_orders",
            create_order(scene.database, ticket_id=ticket_id, quantity=2, discount_code_id=code_id),
        )
    )


def _paid_again(scene: Scene) -> Ended:
    return scene.complete(scene.paid())


def _delayed_then_paid(scene: Scene) -> Ended:
    order = scene.pending()
    scene.complete(order, payment_status="unpaid")
    return scene.run(envelope("checkout.session.async_payment_succeeded", session_of(order)))


def _delayed_then_failed(scene: Scene) -> Ended:
    order = scene.pending()
    scene.complete(order, payment_status="unpaid")
    return scene.run(envelope("checkout.session.async_payment_failed", session_of(order, payment_status="unpaid")))


def _late(scene: Scene) -> Ended:
    return scene.complete(scene.pending(hold=False, status="expired"))


def _second_payment(scene: Scene) -> Ended:
    return scene.complete(scene.paid(), payment_intent="pi_second")


def _wrong_amount(scene: Scene) -> Ended:
    return scene.complete(scene.pending(), amount_total=1)


def _scenario(name: str) -> Callable[[Scene], Ended]:
    return SCENARIOS[name][0]


# What Stripe can report. What the tests play besides, a function that answers nonsense and the like, costs nobody.
OUTCOMES: Final[dict[str, Callable[[Scene], Ended]]] = {
    "paid": _scenario("paid"),
    "paid, with a discount code": _paid_with_code,
    "the same event again": _paid_again,
    "delayed: unpaid yet": _scenario("delayed payment"),
    "delayed: then paid": _delayed_then_paid,
    "delayed: then failed": _delayed_then_failed,
    "expired": _scenario("expired"),
    "paid late, seats free": _late,
    "paid late, sold out": _scenario("paid but sold out"),
    "second payment": _second_payment,
    "second payment, refunded automatically": _scenario("second payment, refunded automatically"),
    "paid after it was closed": _scenario("paid after it was closed"),
    "refund": _scenario("refund"),
    "refund before the payment": _scenario("refunded before it was paid"),
    "refund that failed": _scenario("refund that failed"),
    "refund of something else": _scenario("refund of something else"),
    "dispute": _scenario("dispute"),
    "wrong amount": _wrong_amount,
    "unknown order": _scenario("unknown order"),
    "malformed event": _scenario("malformed event"),
}
