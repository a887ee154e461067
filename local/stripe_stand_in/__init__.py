"""A stand-in for the part of Stripe that the shop uses, on one machine and without an account.

    with StripeStandIn(deliver=put_on_partner_bus) as stand_in:
        client = stripe.StripeClient("sk_test_local", base_addresses={"api": stand_in.url})
        session = client.v1.checkout.sessions.create({...})
        stand_in.pay(session.id)                            # or open session.url in a browser

It answers as Stripe does: parameters are checked, errors have Stripe's types, codes and shapes,
idempotency keys replay, ids are as long as real ones, events carry a snapshot and arrive at least once.
Test cards and IBANs are Stripe's (instruments.py); what time does (expiry, debits, late refunds) happens
by itself. How a test plays disputes, failing refunds, strangers and misfortune: README.md.

Endpoints: Checkout Sessions (create, retrieve, list, line items, expire), PaymentIntents and Charges
(retrieve), Refunds (create, retrieve, list), Disputes (retrieve, list, update, close), Files (evidence: create,
retrieve), Events (retrieve, list), Balance Transactions and Payouts (retrieve, list), Account (retrieve),
Webhook Endpoints (create, retrieve, list, update, delete), and of API v2 Event Destinations (those, disable, enable,
ping) and Events (retrieve).

`/_control/…` is not Stripe's: it is how tests and `python -m local pay` act as buyer, bank and misfortune.

What it does not imitate:
- Modes but `payment`, pages but the hosted one, customers, saved prices and products, taxes, shipping,
  promotion codes, Connect, invoices. A parameter that Stripe knows and the stand-in does not is refused
  with the code `not_imitated_by_the_stand_in`, never ignored.
- Other API versions: objects always have the shape of `context.API_VERSION`, whatever is asked for.
- 3-D Secure, Radar, receipts and e-mails, a file's content; a card's expiry and
  security code are not looked at.
- Payment methods but cards and SEPA Direct Debit; exchange rates are the caller's.
- Live mode, publishable keys, permissions of restricted keys.
- Eventual consistency and latency: lists show everything at once. Faults happen only when asked for.
- API v2 beyond event destinations for EventBridge and thin events. Destinations and endpoints that the API made last as
  long as the stand-in runs.
- The search API, and creating PaymentIntents, Charges or Disputes by the API.
"""

from local.stripe_stand_in.deliveries import Webhook, sign
from local.stripe_stand_in.errors import ApiError
from local.stripe_stand_in.event_destinations import SHOP_EVENTS, THIN_SHOP_EVENTS, EventDestination
from local.stripe_stand_in.foreign import PaymentSeed
from local.stripe_stand_in.payments import PayResult
from local.stripe_stand_in.seeding import SessionSeed
from local.stripe_stand_in.stand_in import StripeStandIn
from local.stripe_stand_in.webhook_endpoints import WebhookEndpoint

__all__ = [
    "SHOP_EVENTS",
    "THIN_SHOP_EVENTS",
    "ApiError",
    "EventDestination",
    "PayResult",
    "PaymentSeed",
    "SessionSeed",
    "StripeStandIn",
    "Webhook",
    "WebhookEndpoint",
    "sign",
]
