"""Balance transactions and payouts as the API gives them."""

from local.stripe_stand_in import balance
from local.stripe_stand_in.context import Context
from local.stripe_stand_in.errors import resource_missing
from local.stripe_stand_in.expand import expand
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.listing import LIST_FIELDS, list_objects
from local.stripe_stand_in.parameters import HashOf, string
from local.stripe_stand_in.store import Kind, Record

LIST = HashOf(LIST_FIELDS | {"payout": string(), "type": string()}, known_to_stripe=lambda: ("currency", "source"))
LIST_PAYOUTS = HashOf(LIST_FIELDS | {"status": string()}, known_to_stripe=lambda: ("arrival_date", "destination"))


def list_transactions(context: Context, parameters: JsonObject) -> JsonObject:
    """Return balance transactions, newest first: all, of a type, or those that a payout paid out, itself included."""
    payout = parameters.get("payout")
    if payout is not None:
        _find(context, "payout", payout)
        parameters["payment_intent"] = payout
    page = list_objects(
        context,
        "balance_transaction",
        parameters,
        "/v1/balance_transactions",
        statuses=[parameters["type"]] if "type" in parameters else (),
        show=balance.show,
    )
    return expand(context, page, parameters.get("expand", []))


def retrieve_transaction(context: Context, transaction_id: str, parameters: JsonObject) -> JsonObject:
    """Return a balance transaction; `expand[]` takes source."""
    stored = _find(context, "balance_transaction", transaction_id)
    return expand(context, balance.show(context, stored), parameters.get("expand", []))


def list_payouts(context: Context, parameters: JsonObject) -> JsonObject:
    """Return payouts, newest first."""
    statuses = [parameters["status"]] if "status" in parameters else ()
    page = list_objects(context, "payout", parameters, "/v1/payouts", statuses=statuses)
    return expand(context, page, parameters.get("expand", []))


def retrieve_payout(context: Context, payout_id: str, parameters: JsonObject) -> JsonObject:
    """Return a payout; `expand[]` takes balance_transaction."""
    return expand(context, _find(context, "payout", payout_id).body, parameters.get("expand", []))


def _find(context: Context, kind: Kind, object_id: str) -> Record:
    found = context.store.get(kind, object_id)
    if found is None:
        raise resource_missing(kind, object_id)
    return found
