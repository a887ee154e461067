"""PrepareDatabase: makes the shop's database and its users, as an administrator. Invoked by `cachao prepare-database`.

It is deployed only where the parameter DatabaseAdminSecretArn names the administrator's secret (docs/deploy.md).
"""

from __future__ import annotations

import msgspec

from handlers.runtime import TaskInput, task
from handlers.settings import connect_as_administrator, database_accounts
from ticketing.schema.accounts import prepare_database


class PrepareDatabaseInput(TaskInput):
    """Nothing but who asks; an empty object will do."""

    execution_id: str = "by hand"


class PrepareDatabaseResult(msgspec.Struct):
    """What was done, in sentences."""

    done: list[str]


@task(PrepareDatabaseInput)
def handler(_given: PrepareDatabaseInput) -> PrepareDatabaseResult:
    """Raises ConfigurationError (what to change), DatabaseUnavailable where the server is away."""
    name, accounts, require_tls = database_accounts()
    return PrepareDatabaseResult(prepare_database(connect_as_administrator, name, accounts, require_tls=require_tls))
