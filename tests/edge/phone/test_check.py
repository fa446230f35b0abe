"""What only shows beside the catalogue, the agents and the machine is said before the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.phone.check import phone_problems
from edge.phone.logins import read_logins
from edge.phone.settings import PhoneSettings
from edge.phone.trunk import PasswordError
from inland.__main__ import main
from regions.catalogue import load_catalogue
from tests.edge.phone.parts import number, phone, trunk

CATALOGUE = load_catalogue()
AGENTS = Path(__file__).parents[3] / "inland" / "demo" / "agents"
EXTENSION = {
    "name": "x",
    "trunk": "carrier",
    "registrar": "sip:pbx.example.org",
    "username": "201",
    "password_env": "EXTENSION",
    "tenant": "t",
    "agent": "clinic-reception",
    "country": "DE",
}


def problems(settings: PhoneSettings, **environ: str) -> tuple[str, ...]:
    return phone_problems(settings, CATALOGUE, ["clinic-reception"], environ)


def test_settings_that_fit_have_no_problem() -> None:
    assert problems(phone(registrations=[EXTENSION]), EXTENSION="secret") == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"trunks": [trunk(routes=("eu-central-1", "eu-north-9"))]},
            "sip.trunks[0].routes: the catalogue has no region 'eu-north-9': it has eu-central-1",
        ),
        (
            {"numbers": [number(agent="nobody")]},
            "sip.numbers[0].agent: there is no agent file for 'nobody'",
        ),
        (
            {"numbers": [number(), number("+17875550123")]},
            "sip.numbers[1].country: no law of the catalogue covers PR",
        ),
        (
            {"registrations": [EXTENSION | {"country": "CH", "password_env": "SET"}]},
            "sip.registrations[0].country: no law of the catalogue covers CH",
        ),
        (
            {"registrations": [EXTENSION]},
            "sip.registrations[0]: environment variable EXTENSION: is empty or not there",
        ),
        (
            {"trunks": [trunk(username="u", password_file="/nowhere/at/all")]},
            "sip.trunks[0]: /nowhere/at/all: FileNotFoundError",
        ),
        (
            {"trunks": [trunk(inbound_auth={"username": "u", "password_env": "NONE"})]},
            "sip.trunks[0].inbound_auth: environment variable NONE",
        ),
        (
            {"tls": {"certificate": "/nowhere/c.pem", "key": "/dev/null"}},
            "sip.tls.certificate: /nowhere/c.pem is not there, or may not be read",
        ),
        (
            {"trunks": [trunk(tls={"ca": "/nowhere/ca"})]},
            "sip.trunks[0].tls.ca: /nowhere/ca is not",
        ),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], said: str) -> None:
    (found,) = problems(phone(**changes), SET="secret")
    assert found.startswith(said)


def test_every_password_goes_to_whom_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("in-a-file")
    logins = read_logins(
        phone(
            trunks=[
                trunk(
                    username="us",
                    password_file=tmp_path / "p",
                    inbound_auth={"username": "them", "password_env": "THEM"},
                )
            ],
            registrations=[EXTENSION | {"auth_username": "201-auth"}],
        ),
        {"THEM": "theirs", "EXTENSION": "ours"},
    )
    assert logins.inbound == {"them": "theirs"}
    ours, extension = logins.trunks["carrier"], logins.registrations["x"]
    assert (ours.username, ours.password) == ("us", "in-a-file")
    assert (extension.username, extension.password) == ("201-auth", "ours")
    for secret in ("theirs", "in-a-file", "'ours'"):
        assert secret not in repr(logins)


def test_every_missing_password_is_named_at_once() -> None:
    login = {"username": "them", "password_env": "THEM"}
    settings = phone(trunks=[trunk(inbound_auth=login)], registrations=[EXTENSION])
    with pytest.raises(PasswordError) as caught:
        read_logins(settings, {})
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "sip.trunks[0].inbound_auth",
        "sip.registrations[0]",
    ]


@pytest.mark.parametrize(
    ("routes", "workers", "status", "said"),
    [
        ("[eu-central-1]", None, 0, "fine"),
        (
            "[eu-central-1, eu-north-9]",
            None,
            2,
            "sip.trunks[0].routes: the catalogue has no region",
        ),
        ("[eu-west-1]", None, 2, "edge.yaml:1: sip.trunks[0].routes: calls of trunk pbx"),
        ("[eu-central-1]", 60, 2, "sip.media_ports: 2000 ports are too few for 60 workers"),
    ],
)
def test_check_reports_the_phone_settings_too(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    routes: str,
    workers: int | None,
    status: int,
    said: str,
) -> None:
    monkeypatch.setenv("CLINIC_BOOKING_URL", "http://127.0.0.1:1")
    config = tmp_path / "edge.yaml"
    config.write_text(
        f"""\
node: eu-central-1-a
region: eu-central-1
data: {tmp_path}
agents: {AGENTS}
control_planes: [http://127.0.0.1:7000]
sip:
  trunks:
    - {{name: pbx, networks: [192.0.2.10], routes: {routes}}}
  numbers:
    - {{number: "+496912345678", tenant: demo-clinic, agent: clinic-reception}}
"""
    )
    more = [] if workers is None else ["--workers", str(workers)]
    assert main(["edge", "--config", str(config), "--check", *more]) == status
    out, err = capsys.readouterr()
    assert said in out + err
