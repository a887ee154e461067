"""Logins as a browser does them, by a client of others (pycognito), and what the tokens say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import jwt
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from pycognito.aws_srp import AWSSRP

from local.aws.moto_patches import user_pools
from local.aws.moto_patches.replacing import Replacements
from local.aws.moto_patches.secure_remote_password import BadProofError, Handshake, read_number
from local.aws.user_pool import READY_USER, User, add_user, create_user_pool, id_token

REGION = "eu-west-1"
Pool = Mapping[str, str]


def client() -> Any:
    return boto3.client("cognito-idp", region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing")


def made() -> Pool:
    return create_user_pool(client(), region=REGION, endpoint_url="http://127.0.0.1:1")


@pytest.fixture
def pool() -> Iterator[Pool]:
    replacements = Replacements()
    with mock_aws():
        user_pools.apply(replacements)
        yield made()
        replacements.undo()


def log_in(pool: Pool, email: str, password: str) -> Mapping[str, Any]:
    login = AWSSRP(
        username=email, password=password, pool_id=pool["user_pool_id"], client_id=pool["client_id"], client=client()
    )
    tokens: Mapping[str, Any] = login.authenticate_user()["AuthenticationResult"]
    return tokens


def claims(token: str) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return read


@pytest.mark.parametrize("email", [READY_USER.email, READY_USER.email.upper()])
def test_a_browser_logs_in_by_address_and_password(pool: Pool, email: str) -> None:
    tokens = log_in(pool, email, READY_USER.password)
    told = claims(tokens["IdToken"])
    assert (told["email"], told["email_verified"], told["token_use"]) == (READY_USER.email, True, "id")
    assert (told["iss"], told["aud"]) == (pool["issuer"], pool["client_id"])
    assert told["cognito:username"] == told["sub"]
    access = claims(tokens["AccessToken"])
    assert (access["sub"], access["client_id"], access["token_use"]) == (told["sub"], pool["client_id"], "access")
    assert "email" not in access
    assert claims(id_token(client(), pool["client_id"], READY_USER))["sub"] == told["sub"]


@pytest.mark.parametrize("password", ["", "buyer-password-1", f"{READY_USER.password} "])
def test_a_wrong_password_is_no_login(pool: Pool, password: str) -> None:
    for _ in range(5):  # the numbers are others each time
        with pytest.raises(ClientError, match="NotAuthorizedException"):
            log_in(pool, READY_USER.email, password)


def test_an_answer_counts_once_and_only_for_its_challenge(pool: Pool) -> None:
    login = AWSSRP(READY_USER.email, READY_USER.password, pool["user_pool_id"], pool["client_id"], client=client())
    asked = login.get_auth_params()
    challenges = [
        client().initiate_auth(AuthFlow="USER_SRP_AUTH", AuthParameters=asked, ClientId=pool["client_id"])
        for _ in range(2)
    ]
    first, second = (login.process_challenge(challenge["ChallengeParameters"], asked) for challenge in challenges)
    crossed = first | {"PASSWORD_CLAIM_SIGNATURE": second["PASSWORD_CLAIM_SIGNATURE"]}

    def answer(responses: dict[str, str]) -> Any:
        return client().respond_to_auth_challenge(
            ClientId=pool["client_id"], ChallengeName="PASSWORD_VERIFIER", ChallengeResponses=responses
        )

    for wrong in (crossed, first, second | {"PASSWORD_CLAIM_SECRET_BLOCK": "no base64"}):
        with pytest.raises(ClientError, match="NotAuthorizedException"):
            answer(wrong)
    assert "IdToken" in answer(second)["AuthenticationResult"]
    with pytest.raises(ClientError, match="NotAuthorizedException"):
        answer(second)


def test_nobody_gets_in_by_a_number_that_needs_no_password() -> None:
    group = AWSSRP("a", "b", "x_y", "c", client=object()).big_n
    for number in (0, group, 2 * group):
        with pytest.raises(BadProofError):
            Handshake(pool="y", user="u", password="p", browser_public=number)
    with pytest.raises(BadProofError):
        read_number("no number")


def test_ids_are_the_same_after_a_restart(pool: Pool) -> None:
    before = claims(log_in(pool, READY_USER.email, READY_USER.password)["IdToken"])["sub"]
    client().delete_user_pool(UserPoolId=pool["user_pool_id"])
    again = made()
    assert again == pool
    assert claims(log_in(again, READY_USER.email, READY_USER.password)["IdToken"])["sub"] == before
    other = User(email="other@example.com", password="Other-Password-1")
    add_user(client(), pool["user_pool_id"], other)
    assert claims(log_in(pool, other.email, other.password)["IdToken"])["sub"] != before


def test_an_address_is_verified_when_its_code_was_entered(pool: Pool) -> None:
    email, password = "new@example.com", "New-Password-1"
    client().sign_up(ClientId=pool["client_id"], Username=email, Password=password)
    with pytest.raises(ClientError, match="UserNotConfirmedException"):
        log_in(pool, email, password)
    client().confirm_sign_up(ClientId=pool["client_id"], Username=email, ConfirmationCode="123456")
    told = claims(log_in(pool, email, password)["IdToken"])
    assert (told["email"], told["email_verified"]) == (email, True)


def test_an_app_client_that_may_read_less_reads_less(pool: Pool) -> None:
    narrow = client().create_user_pool_client(
        UserPoolId=pool["user_pool_id"],
        ClientName="narrow",
        ReadAttributes=["email"],
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"],
    )["UserPoolClient"]["ClientId"]
    told = claims(id_token(client(), narrow, READY_USER))
    assert told["email"] == READY_USER.email
    assert "email_verified" not in told
