"""What the page shows of one thing: read by the same code as `cachao show`, `orders` and `replay --dead-letters`."""

from __future__ import annotations

import functools
from typing import Any

from cachao import show
from cachao.aws import executions
from cachao.aws.environment import Environment
from cachao.aws.executions import Execution
from cachao.aws.timeline import Timeline
from cachao.page.blocks import blocks_of
from cachao.picture import draw
from cachao.picture.execution import definition_of, overlay_of
from cachao.replay import dead_letters
from cachao.replay import repairs as replays
from cachao.view import executions as execution_view


class Reading:
    """Reads single things of a stack; keeps what cannot change any more."""

    def __init__(self, environment: Environment) -> None:
        """Note where to read."""
        self._environment = environment
        # The page asks again and again for what it shows, and a definition is large.
        self._definition = functools.lru_cache(maxsize=100)(lambda arn: definition_of(environment, arn))

    def execution(self, name: str) -> dict[str, Any]:
        """Give an execution with its steps as `cachao show --json` does, and its `picture` as SVG.

        Raises:
            Problem: there is none of this name.
        """
        execution = executions.get(self._environment, name)
        timeline = executions.timeline(self._environment, execution)
        original = show.original_of(self._environment, execution, [])
        return {
            **execution_view.as_data(execution, timeline, original=original),
            "input": execution_view.parsed(execution.input),
            "console": self._console(execution),
            "picture": self._picture(execution, timeline),
        }

    def order(self, wanted: str) -> dict[str, Any]:
        """Give what is known of an order, or of an id of Stripe's: what `cachao show` prints, as blocks, and as data.

        Raises:
            Problem: nobody knows it.
        """
        known = show.look_up(self._environment, wanted)
        found = known.found.executions
        repairs = replays.look_for(self._environment, found)
        order = known.inspected["order"]["id"] if known.inspected else None
        return {
            "wanted": known.wanted,
            "order": order,
            "blocks": blocks_of(show.what_is_known(known)),
            "complete": known.found.complete,
            "problem": known.failure.sentence if known.failure else None,
            "advice": known.failure.advice if known.failure else None,
            "payments": [payment["payment_key"] for payment in (known.inspected or {}).get("payments", [])],
            "executions": [
                {
                    **execution_view.as_data(execution, order=order),
                    "repaired": repair.replay if (repair := repairs.of(execution)) else None,
                }
                for execution in reversed(found)
            ],
        }

    def dead_letters(self) -> dict[str, Any]:
        """Give about how many events could not be delivered, and some of them; nothing is taken out of the queue."""
        waiting = dead_letters.count(self._environment)
        seen = dead_letters.peek(self._environment) if waiting else []
        return {"waiting": waiting, "letters": [dead_letters.as_data(letter) for letter in seen]}

    def _picture(self, execution: Execution, timeline: Timeline) -> str:
        definition = self._definition(execution.arn)
        return draw(definition, overlay_of(definition, timeline, started=execution.started), styled=False)

    def _console(self, execution: Execution) -> str | None:
        if self._environment.is_local:
            return None
        _, partition, _, region, *_ = execution.arn.split(":")
        host = "console.amazonaws.cn" if partition == "aws-cn" else "console.aws.amazon.com"
        return f"https://{host}/states/home?region={region}#/v2/executions/details/{execution.arn}"
