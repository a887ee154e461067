"""What is published to a topic, for whoever keeps it: moto has it in memory only, and gives it to subscribers."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.sns.models import Topic

from local.aws.moto_patches.replacing import Replacements

_moto_publish = Topic.publish


def keep_messages(replacements: Replacements, topic_arn: str, keep: Callable[[Mapping[str, Any]], None]) -> None:
    """Hand each message of one topic to `keep`, before anybody else gets it."""

    def publish(self: Any, message: str, subject: str | None = None, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        if self.arn == topic_arn:
            attributes = kwargs.get("message_attributes") or (args[0] if args else None) or {}
            keep(
                {
                    "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    "subject": subject or "",
                    "message": message,
                    "attributes": {name: str(value.get("Value")) for name, value in attributes.items()},
                }
            )
        return _moto_publish(self, message, subject, *args, **kwargs)

    replacements.set(Topic, "publish", publish)
