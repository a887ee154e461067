"""CorrectOrder: shows what a correction of an order, a limit or a sale would change, and makes it; for `cachao`.

Invoked by `cachao move`, `change`, `take-back`, `mark-paid`, `correct`, `limit`, `sale` and `refund --seats`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from handlers import stripe_access
from handlers.runtime import TaskInput, database, task
from ticketing.corrections.change import Change
from ticketing.corrections.details import Details, FoundSession
from ticketing.corrections.frame import CorrectionReport, correct
from ticketing.corrections.limit import LimitReport, NewLimit, set_limit
from ticketing.corrections.mark_paid import MarkPaid
from ticketing.corrections.move import Move
from ticketing.corrections.refund_seats import RefundSeats, refund_seats
from ticketing.corrections.sale import NewSale, SaleReport, set_sale
from ticketing.corrections.take_back import TakeBack
from ticketing.corrections.unpaid_session import end_session
from ticketing.errors import InvalidEvent
from ticketing.stripe.objects import identity_of
from ticketing.stripe.payments import StripePayments
from ticketing.stripe.refunds import StripeRefunds
from ticketing.stripe.sessions import StripeSessions

# As long as the columns of `order_corrections`.
_LONGEST: Final = 255


class CorrectOrderInput(TaskInput):
    """One correction. `seen`: do it, where the order is as it was shown; without it, it is only shown."""

    execution_id: str = "by hand"
    correction: Move | Change | TakeBack | MarkPaid | Details | RefundSeats | None = None
    limit: NewLimit | None = None
    sale: NewSale | None = None
    seen: str | None = None
    by: str = "nobody said"
    reason: str | None = None


@task(CorrectOrderInput)
def handler(given: CorrectOrderInput) -> CorrectionReport | LimitReport | SaleReport:
    """Raises OrderNotFound, RefundFailed, InvalidEvent; DatabaseUnavailable and StripeUnavailable: try again."""
    if max(len(given.by), len(given.reason or "")) > _LONGEST:
        raise InvalidEvent(f"Who corrects, and why, have at most {_LONGEST} characters each.")
    if given.limit is not None:
        return set_limit(database, given.limit, by=given.by, reason=given.reason)
    if given.sale is not None:
        return set_sale(database, given.sale, by=given.by, reason=given.reason, seen=given.seen)
    if given.correction is None or given.order_id is None:
        raise InvalidEvent("A correction needs an order, and what is to be corrected.")
    order_id, correction, seen = given.order_id, given.correction, given.seen
    if isinstance(correction, RefundSeats):
        refunds = StripeRefunds(stripe_access.client())
        return refund_seats(database, refunds, order_id, correction, by=given.by, reason=given.reason, seen=seen)
    if isinstance(correction, MarkPaid):
        payment = correction.payment
        found = None if payment is None else StripePayments(stripe_access.client()).retrieve(payment)
        correction = msgspec.structs.replace(correction, found=found)
    elif isinstance(correction, Details) and correction.session is not None:
        correction = _with_sessions(order_id, correction)
    if seen is not None and _ends_the_wait(correction):
        report = end_session(database, StripeSessions(stripe_access.client()), order_id, correction, seen=seen)
        if report.refused or report.moved_on or report.already:
            return report
        seen = report.seen
    return correct(database, order_id, correction, by=given.by, reason=given.reason, seen=seen)


def _ends_the_wait(correction: Move | Change | TakeBack | MarkPaid | Details) -> bool:
    """Tell whether the buyer must not pay any more once it is done: the order's open session is ended first."""
    if isinstance(correction, TakeBack):
        return correction.seats is None
    return isinstance(correction, MarkPaid)


def _with_sessions(order_id: int, correction: Details) -> Details:
    with database.transaction() as tx:
        row = tx.one("SELECT stripe_checkout_session_id AS session_id FROM ticket_orders WHERE id = %s", order_id)
    stored = None if row is None else row["session_id"]
    return msgspec.structs.replace(
        correction,
        found=_session(correction.session),
        stored=None if stored == correction.session else _session(stored),
    )


def _session(session_id: str | None) -> FoundSession | None:
    session = None if session_id is None else StripeSessions(stripe_access.client()).retrieve(session_id)
    if session is None:
        return None
    known = msgspec.structs.asdict(identity_of(session))
    return FoundSession(**known, status=str(session["status"]), payment_status=str(session["payment_status"]))
