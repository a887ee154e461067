"""What the API does with webhook endpoints: create, retrieve, list, update, delete.

Those that the API made get events as long as the stand-in runs. Source: docs.stripe.com/api/webhook_endpoints.
"""

from local.stripe_stand_in import ids
from local.stripe_stand_in.context import Context
from local.stripe_stand_in.errors import invalid_parameter, refused, resource_missing
from local.stripe_stand_in.json_object import JsonObject
from local.stripe_stand_in.parameters import ArrayOf, HashOf, boolean, integer, metadata, string, text, url
from local.stripe_stand_in.webhook_endpoints import WebhookEndpoint

# "You can have up to 16 webhook endpoints" in each mode (docs.stripe.com/webhooks).
_MOST = 16
_TYPES = ArrayOf(string(), maximum=500)
LIST = HashOf({"limit": integer(1, 100)}, known_to_stripe=lambda: ("ending_before", "expand", "starting_after"))
CREATE = HashOf(
    {
        "description": text(),
        "enabled_events": _TYPES,
        "metadata": metadata(),
        "url": url(),
    },
    required=("enabled_events", "url"),
    known_to_stripe=lambda: ("api_version", "connect", "expand"),
)
UPDATE = HashOf(
    {
        "description": text(),
        "disabled": boolean(),
        "enabled_events": _TYPES,
        "metadata": metadata(),
        "url": url(),
    },
    known_to_stripe=lambda: ("expand",),
)


def create(context: Context, given: JsonObject) -> JsonObject:
    """Make an endpoint; the answer, and no later one, has its signing secret.

    Raises:
        ApiError: There are 16 already, or it takes no events.
    """
    _check_types(given)
    if len(context.webhook_endpoints) >= _MOST:
        raise refused(f"You have reached the maximum of {_MOST} test webhook endpoints.")
    endpoint = WebhookEndpoint(
        given["url"],
        id=ids.object_id("we"),
        enabled_events=tuple(given["enabled_events"]),
        created=context.now(),
        description=given.get("description") or None,
        metadata=given.get("metadata", {}),
        secret=ids.signing_secret(),
    )
    context.webhook_endpoints.insert(0, endpoint)
    return endpoint.body() | {"secret": endpoint.secret}


def list_all(context: Context) -> JsonObject:
    """Return all of them on one page, newest first."""
    data = [endpoint.body() for endpoint in context.webhook_endpoints]
    return {"object": "list", "data": data, "has_more": False, "url": "/v1/webhook_endpoints"}


def retrieve(context: Context, endpoint_id: str) -> JsonObject:
    """Return one endpoint."""
    return _find(context, endpoint_id).body()


def update(context: Context, endpoint_id: str, given: JsonObject) -> JsonObject:
    """Change an endpoint."""
    endpoint = _find(context, endpoint_id)
    _check_types(given)
    endpoint.url = given.get("url", endpoint.url)
    endpoint.enabled_events = tuple(given.get("enabled_events", endpoint.enabled_events))
    if "description" in given:
        endpoint.description = given["description"] or None
    if "disabled" in given:
        endpoint.status = "disabled" if given["disabled"] else "enabled"
    changed = endpoint.metadata | given.get("metadata", {})
    endpoint.metadata = {name: value for name, value in changed.items() if value}
    return endpoint.body()


def delete(context: Context, endpoint_id: str) -> JsonObject:
    """Delete an endpoint."""
    endpoint = _find(context, endpoint_id)
    context.webhook_endpoints.remove(endpoint)
    return {"id": endpoint.id, "object": "webhook_endpoint", "deleted": True}


def _check_types(given: JsonObject) -> None:
    if not given.get("enabled_events", ["*"]):
        raise invalid_parameter("enabled_events must name at least one event type.", "enabled_events")


def _find(context: Context, endpoint_id: str) -> WebhookEndpoint:
    found = next((known for known in context.webhook_endpoints if known.id == endpoint_id), None)
    if found is None:
        raise resource_missing("webhook endpoint", endpoint_id)
    return found
