"""One process that works at an event's refund until it is done, dry or killed: python refund_worker.py JSON."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from ticketing.corrections.event_refund.lines import Scope
from ticketing.corrections.event_refund.run import EventRefund
from ticketing.database import Database, connector
from ticketing.errors import DatabaseUnavailable
from ticketing.stripe.client import client
from ticketing.stripe.refunds import StripeRefunds
from ticketing.stripe.sessions import StripeSessions


def main(given: dict[str, Any]) -> None:
    stripe = client("sk_test_local", api_base=given["stripe"], network_retries=0)
    stripe.v1.refunds.list(params={"limit": 1})  # the package is loaded, and a connection open
    connect = connector(**given["database"], ca_file=None)
    while True:
        # As each call of the function has: a pace and connections of its own.
        work = EventRefund(
            lambda: Database(connect),
            StripeRefunds(stripe),
            StripeSessions(stripe),
            per_second=given["per_second"],
            deadline=time.monotonic() + given["seconds"],
        )
        begun = time.time()
        print(json.dumps({"begun": begun}), flush=True)
        try:
            progress = work.go(Scope(event_id=given["event_id"]), given["refund_id"], by="ann", reason="called off")
        except DatabaseUnavailable:
            time.sleep(0.1)  # the killed one's lock is still there
            continue
        print(json.dumps({"ended": time.time(), "due": progress.due, "dry": progress.dry}), flush=True)
        if progress.dry or not progress.due:
            return


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
