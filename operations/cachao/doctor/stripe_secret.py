"""Stripe's secret: there, and of the shape that the functions read (docs/deploy.md, 1)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from cachao.doctor.finding import NOT_REACHING, Finding, fine
from cachao.problems import Problem, error_code
from ticketing.stripe import client as stripe_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    import stripe

    from cachao.aws.environment import Environment

LINK: Final = "Stripe secret"
# The second is what AWS says of a secret that is marked for deletion.
_GONE: Final = frozenset({"ResourceNotFoundException", "InvalidRequestException"})
# A secret or a restricted key; a publishable one (`pk_…`) can do nothing here.
_KEY: Final = re.compile(r"[sr]k_[A-Za-z0-9_]+\Z")
_STORE: Final = "Store it anew (docs/deploy.md, 1); functions read it within five minutes."


def check(environment: Environment) -> Iterator[Finding]:
    """Whether the secret exists, has an API key of the configured mode, and what the webhook door needs."""
    arn = _arn(environment)
    try:
        secret = _read(environment)
    except Exception as error:
        if error_code(error) not in _GONE:
            raise
        yield _broken(
            "stripe_secret_missing",
            f"The secret {arn} does not exist, or is marked for deletion: {error_code(error)}.",
            "Make it (docs/deploy.md, 1), and deploy with its ARN as StripeSecretArn.",
        )
        return
    key = _key(secret)
    if key is None:
        yield _broken(
            "stripe_secret_malformed", f'The secret {arn} is not {{"api_key": "sk_…"}} with a secret key.', _STORE
        )
        return
    problems = list(_problems(environment, secret, key))
    yield from problems
    if not problems:
        yield fine(LINK, "It has an API key of the configured mode.")


def client(environment: Environment) -> stripe.StripeClient:
    """Give a client of the Stripe account that this deployment uses, with the deployment's own key.

    Raises:
        Problem: there is no usable key; this module's check says what is wrong.
        ClientError: the secret cannot be read.
    """
    try:
        key = _key(_read(environment))
    except Exception as error:
        if error_code(error) not in _GONE:
            raise
        key = None
    if key is None:
        raise Problem("Stripe cannot be asked without a usable key.", advice=f"Look at the link “{LINK}”.")
    base = environment.parameters.get("StripeApiBase", "https://api.stripe.com")
    return stripe_client.client(key, api_base=base)


def _problems(environment: Environment, secret: Any, key: str) -> Iterator[Finding]:  # noqa: ANN401 -- any JSON
    live = environment.parameters.get("StripeLivemode") == "true"
    other = ("sk_test_", "rk_test_") if live else ("sk_live_", "rk_live_")
    if key.startswith(other):
        yield _broken(
            "wrong_mode",
            f"The API key is {'a test' if live else 'a live'} key; StripeLivemode is {str(live).lower()}.",
            "Store the key of the right mode, or deploy with the other StripeLivemode.",
        )
    if not environment.event_source_name and not secret.get("webhook_signing_secret"):
        yield _broken(
            "webhook_secret_missing",
            "Events come by webhook only, and the secret has no webhook_signing_secret: each of them is refused.",
            "Put the signing secret of Stripe's webhook endpoint (whsec_…) into it (docs/deploy.md, The webhook door).",
        )


def _arn(environment: Environment) -> str:
    return environment.parameters.get("StripeSecretArn", "")


def _read(environment: Environment) -> Any:  # noqa: ANN401 -- any JSON
    """Give what the secret holds; None where that is not JSON."""
    answer = environment.client("secretsmanager").get_secret_value(SecretId=_arn(environment))
    try:
        return json.loads(answer.get("SecretString") or "")
    except ValueError:
        return None


def _key(secret: Any) -> str | None:  # noqa: ANN401 -- any JSON
    key = secret.get("api_key") if isinstance(secret, dict) else None
    return key if isinstance(key, str) and _KEY.match(key) else None


def _broken(cause: str, says: str, todo: str) -> Finding:
    return Finding(LINK, "broken", says, cause, todo, NOT_REACHING)
