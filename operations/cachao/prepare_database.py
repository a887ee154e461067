"""`cachao prepare-database`: makes the shop's database and its users, through the function that may reach it."""

from __future__ import annotations

from typing import Final

import typer

from cachao.command_context import CommandContext
from cachao.corrections.frame import DryRun, Yes
from cachao.problems import Problem

_FUNCTION: Final = "PrepareDatabaseFunction"


def prepare_database(ctx: typer.Context, *, dry_run: DryRun = False, yes: Yes = False) -> None:
    """Make the shop's database and its users, with the passwords of their secrets. Safe to repeat.

    For a new database: run it once after the first sam deploy, then cachao migrate. The stack's parameter
    DatabaseAdminSecretArn names the administrator's secret; docs/deploy.md says how to do the same by hand.

    [bold]Examples[/bold]

        cachao prepare-database --stack cachao
    """
    context: CommandContext = ctx.obj
    environment = context.environment
    if not environment.parameters.get("DatabaseAdminSecretArn"):
        raise Problem(
            f"{environment.name} knows no administrator of its database.",
            advice="Deploy with the parameter DatabaseAdminSecretArn, or let an administrator make the database and its"
            " users by hand (docs/deploy.md).",
        )
    function = environment.resource(_FUNCTION)
    if dry_run:
        context.output.answer(
            {"dry_run": True, "function": function},
            f"{function} would make the database where it is missing, and the users that the secrets of the parameters"
            " DatabaseSecretArn and DatabaseMigrationSecretArn name. Tables are left alone.",
        )
        return
    context.output.confirm(f"Make the database and its users for {environment.name}?", yes=yes)
    done = environment.invoke(_FUNCTION, {"execution_id": "cachao prepare-database"})["done"]
    context.output.answer({"done": done}, *done, "Next: cachao migrate")
