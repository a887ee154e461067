"""The type of every Stripe object, request and event in this package."""

from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
