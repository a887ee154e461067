"""What can be said to a bank: Stripe's fields of evidence, their limits, and what the shop itself can say.

https://docs.stripe.com/api/disputes/update, https://docs.stripe.com/disputes/best-practices.
"""

from __future__ import annotations

from typing import Final

from ticketing import money
from ticketing.corrections.dispute.facts import Facts
from ticketing.corrections.refusal import CorrectionRefused

FILE_FIELDS: Final = frozenset(
    {
        "cancellation_policy", "customer_communication", "customer_signature", "duplicate_charge_documentation",
        "receipt", "refund_policy", "service_documentation", "shipping_documentation", "uncategorized_file",
    }
)  # fmt: skip
TEXT_FIELDS: Final = frozenset(
    {
        "access_activity_log", "billing_address", "cancellation_policy_disclosure", "cancellation_rebuttal",
        "customer_email_address", "customer_name", "customer_purchase_ip", "duplicate_charge_explanation",
        "duplicate_charge_id", "product_description", "refund_policy_disclosure", "refund_refusal_explanation",
        "service_date", "shipping_address", "shipping_carrier", "shipping_date", "shipping_tracking_number",
        "uncategorized_text",
    }
)  # fmt: skip
# In characters: of one text, and of all together.
_LONGEST: Final = 20_000
_LONGEST_TOGETHER: Final = 150_000


def check(staged: dict[str, str], given: dict[str, str]) -> None:
    """See to it that Stripe takes this evidence beside what is staged; of a file the value is not looked at.

    Raises:
        CorrectionRefused: there is no such field, or a text is empty or too long.
    """
    for name, text in given.items():
        if name in FILE_FIELDS:
            continue
        if name not in TEXT_FIELDS:
            raise CorrectionRefused(f"{name!r} is no field of a dispute's evidence.")
        if not text.strip():
            raise CorrectionRefused(f"The text of {name} is empty.")
        if len(text) > _LONGEST:
            raise CorrectionRefused(f"The text of {name} has {len(text)} characters; Stripe takes {_LONGEST}.")
    together = sum(len(text) for name, text in (staged | given).items() if name in TEXT_FIELDS)
    if together > _LONGEST_TOGETHER:
        raise CorrectionRefused(f"All texts together have {together} characters; Stripe takes {_LONGEST_TOGETHER}.")


def of_the_shop(facts: Facts, email: str | None) -> dict[str, str]:
    """Give what the shop can say by itself, by Stripe's fields. `email` None: the buyer is forgotten."""
    seats = f"{facts.quantity} ticket{'' if facts.quantity == 1 else 's'}"
    total = money.format_amount(facts.total_minor, facts.currency)
    said = {"product_description": f"{seats} ({facts.ticket}) for the event {facts.event}, {total} in all."}
    if facts.event_starts:
        said["service_date"] = facts.event_starts
    if email is not None:
        said["customer_email_address"] = email
    log = [
        f"{when} UTC: {what}"
        for when, what in (
            (facts.ordered_at, f"Order {facts.order_id} was placed on our site."),
            (facts.paid_at, "It was paid; the tickets were in the buyer's account from then on."),
            (facts.shown_at, "The tickets were shown and validated at the entrance of the event."),
        )
        if when
    ]
    if facts.others_shown:
        log.append(f"The same buyer showed the tickets of {facts.others_shown} other orders of ours at an entrance.")
    return said | ({"access_activity_log": "\n".join(log)} if log else {})
