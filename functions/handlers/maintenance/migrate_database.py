"""MigrateDatabase: brings the database to this version's schema. Invoked by `cachao migrate` after a deployment."""

from __future__ import annotations

import msgspec

from handlers.runtime import TaskInput, task
from handlers.settings import connect_for_migrations
from ticketing.schema.runner import apply_migrations


class MigrateDatabaseInput(TaskInput):
    """Nothing but who asks; an empty object will do."""

    execution_id: str = "by hand"


class MigrateDatabaseResult(msgspec.Struct):
    """The migrations that were applied now."""

    applied: list[str]


@task(MigrateDatabaseInput)
def handler(_given: MigrateDatabaseInput) -> MigrateDatabaseResult:
    """Raises DataInconsistent or ConfigurationError (what to change), DatabaseUnavailable where it is busy."""
    return MigrateDatabaseResult(apply_migrations(connect_for_migrations))
