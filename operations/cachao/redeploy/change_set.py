"""A change set of CloudFormation that also looks at what is really there, and so brings back what was changed by hand.

A deployment compares templates alone: where the template has not changed it does nothing, also for a rule that somebody
deleted. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cachao.aws.environment import Environment
from cachao.problems import CANNOT_REACH, STILL_RUNNING, USAGE, Problem

_LOOK_EVERY_SECONDS: Final = 3.0
# CloudFormation reads each part of the stack for it.
_MAKING_SECONDS: Final = 600.0
# In CloudFormation's words; it has no code of its own.
_NOTHING_TO_DO: Final = ("didn't contain changes", "No updates are to be performed")
# Only CloudFormation's own notes change.
_NO_CHANGE: Final = "SyncWithActual"
_ROLLBACK_FAILED: Final = "UPDATE_ROLLBACK_FAILED"


@dataclass(frozen=True)
class Change:
    """What would be done to one part of the stack.

    Attributes:
        part: Its name in the template.
        kind: CloudFormation's type.
        action: `Add`, `Modify`, `Remove` or `Dynamic`.
        was: `DELETED` or `MODIFIED` by hand; `IN_SYNC`; or CloudFormation cannot tell.
        is_replaced: Another one is made in its place: what it holds is lost.
        properties: Which of its properties change.
    """

    part: str
    kind: str
    action: str
    was: str
    is_replaced: bool
    properties: list[str]


def parameters(environment: Environment, changed: Mapping[str, str]) -> list[dict[str, Any]]:
    """Give the stack's parameters for a deployment: each as it is, but those that are changed.

    Raises:
        Problem: the stack has no such parameter.
    """
    unknown = sorted(changed.keys() - environment.parameters.keys())
    if unknown:
        raise Problem(
            f"The stack has no parameter {', '.join(unknown)}.",
            advice=f"It has {', '.join(sorted(environment.parameters))} (docs/parameters.md).",
            exit_code=USAGE,
        )
    return [
        {"ParameterKey": name, "ParameterValue": changed[name]}
        if name in changed
        else {"ParameterKey": name, "UsePreviousValue": True}
        for name in environment.parameters
    ]


class ChangeSet:
    """One change set of a stack: made, shown, and then carried out or removed."""

    def __init__(self, environment: Environment) -> None:
        """Choose a name that no other one has."""
        self._client = environment.client("cloudformation")
        self._environment = environment
        self._stack = str(environment.stack["StackName"])
        self._of = {"StackName": self._stack, "ChangeSetName": f"cachao-redeploy-{datetime.now(UTC):%Y%m%d%H%M%S%f}"}
        self._is_made = False

    def make(self, changed: Mapping[str, str]) -> list[Change]:
        """Have CloudFormation compare; give what would change, nothing where all is as the template has it.

        Raises:
            Problem: a deployment is under way, or CloudFormation cannot make it.
        """
        self._raise_unless_ready()
        rights = {*self._environment.stack.get("Capabilities", []), "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"}
        self._client.create_change_set(
            **self._of,
            ChangeSetType="UPDATE",
            UsePreviousTemplate=True,
            Parameters=parameters(self._environment, changed),
            Capabilities=sorted(rights),
            DeploymentMode="REVERT_DRIFT",
            Description="cachao redeploy: what was changed by hand, brought back",
        )
        self._is_made = True
        deadline = time.monotonic() + _MAKING_SECONDS
        while (found := self._client.describe_change_set(**self._of))["Status"] != "CREATE_COMPLETE":
            if found["Status"] == "FAILED":
                reason = str(found.get("StatusReason", "it gives no reason"))
                if any(words in reason for words in _NOTHING_TO_DO):
                    return []
                raise Problem(f"CloudFormation could not compare: {reason}")
            if time.monotonic() > deadline:
                raise Problem("CloudFormation still compares.", advice="Try again later.", exit_code=CANNOT_REACH)
            time.sleep(_LOOK_EVERY_SECONDS)
        return list(self._changes())

    def remove(self) -> None:
        """Remove it, where it was made: nothing is changed."""
        if self._is_made:
            self._client.delete_change_set(**self._of)

    def carry_out(self, wait_seconds: float) -> None:
        """Do it, and wait for its end.

        Raises:
            Problem: it failed and was taken back, or it still runs.
        """
        began = datetime.now(UTC)
        self._client.execute_change_set(**self._of)
        deadline = time.monotonic() + wait_seconds
        while (status := self._status()).endswith("_IN_PROGRESS") and "CLEANUP" not in status:
            if time.monotonic() > deadline:
                raise Problem(
                    f"The deployment still runs after {wait_seconds:.0f} s. It continues by itself.",
                    advice=f"When it has ended:\ncachao doctor {self._environment.cachao_options}",
                    exit_code=STILL_RUNNING,
                )
            time.sleep(_LOOK_EVERY_SECONDS)
        if not status.startswith("UPDATE_COMPLETE"):
            raise Problem(
                f"CloudFormation took it back ({status}): {self._reason(began)}",
                advice="Mend that first; nothing is half done." if status != _ROLLBACK_FAILED else self._continue(),
            )

    def _raise_unless_ready(self) -> None:
        status = self._status()
        if status == _ROLLBACK_FAILED:
            raise Problem(f"The stack's last deployment failed half-way ({status}).", advice=self._continue())
        if not status.endswith("_COMPLETE"):
            raise Problem(f"A deployment is under way ({status}).", advice="Wait for its end.", exit_code=CANNOT_REACH)

    def _status(self) -> str:
        return str(self._client.describe_stacks(StackName=self._stack)["Stacks"][0]["StackStatus"])

    def _continue(self) -> str:
        options = self._environment.aws_options
        return (
            "Let CloudFormation go on, then say this again:"
            f"\naws cloudformation continue-update-rollback {options} --stack-name {self._stack}"
        )

    def _reason(self, since: datetime) -> str:
        events = self._client.describe_stack_events(StackName=self._stack)["StackEvents"]
        failed = [
            event for event in events if event["ResourceStatus"].endswith("_FAILED") and event["Timestamp"] >= since
        ]
        if not failed:
            return "it gives no reason."
        first = min(failed, key=lambda event: event["Timestamp"])
        return f"{first['LogicalResourceId']}: {first.get('ResourceStatusReason', 'no reason given')}"

    def _changes(self) -> Iterator[Change]:
        more: dict[str, Any] = {}
        while True:
            page = self._client.describe_change_set(**self._of, **more)
            for found in page["Changes"]:
                change = found["ResourceChange"]
                if change["Action"] != _NO_CHANGE:
                    yield _read(change)
            if "NextToken" not in page:
                return
            more = {"NextToken": page["NextToken"]}


def _read(change: dict[str, Any]) -> Change:
    targets = [detail.get("Target", {}) for detail in change.get("Details", [])]
    return Change(
        part=change["LogicalResourceId"],
        kind=change["ResourceType"],
        action=change["Action"],
        was=change.get("ResourceDriftStatus", "UNKNOWN"),
        # Of what is gone another one is made in any case.
        is_replaced=change.get("Replacement") == "True" and change.get("ResourceDriftStatus") != "DELETED",
        properties=sorted({str(target.get("Name") or target.get("Attribute") or "?") for target in targets}),
    )
