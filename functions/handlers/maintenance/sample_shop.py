"""SampleShop: puts something to buy into a new shop. Deployed in Stripe's test mode only; for `cachao sample-shop`."""

from __future__ import annotations

from handlers.runtime import TaskInput, database, task
from ticketing.operators.sample_shop import SampleShop, open_sample_shop


class SampleShopInput(TaskInput):
    """Nothing but who asks; an empty object will do."""

    execution_id: str = "by hand"


@task(SampleShopInput)
def handler(_given: SampleShopInput) -> SampleShop:
    """Raises DatabaseUnavailable, SchemaOutdated where the migrations have not run."""
    return open_sample_shop(database)
