"""The command `cachao connect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cachao.aws import stripe_access
from cachao.aws.environment import Environment
from cachao.command_context import CommandContext
from cachao.connect import destinations, partner_source, proof, webhook_endpoint
from cachao.connect.steps import Report
from cachao.problems import CANNOT_REACH, Problem, explain
from cachao.view.output import escape
from ticketing.errors import ConfigurationError
from ticketing.stripe.client import StripeRefused
from ticketing.stripe.event_types import OWN_SOURCE

if TYPE_CHECKING:
    import stripe


def connect(
    ctx: typer.Context,
    *,
    webhook: Annotated[bool, typer.Option("--webhook", help="Connect the webhook instead of EventBridge.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the partner source, and for the event.", min=0)] = 60,
) -> None:
    """Make the way by which Stripe's events come, and prove it by an event.

    Makes Stripe's event destination for this account and region, waits for its partner event source, and says how to
    deploy the bus and the rule for it. Once deployed, say the same again: it opens an unpaid Checkout Session, ends it,
    and waits until its event has ended in the workflow as Ignored.

    With --webhook it makes the webhook endpoint, and puts its signing secret into the Stripe secret.

    May be repeated, and interrupted: it finds what it made before. Ends with 0 when nothing went wrong, also where the
    deployment is still to come: `connected` in --json says whether an event came through.

    [bold]Examples[/bold]

        cachao connect --stack cachao --dry-run

        cachao connect --stack cachao

        cachao connect --stack cachao --webhook
    """
    context: CommandContext = ctx.obj
    environment, output = context.environment, context.output
    with output.errors.status("looking at Stripe", spinner="dots") as status:
        report = Report(dry_run, lambda says: status.update(escape(says)))
        client = stripe_access.client(environment)
        entry_point = _Webhook(environment, client) if webhook else _Partner(environment, client)
        try:
            planned = entry_point.plan()
        except (ConfigurationError, StripeRefused) as refusal:
            raise _not_allowed(refusal) from None
    if dry_run:
        for what in planned or ["change nothing: all is set up"]:
            report.add("would be done", f"It would {what}.")
        report.add(
            "would be done",
            "Once deployed, it would test the path: open an unpaid Checkout Session, expire it, wait for its event.",
        )
        _show(context, report)
        return
    question = ", ".join([*planned, "test the path with an unpaid Checkout Session once it is deployed"])
    output.confirm(f"For {environment.name}, in Stripe's {_mode(environment)} mode: {question}?", yes=yes)
    _run(context, entry_point, report, wait)


def _run(context: CommandContext, entry_point: _Partner | _Webhook, report: Report, wait: float) -> None:
    """Do it, and tell what was done, whatever stops it."""
    try:
        with context.output.errors.status("connecting", spinner="dots") as status:
            report.on_progress = lambda says: status.update(escape(says))
            entry_point.connect(report, wait)
    except Exception as error:
        problem = _not_allowed(error) if isinstance(error, ConfigurationError | StripeRefused) else explain(error)
        if problem is None:
            raise
        _show(context, report, problem)
        raise typer.Exit(problem.exit_code) from error
    _show(context, report)


class _Partner:
    """The partner event source."""

    def __init__(self, environment: Environment, client: stripe.StripeClient) -> None:
        self._environment, self._client = environment, client

    def plan(self) -> list[str]:
        self._found = destinations.look(self._environment, self._client)
        return partner_source.plan(self._environment, self._found)

    def connect(self, report: Report, wait: float) -> None:
        source = partner_source.connect(self._environment, self._client, self._found, report, wait_seconds=wait)
        if source is not None:
            proof.prove(self._environment, self._client, source, report, wait_seconds=wait)


class _Webhook:
    """The webhook endpoint."""

    def __init__(self, environment: Environment, client: stripe.StripeClient) -> None:
        self._environment, self._client = environment, client

    def plan(self) -> list[str]:
        self._found = webhook_endpoint.look(self._environment, self._client)
        return webhook_endpoint.plan(self._environment, self._found)

    def connect(self, report: Report, wait: float) -> None:
        webhook_endpoint.connect(self._environment, self._client, self._found, report)
        proof.prove(self._environment, self._client, OWN_SOURCE, report, wait_seconds=wait)
        webhook_endpoint.remove_old(self._client, self._found, report)


def _not_allowed(refusal: Exception) -> Problem:
    return Problem(
        str(refusal),
        advice="A restricted key must write Event Destinations (or Webhook Endpoints) and Checkout Sessions. Or do it"
        " by hand: docs/deploy.md, By hand.",
        exit_code=CANNOT_REACH,
    )


def _mode(environment: Environment) -> str:
    return "live" if environment.parameters.get("StripeLivemode") == "true" else "test"


def _show(context: CommandContext, report: Report, problem: Problem | None = None) -> None:
    data: dict[str, Any] = {
        "stack": context.environment.name,
        "dry_run": report.dry_run,
        "connected": report.connected,
        "steps": report.steps,
    }
    failure = {} if problem is None else {"error": problem.sentence, "advice": problem.advice}
    context.output.answer({**data, **failure}, *report.shown())
    if problem is not None and not context.output.as_json:
        context.output.problem(problem)
