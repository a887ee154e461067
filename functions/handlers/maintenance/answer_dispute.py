"""AnswerDispute: shows a dispute as Stripe and the shop know it, and answers it; for `cachao dispute`.

A file comes by itself, before the evidence that names it. What goes to the bank has the buyer's address in it: neither
input nor result is logged.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

from handlers import stripe_access
from handlers.runtime import TaskInput, database, task
from ticketing.corrections.dispute.answer import DisputeReport, Wish, answer
from ticketing.errors import InvalidEvent
from ticketing.stripe.disputes import StripeDisputes

# As long as the columns of `order_corrections`.
_LONGEST: Final = 255
# Seconds. A file takes Stripe longer than any other request.
_READ_SECONDS: Final = 30.0


class Upload(msgspec.Struct, kw_only=True):
    """A file of evidence, in base64."""

    name: str
    content: str


class AnswerDisputeInput(TaskInput):
    """Either a file to upload, or what is wanted of a dispute."""

    execution_id: str = "by hand"
    upload: Upload | None = None
    wish: Wish | None = None


class Uploaded(msgspec.Struct):
    """The file's id at Stripe."""

    file_id: str


@task(AnswerDisputeInput, logs_result=False)
def handler(given: AnswerDisputeInput) -> DisputeReport | Uploaded:
    """Raises InvalidEvent, StripeRefused; DatabaseUnavailable and StripeUnavailable: try again."""
    stripe = StripeDisputes(stripe_access.client(read_seconds=_READ_SECONDS))
    if given.upload is not None:
        try:
            content = base64.b64decode(given.upload.content, validate=True)
        except binascii.Error:
            raise InvalidEvent("The file's content is no base64.") from None
        return Uploaded(stripe.upload(given.upload.name, content))
    if given.wish is None:
        raise InvalidEvent("Say which dispute, or give a file.")
    if max(len(given.wish.by), len(given.wish.reason or "")) > _LONGEST:
        raise InvalidEvent(f"Who answers, and why, have at most {_LONGEST} characters each.")
    return answer(database, stripe, given.wish)
