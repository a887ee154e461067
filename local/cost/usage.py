"""What one payment uses, read from the state machine and the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from local.cost import figures
from local.lint.graph import Scope, edges, ends, scopes
from local.lint.resilience import LAMBDA_INVOKE, PUBLISH, UPDATE_ITEM

_ONE: Final = Decimal(1)


@dataclass(frozen=True)
class Way:
    """A way through the state machine, and what it takes on it."""

    name: str
    states: tuple[str, ...]
    invocations: int
    writes: int
    messages: int

    @property
    def transitions(self) -> int:
        """States entered, as Step Functions bills them; without retries."""
        return len(self.states)


@dataclass(frozen=True)
class Share:
    """A way, and how many executions take it for each payment."""

    way: Way
    executions: Decimal


def shares(definition: Mapping[str, Any]) -> list[Share]:
    """Give the executions that a payment brings with it, those of abandoned checkouts, refunds and disputes too."""
    refunds = figures.REFUNDS.value * figures.REFUND_EVENTS.value
    disputes = figures.DISPUTES.value * figures.DISPUTE_EVENTS.value
    return [
        Share(way(definition, "paid, with or without a code", "OrderPaid"), _ONE - figures.FAILURES.value),
        Share(way(definition, "expired checkout", "OrderReleased"), figures.CHECKOUTS.value - _ONE),
        Share(way(definition, "event of a refund", "RefundRecorded"), refunds),
        Share(
            way(definition, "event of a dispute, told", "RecordDispute", "TellOperators", "RecordedAndTold"), disputes
        ),
        Share(
            way(definition, "refused, with an alert", "LookUpOrder", "DescribeFailure", "PaymentFailed"),
            figures.FAILURES.value,
        ),
    ]


def way(definition: Mapping[str, Any], name: str, *through: str) -> Way:
    """Give the shortest way from the start through these states, in their order.

    Raises:
        ValueError: there is none.
    """
    machine = next(scopes(definition))
    states: list[str] = []
    here = machine.start
    for target in through:
        stretch = _shortest(machine, here, target)
        states += stretch if not states else stretch[1:]
        here = target
    within = [name for state in states for branch in machine.inner(state) for name in _longest(branch)]
    bodies = {name: body for scope in scopes(definition) for name, body in scope.states.items()}
    all_of_it = (*states, *within)
    resources = [bodies[state].get("Resource") for state in all_of_it]
    return Way(name, all_of_it, resources.count(LAMBDA_INVOKE), resources.count(UPDATE_ITEM), resources.count(PUBLISH))


def _shortest(scope: Scope, start: str, target: str) -> list[str]:
    ahead, seen = [[start]], {start}
    while ahead:
        path = ahead.pop(0)
        if path[-1] == target:
            return path
        for edge in edges(scope.states[path[-1]]):
            if edge.target not in seen:
                seen.add(edge.target)
                ahead.append([*path, edge.target])
    raise ValueError(f"No way leads from {start} to {target}.")


def _longest(branch: Scope, name: str | None = None) -> list[str]:
    """Within a branch, the way that does most, without a caught error."""
    here = branch.start if name is None else name
    state = branch.states[here]
    if ends(state):
        return [here]
    after = [_longest(branch, edge.target) for edge in edges(state) if edge.kind != "catch"]
    return [here, *max(after, key=len)]


def total(shares: Sequence[Share], what: str) -> Decimal:
    """Add up a figure of the ways (`transitions`, `invocations`, `writes`, `messages`) for one payment."""
    return sum((share.executions * getattr(share.way, what) for share in shares), Decimal(0))
