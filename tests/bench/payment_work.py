"""Jobs of a worker: payments by the real handlers, and by nothing but their SQL.

The SQL is not written down here. The handlers run once with a connection that listens, and what they sent is
replayed by plain pymysql for other orders: the same statements in the same transactions, with each order's own ids.
Two orders are listened to; what one of them sent must predict what the other did.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import itertools
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from pymysql.connections import Connection
from pymysql.cursors import Cursor, DictCursor

from tests.bench.orders import TOTAL_MINOR, HotTicket, session_id

STEPS = ("ValidateEvent", "LookUpOrder", "MarkOrderPaid", "CountTicketSale", "CountDiscountUse")

Facts = dict[Any, Any]


@dataclass
class SqlTransaction:
    """The statements of a transaction, with their parameters.

    One alone may be committed with it by the server, and a block as the last one may have the COMMIT in it.
    """

    statements: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    commits_itself: bool = False

    @property
    def ends_itself(self) -> bool:
        return self.commits_itself or any(" COMMIT; " in sql for sql, _ in self.statements)


# What one step sends.
SqlOfStep = list[SqlTransaction]

_ENVELOPE = Path(__file__).parents[2] / "events" / "checkout.session.completed.json"


def time_handlers(ticket: HotTicket, order_ids: Sequence[int]) -> list[list[float]]:
    """Pay orders, and give each step's seconds."""
    return [_pay(prepared) for prepared in [_event_of(_facts(ticket, order_id)) for order_id in order_ids]]


def time_floor(ticket: HotTicket, order_ids: Sequence[int]) -> list[list[float]]:
    """Replay the payments of orders, and give each step's seconds."""
    return [_replay(prepared) for prepared in [_sql_of(_facts(ticket, order_id)) for order_id in order_ids]]


def prepare_payments(ticket: HotTicket, order_ids: Sequence[int]) -> None:
    """Make ready what `work_for` does next: pay orders."""
    _work[:] = [functools.partial(_pay, _event_of(_facts(ticket, order_id))) for order_id in order_ids]


def prepare_replays(ticket: HotTicket, order_ids: Sequence[int]) -> None:
    """Make ready what `work_for` does next: replay the payments of orders."""
    _work[:] = [functools.partial(_replay, _sql_of(_facts(ticket, order_id))) for order_id in order_ids]


def work_for(seconds: float) -> tuple[int, float]:
    """Work for a while, and give how many pieces were done, in how many seconds exactly."""
    return repeat_for(seconds, iter(_work))


def listen(warm_up: tuple[HotTicket, int], first: tuple[HotTicket, int], second: tuple[HotTicket, int]) -> list[int]:
    """Learn what the handlers send, from two orders that they pay; gives each step's number of round trips.

    An order before them takes what a worker asks only once: whether its database is migrated.
    """
    _recorded(_facts(*warm_up))
    facts = [_facts(*first), _facts(*second)]
    recorded = [_recorded(each) for each in facts]
    _templates[:] = _filled(recorded[0], {fact: _Name(name) for name, fact in facts[0].items()})
    predicted = _filled(_templates, facts[1])
    assert predicted == recorded[1], f"the SQL of two payments differs in more than ids: {predicted}, {recorded[1]}"
    # Each statement, and each COMMIT.
    return [sum(len(each.statements) + (not each.ends_itself) for each in sent) for sent in recorded[0]]


# What the handlers send, with the names of facts in place of the facts.
_templates: list[SqlOfStep] = []
_work: list[Callable[[], object]] = []


class _Name(str):
    """Where a fact goes."""

    __slots__ = ()


def _facts(ticket: HotTicket, order_id: int) -> Facts:
    number = f"{order_id:018d}"
    return {
        "ticket_id": ticket.ticket_id,
        "code_id": ticket.code_id,
        "order_id": order_id,
        "order_reference": str(order_id),
        "session_id": session_id(order_id),
        "payment_intent_id": f"pi_bench{number}",
        "event_id": f"evt_bench{number}",
        "execution_id": "arn:aws:states:eu-west-1:123456789012:execution:TicketPaymentStateMachine-A1B2C3D4E5F6:"
        f"7c2b0d5e-13a1-48f7-9d4e-{order_id:012d}_1b1c7d6e-0f3a-4c1c-8c5d-{order_id:012d}",
    }


def _filled(sent: Sequence[SqlOfStep], values: Facts) -> list[SqlOfStep]:
    def fill(parameter: Any) -> Any:
        # True == 1: only what cannot be mistaken is replaced.
        return values.get(parameter, parameter) if isinstance(parameter, (str, int)) else parameter

    return [
        [
            SqlTransaction(
                [(sql, tuple(fill(parameter) for parameter in parameters)) for sql, parameters in each.statements],
                each.commits_itself,
            )
            for each in step
        ]
        for step in sent
    ]


# --- By the handlers ------------------------------------------------------------------------------------------------


@functools.cache
def _modules() -> tuple[Any, ...]:
    # Imported in the worker, where the environment is a Lambda's.
    from handlers.settings import connect_to_database  # noqa: PLC0415 -- see above
    from handlers.workflow import (  # noqa: PLC0415 -- see above
        count_discount_use,
        count_ticket_sale,
        look_up_order,
        mark_order_paid,
        validate_event,
    )
    from ticketing.database import Database  # noqa: PLC0415 -- see above
    from ticketing.schema.version import require_current_schema  # noqa: PLC0415 -- see above

    asking: tuple[Any, ...] = (look_up_order, mark_order_paid, count_ticket_sale, count_discount_use)
    for module in asking:
        # As where each is a function, with a connection of its own that stays in one mode.
        module.database = Database(connect_to_database, check=require_current_schema)
    return validate_event, *asking


def _handlers() -> tuple[Callable[[Any, Any], Any], ...]:
    return tuple(module.handler for module in _modules())


@functools.cache
def _sample() -> Any:
    return json.loads(_ENVELOPE.read_text(encoding="utf-8"))


def _event_of(facts: Facts) -> tuple[Facts, Any]:
    """A whole event as Stripe sends it."""
    envelope = copy.deepcopy(_sample())
    envelope["detail"]["id"] = facts["event_id"]
    envelope["detail"]["data"]["object"] |= {
        "id": facts["session_id"],
        "payment_intent": facts["payment_intent_id"],
        "metadata": {"order_id": facts["order_reference"]},
        "amount_subtotal": TOTAL_MINOR,
        "amount_total": TOTAL_MINOR,
        "currency": "eur",
        "payment_status": "paid",
    }
    return facts, envelope


def _pay(prepared: tuple[Facts, Any]) -> list[float]:
    """Call the handlers as the state machine does, and give each one's seconds."""
    facts, envelope = prepared
    validate, look_up, mark_paid, count_sale, count_use = _handlers()
    context = SimpleNamespace(aws_request_id="8b0a1c7e-5a3d-4a53-9d36-0c5a8a2f0f0e")
    ids = {"execution_id": facts["execution_id"]}
    marks = [time.perf_counter()]

    def called(handler: Callable[[Any, Any], Any], given: Any) -> Any:
        answer = handler(given, context)
        marks.append(time.perf_counter())
        return answer

    payment = called(validate, {**ids, "envelope": envelope})
    ids["stripe_event_id"] = payment["event_id"]
    order = called(look_up, {**ids, "payment": payment})
    ids["order_id"] = order["order_id"]
    paid = called(mark_paid, {**ids, "payment": payment})
    sale = called(count_sale, ids)
    use = called(count_use, ids)
    assert (paid["changed"], sale["result"], use["result"]) == (True, "counted", "counted"), (paid, sale, use)
    return [end - begin for begin, end in itertools.pairwise(marks)]


# --- By their SQL ---------------------------------------------------------------------------------------------------


def _recorded(facts: Facts) -> list[SqlOfStep]:
    """Pay an order with a connection that writes down what it is sent."""
    from handlers.settings import connect_to_database  # noqa: PLC0415 -- see _modules

    transactions = [SqlTransaction()]

    class Listening(DictCursor):
        def execute(self, query: str, args: Any = None) -> int:
            transactions[-1].statements.append((query, tuple(args or ())))
            changed = super().execute(query, args)
            transactions[-1].commits_itself = self.connection.get_autocommit()
            if transactions[-1].ends_itself:
                transactions.append(SqlTransaction())
            return changed

    def connect() -> Connection[DictCursor]:
        connection = connect_to_database()
        connection.cursorclass = Listening
        commit = connection.commit

        def listening_commit() -> None:
            transactions.append(SqlTransaction())
            commit()

        connection.commit = listening_commit  # type: ignore[method-assign]
        return connection

    ends: list[int] = []

    def noting(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def noted(event: Any, context: Any) -> Any:
            answer = handler(event, context)
            ends.append(len(transactions) - 1)
            return answer

        return noted

    handlers = tuple(noting(handler) for handler in _handlers())
    with contextlib.ExitStack() as patched:
        for database in (module.database for module in _modules() if hasattr(module, "database")):
            database.close()
            patched.enter_context(patch.object(database, "_connect", connect))
            patched.callback(database.close)
        patched.enter_context(patch(f"{__name__}._handlers", lambda: handlers))
        _pay(_event_of(facts))
    assert not transactions[-1].statements, "something was sent and not committed"
    return [transactions[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def _sql_of(facts: Facts) -> list[SqlOfStep]:
    assert _templates, "listen first"
    return _filled(_templates, facts)


@functools.cache
def bare_connection(*, commits_itself: bool = False) -> Connection[Cursor]:
    """Plain pymysql, with the session settings of the shop's own connections."""
    from handlers.settings import connect_to_database  # noqa: PLC0415 -- see _modules

    connection: Connection[Any] = connect_to_database()
    connection.cursorclass = Cursor
    connection.autocommit(commits_itself)
    return connection


def _replay(steps: list[SqlOfStep]) -> list[float]:
    seconds = []
    for transactions in steps:
        begin = time.perf_counter()
        for transaction in transactions:
            connection = bare_connection(commits_itself=transaction.commits_itself)
            with connection.cursor() as cursor:
                for sql, parameters in transaction.statements:
                    cursor.execute(sql, parameters)
            if not transaction.ends_itself:
                connection.commit()
        seconds.append(time.perf_counter() - begin)
    return seconds


def repeat_for(seconds: float, work: Iterable[Callable[[], object]]) -> tuple[int, float]:
    """Do one piece of work after the other until the time is over, or the work."""
    begin = now = time.perf_counter()
    done = 0
    for piece in work:
        piece()
        done += 1
        now = time.perf_counter()
        if now - begin >= seconds:
            break
    return done, now - begin
