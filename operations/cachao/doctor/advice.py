"""Advice that several links give. In it, as everywhere, a command that is to be copied has a line of its own."""

from __future__ import annotations

from typing import Final

# Not by `sam deploy`: where the template has not changed it changes nothing, also what somebody deleted by hand.
REDEPLOY: Final = (
    "Somebody changed or deleted it by hand. This shows all that is not as it was deployed, and brings it back:"
    "\ncachao redeploy"
)
CONNECT: Final = "This does, and says how to deploy its source, within 7 days:\ncachao connect"
RECONCILE: Final = "Then bring right what was paid meanwhile:\ncachao reconcile --since 3d"
REPLAY_DEAD_LETTERS: Final = "Then send what waits:\ncachao replay --dead-letters"


def steps(*advice: str) -> str:
    """Put pieces of advice one below the other."""
    return "\n".join(advice)


def store_secret(arn: str, content: str, file: str) -> str:
    """Advise to store a secret anew, out of a file: what stands on a command line stays in the shell's history."""
    return (
        f"Write {content} into a file {file}, store it, and delete the file; functions read it within five minutes:"
        f"\naws secretsmanager put-secret-value --secret-id {arn} --secret-string file://{file}"
    )
