"""Items of DynamoDB tables.

What moto 5.2.5 lacks: an update is one step. Two at once both find that there is no item yet, and both `if_not_exists`
write: two executions were each the first to alert.
"""

import threading
from typing import Any

from moto.dynamodb.models import DynamoDBBackend

from local.aws.moto_patches.replacing import Replacements

_moto_update_item = DynamoDBBackend.update_item


def apply(replacements: Replacements) -> None:
    """Let updates wait for each other."""
    one_at_a_time = threading.Lock()

    def update_item(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - moto's own types
        with one_at_a_time:
            return _moto_update_item(self, *args, **kwargs)

    replacements.set(DynamoDBBackend, "update_item", update_item)
