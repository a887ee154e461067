"""Stripe's secret: there, and of the shape that the functions read (docs/deploy.md, Secrets)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cachao.aws import stripe_access
from cachao.doctor.finding import NOT_REACHING, Finding, fine
from cachao.problems import error_code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachao.aws.environment import Environment

LINK: Final = "Stripe secret"
STORE: Final = (
    "Store one that may do what docs/deploy.md (Secrets) says. This asks for it, tries it at Stripe, and keeps the"
    " rest of the secret; functions read it within five minutes:\ncachao stripe-key"
)
_MARKED_FOR_DELETION: Final = "InvalidRequestException"


def check(environment: Environment) -> Iterator[Finding]:
    """Whether the secret exists, has an API key of the configured mode, and what the webhook endpoint needs."""
    arn = stripe_access.secret_arn(environment)
    try:
        secret = stripe_access.read_secret(environment)
    except Exception as error:
        if error_code(error) not in stripe_access.GONE:
            raise
        yield _gone(arn, marked=error_code(error) == _MARKED_FOR_DELETION)
        return
    key = stripe_access.key_in(secret)
    if key is None:
        yield _broken(
            "stripe_secret_malformed", f'The secret {arn} is not {{"api_key": "sk_…"}} with a secret key.', STORE
        )
        return
    problems = list(_problems(environment, secret, key))
    yield from problems
    if not problems:
        yield fine(LINK, "It has an API key of the configured mode.")


def _gone(arn: str, *, marked: bool) -> Finding:
    if marked:
        return _broken(
            "stripe_secret_missing",
            f"The secret {arn} is marked for deletion.",
            f"Take that back:\naws secretsmanager restore-secret --secret-id {arn}",
        )
    return _broken(
        "stripe_secret_missing",
        f"The secret {arn} does not exist.",
        "Make one, deploy with the ARN that this answers, and then put the key into it:"
        "\naws secretsmanager create-secret --name cachao/stripe --secret-string '{}'"
        "\ncachao redeploy --set StripeSecretArn=ARN\ncachao stripe-key",
    )


def _problems(environment: Environment, secret: Any, key: str) -> Iterator[Finding]:  # noqa: ANN401 -- any JSON
    live = environment.parameters.get("StripeLivemode") == "true"
    if stripe_access.is_of_other_mode(environment, key):
        yield _broken(
            "wrong_mode",
            f"The API key is {stripe_access.other_mode(environment)} key; StripeLivemode is {str(live).lower()}.",
            f"If the stack is to handle {'live' if live else 'test'} payments, store such a key:\ncachao stripe-key",
        )
    if not environment.event_source_name and not secret.get("webhook_signing_secret"):
        yield _broken(
            "webhook_secret_missing",
            "Events come only by webhook, but the secret has no webhook_signing_secret: each is refused.",
            "Make an endpoint, whose signing secret this stores:\ncachao connect --webhook",
        )


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo, NOT_REACHING)
