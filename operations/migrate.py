"""`cachao migrate`: brings the database to this version's schema, through the function that is deployed for it."""

from __future__ import annotations

import typer

from operations.desk import Desk


def migrate(context: typer.Context) -> None:
    """Apply the migrations that the database has not had yet. Additive, and safe to repeat.

    Run it after each deployment; cachao doctor says when one is due.

    [bold]Examples[/bold]

        cachao migrate --stack cachao
    """
    desk: Desk = context.obj
    with desk.output.errors.status("migrating", spinner="dots"):
        applied = desk.environment.invoke("MigrateDatabaseFunction", {"execution_id": "cachao migrate"})["applied"]
    lines = [f"applied {name}" for name in applied] or ["The schema is up to date; nothing was to be done."]
    desk.output.answer({"applied": applied}, *lines)
