"""What `cachao books` says to do is done, and then the books agree."""

from __future__ import annotations

import time

from local.aws.cloud import LocalCloud
from local.stripe_stand_in import StripeStandIn
from tests.operations.books import planted
from tests.operations.books.planted import DAY, PlantedShop
from tests.operations.books.test_books import found, span
from tests.operations.conftest import Cachao
from tests.ticketing.paid_orders import status
from ticketing.books.lines import Name
from ticketing.database import Database


def test_lost_events_are_sent_again_by_the_command_that_it_names(
    cachao: Cachao, cloud: LocalCloud, database: Database, stripe_stand_in: StripeStandIn
) -> None:
    # Stripe has the events of the last 30 days.
    since = int(time.time()) - 20 * DAY
    shop = PlantedShop(database, stripe_stand_in, since=since, until=since + 90, orders=6)
    for plant in (planted.lost_refund, planted.lost_dispute, planted.dispute_lost_without_a_word):
        plant(shop)
    with shop.at_stripe():
        order_id, payment = shop.next_order()
        shop.stand_in.refund(payment)
        shop.expect(Name.DASHBOARD_REFUND_NOT_RECORDED, order_id)
    unpaid, payment = shop.next_order()
    shop.change("DELETE FROM order_payments WHERE payment_key = %s", payment)
    shop.change(
        "UPDATE ticket_orders SET status = 'pending', stripe_payment_intent_id = NULL, paid_at = NULL,"
        " ticket_counted_at = NULL, counted_ticket_id = NULL, counted_quantity = NULL WHERE id = %s",
        unpaid,
    )
    shop.expect(Name.PAYMENT_NOT_RECORDED, unpaid)
    before = cachao("books", *span(shop), json=True)
    assert found(before.data, shop) == {(str(name), about): 1 for name, about in shop.expected}
    [command] = {line["to_do"].partition(", which")[0].removeprefix("run: cachao ") for line in before.data["findings"]}
    assert cachao(*command.split(), "--yes").exit_code in {0, 1}
    cloud.wait_until_idle(timeout_seconds=120)
    after = cachao("books", *span(shop), json=True)
    assert (after.exit_code, after.data["findings"]) == (0, [])
    assert [status(database, order_id), status(database, unpaid)] == ["refunded", "paid"]
