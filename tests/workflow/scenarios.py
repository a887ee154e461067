"""One scenario for each way through the state machine. A state or an edge that none of them takes fails a test.

Failures come from outside: an interceptor answers in a function's place, or the alert topic is taken away. The state
machine is the template's own; only `automatic_refund` is deployed once more, as AutomaticRefund=true deploys it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from local.aws.cloud import LocalCloud
from local.aws.lambda_answers import InvokeResult
from local.aws.lambda_pool import Invocation
from local.aws.lambda_workers import Interceptor, Proceed
from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.factories import (
    charge_of,
    create_order,
    create_ticket,
    dispute_of,
    envelope,
    refund_of,
    row_of,
    session_of,
)
from tests.workflow.conftest import Ended, Run
from ticketing.database import Database


@dataclass(frozen=True)
class Scene:
    """What a scenario acts on."""

    cloud: LocalCloud
    database: Database
    run: Run
    stripe: StripeStandIn

    def pending(self, **columns: Any) -> dict[str, Any]:
        return row_of(self.database, "ticket_orders", create_order(self.database, **columns))

    def paid(self) -> dict[str, Any]:
        order = self.pending()
        assert self.complete(order).status == "SUCCEEDED"
        return row_of(self.database, "ticket_orders", order["id"])

    def complete(self, order: dict[str, Any], **session: Any) -> Ended:
        return self.run(envelope("checkout.session.completed", session_of(order, **session)))

    @contextlib.contextmanager
    def answering(self, function: str, answer: Callable[[Invocation, Proceed], InvokeResult]) -> Iterator[None]:
        """Let something else answer when one function is invoked."""

        def intercept(invocation: Invocation, proceed: Proceed) -> InvokeResult:
            if invocation.function.logical_id != function:
                return proceed(invocation)
            return answer(invocation, proceed)

        interceptor: Interceptor = intercept
        self.cloud.lambdas.interceptors.append(interceptor)
        try:
            yield
        finally:
            self.cloud.lambdas.interceptors.remove(interceptor)

    @contextlib.contextmanager
    def definition(self, change: Callable[[str], str]) -> Iterator[None]:
        """Deploy the state machine with another parameter for a while."""
        client, arn = self.cloud.client("stepfunctions"), self.cloud.deployment.outputs["StateMachineArn"]
        before = client.describe_state_machine(stateMachineArn=arn)["definition"]
        after = change(before)
        assert after != before
        self.cloud.point_alias(self.cloud.publish(after))
        try:
            yield
        finally:
            self.cloud.point_alias(self.cloud.publish(before))


def broken(_invocation: Invocation, _proceed: Proceed) -> InvokeResult:
    """A function that fails for good."""
    body = {"errorMessage": "It broke.", "errorType": "DataInconsistent", "requestId": "1", "stackTrace": []}
    return InvokeResult(json.dumps(body).encode(), function_error="Unhandled")


def nonsense(_invocation: Invocation, _proceed: Proceed) -> InvokeResult:
    """A function whose answer its contract does not know."""
    return InvokeResult(b'{"order_id": 1, "status": "purple", "outcome": "purple", "result": "purple"}')


def without_topic(definition: str) -> str:
    """The definition with an alert topic that does not exist."""
    return definition.replace("AlertTopic", "NoSuchTopic")


def with_automatic_refund(definition: str) -> str:
    """The definition as AutomaticRefund=true deploys it."""
    return definition.replace("'false' = 'true'", "'true' = 'true'")


def paid(scene: Scene) -> Ended:
    return scene.complete(scene.pending())


def ignored_type(scene: Scene) -> Ended:
    # Past the rule, which would not let it through: what a mistaken hand could start.
    event = envelope("customer.created", {"id": "cus_1", "object": "customer"})
    arn = scene.cloud.deployment.outputs["StateMachineArn"]
    started = scene.cloud.client("stepfunctions").start_execution(stateMachineArn=arn, input=json.dumps(event))
    from tests.workflow.conftest import ended  # noqa: PLC0415 -- conftest imports nothing of this module

    return ended(scene.cloud, started["executionArn"])


def foreign_refund(scene: Scene) -> Ended:
    body = {
        "id": "re_foreign",
        "object": "refund",
        "amount": 100,
        "currency": "eur",
        "payment_intent": "pi_of_something_else",
        "status": "succeeded",
    }
    return scene.run(envelope("refund.created", body))


def invalid(scene: Scene) -> Ended:
    return scene.run(envelope("checkout.session.completed", {"id": 7}))


def not_found(scene: Scene) -> Ended:
    return scene.complete(scene.pending(), metadata={"order_id": "999999999"})


def sold_out(scene: Scene) -> Ended:
    ticket_id = create_ticket(scene.database, max_quantity=1)
    order = scene.pending(ticket_id=ticket_id, hold=False, status="expired")
    create_order(scene.database, ticket_id=ticket_id)
    return scene.complete(order)


def closed(scene: Scene) -> Ended:
    return scene.complete(scene.pending(hold=False, status="cancelled"))


def automatic_refund(scene: Scene) -> Ended:
    order = scene.paid()
    with scene.definition(with_automatic_refund), scene.answering("RefundPaymentFunction", _refunded):
        return scene.complete(order, payment_intent="pi_second")


def automatic_refund_fails(scene: Scene) -> Ended:
    order = scene.paid()
    with scene.definition(with_automatic_refund), scene.answering("RefundPaymentFunction", broken):
        return scene.complete(order, payment_intent="pi_second")


def _refunded(_invocation: Invocation, _proceed: Proceed) -> InvokeResult:
    return InvokeResult(b'{"refund_id": "re_1", "amount_minor": 2000, "currency": "eur"}')


def went_back(scene: Scene) -> Ended:
    # Stripe says that the payment is the order's own; another one's refund would not end a waiting order.
    session = scene.stripe.session(scene.stripe.seed_session(SessionSeed(2000)))
    order = scene.pending(stripe_checkout_session_id=session["id"])
    payment = {"payment_intent": session["payment_intent"]}
    charge = charge_of(order, amount_refunded=2000, **payment)
    assert scene.run(envelope("charge.refunded", charge)).status == "SUCCEEDED"
    return scene.complete(order, **payment)


def one_count_fails(scene: Scene) -> Ended:
    with scene.answering("CountTicketSaleFunction", broken):
        return scene.complete(scene.pending())


def other_count_fails(scene: Scene) -> Ended:
    with scene.answering("CountDiscountUseFunction", broken):
        return scene.complete(scene.pending())


def awaiting(scene: Scene) -> Ended:
    return scene.complete(scene.pending(), payment_status="unpaid")


def awaiting_fails(scene: Scene) -> Ended:
    with scene.answering("MarkOrderProcessingFunction", broken):
        return awaiting(scene)


def expired(scene: Scene) -> Ended:
    return scene.run(envelope("checkout.session.expired", session_of(scene.pending(), payment_status="unpaid")))


def release_fails(scene: Scene) -> Ended:
    with scene.answering("ReleaseOrderFunction", broken):
        return expired(scene)


def refund(scene: Scene) -> Ended:
    return scene.run(envelope("refund.created", refund_of(scene.paid(), amount=2000)))


def refund_fails(scene: Scene) -> Ended:
    return scene.run(envelope("refund.failed", refund_of(scene.paid(), amount=2000, status="failed")))


def dispute(scene: Scene) -> Ended:
    return scene.run(envelope("charge.dispute.created", dispute_of(scene.paid())))


def dispute_told_already(scene: Scene) -> Ended:
    answer = InvokeResult(b'{"status": "paid", "changed": false, "alerts": []}')
    with scene.answering("RecordDisputeFunction", lambda _i, _p: answer):
        return dispute(scene)


def dispute_fails(scene: Scene) -> Ended:
    order = scene.paid()
    with scene.answering("RecordDisputeFunction", broken):
        return scene.run(envelope("charge.dispute.created", dispute_of(order)))


def dispute_cannot_be_told(scene: Scene) -> Ended:
    order = scene.paid()
    with scene.definition(without_topic):
        return scene.run(envelope("charge.dispute.created", dispute_of(order)))


def told(function: str, answer: dict[str, Any], lane: Callable[[Scene], Ended]) -> Callable[[Scene], Ended]:
    """A way on which a step that succeeds gives an alert."""
    alert = {"name": "CountsOff", "message": "The counter cannot move."}
    body = InvokeResult(json.dumps({**answer, "alerts": [alert]}).encode())

    def play(scene: Scene) -> Ended:
        with scene.answering(function, lambda _i, _p: body):
            return lane(scene)

    return play


def unknown_alert(scene: Scene) -> Ended:
    answer = InvokeResult(json.dumps({"status": "expired", "changed": True, "alerts": [{"text": "?"}]}).encode())
    with scene.answering("ReleaseOrderFunction", lambda _i, _p: answer):
        return expired(scene)


def unknown_reading(scene: Scene) -> Ended:
    with scene.answering("ValidateEventFunction", nonsense):
        return scene.complete(scene.pending())


def unknown_order(scene: Scene) -> Ended:
    order = scene.pending()
    with scene.answering("LookUpOrderFunction", lambda _i, _p: InvokeResult(b'"purple"')):
        return scene.complete(order)


def unknown_payment(scene: Scene) -> Ended:
    order = scene.pending()
    with scene.answering("MarkOrderPaidFunction", nonsense):
        return scene.complete(order)


def unknown_await(scene: Scene) -> Ended:
    with scene.answering("MarkOrderProcessingFunction", nonsense):
        return awaiting(scene)


def unknown_release(scene: Scene) -> Ended:
    with scene.answering("ReleaseOrderFunction", nonsense):
        return expired(scene)


def unknown_refund(scene: Scene) -> Ended:
    order = scene.paid()
    with scene.answering("RecordRefundFunction", nonsense):
        return scene.run(envelope("refund.created", refund_of(order, amount=2000)))


def unknown_dispute(scene: Scene) -> Ended:
    order = scene.paid()
    with scene.answering("RecordDisputeFunction", nonsense):
        return scene.run(envelope("charge.dispute.created", dispute_of(order)))


def release_without_reason(scene: Scene) -> Ended:
    """The reading says that the order is lost, but not whether by a failed payment or by its session's end.

    An outcome that the machine does not know at all does not get here: that is `unknown_reading`.
    """
    order = scene.pending()
    reading = InvokeResult(json.dumps({"outcome": "lost", "event_id": "evt_1"}).encode())
    found = InvokeResult(json.dumps({"order_id": order["id"], "status": "pending"}).encode())
    with (
        scene.answering("ValidateEventFunction", lambda _i, _p: reading),
        scene.answering("LookUpOrderFunction", lambda _i, _p: found),
    ):
        return scene.complete(order)


def alert_fails(scene: Scene) -> Ended:
    with scene.definition(without_topic):
        return not_found(scene)


def alert_cannot_be_noted(scene: Scene) -> Ended:
    with scene.definition(lambda definition: definition.replace("AlertTable", "NoSuchTable")):
        return not_found(scene)


def alert_cannot_be_counted(scene: Scene) -> Ended:
    with scene.definition(lambda definition: definition.replace("'hour', $failure.error", "$error('broken')")):
        return not_found(scene)


def one_of_many(scene: Scene) -> Ended:
    closed(scene)
    return closed(scene)


def by_both_entry_points(scene: Scene) -> Ended:
    event = envelope("checkout.session.completed", session_of(scene.pending(), amount_total=1))
    scene.run(event)
    return scene.run({**event, "source": "stripe.com"})


# What each is called, how it ends, and with which error (*: AWS's own).
SCENARIOS: dict[str, tuple[Callable[[Scene], Ended], str, str | None]] = {
    "paid": (paid, "SUCCEEDED", None),
    "ignored type": (ignored_type, "SUCCEEDED", None),
    "refund of something else": (foreign_refund, "SUCCEEDED", None),
    "malformed event": (invalid, "FAILED", "InvalidEvent"),
    "unknown order": (not_found, "FAILED", "OrderNotFound"),
    "paid but sold out": (sold_out, "FAILED", "PaidButSoldOut"),
    "paid after it was closed": (closed, "FAILED", "PaymentForClosedOrder"),
    "second payment, refunded automatically": (automatic_refund, "FAILED", "DuplicatePayment"),
    "second payment, automatic refund fails": (automatic_refund_fails, "FAILED", "DuplicatePayment"),
    "refunded before it was paid": (went_back, "SUCCEEDED", None),
    "ticket sale cannot be counted": (one_count_fails, "FAILED", "DataInconsistent"),
    "discount use cannot be counted": (other_count_fails, "FAILED", "DataInconsistent"),
    "delayed payment": (awaiting, "SUCCEEDED", None),
    "delayed payment cannot be noted": (awaiting_fails, "FAILED", "DataInconsistent"),
    "expired": (expired, "SUCCEEDED", None),
    "expired, cannot be released": (release_fails, "FAILED", "DataInconsistent"),
    "refund": (refund, "SUCCEEDED", None),
    "refund that failed": (refund_fails, "FAILED", "RefundFailed"),
    "dispute": (dispute, "SUCCEEDED", None),
    "dispute cannot be recorded": (dispute_fails, "FAILED", "DataInconsistent"),
    "dispute cannot be told": (dispute_cannot_be_told, "FAILED", "*"),
    "paid, with an alert": (told("CountTicketSaleFunction", {"result": "cannot_count"}, paid), "SUCCEEDED", None),
    "went back, with an alert": (
        told("MarkOrderPaidFunction", {"status": "refunded", "changed": False}, paid),
        "SUCCEEDED",
        None,
    ),
    "awaited, with an alert": (
        told("MarkOrderProcessingFunction", {"status": "processing", "changed": True}, awaiting),
        "SUCCEEDED",
        None,
    ),
    "expired, with an alert": (
        told("ReleaseOrderFunction", {"status": "expired", "changed": True}, expired),
        "SUCCEEDED",
        None,
    ),
    "refund, with an alert": (
        told("RecordRefundFunction", {"status": "refunded", "changed": True}, refund),
        "SUCCEEDED",
        None,
    ),
    "dispute that was told already": (dispute_told_already, "SUCCEEDED", None),
    "alert that nobody understands": (unknown_alert, "FAILED", "States.QueryEvaluationError"),
    "reading that nobody understands": (unknown_reading, "FAILED", "UnexpectedResult"),
    "order that nobody understands": (unknown_order, "FAILED", "UnexpectedResult"),
    "payment that nobody understands": (unknown_payment, "FAILED", "UnexpectedResult"),
    "await that nobody understands": (unknown_await, "FAILED", "UnexpectedResult"),
    "release that nobody understands": (unknown_release, "FAILED", "UnexpectedResult"),
    "refund that nobody understands": (unknown_refund, "FAILED", "UnexpectedResult"),
    "dispute that nobody understands": (unknown_dispute, "FAILED", "UnexpectedResult"),
    "release without a reason": (release_without_reason, "FAILED", "*"),
    "alert cannot be sent": (alert_fails, "FAILED", "OrderNotFound"),
    "alert cannot be noted": (alert_cannot_be_noted, "FAILED", "OrderNotFound"),
    "alert cannot be counted": (alert_cannot_be_counted, "FAILED", "OrderNotFound"),
    "two failures of one error, one alert": (one_of_many, "FAILED", "PaymentForClosedOrder"),
    "one failure by both entry points, one alert": (by_both_entry_points, "FAILED", "AmountMismatch"),
}
