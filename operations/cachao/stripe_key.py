"""`cachao stripe-key`: stores another API key of Stripe's, once it was seen to do what the shop needs of it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cachao.aws import stripe_access
from cachao.command_context import CommandContext
from cachao.problems import USAGE, Problem, error_code
from ticketing.errors import ConfigurationError
from ticketing.stripe import client as stripe_client
from ticketing.stripe.client import StripeRefused, stripe_errors

if TYPE_CHECKING:
    from cachao.aws.environment import Environment


def stripe_key(
    ctx: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only try the key.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, but for the key.")] = False,
) -> None:
    """Store another API key of Stripe's in the stack's secret.

    Asks for the key, and does not show it; without a terminal it reads it from its input. Tries it at Stripe first, and
    keeps all else that the secret holds. Functions use it within five minutes. It must be of the same Stripe account:
    another one does not know the orders' Checkout Sessions.

    [bold]Examples[/bold]

        cachao stripe-key --stack cachao

        pass show stripe | cachao stripe-key --stack cachao --yes
    """
    context: CommandContext = ctx.obj
    environment, output = context.environment, context.output
    with output.errors.status("reading the secret", spinner="dots"):
        secret = _stored(environment)
    key = _asked_for(environment)
    with output.errors.status("trying the key at Stripe", spinner="dots"):
        _try(environment, key)
    answer = {"stack": environment.name, "dry_run": dry_run, "stored": not dry_run}
    if dry_run:
        output.answer(answer, "Stripe takes the key. It was not stored.")
        return
    if not isinstance(secret, dict):
        output.note("The secret is no JSON object; it is written anew, without a webhook's signing secret.")
    output.confirm(f"Stripe takes the key. Store it for {environment.name}?", yes=yes)
    with output.errors.status("storing the key", spinner="dots"):
        kept = secret if isinstance(secret, dict) else {}
        environment.client("secretsmanager").put_secret_value(
            SecretId=stripe_access.secret_arn(environment), SecretString=json.dumps({**kept, "api_key": key})
        )
    output.answer(
        answer, "Stored. Functions use it within five minutes. Then:", f"cachao doctor {environment.cachao_options}"
    )


def _stored(environment: Environment) -> Any:  # noqa: ANN401 -- any JSON
    try:
        return stripe_access.read_secret(environment)
    except Exception as error:
        if error_code(error) not in stripe_access.GONE:
            raise
        raise Problem(
            f"The secret {stripe_access.secret_arn(environment)} does not exist, or is marked for deletion.",
            advice=f"This says what to do:\ncachao doctor {environment.cachao_options}",
        ) from None


def _asked_for(environment: Environment) -> str:
    if sys.stdin.isatty():
        said = typer.prompt(f"Stripe's API key for {environment.name} (sk_… or rk_…)", hide_input=True, err=True)
    else:
        said = sys.stdin.readline()
    key = stripe_access.key_in({"api_key": str(said).strip()})
    if key is None:
        raise Problem("That is no secret or restricted key of Stripe's (sk_… or rk_…).", exit_code=USAGE)
    if stripe_access.is_of_other_mode(environment, key):
        raise Problem(
            f"That is {stripe_access.other_mode(environment)} key, and the stack handles the other mode's payments"
            " (StripeLivemode).",
            exit_code=USAGE,
        )
    return key


def _try(environment: Environment, key: str) -> None:
    base = environment.parameters.get("StripeApiBase", "https://api.stripe.com")
    client = stripe_client.client(key, api_base=base)
    try:
        with stripe_errors("list Checkout Sessions"):
            client.v1.checkout.sessions.list(params={"limit": 1})
    except (ConfigurationError, StripeRefused) as refusal:
        raise Problem(
            f"Nothing was stored: {refusal}",
            advice="A restricted key must write Checkout Sessions and Refunds: docs/deploy.md, Secrets.",
        ) from None
