"""Who comes to a sale, and what he does: pays, walks away, has two tabs, or is a bot."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.sale.wire import Answer, Wire

GOOD_CARD: Final = "4242424242424242"
DECLINED_CARD: Final = "4000000000009995"
# A walker who finds nothing free looks again so often.
_WALKERS_TRIES: Final = 3
_WALK_AWAY: Final = ("link", "back", "silence")
_NOTHING_FREE: Final = {"held", "not_enough_left", "too_many_held"}
_CARD: Final = {
    "action": "pay",
    "method": "card",
    "expiry": "12 / 34",
    "cvc": "123",
    "name": "A Buyer",
    "country": "AT",
}
_ORIGIN: Final = "http://localhost:5173"
# The shop says a minute, which a sale in a hurry does not have.
_AGAIN_SECONDS: Final = 0.7
_BUSY_SECONDS: Final = 2.0
_PAGE_SECONDS: Final = 0.3

Step = Callable[[], "float | None"]


@dataclass
class Diary:
    """What all saw. Thread-safe: appending to a list is."""

    paid: list[str] = field(default_factory=list)
    left: list[tuple[str, float]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """Where the sale is: the API's address, the event and ticket on sale, and how long a seat is held."""

    api_url: str
    event_id: int
    ticket_id: int
    hold_seconds: int

    @property
    def tickets(self) -> str:
        """The list of tickets."""
        return f"{self.api_url}/events/{self.event_id}/tickets"

    @property
    def checkout(self) -> str:
        """The route of the checkout."""
        return f"{self.tickets}/{self.ticket_id}/checkout"


class Buyer:
    """One person with one browser. `step` does the next thing, and gives after how many seconds the one after it."""

    def __init__(self, number: int, place: Place, wire: Wire, diary: Diary, chance: random.Random) -> None:
        self._place, self._wire, self._diary = place, wire, diary
        self._number = number
        # Six of ten walk away, a third each by the link, by going back, and by saying nothing.
        self._kind = chance.choice(_WALK_AWAY) if chance.random() < 0.6 else "pays"
        self._is_declined_first = chance.random() < 0.1
        self._has_two_tabs = chance.random() < 0.1
        self._quantity = chance.choice((1, 1, 2))
        self._tries = 0
        self._reply: Answer | None = None
        self._asked_at = 0.0
        self.step: Step = self._look

    @property
    def has_checkout(self) -> bool:
        """Whether there is a page on which he could pay."""
        return self._reply is not None

    @property
    def _is_held(self) -> bool:
        """Whether his hold cannot be over yet. On a busy machine it can: then another order is right."""
        return time.monotonic() - self._asked_at < self._place.hold_seconds

    def _look(self) -> float | None:
        answer = self._wire.get("list", self._place.tickets, self._headers)
        if answer.status != 200:
            return self._again(answer)
        [ticket] = answer.fields["tickets"]
        if ticket["sold_quantity"] >= ticket["max_quantity"]:
            return None
        self.step = self._order
        return 0.0

    def _order(self) -> float | None:
        self._tries += 1
        self._asked_at = time.monotonic()
        answers = self._two_tabs() if self._has_two_tabs else [self._ask(self._quantity)]
        made = [answer for answer in answers if answer.status == 200]
        if not made:
            return self._refused(answers[0])
        if len({answer.fields["order_id"] for answer in made}) != 1 and self._is_held:
            self._problem("two tabs made two orders")
        self._reply = made[0]
        self._diary.kinds.append(self._kind)
        self.step = {"pays": self._pay, "link": self._leave_by_link, "back": self._go_back, "silence": _nothing}[
            self._kind
        ]
        return _PAGE_SECONDS

    def _pay(self) -> float | None:
        if self._is_declined_first:
            self._is_declined_first = False
            if self._submit(**_CARD, card_number=DECLINED_CARD).status != 402:
                self._problem("a declined card was taken")
            return _PAGE_SECONDS
        paid = self._submit(**_CARD, card_number=GOOD_CARD)
        session_id = str(self._made["session_id"])
        if paid.status != 303 or f"payment=success&session_id={session_id}" not in paid.location:
            # The hold ended meanwhile: he begins again.
            self._reply, self.step = None, self._order
            return _AGAIN_SECONDS
        self._diary.paid.append(str(self._made["order_id"]))
        shown = self._wire.get("order", f"{self._place.api_url}/orders?session_id={session_id}", self._headers)
        if shown.status == 200 and shown.fields["order"]["id"] != self._made["order_id"]:
            self._problem("the success page shows another order")
        return None

    def _leave_by_link(self) -> float | None:
        link = self._submit(action="cancel").location
        began = time.time()
        back = self._wire.get("leave", link, self._headers) if link.startswith(self._place.api_url) else None
        if back is None:
            self._problem("the back link does not lead through the shop")
        elif back.status in {429, 503}:
            return _AGAIN_SECONDS
        elif back.status != 303 or back.location != f"{_ORIGIN}/events/{self._place.event_id}?payment=cancelled":
            self._problem(f"the back link answers {back.status} {back.location}")
        else:
            self._diary.left.append((str(self._made["order_id"]), began))
        return None

    def _go_back(self) -> float | None:
        """Back on the event's page, and once more to the same checkout; then away without a word."""
        again = self._ask(self._quantity)
        if self._is_held and again.status == 200 and again.fields["checkout_url"] != self._made["checkout_url"]:
            self._problem("the same wish got another checkout")
        return None

    def _ask(self, quantity: int) -> Answer:
        body = {"quantity": quantity, "email": f"buyer{self._number}@example.com"}
        return self._wire.post_json("checkout", self._place.checkout, body, self._headers)

    def _two_tabs(self) -> list[Answer]:
        answers: list[Answer] = []
        tabs = [threading.Thread(target=lambda: answers.append(self._ask(self._quantity))) for _ in range(2)]
        for tab in tabs:
            tab.start()
        for tab in tabs:
            tab.join()
        return answers

    def _refused(self, answer: Answer) -> float | None:
        if answer.code == "sold_out":
            return None
        if answer.code in _NOTHING_FREE:
            if self._kind != "pays" and self._tries >= _WALKERS_TRIES:
                return None
            # Rather one than none.
            self._quantity = 1
            return _AGAIN_SECONDS
        return self._again(answer)

    def _again(self, answer: Answer) -> float | None:
        if answer.status in {429, 503}:
            return _BUSY_SECONDS
        self._problem(f"answered {answer.status} {answer.code}")
        return None

    def _submit(self, **form: str) -> Answer:
        return self._wire.post_form("stripe", self._made["checkout_url"], form)

    def _problem(self, what: str) -> None:
        self._diary.problems.append(f"buyer {self._number} ({self._kind}): {what}")

    @property
    def _made(self) -> dict[str, Any]:
        assert self._reply is not None
        return dict(self._reply.fields)

    @property
    def _headers(self) -> dict[str, str]:
        address = f"10.{self._number >> 16 & 255}.{self._number >> 8 & 255}.{self._number & 255}"
        return {"Origin": _ORIGIN, "User-Agent": "Sale/1", "X-Forwarded-For": address}


class Bot:
    """Wants as much as it can get, by another e-mail address each time, and never pays. All from one client."""

    has_checkout = False

    def __init__(self, number: int, requests: int, place: Place, wire: Wire) -> None:
        self._number, self._left, self._place, self._wire = number, requests, place, wire

    def step(self) -> float | None:
        """Try once more."""
        self._left -= 1
        body = {"quantity": 10, "email": f"bot{self._number}-{self._left}@example.com"}
        headers = {"User-Agent": "Bot/1", "X-Forwarded-For": f"203.0.113.{self._number}"}
        self._wire.post_json("bot", self._place.checkout, body, headers)
        return 0.0 if self._left > 0 else None


def _nothing() -> float | None:
    return None
