"""Keeps what cannot be looked at from hiding what can: each part of a link is looked at on its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from botocore.exceptions import ClientError

from cachao.doctor.finding import Finding, unknown
from cachao.problems import error_code, explain


def guarded(link: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Give a check's findings; where it cannot go on, a last one that says why.

    Errors that nobody foresaw are raised: they are bugs.
    """
    try:
        yield from findings
    except Exception as error:
        problem = explain(error)
        if problem is None:
            raise
        yield unknown(link, _sentence(error, problem.sentence), problem.advice)


def _sentence(error: Exception, sentence: str) -> str:
    # Not every AWS (the local one, for one) has every operation, and then it answers with a web page.
    if isinstance(error, ClientError) and (error_code(error).isdigit() or "<html" in sentence):
        return f"AWS did not answer {error.operation_name}."
    return sentence
