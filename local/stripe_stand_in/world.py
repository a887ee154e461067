"""What happens at Stripe that no API request does: buyers, their banks, other applications, time, misfortune.

How a test uses it: README.md beside this file.
"""

from collections.abc import Iterable

from local.stripe_stand_in import balance, disputes, events, foreign, payments, payouts, refunds, seeding, sessions
from local.stripe_stand_in.context import Context, RequestInfo
from local.stripe_stand_in.deliveries import Deliverer
from local.stripe_stand_in.errors import resource_missing
from local.stripe_stand_in.faults import Fault, FaultKind, Faults, Moment
from local.stripe_stand_in.foreign import PaymentSeed
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.payments import DEFAULT_CARD, Payer, PayResult
from local.stripe_stand_in.rate_limit import RateLimit
from local.stripe_stand_in.refunds import Ending, Outcome
from local.stripe_stand_in.seeding import SessionSeed
from local.stripe_stand_in.timekeeper import run_due

_SMALLEST_ERROR_STATUS = 400


class World:
    """Everybody but the shop. `StripeStandIn` is one, and serves Stripe's API for it.

    Args:
        context: The stand-in's state.
        deliverer: Brings events to their targets.
        faults: Faults on purpose.
        rate_limit: The rate limit of the API.
    """

    def __init__(self, context: Context, deliverer: Deliverer, faults: Faults, rate_limit: RateLimit) -> None:
        """Take what it acts on; see the class."""
        self.context = context
        self.destination = context.destination
        self._deliverer = deliverer
        self._faults = faults
        self._rate_limit = rate_limit

    def pay(  # noqa: PLR0913 - what the page asks, all by name
        self,
        session_id: str,
        card: str | None = DEFAULT_CARD,
        *,
        iban: str | None = None,
        email: str | None = None,
        name: str | None = None,
        convert_to: str | None = None,
        fx_rate: str = "1.1",
        converts_session: bool = False,
    ) -> PayResult:
        """Pay as the buyer does on the hosted page; see Stripe's test cards and IBANs in instruments.py.

        Args:
            session_id: The session.
            card: A card number.
            iban: A bank account instead of the card.
            email: The buyer's, where the shop gave none.
            name: The buyer's.
            convert_to: Let adaptive pricing take another currency (with a card).
            fx_rate: Units of that currency for one of the session's.
            converts_session: In the shape of sessions made before 2025-03-31: with `currency_conversion`.

        Raises:
            ApiError: 404 for an unknown session; 400 for an unusable IBAN or method.
        """
        payer = Payer(card, iban, email, name, convert_to, fx_rate, converts_session)
        return payments.pay(self.context, session_id, payer)

    def settle(self, session_id: str, *, succeeded: bool = True) -> PayResult:
        """Decide a delayed payment now, whatever its IBAN says; takes a `cs_…` or a `pi_…`."""
        return payments.settle(self.context, session_id, succeeded=succeeded)

    def open_dispute(
        self,
        payment_intent: str,
        *,
        amount: int | None = None,
        reason: str = "fraudulent",
        inquiry: bool = False,
    ) -> JsonObject:
        """Dispute a payment, or a part of it, as the buyer's bank does; an inquiry takes no money yet.

        Returns:
            The dispute.
        """
        return disputes.open_dispute(self.context, payment_intent, amount=amount, reason=reason, inquiry=inquiry)

    def escalate_dispute(self, dispute: str) -> JsonObject:
        """Let an inquiry become a dispute: the bank takes the money; named by its own id or its payment's."""
        return disputes.escalate(self.context, dispute)

    def close_dispute(self, dispute: str, *, status: disputes.Decision) -> JsonObject:
        """Decide a dispute, named by its own id or by its payment's; a lost one may be won after all."""
        return disputes.close_dispute(self.context, dispute, status)

    def refund(
        self, payment_intent: str, *, amount: int | None = None, metadata: dict[str, str] | None = None
    ) -> JsonObject:
        """Refund a payment in the Dashboard: no request of the shop, no metadata of the shop."""
        asked: JsonObject = {"payment_intent": payment_intent, "amount": amount, "metadata": metadata}
        given = {name: value for name, value in asked.items() if value is not None}
        return refunds.create(self.context, given, RequestInfo())

    def set_refund_outcome(self, payment_intent: str, outcome: Outcome) -> None:
        """Say how refunds of a payment made from now on end, whatever its card says."""
        refunds.set_outcome(self.context, payment_intent, outcome)

    def finish_refund(self, refund: str, *, status: Ending) -> JsonObject:
        """End a refund: a pending one succeeds or is cancelled, or any fails at the buyer's bank."""
        return refunds.finish(self.context, refund, status)

    def pay_out(self, *, amount: int | None = None, everything: bool = False) -> JsonObject | None:
        """Pay out what is available, or `amount` by hand; `everything`: also what is not available yet.

        Returns:
            The payout; None where nothing is to be paid out.
        """
        return payouts.pay_out(self.context, amount=amount, everything=everything)

    def fail_payout(self, payout: str) -> JsonObject:
        """Let the bank send a payout back."""
        return payouts.fail(self.context, payout)

    def move_balance(
        self,
        kind: balance.Type,
        amount: int,
        *,
        source: str | None = None,
        fee: int = 0,
        description: str | None = None,
    ) -> JsonObject:
        """Let Stripe move money by itself: an adjustment, a fee, another line of an object.

        Returns:
            The balance transaction.
        """
        now = self.context.now()
        made = balance.transaction(kind, amount, created=now, source=source, fee=fee, description=description)
        self.context.store.insert(balance.record(made))
        return made

    def foreign_payment(self, seed: PaymentSeed) -> str:
        """Let another application of the account take money without Checkout; returns the `pi_…`."""
        return foreign.take_payment(self.context, seed)

    def emit(
        self,
        event_type: str,
        object_id: str,
        *,
        account: str | None = None,
        context: str | None = None,
        created: int | None = None,
        changes: JsonObject | None = None,
    ) -> JsonObject:
        """Make one more event of an object as it is now: a second one of one happening, a late one, a stranger's.

        Args:
            event_type: As `checkout.session.completed`.
            object_id: Whose snapshot is in it.
            account: The connected account that it comes from, as Connect's platforms get it.
            context: The same in newer words; an account's id.
            created: Unix time; None: now.
            changes: Fields of the snapshot that are otherwise in it.

        Returns:
            The event.

        Raises:
            ApiError: 404: there is no such object.
        """
        record = self.context.store.find(object_id)
        if record is None:
            raise resource_missing("object", object_id)
        subject = sessions.show(self.context, record) if record.kind == "checkout.session" else record.body
        origin = events.Origin(account=account, context=context, created=created)
        return events.emit(self.context, event_type, subject | (changes or {}), RequestInfo(), origin=origin)

    def session(self, session_id: str) -> JsonObject:
        """Return a session as the API shows it."""
        return sessions.show(self.context, sessions.find(self.context, session_id))

    def seed_session(self, seed: SessionSeed) -> str:
        """Put one session there without an event; returns its id."""
        return self.seed_sessions([seed])[0]

    def seed_sessions(self, seeds: Iterable[SessionSeed]) -> list[str]:
        """Put many sessions there without events, 10,000 in about a second; returns their ids."""
        return seeding.seed(self.context, seeds)

    def seed_objects(self, bodies: Iterable[JsonObject]) -> None:
        """Put sessions, payments, charges, refunds or disputes there as they are, without an event.

        The API gives them back unchanged, in the shape of whatever API version they have.
        """
        self.context.store.insert_many(seeding.record_of(body) for body in bodies)

    def run_due(self) -> int:
        """Do now what is due by the clock: expiries, settlements, late refunds; returns how many."""
        return run_due(self.context)

    def wait_until_delivered(self, timeout: float = 10.0) -> bool:
        """Wait until every event has arrived; returns whether that came true within `timeout` seconds."""
        return self._deliverer.wait(timeout)

    def deliveries(self) -> list[JsonObject]:
        """Return every delivery: event_id, event_type, target, state, attempts, last_error."""
        return self._deliverer.report()

    def redeliver(self, event_id: str) -> int:
        """Deliver an event once more, as Stripe does unasked at times; returns to how many targets."""
        return self._deliverer.redeliver(event_id)

    def fail_next(
        self,
        n: int = 1,
        *,
        status: FaultKind = 500,
        path_prefix: str = "/v1/",
        method: str | None = None,
        when: Moment = "before",
        seconds: float = 30.0,
    ) -> None:
        """Let the next `n` API requests that match fail; see faults.Fault.

        Args:
            n: How many.
            status: An HTTP status, `timeout` or `reset`.
            path_prefix: Only requests to paths that begin so.
            method: Only this HTTP method.
            when: `before` the endpoint, `inside` it (a status only) or `after` it, with the work done.
            seconds: How long a `timeout` lasts.

        Raises:
            ValueError: A combination that means nothing.
        """
        known = status in {"timeout", "reset"} if isinstance(status, str) else status >= _SMALLEST_ERROR_STATUS
        if not known or n < 1 or when not in {"before", "inside", "after"}:
            raise ValueError("a fault is a status from 400 on, 'timeout' or 'reset', before, inside or after")
        if when == "inside" and isinstance(status, str):
            raise ValueError("only a status can happen inside an endpoint")
        self._faults.arm(Fault(n, status, path_prefix, method, when, seconds))

    def clear_faults(self) -> None:
        """Forget faults that have not happened, and end those that hold a request."""
        self._faults.clear()

    def set_refundable(self, minor: int | None) -> None:
        """Let the balance allow refunds of so much in all, in minor units; None: any amount."""
        self.context.refundable = minor

    def set_rate_limit(self, per_second: int | None) -> None:
        """Allow so many API requests within a second; None: any number."""
        self._rate_limit.per_second = per_second
