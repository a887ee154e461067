"""Each alert is brought to its end by the commands that its mail names, and by nothing else.

A new operator has the mail, and pastes. Where the mail leaves a choice, the case says which way is taken; what only a
person can know (who is to have the money) is not decided here.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from local.aws.cloud import LocalCloud
from local.aws.lambda_answers import function_error
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import create_event, create_order, create_ticket, dispute_of, envelope, names_of, refund_of, row_of
from tests.operations.conftest import Cachao
from tests.workflow.conftest import Ended, Run
from tests.workflow.scenarios import Scene
from tests.workflow.test_ended_executions import hanging, tell
from ticketing.database import Database

Alerts = Callable[[], list[dict[str, Any]]]
Begin = Callable[[Scene], Ended]
# Most need no more; half of them are to.
MOST_COMMANDS = 3


class Case(NamedTuple):
    """What happens, and the beginnings of the commands in the mail that are said, in this order."""

    begin: Begin
    commands: tuple[str, ...]
    order_is: str


def session_at_stripe(scene: Scene, order: dict[str, Any]) -> dict[str, Any]:
    seed = SessionSeed(amount_total=int(order["total_amount"] * 100), metadata=names_of(order))
    return scene.stripe.session(scene.stripe.seed_session(seed))


def pay(scene: Scene, amount: int | None = None, *, own: bool = True, **columns: Any) -> Ended:
    """An order is paid at Stripe: by its own session, or by another one of this shop's."""
    order = scene.pending(**columns)
    session = session_at_stripe(scene, order)
    if own:
        with scene.database.transaction() as tx:
            sql = "UPDATE ticket_orders SET stripe_checkout_session_id = %s WHERE id = %s"
            tx.change(sql, session["id"], order["id"])
    given = {"id": session["id"], "payment_intent": session["payment_intent"]}
    if amount is not None:
        given["amount_total"] = amount
    return scene.complete(order, **given)


def fails_with(error: str) -> Begin:
    def begin(scene: Scene) -> Ended:
        with scene.answering("MarkOrderPaidFunction", lambda *_: function_error(error, "For once.")):
            return pay(scene)

    return begin


def again(scene: Scene) -> dict[str, Any]:
    """An order that is paid, and its payment."""
    assert pay(scene).status == "SUCCEEDED"
    with scene.database.transaction() as tx:
        row = tx.one("SELECT * FROM ticket_orders ORDER BY id DESC LIMIT 1")
    assert row is not None
    return dict(row)


def duplicate(scene: Scene) -> Ended:
    order = again(scene)
    session = session_at_stripe(scene, order)
    return scene.complete(order, id=session["id"], payment_intent=session["payment_intent"])


def sold_out(scene: Scene) -> Ended:
    ticket = create_ticket(scene.database, max_quantity=1)
    create_order(scene.database, ticket_id=ticket)
    return pay(scene, ticket_id=ticket, hold=False, status="expired")


def after_its_event(scene: Scene) -> Ended:
    event = create_event(scene.database, start_date="2026-01-01 20:00:00", end_date="2026-01-01 23:00:00")
    return pay(scene, ticket_id=create_ticket(scene.database, event_id=event))


def count_off(scene: Scene) -> Ended:
    ticket = create_ticket(scene.database, max_quantity=5)
    order = scene.pending(ticket_id=ticket, quantity=2)
    with scene.database.transaction() as tx:
        tx.change("UPDATE tickets SET held_quantity = 0 WHERE id = %s", ticket)
    return scene.complete(order)


def disputed(kind: str, status: str) -> Begin:
    def begin(scene: Scene) -> Ended:
        order = again(scene)
        payment = order["stripe_payment_intent_id"]
        return scene.run(envelope(kind, dispute_of(order, payment_intent=payment, status=status)))

    return begin


def won_after_all(scene: Scene) -> Ended:
    order = again(scene)
    payment = order["stripe_payment_intent_id"]
    lost, won = (
        scene.run(envelope("charge.dispute.closed", dispute_of(order, payment_intent=payment, status=status)))
        for status in ("lost", "won")
    )
    assert lost.status == "SUCCEEDED"
    return won


def refund_failed(scene: Scene) -> Ended:
    order = again(scene)
    given = {"amount": 2000, "payment_intent": order["stripe_payment_intent_id"]}
    scene.run(envelope("refund.created", refund_of(order, status="pending", **given)))
    return scene.run(envelope("refund.failed", refund_of(order, status="failed", **given)))


def ends_by_itself(status: str, **detail: str) -> Begin:
    """Somebody stops an execution after the payment was looked up; told as this ending, which nobody's Catch sees."""

    def begin(scene: Scene) -> Ended:
        end = threading.Event()
        with hanging(scene, end) as order:
            arn = order["execution"]
            scene.cloud.client("stepfunctions").stop_execution(executionArn=arn)
            end.set()  # moto's engine ends it only now
            assert scene.cloud.wait_for_execution(arn)["status"] == "ABORTED"
        name = arn.rpartition(":")[2]
        tell(scene, executionArn=arn, name=name, status=status, **detail)
        return Ended("ABORTED", {}, None, None, [], name, arn, "")

    return begin


CASES = {
    "AmountMismatch, and Stripe is right": Case(lambda s: pay(s, 1999), ("correct", "replay"), "paid"),
    "AmountMismatch, and Stripe is wrong": Case(lambda s: pay(s, 1999), ("correct", "replay", "refund"), "refunded"),
    "ConfigurationError": Case(fails_with("ConfigurationError"), ("replay",), "paid"),
    "CountsOff": Case(count_off, ("counts",), "paid"),
    "DatabaseUnavailable": Case(fails_with("DatabaseUnavailable"), ("replay",), "paid"),
    "DataInconsistent": Case(fails_with("DataInconsistent"), ("counts", "replay"), "paid"),
    "DisputeClosed": Case(disputed("charge.dispute.closed", "prevented"), ("take-back",), "cancelled"),
    "DisputeOpened, an inquiry": Case(
        disputed("charge.dispute.created", "warning_needs_response"), ("refund",), "refunded"
    ),
    "DisputeWon, after it was lost": Case(won_after_all, ("refund",), "refunded"),
    "DuplicatePayment": Case(duplicate, ("refund", "replay"), "paid"),
    "ExecutionAborted": Case(ends_by_itself("ABORTED"), ("replay",), "paid"),
    "ExecutionFailed": Case(ends_by_itself("FAILED", error="States.DataLimitExceeded"), ("doctor", "replay"), "paid"),
    "ExecutionTimedOut": Case(ends_by_itself("TIMED_OUT"), ("doctor", "replay"), "paid"),
    "OrderMismatch": Case(lambda s: pay(s, own=False), ("correct", "replay"), "paid"),
    "PaidAfterEvent": Case(after_its_event, ("refund",), "refunded"),
    "PaidButSoldOut": Case(sold_out, ("refund", "replay"), "expired"),
    "PaymentForClosedOrder": Case(lambda s: pay(s, hold=False, status="cancelled"), ("refund", "replay"), "cancelled"),
    "RefundFailed": Case(refund_failed, ("refund",), "refunded"),
    "SchemaOutdated": Case(fails_with("SchemaOutdated"), ("migrate", "replay"), "paid"),
    "StripeUnavailable": Case(fails_with("StripeUnavailable"), ("replay",), "paid"),
    "UnexpectedResult": Case(fails_with("UnexpectedResult"), ("migrate", "replay"), "paid"),
    "an error of AWS": Case(fails_with("Lambda.Unknown"), ("replay",), "paid"),
}
# What a person fills in.
FILLED_IN = {"AMOUNT": "19.99"}
_COMMAND = re.compile(
    r"cachao ([a-z][a-z-]*)((?: (?:--[a-z][a-z-]*|[A-Za-z0-9_-]*[0-9_][A-Za-z0-9_-]*|AMOUNT|[A-Z]\w+[A-Z]\w+))*)"
)


def commands_in(mail: str) -> list[list[str]]:
    """The commands of "What to do now", as one would copy them."""
    todo = re.search(r"^What to do now: (.*)$", mail, re.MULTILINE)
    assert todo, mail
    return [[name, *(FILLED_IN.get(word, word) for word in rest.split())] for name, rest in _COMMAND.findall(todo[1])]


def told(alerts: Alerts, name: str) -> str:
    """Wait for the mail of this name; those without a name of their own are the last."""
    deadline = time.monotonic() + 20
    mails: list[str] = []
    while time.monotonic() < deadline:
        mails += [mail["Message"] for mail in alerts()]
        if mails and not name.startswith("Execution"):
            return mails[-1]
        if found := next((mail for mail in mails if mail.startswith(f"{name} in ")), None):
            return found
        time.sleep(0.05)
    raise AssertionError(mails)


@pytest.mark.parametrize("name", CASES)
def test_the_commands_of_its_mail_bring_it_to_its_end(
    name: str,
    cloud: LocalCloud,
    database: Database,
    run: Run,
    stripe_stand_in: StripeStandIn,
    alerts: Alerts,
    cachao: Cachao,
) -> None:
    case = CASES[name]
    ended = case.begin(Scene(cloud, database, run, stripe_stand_in))
    mail = told(alerts, name.partition(",")[0])
    said = commands_in(mail)
    for wanted in case.commands:
        line = next((words for words in said if words[0] == wanted), None)
        assert line is not None, (wanted, mail)
        answer = cachao(*line, *([] if wanted == "doctor" else ["--yes"]))
        # The doctor finds something; what was refunded closes by a replay that fails.
        closes = wanted == "doctor" or (wanted == "replay" and case.commands[0] == "refund")
        assert answer.exit_code == 0 or closes, (line, answer.text, answer.notes)
    assert len(case.commands) <= MOST_COMMANDS
    order = re.search(r"^Order: (\d+)$", mail, re.MULTILINE)
    assert order, mail
    assert row_of(database, "ticket_orders", int(order[1]))["status"] == case.order_is
    if ended.status != "SUCCEEDED" and "replay" in case.commands:
        [row] = [
            one
            for one in cachao("executions", "--failed", "--since", "1h", json=True).data["executions"]
            if one["execution"] == ended.name
        ]
        assert row["repaired_by"], row
