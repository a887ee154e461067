"""Ids of Stripe's by which no order is found: what they are, and which command helps."""

from __future__ import annotations

import re
from typing import Final

from cachao.problems import USAGE, Problem

_LIKE_STRIPES: Final = re.compile(r"([a-z]{2,8})_[A-Za-z0-9_]+\Z", re.ASCII)
_BY_PAYMENT: Final = "The payment's id beside it at Stripe (pi_…) finds the order: cachao show pi_…"
# By the beginning: what it is, and what to say instead; {} is the id.
_ELSEWHERE: Final = {
    "txn": ("a line of Stripe's balance", "cachao stripe {} shows whose it is; cachao books --since DATE, all lines."),
    "po": ("a payout", "cachao books --payout {} shows what it paid out."),
    "file": ("a file of evidence", "cachao dispute du_… shows the evidence of a dispute."),
    "ed": ("an event destination", "cachao doctor checks it, cachao connect repairs it."),
    "we": ("a webhook endpoint", "cachao doctor checks it, cachao connect --webhook repairs it."),
    "acct": ("a Stripe account", "cachao doctor checks the account of this deployment."),
    "req": ("a request to Stripe", "Only Stripe's Workbench has requests."),
    "cus": ("a customer", _BY_PAYMENT),
    "pm": ("a payment method", _BY_PAYMENT),
    "src": ("a source of payments", _BY_PAYMENT),
    "seti": ("a SetupIntent", "The shop makes none: it is another application's."),
    "sub": ("a subscription", "The shop makes none: it is another application's."),
    "in": ("an invoice", "The shop makes none: it is another application's."),
    "plink": ("a payment link", "The shop makes none: it is another application's."),
    "price": ("a price", "The shop makes one for each session: cachao show cs_…"),
    "prod": ("a product", "The shop makes one for each session: cachao show cs_…"),
    "tr": ("a transfer", "The shop makes none: it is another application's."),
}


def is_elsewhere(wanted: str) -> bool:
    """Tell whether that is an id of Stripe's by which no order is found."""
    like = _LIKE_STRIPES.match(wanted)
    return like is not None and like[1] in _ELSEWHERE


def elsewhere(wanted: str) -> Problem:
    """Say what such an id is, and which command helps (`is_elsewhere`)."""
    what, advice = _ELSEWHERE[wanted.split("_", 1)[0]]
    return Problem(f"{wanted} is {what}: no order is found by it.", advice=advice.format(wanted), exit_code=USAGE)
