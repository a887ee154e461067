"""Stripe's webhook endpoint for this API, and its signing secret in the Stripe secret.

Stripe shows a signing secret once, when it makes the endpoint. The secret therefore also keeps the endpoint's id: an
endpoint of ours that is not named there is one whose signing secret nobody has, because a run was killed; it is
replaced. An old endpoint goes last, when the new one has been proved: functions may know the old signing secret for
five more minutes, and until then what the new one sends is refused, and sent again by Stripe.
https://docs.stripe.com/api/webhook_endpoints
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from cachao.aws import stripe_access
from cachao.aws.environment import Environment
from cachao.connect import ownership
from cachao.connect.steps import Report
from cachao.problems import Problem
from ticketing.stripe.client import stripe_errors
from ticketing.stripe.event_types import HANDLED_EVENTS

if TYPE_CHECKING:
    import stripe
    from stripe import WebhookEndpoint

_PATH: Final = "/webhooks/stripe"
_MOST: Final = 200
SIGNING_SECRET: Final = "webhook_signing_secret"  # noqa: S105 -- the field's name
ENDPOINT_ID: Final = "webhook_endpoint_id"


@dataclass(frozen=True)
class Endpoints:
    """What there is at Stripe: the endpoint whose signing secret is stored, our others, and those made by hand."""

    url: str
    kept: WebhookEndpoint | None
    old: list[WebhookEndpoint]
    by_hand: list[WebhookEndpoint]


def look(environment: Environment, client: stripe.StripeClient) -> Endpoints:
    """See which endpoints lead to this stack's API.

    Raises:
        Problem: the stack has no address that Stripe could reach.
    """
    if environment.is_local and "ApiUrl" not in environment.outputs:
        raise Problem(
            "The local stack has no public address for Stripe.",
            advice="stripe listen --forward-to http://127.0.0.1:8000/webhooks/stripe (docs/deploy.md, The webhook"
            " endpoint).",
        )
    url = environment.output("ApiUrl").rstrip("/") + _PATH
    with stripe_errors("list webhook endpoints"):
        pages = client.v1.webhook_endpoints.list(params={"limit": 100})
        known = list(islice(pages.auto_paging_iter(), _MOST))
    stored = stored_in(environment)
    ours = [one for one in known if ownership.is_ours(environment, one.metadata)]
    kept = next((one for one in ours if one.id == stored.get(ENDPOINT_ID) and stored.get(SIGNING_SECRET)), None)
    by_hand = [one for one in known if one.url.rstrip("/") == url and one not in ours]
    return Endpoints(url, kept, [one for one in ours if one is not kept], by_hand)


def stored_in(environment: Environment) -> dict[str, Any]:
    """Give the Stripe secret.

    Raises:
        Problem: it is no JSON object: it would be lost if it were written.
    """
    secret = stripe_access.read_secret(environment)
    if not isinstance(secret, dict):
        raise Problem("The Stripe secret is not a JSON object.", advice="Store it anew (docs/deploy.md, Secrets).")
    return secret


def plan(environment: Environment, found: Endpoints) -> list[str]:
    """Say what has to be done, as ends of the question "Shall I …?"."""
    planned = []
    if found.kept is None:
        secret = stripe_access.secret_arn(environment)
        planned.append(
            f"make a webhook endpoint for {found.url} with {len(HANDLED_EVENTS)} event types, and put its signing"
            f" secret into {secret}"
        )
        planned += [
            f"refuse from then on the events of {one.id}, made by hand for the same address" for one in found.by_hand
        ]
    elif _changes(found.kept, found.url):
        planned.append(f"set address and event types of the webhook endpoint {found.kept.id}, and enable it")
    planned += [f"remove {one.id}, an older endpoint of this command" for one in found.old]
    return planned


def connect(environment: Environment, client: stripe.StripeClient, found: Endpoints, report: Report) -> None:
    """Make the endpoint and store its signing secret; or mend the one that is there."""
    if found.kept is None:
        made = _make(environment, client, found.url, report)
        _store(environment, made, report)
        for one in found.by_hand:
            report.add(
                "left to you",
                f"{one.id} was made by hand for the same address: its events are refused now, and come by the new one.",
                f"Delete {one.id} in Stripe: Workbench → Webhooks.",
            )
        return
    changes = _changes(found.kept, found.url)
    if changes:
        with stripe_errors(f"update the webhook endpoint {found.kept.id}"):
            client.v1.webhook_endpoints.update(found.kept.id, params=changes)
        report.add("done", f"Set {', '.join(sorted(changes))} of the webhook endpoint {found.kept.id}.")
    else:
        report.add("was so", f"Stripe has the webhook endpoint {found.kept.id}, enabled, with all event types.")
    report.add("was so", "Its signing secret is in the Stripe secret.")


def remove_old(client: stripe.StripeClient, found: Endpoints, report: Report) -> None:
    """Remove our older endpoints."""
    for one in found.old:
        with stripe_errors(f"delete the webhook endpoint {one.id}"):
            client.v1.webhook_endpoints.delete(one.id)
        report.add("done", f"Removed {one.id}, an older endpoint of this command.")


def _make(environment: Environment, client: stripe.StripeClient, url: str, report: Report) -> WebhookEndpoint:
    types: Any = sorted(HANDLED_EVENTS)  # the package names each of Stripe's types; a test holds ours against them
    with stripe_errors("create a webhook endpoint"):
        made = client.v1.webhook_endpoints.create(
            params={
                "url": url,
                "enabled_events": types,
                "description": f"Payments of the stack {environment.name}; made by `cachao connect`.",
                "metadata": {ownership.KEY: ownership.mark(environment)},
            }
        )
    report.add("done", f"Made the webhook endpoint {made.id} for {url}: {len(HANDLED_EVENTS)} event types.")
    return made


def _store(environment: Environment, made: WebhookEndpoint, report: Report) -> None:
    # Read again: somebody may have changed the key since.
    secret = {**stored_in(environment), SIGNING_SECRET: made.secret, ENDPOINT_ID: made.id}
    environment.client("secretsmanager").put_secret_value(
        SecretId=stripe_access.secret_arn(environment), SecretString=json.dumps(secret)
    )
    report.add("done", "Put its signing secret into the Stripe secret; functions read it within five minutes.")


def _changes(kept: WebhookEndpoint, url: str) -> Any:  # noqa: ANN401 -- Stripe's parameters
    changes: dict[str, Any] = {}
    if kept.url.rstrip("/") != url:
        changes["url"] = url
    if "*" not in kept.enabled_events and (missing := HANDLED_EVENTS - set(kept.enabled_events)):
        changes["enabled_events"] = sorted({*kept.enabled_events, *missing})
    if kept.status != "enabled":
        changes["disabled"] = False
    return changes
