"""`python -m local pay`: pay at a running stand-in without a browser, over its control endpoints."""

import argparse
import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from local.stripe_stand_in.payments import DEFAULT_CARD, PayResult

if TYPE_CHECKING:
    from local.stripe_stand_in.json_object import JsonObject

PAID, DECLINED, UNUSABLE = 0, 1, 2
DEFAULT_STACK_FILE = Path(".local/stack.json")
_EXIT_CODES = {"paid": PAID, "processing": PAID, "declined": DECLINED}
_SESSION = re.compile(r"cs_test_\w+")


class ControlError(Exception):
    """The stand-in is not there, or refuses."""


class ControlClient:
    """Calls the control endpoints of a running stand-in.

    Args:
        stripe_url: The stand-in's address.
        timeout: Seconds to wait for an answer.
    """

    def __init__(self, stripe_url: str, timeout: float = 30.0) -> None:
        """Take the address; see the class.

        Raises:
            ControlError: The address is not on this machine: it is the real Stripe.
        """
        parts = urlsplit(stripe_url)
        if parts.scheme != "http" or parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
            raise ControlError(
                f"{stripe_url} is no local stand-in. At the real Stripe, pay on the page of the checkout's URL.",
            )
        self._url = stripe_url.rstrip("/")
        self._timeout = timeout

    def call(self, operation: str, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
        """Call `/_control/{operation}` and return its result.

        Raises:
            ControlError: With the stand-in's sentence.
        """
        request = urllib.request.Request(  # noqa: S310 - checked to be loopback
            f"{self._url}/_control/{operation}",
            data=json.dumps(arguments).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=self._timeout) as response:
                return json.load(response)["result"]
        except urllib.error.HTTPError as error:
            with error:
                raise ControlError(_sentence(error.read())) from None
        except OSError as error:
            raise ControlError(f"No stand-in answers at {self._url}: {error}") from None

    def pay(self, session_id: str, card: str | None = DEFAULT_CARD, *, iban: str | None = None) -> PayResult:
        """Pay a session; as StripeStandIn.pay.

        Raises:
            ControlError: An unknown session, or one that cannot be paid so.
        """
        return PayResult(**self.call("pay", session_id=session_id, card=card, iban=iban))

    def settle(self, session_id: str, *, succeeded: bool = True) -> PayResult:
        """Decide a delayed payment; as StripeStandIn.settle.

        Raises:
            ControlError: There is nothing to decide.
        """
        return PayResult(**self.call("settle", session_id=session_id, succeeded=succeeded))


def _sentence(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "The stand-in gave an answer that is not its own."


def add_pay_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `python -m local pay` to a parser."""
    parser.add_argument("session", metavar="SESSION", help="the session's id (cs_test_…) or its checkout URL")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--card", default=DEFAULT_CARD, help="a Stripe test card (default: %(default)s, succeeds)")
    way.add_argument("--iban", help="pay by SEPA Direct Debit; AT611904300234573201 succeeds later")
    parser.add_argument("--stack", type=Path, default=DEFAULT_STACK_FILE, help="the running stack's description")
    parser.add_argument("--stripe-url", help="the stand-in's address, instead of the one in the description")


def add_pay_command(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `pay`; the parsed arguments get `run`, to be called with them for the exit code."""
    parser = subparsers.add_parser(
        "pay",
        help="pay a checkout session at the Stripe stand-in",
        description="Pays a session as its buyer. Exit codes: 0 paid (or a debit is under way), 1 declined,"
        " 2 wrong usage, unknown, expired or completed session.",
    )
    add_pay_arguments(parser)
    parser.set_defaults(run=run_pay)


def pay_command(argv: Sequence[str]) -> int:
    """Run `pay` with command line arguments; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local pay")
    add_pay_arguments(parser)
    return run_pay(parser.parse_args(argv))


def run_pay(arguments: argparse.Namespace) -> int:
    """Pay, say what came of it, and return the exit code."""
    try:
        session_id = _session_id(arguments.session)
        client = ControlClient(arguments.stripe_url or _stripe_url(arguments.stack))
        card = None if arguments.iban else arguments.card
        result = client.pay(session_id, card, iban=arguments.iban)
    except ControlError as error:
        print(f"Not paid: {error}", file=sys.stderr)
        return UNUSABLE
    code = _EXIT_CODES.get(result.outcome, UNUSABLE)
    print(_report(result), file=sys.stdout if code == PAID else sys.stderr)
    return code


def _session_id(text: str) -> str:
    found = _SESSION.search(text)
    if found is None:
        raise ControlError(f"{text!r} is no session id (cs_test_…) and no checkout URL.")
    return found.group()


def _stripe_url(stack_file: Path) -> str:
    try:
        stack: JsonObject = json.loads(stack_file.read_text(encoding="utf-8"))
        return str(stack["stripe_url"])
    except (OSError, ValueError, KeyError) as error:
        raise ControlError(f"No running stack is described in {stack_file} ({error}). Start it: make run") from None


def _report(result: PayResult) -> str:
    title = {"paid": "Paid", "processing": "Processing", "declined": "Declined"}.get(result.outcome, "Not paid")
    lines = [f"{title}: {result.message}", f"  session         {result.session_id}"]
    if result.payment_intent:
        lines.append(f"  payment         {result.payment_intent}")
    lines.append(f"  payment status  {result.payment_status}")
    if result.redirect_url:
        lines.append(f"  buyer goes to   {result.redirect_url}")
    return "\n".join(lines)
