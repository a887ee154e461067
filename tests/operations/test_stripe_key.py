"""`cachao stripe-key`: a key that Stripe takes is stored beside what the secret holds; no other is; none is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.aws.cloud import LocalCloud
from local.stripe_stand_in import StripeStandIn
from tests.operations.conftest import Cachao

NEW = "rk_test_AnotherOne"
Secret = Callable[..., Any]


@pytest.fixture
def secret(cloud: LocalCloud) -> Iterator[Secret]:
    """Read Stripe's secret, or put another text into it."""
    client = cloud.client("secretsmanager")
    arn = cloud.deployment.template.parameters["StripeSecretArn"]

    def read() -> str:
        return str(client.get_secret_value(SecretId=arn)["SecretString"])

    def secret(text: str | None = None) -> str:
        if text is not None:
            client.put_secret_value(SecretId=arn, SecretString=text)
        return read()

    before = read()
    yield secret
    secret(before)


def test_the_key_is_stored_and_all_else_is_kept(cachao: Cachao, secret: Secret) -> None:
    secret(json.dumps({"api_key": "sk_test_old", "webhook_signing_secret": "whsec_1", "webhook_endpoint_id": "we_1"}))
    answer = cachao("stripe-key", "--yes", given=f" {NEW}\n")
    assert answer.exit_code == 0, answer.notes
    assert json.loads(secret()) == {
        "api_key": NEW,
        "webhook_signing_secret": "whsec_1",
        "webhook_endpoint_id": "we_1",
    }
    assert NEW not in answer.text + answer.notes
    assert "cachao doctor --local" in answer.text


def test_a_secret_of_another_shape_is_written_anew(cachao: Cachao, secret: Secret) -> None:
    secret("sk_test_naked")
    answer = cachao("stripe-key", "--yes", given=NEW)
    assert "without a webhook's signing secret" in answer.notes
    assert json.loads(secret()) == {"api_key": NEW}


def test_a_key_that_stripe_refuses_is_not_stored(
    cachao: Cachao, secret: Secret, stripe_stand_in: StripeStandIn
) -> None:
    before = secret()
    stripe_stand_in.fail_next(2, status=403, path_prefix="/v1/checkout/sessions")
    try:
        answer = cachao("stripe-key", "--yes", given=NEW)
    finally:
        stripe_stand_in.clear_faults()
    assert answer.exit_code == 1
    assert "Nothing was stored" in answer.notes
    assert secret() == before


@pytest.mark.parametrize("said", ["", "pk_test_1", "sk_live_1", "sk_test_…"])
def test_what_is_no_key_of_this_mode_is_refused(cachao: Cachao, secret: Secret, said: str) -> None:
    before = secret()
    assert cachao("stripe-key", "--yes", given=said).exit_code == 2
    assert secret() == before


@pytest.mark.parametrize("words", [("--dry-run",), ()])
def test_nothing_is_stored_without_a_yes(cachao: Cachao, secret: Secret, words: tuple[str, ...]) -> None:
    before = secret()
    assert cachao("stripe-key", *words, given=NEW).exit_code == (0 if words else 2)
    assert secret() == before
