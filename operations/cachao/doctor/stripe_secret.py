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
_STORE: Final = "Store it anew (docs/deploy.md, Secrets); functions read it within five minutes."


def check(environment: Environment) -> Iterator[Finding]:
    """Whether the secret exists, has an API key of the configured mode, and what the webhook endpoint needs."""
    arn = stripe_access.secret_arn(environment)
    try:
        secret = stripe_access.read_secret(environment)
    except Exception as error:
        if error_code(error) not in stripe_access.GONE:
            raise
        yield _broken(
            "stripe_secret_missing",
            f"The secret {arn} does not exist, or is marked for deletion: {error_code(error)}.",
            "Make it (docs/deploy.md, Secrets), and deploy with its ARN as StripeSecretArn.",
        )
        return
    key = stripe_access.key_in(secret)
    if key is None:
        yield _broken(
            "stripe_secret_malformed", f'The secret {arn} is not {{"api_key": "sk_…"}} with a secret key.', _STORE
        )
        return
    problems = list(_problems(environment, secret, key))
    yield from problems
    if not problems:
        yield fine(LINK, "It has an API key of the configured mode.")


def _problems(environment: Environment, secret: Any, key: str) -> Iterator[Finding]:  # noqa: ANN401 -- any JSON
    live = environment.parameters.get("StripeLivemode") == "true"
    other = ("sk_test_", "rk_test_") if live else ("sk_live_", "rk_live_")
    if key.startswith(other):
        yield _broken(
            "wrong_mode",
            f"The API key is {'a test' if live else 'a live'} key; StripeLivemode is {str(live).lower()}.",
            "Store the key of the right mode, or deploy with the other value of StripeLivemode.",
        )
    if not environment.event_source_name and not secret.get("webhook_signing_secret"):
        yield _broken(
            "webhook_secret_missing",
            "Events come only by webhook, but the secret has no webhook_signing_secret: each is refused.",
            "Put the endpoint's signing secret (whsec_…) into it (docs/deploy.md, The webhook endpoint).",
        )


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo, NOT_REACHING)
