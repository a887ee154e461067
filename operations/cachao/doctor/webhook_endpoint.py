"""Stripe's webhook endpoint, where there is no partner event source: it is then the only way by which events come.

https://docs.stripe.com/api/webhook_endpoints
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cachao.aws import stripe_access
from cachao.doctor.advice import RECONCILE, steps
from cachao.doctor.finding import NOT_REACHING, Finding, fine, not_local, unknown
from cachao.doctor.stripe_secret import STORE as KEY
from ticketing.errors import ConfigurationError
from ticketing.stripe.client import stripe_errors
from ticketing.stripe.event_types import HANDLED_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stripe import WebhookEndpoint

    from cachao.aws.environment import Environment

LINK: Final = "Stripe webhook endpoint"
_PATH: Final = "/webhooks/stripe"
_MOST: Final = 200
_CONNECT: Final = "make one, whose signing secret this stores:\ncachao connect --webhook"
_MEND: Final = "Mend the one that this command made, or make one in place of another's:\ncachao connect --webhook"


def check(environment: Environment) -> Iterator[Finding]:
    """Whether Stripe sends events of all types to this API. Beside a partner event source nothing depends on it."""
    if environment.event_source_name:
        return
    if environment.is_local and "ApiUrl" not in environment.outputs:
        yield not_local(LINK, "The local stack has no public address for Stripe.")
        return
    wanted = environment.output("ApiUrl").rstrip("/") + _PATH
    try:
        endpoints = _list(environment)
    except ConfigurationError as error:
        yield _broken("stripe_key_refused", str(error), KEY)
        return
    ours = [(found, list(_problems(environment, found))) for found in endpoints if found.url.rstrip("/") == wanted]
    if ours:
        best, problems = min(ours, key=lambda pair: len(pair[1]))
        yield from problems or [fine(LINK, f"{best.id} is enabled and sends all {len(HANDLED_EVENTS)} types here.")]
        return
    # A domain of one's own may stand before the API, which nothing here knows.
    perhaps = [found for found in endpoints if _leads_to_a_shop(found) and not list(_problems(environment, found))]
    if perhaps:
        yield unknown(
            LINK,
            f"{perhaps[0].id} sends to {perhaps[0].url}; this check cannot see whether that leads to {wanted}.",
            "If that is your own domain in front of this API, all is well.",
        )
        return
    others = ", ".join(found.url for found in endpoints)
    yield _broken(
        "webhook_missing",
        f"Stripe has no webhook endpoint {wanted}. {f'It has: {others}.' if others else 'It has none at all.'}",
        f"If there is one that you know of, the key is of another account or mode. If not, {_CONNECT}",
    )


def _list(environment: Environment) -> list[WebhookEndpoint]:
    client = stripe_access.client(environment)
    with stripe_errors("list webhook endpoints"):
        pages = client.v1.webhook_endpoints.list(params={"limit": 100})
        return list(islice(pages.auto_paging_iter(), _MOST))


def _leads_to_a_shop(found: WebhookEndpoint) -> bool:
    return urlsplit(found.url).path.rstrip("/").endswith(_PATH)


def _problems(environment: Environment, found: WebhookEndpoint) -> Iterator[Finding]:
    if found.status != "enabled":
        yield _broken(
            "webhook_disabled",
            f"{found.id} is {found.status}: Stripe sends nothing to {found.url}.",
            steps(_MEND, RECONCILE),
        )
    lacking = sorted(HANDLED_EVENTS - set(found.enabled_events))
    if lacking and "*" not in found.enabled_events:
        yield _broken(
            "webhook_event_types_missing",
            f"{found.id} does not send {', '.join(lacking)}.",
            steps(_MEND, RECONCILE),
        )
    if found.application is not None:
        yield _broken(
            "own_events_missing",
            f"{found.id} sends events of connected accounts only, not of the account itself.",
            f"For events of the account itself {_CONNECT}",
        )
    live = environment.parameters.get("StripeLivemode") == "true"
    if bool(found.livemode) != live:
        yield _broken(
            "wrong_mode",
            f"{found.id} sends events of {'test' if live else 'live'} mode; this stack handles"
            f" {'live' if live else 'test'} payments and refuses the others.",
            f"In the right mode, which the key has to be of, too, {_CONNECT}",
        )


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo, NOT_REACHING)
