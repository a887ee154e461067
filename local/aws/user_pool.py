"""The buyers' logins: a Cognito user pool as the live shop's, with a user who can log in at once.

Users sign in by their e-mail address, by SRP, as the frontend does; ids and app client stay the same at each start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class User:
    """Somebody who can log in on this machine."""

    email: str
    password: str


READY_USER = User(email="buyer@example.com", password="Buyer-Password-1")  # noqa: S106 -- of this machine only


def create_user_pool(cognito: Any, *, region: str, endpoint_url: str) -> Mapping[str, str]:  # noqa: ANN401 -- boto3's
    """Make the pool, its app client and the ready user; `cognito` is a boto3 client.

    Returns `user_pool_id`, `client_id`, `endpoint_url` (where a browser logs in), `issuer` and `jwks_url`.
    """
    pool_id: str = cognito.create_user_pool(
        PoolName="buyers",
        UsernameAttributes=["email"],
        AutoVerifiedAttributes=["email"],
        UsernameConfiguration={"CaseSensitive": False},
    )["UserPool"]["Id"]
    client = cognito.create_user_pool_client(
        UserPoolId=pool_id,
        ClientName="frontend",
        # By password, too: what runs without a browser need not do SRP.
        ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )["UserPoolClient"]
    add_user(cognito, pool_id, READY_USER)
    return {
        "user_pool_id": pool_id,
        "client_id": client["ClientId"],
        "endpoint_url": endpoint_url,
        "issuer": f"https://cognito-idp.{region}.amazonaws.com/{pool_id}",
        "jwks_url": f"{endpoint_url}/{pool_id}/.well-known/jwks.json",
    }


def add_user(cognito: Any, pool_id: str, user: User) -> None:  # noqa: ANN401 -- a boto3 client
    """Add somebody whose address is verified."""
    cognito.admin_create_user(
        UserPoolId=pool_id,
        Username=user.email,
        UserAttributes=[{"Name": "email", "Value": user.email}, {"Name": "email_verified", "Value": "true"}],
    )
    cognito.admin_set_user_password(UserPoolId=pool_id, Username=user.email, Password=user.password, Permanent=True)


def id_token(cognito: Any, client_id: str, user: User) -> str:  # noqa: ANN401 -- a boto3 client
    """Log somebody in, and give the ID token."""
    answer = cognito.initiate_auth(
        ClientId=client_id,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": user.email, "PASSWORD": user.password},
    )
    token: str = answer["AuthenticationResult"]["IdToken"]
    return token
