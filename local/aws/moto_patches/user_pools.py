"""Cognito user pools in which a browser can log in, as the live shop's frontend does.

What moto 5.2.5 lacks:
- SRP: its numbers are random, and any answer to its challenge is a login, also with a wrong password;
- `email_verified` and the other attributes in an ID token (only those that an app client may read by name are there,
  as text), and `email` as it was registered: moto writes what the user signed in by, which may be the `sub`;
- e-mail addresses regardless of case, which is the default of new pools;
- an address is verified when its code was entered;
- ids that stay: they are new at each start, and the orders of the database would be somebody else's.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from moto.cognitoidp import models
from moto.cognitoidp.exceptions import InvalidParameterException, NotAuthorizedError

from local.aws.moto_patches.replacing import Replacements
from local.aws.moto_patches.secure_remote_password import BadProofError, Handshake, read_number

_BOOLEANS: Final = ("email_verified", "phone_number_verified")
_IDS: Final = uuid.UUID("9b0c6f3e-6f0d-4f56-9a30-5a3f0d9f3c11")
_WRONG: Final = "Incorrect username or password."


def apply(replacements: Replacements) -> None:
    """Make moto's user pools log in, and write tokens, as Cognito does."""
    handshakes: dict[str, Handshake] = {}
    backend, pool = models.CognitoIdpBackend, models.CognitoIdpUserPool
    replacements.set(backend, "initiate_auth", _beginning(backend.initiate_auth, handshakes))
    replacements.set(backend, "respond_to_auth_challenge", _answer(backend.respond_to_auth_challenge, handshakes))
    replacements.set(backend, "confirm_sign_up", _verifying(backend.confirm_sign_up))
    replacements.set(pool, "_get_user", _regardless_of_case(pool._get_user))  # noqa: SLF001 -- what is mended
    replacements.set(pool, "get_user_extra_data_by_client_id", _attributes)
    replacements.set(models.CognitoIdpUser, "__init__", _with_lasting_id(models.CognitoIdpUser.__init__))
    for name in ("get_cognito_idp_user_pool_id_strategy", "get_cognito_idp_user_pool_client_id_strategy"):
        replacements.set(models, name, lambda: "HASH")


def _beginning(original: Callable[..., dict[str, Any]], handshakes: dict[str, Handshake]) -> Callable[..., Any]:
    def initiate_auth(
        self: Any,  # noqa: ANN401 -- moto is untyped
        client_id: str,
        auth_flow: str,
        auth_parameters: Mapping[str, str],
    ) -> dict[str, Any]:
        answer = original(self, client_id, auth_flow, auth_parameters)
        if answer.get("ChallengeName") != "PASSWORD_VERIFIER":
            return answer
        session = answer["Session"]
        _, pool = self.sessions[session]
        user = self.admin_get_user(pool.id, auth_parameters["USERNAME"])
        try:
            handshake = Handshake(
                pool=pool.id.partition("_")[2],
                user=user.username,
                password=user.password,
                browser_public=read_number(auth_parameters["SRP_A"]),
                # moto finds its session by it.
                secret_block=session.encode(),
            )
        except BadProofError as error:
            raise InvalidParameterException(str(error)) from None
        handshakes[session] = handshake
        return answer | {"ChallengeParameters": {"USERNAME": user.username, **handshake.challenge}}

    return initiate_auth


def _answer(original: Callable[..., dict[str, Any]], handshakes: dict[str, Handshake]) -> Callable[..., Any]:
    def respond_to_auth_challenge(
        self: Any,  # noqa: ANN401 -- moto is untyped
        session: str,
        client_id: str,
        challenge_name: str,
        challenge_responses: Mapping[str, str],
    ) -> dict[str, Any]:
        if challenge_name == "PASSWORD_VERIFIER":
            block = _decoded(challenge_responses.get("PASSWORD_CLAIM_SECRET_BLOCK", ""))
            handshake = handshakes.pop(block, None)  # once: a signature that was heard is worth nothing
            if handshake is None or not handshake.is_proved_by(
                challenge_responses.get("PASSWORD_CLAIM_SIGNATURE", ""),
                timestamp=challenge_responses.get("TIMESTAMP", ""),
            ):
                raise NotAuthorizedError(_WRONG)
            challenge_responses = {**challenge_responses, "PASSWORD_CLAIM_SECRET_BLOCK": block}
        return original(self, session, client_id, challenge_name, challenge_responses)

    return respond_to_auth_challenge


def _decoded(block: str) -> str:
    try:
        return base64.b64decode(block, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _verifying(original: Callable[..., str]) -> Callable[..., Any]:
    def confirm_sign_up(self: Any, client_id: str, username: str) -> str:  # noqa: ANN401 -- moto is untyped
        answer = original(self, client_id, username)
        pool = next(pool for pool in self.user_pools.values() if client_id in pool.clients)
        if "email" in pool.extended_config.get("AutoVerifiedAttributes", []):
            self.admin_get_user(pool.id, username).update_attributes([{"Name": "email_verified", "Value": "true"}])
        return answer

    return confirm_sign_up


def _regardless_of_case(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_user(self: Any, username: str) -> Any:  # noqa: ANN401 -- moto is untyped
        found = original(self, username)
        if found is not None or "email" not in self.extended_config.get("UsernameAttributes", []):
            return found
        for user in self.users.values():
            if str(user.attribute_lookup.get("email", "")).lower() == username.lower():
                return user
        return None

    return get_user


def _attributes(self: Any, client_id: str, username: str) -> dict[str, Any]:  # noqa: ANN401 -- moto is untyped
    """All standard attributes, or those that the app client may read; yes and no as booleans."""
    client = self.clients.get(client_id)
    readable = client.get_readable_fields() if client is not None else []
    attributes = models.flatten_attrs(self._get_user(username).attributes)
    return {
        name: value == "true" if name in _BOOLEANS else value
        for name, value in attributes.items()
        if not name.startswith("custom:") and (not readable or name in readable)
    }


def _with_lasting_id(original: Callable[..., None]) -> Callable[..., None]:
    def init(
        self: Any,  # noqa: ANN401 -- moto is untyped
        user_pool_id: str,
        username: str | None,
        password: str | None,
        status: str,
        attributes: list[dict[str, str]],
    ) -> None:
        original(self, user_pool_id, username, password, status, attributes)
        known_as = username or models.flatten_attrs(attributes).get("email")
        if known_as is not None:
            self.id = str(uuid.uuid5(_IDS, f"{user_pool_id} {known_as.lower()}"))
            self.username = username or self.id
            self.update_attributes([{"Name": "sub", "Value": self.id}])

    return init
