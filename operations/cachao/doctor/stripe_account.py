"""The Stripe account: whether other applications take payments in it, too (docs/deploy.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cachao.aws import stripe_access
from cachao.aws.environment import Environment
from cachao.doctor.finding import NOT_PROCESSED, NOT_REACHING, Finding, fine
from cachao.doctor.stripe_secret import STORE as KEY
from cachao.problems import Problem
from cachao.view import orders as order_view
from cachao.view.output import pluralize
from ticketing.errors import ConfigurationError
from ticketing.stripe.client import StripeRefused
from ticketing.stripe.sessions import StripeSessions

LINK: Final = "Stripe account"
_LOOK_BACK: Final = timedelta(days=7)
# Each is a call of our function.
_MOST_ASKED: Final = 20
_AT_ONCE: Final = 4


def check(environment: Environment) -> Iterator[Finding]:
    """Whether the newest paid Checkout Sessions of the account are this shop's, and the deployment says so."""
    try:
        paid = _newest_paid(environment)
    except ConfigurationError as refusal:
        # Whoever may not list Checkout Sessions opens none either: nobody can buy.
        yield Finding(LINK, "broken", str(refusal), "stripe_key_refused", KEY, NOT_REACHING)
        return
    foreign = _foreign(environment, paid)
    is_shared = environment.parameters.get("StripeAccountShared") == "true"
    if foreign and not is_shared:
        yield Finding(
            LINK,
            "broken",
            f"{len(foreign)} of the newest {pluralize(len(paid), 'paid session')} of the account are no order's, e.g."
            f" {foreign[0]}.",
            "account_shared",
            f"What Stripe has of the first:\ncachao stripe {foreign[0]}\nIf this shop opened them, the orders are gone"
            " (docs/runbook.md#ordernotfound). If another application makes them, say so: then they are counted, and no"
            " alerts:"
            "\ncachao redeploy --set StripeAccountShared=true",
            NOT_PROCESSED,
        )
    elif foreign:
        yield fine(
            LINK, f"Other applications use it, too: {foreign[0]} is one of their sessions. The shop ignores them."
        )
    elif paid:
        yield fine(LINK, f"The newest paid sessions ({len(paid)}) all belong to this shop's orders.")
    else:
        yield fine(LINK, "It has no payments of the last week.")


def _newest_paid(environment: Environment) -> list[dict[str, Any]]:
    """Give the newest sessions that took money; those first that say least of whose they are."""
    now = datetime.now(UTC)
    sessions = StripeSessions(stripe_access.client(environment))
    try:
        page, _ = sessions.page(
            created_from=int((now - _LOOK_BACK).timestamp()), created_until=int(now.timestamp()), status="complete"
        )
    except StripeRefused as refusal:
        raise Problem(str(refusal)) from None
    paid = [session for session in page if session["payment_status"] == "paid" and session.get("amount_total")]
    return sorted(paid, key=lambda session: "order_mark" in (session.get("metadata") or {}))[:_MOST_ASKED]


def _foreign(environment: Environment, sessions: Sequence[dict[str, Any]]) -> list[str]:
    """Give the ids of the sessions that no order of this shop knows."""
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        known = list(pool.map(lambda session: order_view.find(environment, session["id"]), sessions))
    finally:
        pool.shutdown(cancel_futures=True)
    return [session["id"] for session, order in zip(sessions, known, strict=True) if order is None]
