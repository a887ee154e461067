"""BuyerData: gives all that the database holds of one buyer, and forgets a buyer; for `cachao buyer`.

Neither its input nor its answer is logged: both have the buyer's address in them.
"""

from __future__ import annotations

import time
from typing import Annotated, Final

import msgspec

from handlers import stripe_access
from handlers.runtime import TaskInput, database, task
from ticketing.operators.buyer_data import BuyerPage, buyer_page, pattern_of
from ticketing.operators.forget_buyer import ForgottenPage, forget_buyer
from ticketing.orders import history
from ticketing.stripe.sessions import StripeSessions

# Each order may be two requests to Stripe; the function's own time is a minute.
_SECONDS: Final = 20.0


class BuyerDataInput(TaskInput, kw_only=True):
    """Whose, and after which order's id. `forget`: forget them, do not tell of them; `by`: who ordered it."""

    address: Annotated[str, msgspec.Meta(min_length=3, max_length=255)]
    execution_id: str = "cachao buyer"
    after_id: int = 0
    forget: bool = False
    by: Annotated[str, msgspec.Meta(max_length=255)] = "nobody said"


@task(BuyerDataInput, logs_result=False)
def handler(given: BuyerDataInput) -> BuyerPage | ForgottenPage:
    """Raises DatabaseUnavailable, StripeUnavailable: try again."""
    if not given.forget:
        return buyer_page(database, given.address, after_id=given.after_id)
    # Who did it is kept in the history; not where it is the buyer who is to be forgotten.
    by = pattern_of(given.address).sub("…", given.by).encode("ascii", "replace").decode()
    history.written_by(f"cachao buyer forget, by {by}")
    return forget_buyer(
        database,
        StripeSessions(stripe_access.client()),
        given.address,
        after_id=given.after_id,
        deadline=time.monotonic() + _SECONDS,
    )
