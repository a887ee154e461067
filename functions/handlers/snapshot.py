"""What Lambda SnapStart asks of a worker: nothing that was made before the snapshot is used after it.

Lambda takes a snapshot of one worker that has loaded its function, and begins all others of that version with it, for
weeks: the same connections, the same secrets of then, the same random numbers to come.
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html; the hooks:
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html.
"""

from __future__ import annotations

import gc
import os
import random

# Lambda's own, as its runtime client is: it does not ship.
from snapshot_restore_py import register_after_restore, register_before_snapshot

from handlers.secrets_manager import forget_secrets
from ticketing.database import Database
from ticketing.stripe import client as stripe_client


def prepare_for_snapshots(database: Database) -> None:
    """Have Lambda's runtime load what comes late, and forget what must be. For workers of snapshots only."""
    # Run in reverse.
    register_before_snapshot(forget, database)
    register_before_snapshot(_load_what_comes_late)
    register_after_restore(forget, database)


def forget(database: Database) -> None:
    """Drop connections, secrets and the state of `random`. What `secrets` and `uuid4` give is the kernel's, and new."""
    database.close()
    forget_secrets()  # their age is measured by a clock that may have stood still
    stripe_client.client.cache_clear()
    gc.collect()  # closes the connections to Stripe: nothing else knows them
    random.seed()


def _load_what_comes_late() -> None:
    """Import what a first call would: in the snapshot it costs nobody any time."""
    import http.client  # noqa: F401, PLC0415 -- for the secrets

    if os.environ.get("STRIPE_SECRET_ARN"):
        import ticketing.stripe.http_client  # noqa: F401, PLC0415 -- the stripe package with it
