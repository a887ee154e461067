"""The command `cachao page`."""

from __future__ import annotations

import html
import sys
import tempfile
import time
import webbrowser
from pathlib import Path
from typing import Annotated, Final

import typer

from cachao.command_context import CommandContext
from cachao.page.application import Page
from cachao.page.guard import Guard, Sessions
from cachao.page.server import PageServer
from cachao.problems import USAGE, Problem
from cachao.view.output import escape

_LOOK_SECONDS: Final = 0.5


def page(
    ctx: typer.Context,
    *,
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1; 0: a free one.", min=0, max=65535)] = 0,
    allow_changes: Annotated[
        bool, typer.Option("--allow-changes", help="Also replay, refund, correct and reconcile, each after a yes.")
    ] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Open a page of the payments in your browser: executions as they run, orders, alerts, dead letters.

    Without --allow-changes it only reads. With it each change is shown first, and asked, as on the command line.

    It runs on this machine, with your own AWS credentials, and answers this machine only, until Ctrl-C. The address
    opens one page, once; press Enter for another.

    [bold]Examples[/bold]

        cachao page

        cachao page --stack cachao --allow-changes
    """
    context: CommandContext = ctx.obj
    name = context.environment.name
    sessions = Sessions()
    application = Page(context.environment, Guard(sessions=sessions), changes=allow_changes)
    try:
        server = PageServer(application, port=port)
    except OSError as error:
        raise Problem(f"Port {port} cannot be had: {error.strerror}.", advice="Omit --port.", exit_code=USAGE) from None
    server.start()
    try:
        _serve(context, name, server.url, sessions, browser=not no_browser and context.output.console.is_terminal)
    except KeyboardInterrupt:
        context.output.note("The page is closed.")
    finally:
        server.stop()
        application.close()


def _serve(context: CommandContext, name: str, url: str, sessions: Sessions, *, browser: bool) -> None:
    first = _address(url, sessions)
    context.output.line({"url": first, "stack": name} if context.output.as_json else first)
    context.output.note(
        f"The page of {escape(name)}. The address opens one page, once. Enter: another address. Ctrl-C: end."
    )
    with tempfile.TemporaryDirectory(prefix="cachao-page-") as folder:
        if browser:
            _open(first, Path(folder) / "page.html")
        while sys.stdin.isatty() and sys.stdin.readline():
            context.output.line(_address(url, sessions))
        while True:
            time.sleep(_LOOK_SECONDS)


def _address(url: str, sessions: Sessions) -> str:
    # Behind the #, which a browser sends to nobody.
    return f"{url}#token={sessions.make_token()}"


def _open(address: str, file: Path) -> None:
    """Open a browser by a file of the operator's own: on a command line every user of this machine would read it."""
    file.touch(mode=0o600)
    file.write_text(
        '<!doctype html><meta charset="utf-8"><title>cachao</title>'
        f'<meta http-equiv="refresh" content="0; url={html.escape(address)}">',
        encoding="utf-8",
    )
    webbrowser.open(file.as_uri())
