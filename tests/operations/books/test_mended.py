"""What `cachao books` says to do is done, and then the books agree."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, cast

from local.aws.cloud import LocalCloud
from local.stripe_stand_in import StripeStandIn
from tests.operations.books import planted
from tests.operations.books.planted import DAY, PlantedShop
from tests.operations.books.test_books import found, made, span
from tests.operations.conftest import Cachao
from tests.ticketing.paid_orders import status
from ticketing.books.lines import Name
from ticketing.database import Database

if TYPE_CHECKING:
    from local.stripe_stand_in.store import Kind


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


def test_what_is_too_old_for_stripes_events_is_sent_by_the_command_that_it_names(
    cachao: Cachao, cloud: LocalCloud, database: Database, stripe_stand_in: StripeStandIn
) -> None:
    shop = made(database, stripe_stand_in, 5)
    for plant in (
        planted.refund_in_the_dashboard,
        planted.lost_dispute,
        planted.dispute_lost_without_a_word,
        planted.reinstated_funds,
        planted.refund_failed_after_success,
    ):
        plant(shop)
    before = cachao("books", *span(shop), json=True).data
    assert found(before, shop) == {(str(name), about): 1 for name, about in shop.expected}
    for finding in before["findings"]:
        asked = re.search(r"run: stripe (\w+)s retrieve (\w+) \| cachao (event - --as [\w.]+[a-z])", finding["to_do"])
        assert asked, finding
        at_stripe = shop.stand_in.context.store.get(cast("Kind", asked[1]), asked[2])
        assert at_stripe is not None
        # A refund that failed ends its execution with the alert of it.
        assert cachao(*asked[3].split(), "--yes", given=json.dumps(at_stripe.body)).exit_code in {0, 1}
    after = cachao("books", *span(shop), json=True).data
    assert {line["name"] for line in after["findings"]} == {"MoneyToGiveBack"}, "of the refund that failed"


def test_only_an_object_that_such_an_event_is_about_is_sent(cachao: Cachao) -> None:
    refund = json.dumps({"object": "refund", "id": "re_1"})
    wrong = cachao("event", "-", "--as", "charge.dispute.closed", "--yes", given=refund)
    assert (wrong.exit_code, "charge.dispute.closed is not about refund" in wrong.notes) == (2, True)
    assert cachao("event", "-", "--as", "refund.created", "--yes", given="[]").exit_code == 2
    shown = cachao("event", "-", "--as", "refund.created", "--dry-run", given=refund)
    assert (shown.exit_code, "refund.created evt_byhand" in shown.text) == (0, True)
