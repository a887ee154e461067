"""`cachao dispute`: shows a dispute, and answers or accepts it at Stripe."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import msgspec
import typer

from cachao.aws import operator
from cachao.command_context import CommandContext
from cachao.corrections.frame import DryRun, Reason, Yes, check_reason
from cachao.dispute import shown
from cachao.dispute.given import EvidenceFile, files_in, texts_in
from cachao.problems import FINE, USAGE, Problem
from cachao.view.output import escape
from ticketing.corrections.dispute.answer import Action, DisputeReport

_FUNCTION: Final = "AnswerDisputeFunction"
_WANTED: Final = re.compile(r"(?:du|dp|ch|py|pi)_[A-Za-z0-9_]{1,250}|[1-9][0-9]{0,18}", re.ASCII)
_DONE: Final[dict[Action, str]] = {
    "stage": "Staged: the bank does not have it yet. To send it: cachao dispute {} --submit",
    "submit": "Submitted. The bank decides, which takes weeks; its decision is alerted (DisputeWon, DisputeLost).",
    "accept": "Accepted: it is lost. Stripe's event brings the order to its end within a minute (DisputeLost).",
}


def dispute(  # noqa: PLR0913 -- one parameter an option
    ctx: typer.Context,
    wanted: Annotated[
        str,
        typer.Argument(metavar="du_…|dp_…|ch_…|pi_…|ORDER", help="Which dispute: by its id, its payment or its order."),
    ],
    *,
    evidence: Annotated[
        list[str] | None,
        typer.Option(metavar="[FIELD=]FILE", help="A PDF, PNG or JPEG; without FIELD it is uncategorized_file."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="[FIELD=]TEXT", help="What is said in words; without FIELD it is uncategorized_text."),
    ] = None,
    from_order: Annotated[
        bool,
        typer.Option("--from-order", help="Say what the shop knows: what was sold, to whom, when it was shown."),
    ] = False,
    submit: Annotated[
        bool, typer.Option("--submit", help="Send all evidence to the bank. Final: a bank takes one answer.")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="Let the buyer keep the money. Final: the dispute is lost.")
    ] = False,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Show a dispute: reason, amount, deadline, evidence, and what the shop knows of order and buyer. Answer it.

    Evidence is staged at Stripe first, where it can be replaced, and is sent to the bank by --submit. Which fields
    help against which reason: https://docs.stripe.com/disputes/categories. It goes to the buyer's bank and to the
    buyer. Repeated, nothing is done twice.

    [bold]Examples[/bold]

        cachao dispute du_1Q…

        cachao dispute du_1Q… --from-order --evidence service_documentation=scan.pdf

        cachao dispute du_1Q… --text "The buyer was at the concert, see the photograph." --submit

        cachao dispute 1234 --accept --reason "sold by mistake"
    """
    context: CommandContext = ctx.obj
    check_reason(reason)
    if not _WANTED.fullmatch(wanted):
        raise Problem(f"{wanted!r} is no dispute (du_…, dp_…), payment (pi_…, ch_…) or order.", exit_code=USAGE)
    files, texts = files_in(evidence or []), texts_in(text or [])
    if accept and (submit or files or texts or from_order):
        raise Problem("--accept says nothing to the bank: give it alone.", exit_code=USAGE)
    says = bool(files or texts or from_order)
    action: Action = "accept" if accept else "submit" if submit else "stage" if says else "show"
    wish: dict[str, Any] = {"wanted": wanted, "action": action, "from_order": from_order}
    preview = _ask(context, wish | {"evidence": texts | {name: file.spoken for name, file in files.items()}})
    if action == "show" or dry_run or (preview.already and not preview.begun):
        _answer(context, preview, action, dry_run=dry_run)
        raise typer.Exit(FINE)
    if not preview.begun:
        _confirm(context, preview, action, yes=yes)
    done = _ask(
        context,
        wish
        | {
            "evidence": texts | {name: _upload(context, file) for name, file in files.items()},
            "seen": preview.seen,
            "by": operator.name_of(context.environment),
            "reason": reason,
        },
    )
    if done.moved_on:
        raise Problem("The dispute has changed meanwhile. Nothing was done.", advice="Say the command again.")
    _answer(context, done, action, dry_run=False)


def _confirm(context: CommandContext, preview: DisputeReport, action: Action, *, yes: bool) -> None:
    if not yes:
        for part in shown.render(preview):
            context.output.errors.print(part)
    what = {
        "stage": "Stage this evidence in {}",
        "submit": "Submit this evidence in {} to the bank, for good,",
        "accept": "Accept {}, for good,",
    }[action]
    name = preview.dispute.dispute_id if preview.dispute else ""
    context.output.confirm(f"{what.format(f'dispute {name}')} in {context.environment.name}?", yes=yes)


def _upload(context: CommandContext, file: EvidenceFile) -> str:
    answer = context.environment.invoke(_FUNCTION, {"execution_id": "cachao dispute", "upload": file.upload})
    return str(answer["file_id"])


def _ask(context: CommandContext, wish: dict[str, Any]) -> DisputeReport:
    answer = context.environment.invoke(_FUNCTION, {"execution_id": "cachao dispute", "wish": wish})
    report = msgspec.convert(answer, DisputeReport)
    if report.refused:
        raise Problem(f"{report.refused} Nothing was done.", advice=report.advice)
    return report


def _answer(context: CommandContext, report: DisputeReport, action: Action, *, dry_run: bool) -> None:
    parts = shown.render(report)
    if report.already:
        parts.append(escape(report.already))
    elif report.done:
        name = report.dispute.dispute_id if report.dispute else ""
        parts.append(escape(_DONE[action].format(name)))
    context.output.answer({**msgspec.to_builtins(report), "dry_run": dry_run}, *parts)
