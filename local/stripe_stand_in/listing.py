"""Lists of API v1: newest first, page by page."""

from collections.abc import Callable, Sequence

from local.stripe_stand_in.context import Context
from local.stripe_stand_in.errors import ApiError, invalid_parameter
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.parameters import ArrayOf, Check, CreatedRange, integer, string
from local.stripe_stand_in.store import Kind, Query, Record

LIST_FIELDS: dict[str, Check] = {
    "created": CreatedRange(),
    "limit": integer(1, 100),
    "starting_after": string(),
    "ending_before": string(),
    "expand": ArrayOf(string()),
}


def _as_stored(_context: Context, record: Record) -> JsonObject:
    return record.body


def list_objects(
    context: Context,
    kind: Kind,
    parameters: JsonObject,
    path: str,
    *,
    statuses: Sequence[str] = (),
    show: Callable[[Context, Record], JsonObject] = _as_stored,
) -> JsonObject:
    """Return one page of a list.

    Args:
        context: The stand-in.
        kind: Which objects.
        parameters: Checked parameters: LIST_FIELDS and perhaps `payment_intent`.
        path: The list's `url`.
        statuses: Only objects in one of these states; empty: all.
        show: Turns a stored record to what the API shows.

    Raises:
        ApiError: Both cursors were given, or one names no such object.
    """
    if "starting_after" in parameters and "ending_before" in parameters:
        raise invalid_parameter("Received both starting_after and ending_before parameters.", "ending_before")
    for cursor in ("starting_after", "ending_before"):
        if cursor in parameters and context.store.get(kind, parameters[cursor]) is None:
            raise ApiError(
                f"No such {kind}: '{parameters[cursor]}'",
                code="resource_missing",
                param=cursor,
            )
    query = Query(
        statuses=statuses,
        payment_intent=parameters.get("payment_intent"),
        created=parameters.get("created", ()),
        limit=parameters.get("limit", 10),
        starting_after=parameters.get("starting_after"),
        ending_before=parameters.get("ending_before"),
    )
    records, has_more = context.store.page(kind, query)
    return {
        "object": "list",
        "data": [show(context, record) for record in records],
        "has_more": has_more,
        "url": path,
    }
