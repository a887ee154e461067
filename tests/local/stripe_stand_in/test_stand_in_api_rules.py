"""Keys, idempotency, limits and faults, as the real `stripe` package meets them."""

import base64
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import stripe

from local.stripe_stand_in import StripeStandIn
from tests.local.conftest import wait_until
from tests.local.stripe_stand_in.support import KEY, Clock, client_of, headers_of

Make = Callable[..., Any]


def _sessions(client: stripe.StripeClient) -> int:
    return len(client.v1.checkout.sessions.list({"limit": 100}).data)


def _code(error: stripe.StripeError) -> Any:
    assert isinstance(error.json_body, dict)
    return error.json_body["error"]["code"]


@pytest.mark.parametrize("key", ["sk_live_of_somebody", "pk_test_publishable", "nonsense"])
def test_only_test_keys_are_valid(stand_in: StripeStandIn, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key provided") as caught:
        client_of(stand_in, key).v1.checkout.sessions.list()
    assert caught.value.http_status == 401
    assert key not in str(caught.value)


def test_a_list_of_keys_shuts_out_others() -> None:
    with StripeStandIn(api_keys=["sk_test_right"]) as stand_in:
        assert client_of(stand_in, "sk_test_right").v1.accounts.retrieve_current().id.startswith("acct_")
        with pytest.raises(stripe.AuthenticationError):
            client_of(stand_in, "sk_test_wrong").v1.accounts.retrieve_current()


def test_basic_authentication_works_and_none_does_not(stand_in: StripeStandIn) -> None:
    url = f"{stand_in.url}/v1/account"
    assert requests.get(url, auth=(KEY, ""), timeout=5).status_code == 200
    nothing = requests.get(url, timeout=5)
    assert nothing.status_code == 401
    assert nothing.json()["error"]["type"] == "invalid_request_error"
    for header in ("Basic !!!", "Digest x", "Basic " + base64.b64encode(b"\xff").decode()):
        assert requests.get(url, headers={"Authorization": header}, timeout=5).status_code == 401


@pytest.mark.parametrize(
    "body",
    [b"a[b", b"a[b][c][d][e][f][g][h][i]=1", b"mode=payment&mode[a]=1", b"[x]=1", b"\xff\xfe=%ff", b"line_items=1"],
)
def test_malformed_parameters_are_refused(stand_in: StripeStandIn, body: bytes) -> None:
    answer = requests.post(
        f"{stand_in.url}/v1/checkout/sessions",
        data=body,
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=5,
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_the_same_key_gives_the_same_answer(client: stripe.StripeClient, parameters: Make) -> None:
    sent = parameters()
    first = client.v1.checkout.sessions.create(sent, {"idempotency_key": "attempt-1"})
    second = client.v1.checkout.sessions.create(sent, {"idempotency_key": "attempt-1"})

    assert second.to_dict() == first.to_dict()
    assert headers_of(second)["Idempotent-Replayed"] == "true"
    assert headers_of(second)["Original-Request"] == headers_of(first)["Request-Id"]
    assert "Idempotent-Replayed" not in headers_of(first)
    assert _sessions(client) == 1


def test_the_same_key_for_something_else_is_an_error(client: stripe.StripeClient, parameters: Make) -> None:
    options: Any = {"idempotency_key": "attempt-1"}
    session = client.v1.checkout.sessions.create(parameters(), options)

    with pytest.raises(stripe.IdempotencyError, match="same parameters") as caught:
        client.v1.checkout.sessions.create(parameters(quantity=3), options)
    assert caught.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        client.v1.checkout.sessions.expire(session.id, {}, options)
    assert _sessions(client) == 1


def test_keys_are_forgotten_after_24_hours(client: stripe.StripeClient, clock: Clock, parameters: Make) -> None:
    client.v1.checkout.sessions.create(parameters(), {"idempotency_key": "attempt-1"})
    clock.advance(24 * 3600 + 1)
    client.v1.checkout.sessions.create(parameters(), {"idempotency_key": "attempt-1"})
    assert _sessions(client) == 2


def test_a_refusal_of_parameters_does_not_use_the_key_up(client: stripe.StripeClient, parameters: Make) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.create(parameters(mode="wrong"), {"idempotency_key": "attempt-1"})
    assert client.v1.checkout.sessions.create(parameters(), {"idempotency_key": "attempt-1"}).status == "open"


def test_an_error_of_the_endpoint_is_replayed(
    stand_in: StripeStandIn,
    client: stripe.StripeClient,
    new_session: Make,
) -> None:
    session = new_session()
    stand_in.pay(session.id)
    for replayed in (None, "true"):
        with pytest.raises(stripe.InvalidRequestError, match="can be expired") as caught:
            client.v1.checkout.sessions.expire(session.id, {}, {"idempotency_key": "e"})
        assert dict(caught.value.headers or {}).get("Idempotent-Replayed") == replayed


def test_a_key_in_use_is_a_conflict(stand_in: StripeStandIn, client: stripe.StripeClient, parameters: Make) -> None:
    stand_in.fail_next(status="timeout", method="POST", when="after", seconds=60)  # until it is released
    sent = parameters()

    def create() -> Any:
        return client_of(stand_in).v1.checkout.sessions.create(sent, {"idempotency_key": "k"})

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(create)
        try:
            assert wait_until(lambda: _sessions(client) == 1)  # made, so the first request holds the key
            with pytest.raises(stripe.APIError) as caught:
                create()
        finally:
            stand_in.clear_faults()
        with pytest.raises(stripe.APIConnectionError):
            slow.result()

    # The package has no class of its own for this one; it retries it where retries are allowed.
    assert (caught.value.http_status, _code(caught.value)) == (409, "idempotency_key_in_use")
    assert create().status == "open"
    assert _sessions(client) == 1


def test_of_twenty_requests_with_one_key_one_creates(stand_in: StripeStandIn, parameters: Make) -> None:
    gate, sent = threading.Barrier(20), parameters()

    def create(_: int) -> str:
        client = client_of(stand_in, retries=20)
        gate.wait()
        return str(client.v1.checkout.sessions.create(sent, {"idempotency_key": "one"}).id)

    with ThreadPoolExecutor(20) as pool:
        made = set(pool.map(create, range(20)))
    assert len(made) == 1
    assert _sessions(client_of(stand_in)) == 1


def test_the_rate_limit_is_stripes_error() -> None:
    with StripeStandIn(rate_limit=3) as stand_in:
        client = client_of(stand_in)
        for _ in range(3):
            client.v1.accounts.retrieve_current()
        with pytest.raises(stripe.RateLimitError) as caught:
            client.v1.accounts.retrieve_current()
        assert (caught.value.http_status, _code(caught.value)) == (429, "rate_limit")
        stand_in.set_rate_limit(None)
        client.v1.accounts.retrieve_current()


def test_a_fault_before_the_endpoint_is_ridden_out_by_retries(
    stand_in: StripeStandIn,
    client: stripe.StripeClient,
    parameters: Make,
) -> None:
    stand_in.fail_next(1, status=503)
    assert client_of(stand_in, retries=2).v1.checkout.sessions.create(parameters()).status == "open"
    assert _sessions(client) == 1


def test_a_lost_answer_does_not_create_twice(
    stand_in: StripeStandIn,
    client: stripe.StripeClient,
    parameters: Make,
) -> None:
    stand_in.fail_next(1, status="reset", when="after")
    session = client_of(stand_in, retries=2).v1.checkout.sessions.create(parameters())
    assert headers_of(session)["Idempotent-Replayed"] == "true"
    assert _sessions(client) == 1


def test_a_failure_inside_the_endpoint_is_undone_saved_and_replayed(
    stand_in: StripeStandIn,
    client: stripe.StripeClient,
    parameters: Make,
) -> None:
    stand_in.fail_next(1, status=500, when="inside")
    sent = parameters()
    retrying = client_of(stand_in, retries=3)
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            retrying.v1.checkout.sessions.create(sent, {"idempotency_key": "burnt"})
        assert caught.value.http_status == 500
    assert _sessions(client) == 0
    assert retrying.v1.checkout.sessions.create(sent, {"idempotency_key": "fresh"}).status == "open"


def test_faults_hit_only_what_they_are_meant_for(stand_in: StripeStandIn, client: stripe.StripeClient) -> None:
    stand_in.fail_next(1, status=500, path_prefix="/v1/refunds", method="POST")
    assert client.v1.refunds.list().data == []
    with pytest.raises(stripe.APIError):
        client.v1.refunds.create({"charge": "ch_nobody"})
    stand_in.fail_next(1, status="timeout")
    stand_in.clear_faults()
    assert client.v1.refunds.list().data == []
    with pytest.raises(ValueError, match="a fault is"):
        stand_in.fail_next(1, status=200)
    with pytest.raises(ValueError, match="only a status"):
        stand_in.fail_next(1, status="reset", when="inside")


def test_the_event_destination_can_be_inspected(stand_in: StripeStandIn, client: stripe.StripeClient) -> None:
    [found] = client.v2.core.event_destinations.list().data
    assert (found.id, found.status, found.type) == (stand_in.destination.id, "enabled", "amazon_eventbridge")
    assert found.event_payload == "snapshot"

    stand_in.destination.status = "disabled"
    stand_in.destination.disabled_reason = "no_aws_event_source_exists"
    stand_in.destination.aws_event_source_status = "deleted"
    again = client.v2.core.event_destinations.retrieve(found.id)

    assert again.status_details is not None
    assert again.status_details.disabled is not None
    assert again.status_details.disabled.reason == "no_aws_event_source_exists"
    assert again.amazon_eventbridge is not None
    assert again.amazon_eventbridge.aws_event_source_status == "deleted"
    with pytest.raises(stripe.StripeError, match="not found"):
        client.v2.core.event_destinations.retrieve("ed_test_nobody")
