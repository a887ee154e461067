"""What every task of the workflow shares: logging, metrics, tracing, the database connection, typed input.

A handler is a function from a typed input to a typed output:

    @task(CountInput)
    def handler(given: CountInput) -> CountResult: ...

`task` turns it into a Lambda handler `(event, context)`, with `order_id`, the Stripe event's id and the execution's
id on every line that is logged (https://docs.aws.amazon.com/powertools/python/latest/core/logger/).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from handlers.settings import connect_to_database
from ticketing.database import Database
from ticketing.errors import InvalidEvent, PermanentError, TicketingError, UnexpectedResult
from ticketing.orders import history
from ticketing.schema.version import require_current_schema

# Settings come from POWERTOOLS_* and LOG_LEVEL in template.yaml. UTC, as everything here. Not under the stack's name,
# as Powertools would: it drops each line of every logger whose name has that in it, for a stack "stripe" the package's.
logger = Logger(service="cachao.functions", utc=True)
metrics = Metrics()
database = Database(connect_to_database, check=require_current_schema)
if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
    from handlers.snapshot import prepare_for_snapshots

    prepare_for_snapshots(database)

Handler = Callable[[Any, Any], Any]


class TaskInput(msgspec.Struct, kw_only=True):
    """What each task of the workflow is given, besides its own fields."""

    execution_id: str
    stripe_event_id: str | None = None
    order_id: int | None = None


Given = TypeVar("Given", bound=TaskInput)


def task(kind: type[Given], *, logs_result: bool = True) -> Callable[[Callable[[Given], object]], Handler]:
    """Make a Lambda handler of a function that takes `kind` and returns something msgspec can write as JSON.

    `logs_result=False` where the result has something of the buyer's.
    """

    def decorate(work: Callable[[Given], object]) -> Handler:
        @functools.wraps(work)
        def handler(event: Any, context: Any) -> Any:  # noqa: ANN401 -- Lambda hands over anything
            begin_log(context)
            try:
                given = _read(event, kind)
                _trace(given)
                result = msgspec.to_builtins(work(given))
            except TicketingError as error:
                _log_failure(error)
                raise
            except Exception:
                logger.exception("The task failed with an unexpected error")
                raise
            logger.info("done", extra={"result": result} if logs_result else {})
            return result

        return handler

    return decorate


def begin_log(context: object) -> None:
    """Forget what the last invocation put on every line, and put there what each one has."""
    logger.clear_state()
    logger.append_keys(
        service=os.environ.get("POWERTOOLS_SERVICE_NAME", ""),
        function_request_id=getattr(context, "aws_request_id", None),
    )


def count_metric(name: str) -> None:
    """Count one happening in CloudWatch, in the embedded metric format."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
    metrics.flush_metrics()


def _read(event: object, kind: type[Given]) -> Given:
    try:
        given = msgspec.convert(event, kind)
    except msgspec.ValidationError as error:
        raise UnexpectedResult(f"The task's input is malformed: {error}.") from None
    except UnicodeError:  # JSON can write half a surrogate pair, which is no text
        raise InvalidEvent("The task's input is malformed: it has text that is not valid Unicode.") from None
    logger.append_keys(execution_id=given.execution_id, stripe_event_id=given.stripe_event_id, order_id=given.order_id)
    history.written_by(given.execution_id)
    return given


def _log_failure(error: TicketingError) -> None:
    # A sentence and a class suffice for what we raise on purpose; a stack trace would only bury them.
    level = logger.error if isinstance(error, PermanentError) else logger.warning
    level(str(error), extra={"error": type(error).__name__})


def _trace(given: TaskInput) -> None:
    """Annotate the trace of a sampled invocation, so that X-Ray finds it by order, event or execution."""
    trace, daemon = os.environ.get("_X_AMZN_TRACE_ID", ""), os.environ.get("AWS_XRAY_DAEMON_ADDRESS")
    if "Sampled=1" not in trace or not daemon:
        return
    from handlers import xray  # noqa: PLC0415 -- few invocations are sampled

    fields = {name: getattr(given, name) for name in ("execution_id", "stripe_event_id", "order_id")}
    try:
        xray.annotate(trace, daemon, {name: value for name, value in fields.items() if value is not None})
    except Exception:  # whatever is wrong with a trace, no payment may fail for it
        logger.warning("The trace could not be annotated", exc_info=True)
