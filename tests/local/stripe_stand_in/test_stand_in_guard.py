"""Pages of elsewhere get nothing from the stand-in, and other users of the machine do not read its files."""

import stat
from pathlib import Path

import pytest
import requests

from local.stripe_stand_in import SessionSeed, StripeStandIn
from tests.local.stripe_stand_in.support import KEY

PAGE_OF_ELSEWHERE = {"Origin": "https://evil.example"}


@pytest.mark.parametrize(
    "path", ["/v1/events", "/v2/core/event_destinations", "/_control/deliveries", "/c/pay/cs_test_1"]
)
@pytest.mark.parametrize("headers", [PAGE_OF_ELSEWHERE, {"Host": "evil.example"}])
def test_a_page_of_elsewhere_is_refused(stand_in: StripeStandIn, path: str, headers: dict[str, str]) -> None:
    for method in ("GET", "POST"):
        answer = requests.request(
            method, f"{stand_in.url}{path}", headers={**headers, "Authorization": f"Bearer {KEY}"}, json={}, timeout=5
        )
        assert answer.status_code == 403
        assert "this machine only" in answer.text


def test_an_image_of_elsewhere_is_refused_and_a_link_to_the_payment_page_is_not(stand_in: StripeStandIn) -> None:
    session = stand_in.seed_session(SessionSeed(3000, status="open"))
    cross_site = {"Sec-Fetch-Site": "cross-site"}
    events = requests.get(f"{stand_in.url}/v1/events", headers=cross_site, auth=(KEY, ""), timeout=5)
    assert events.status_code == 403
    page = f"{stand_in.url}/c/pay/{session}"
    assert requests.get(page, headers=cross_site, timeout=5).status_code == 200
    # The page's own form, as browsers post it.
    own = {"Sec-Fetch-Site": "same-origin", "Origin": stand_in.url}
    assert (
        requests.post(page, headers=own, data={"action": "cancel"}, timeout=5, allow_redirects=False).status_code == 303
    )
    assert requests.post(page, headers={"Origin": "null"}, data={"action": "pay"}, timeout=5).status_code == 403
    assert requests.get(page, timeout=5).headers["Referrer-Policy"] == "same-origin"


def test_its_public_name_is_its_own() -> None:
    with StripeStandIn(public_url="https://pay.example") as stand_in:
        address = f"{stand_in.local_url}/v1/account"
        for host, status in (("pay.example", 200), ("evil.example", 403)):
            assert requests.get(address, headers={"Host": host}, auth=(KEY, ""), timeout=5).status_code == status


@pytest.mark.parametrize("made_before", [False, True])
def test_only_the_owner_reads_the_database(tmp_path: Path, made_before: bool) -> None:
    path = tmp_path / "stripe.sqlite"
    if made_before:
        path.touch(0o644)
        path.chmod(0o644)
    with StripeStandIn(path=path) as stand_in:
        stand_in.seed_session(SessionSeed(3000))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert set(modes) == {"stripe.sqlite", "stripe.sqlite-wal", "stripe.sqlite-shm"}
    assert set(modes.values()) == {0o600}
