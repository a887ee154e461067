"""The deployment's own Stripe key, out of its secret (docs/deploy.md, Secrets), and a client with it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from cachao.problems import USAGE, Problem, error_code
from ticketing.stripe import client as stripe_client

if TYPE_CHECKING:
    import stripe

    from cachao.aws.environment import Environment

# The second is what AWS says of a secret that is marked for deletion.
GONE: Final = frozenset({"ResourceNotFoundException", "InvalidRequestException"})
# A secret or a restricted key; a publishable one (`pk_…`) can do nothing here.
_KEY: Final = re.compile(r"[sr]k_[A-Za-z0-9_]+\Z")


def client(environment: Environment) -> stripe.StripeClient:
    """Give a client of the Stripe account that this deployment uses, with the deployment's own key.

    Raises:
        Problem: there is no usable key; the doctor says what is wrong.
        ClientError: the secret cannot be read.
    """
    try:
        key = key_in(read_secret(environment))
    except Exception as error:
        if error_code(error) not in GONE:
            raise
        key = None
    see = "See the check “Stripe secret” of cachao doctor."
    if key is None:
        raise Problem("There is no usable key for Stripe.", advice=see)
    if is_of_other_mode(environment, key):
        handled = "live" if _is_live(environment) else "test"
        says = f"The API key is {other_mode(environment)} key; the stack handles {handled} payments."
        raise Problem(says, advice=see, exit_code=USAGE)
    base = environment.parameters.get("StripeApiBase", "https://api.stripe.com")
    return stripe_client.client(key, api_base=base)


def is_of_other_mode(environment: Environment, key: str) -> bool:
    """Tell whether a key is of test mode for a live stack, or the other way round."""
    return key.startswith(("sk_test_", "rk_test_") if _is_live(environment) else ("sk_live_", "rk_live_"))


def other_mode(environment: Environment) -> str:
    """Give the other mode than the stack's, to stand before a noun: `a test`, `a live`."""
    return "a test" if _is_live(environment) else "a live"


def _is_live(environment: Environment) -> bool:
    return environment.parameters.get("StripeLivemode") == "true"


def secret_arn(environment: Environment) -> str:
    """Give the secret's address."""
    return environment.parameters.get("StripeSecretArn", "")


def read_secret(environment: Environment) -> Any:  # noqa: ANN401 -- any JSON
    """Give what the secret holds; None where that is not JSON."""
    answer = environment.client("secretsmanager").get_secret_value(SecretId=secret_arn(environment))
    try:
        return json.loads(answer.get("SecretString") or "")
    except ValueError:
        return None


def key_in(secret: Any) -> str | None:  # noqa: ANN401 -- any JSON
    """Give the API key in it, where it is a usable one."""
    key = secret.get("api_key") if isinstance(secret, dict) else None
    return key if isinstance(key, str) and _KEY.match(key) else None
