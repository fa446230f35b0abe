"""A machine becomes ready for its role, against moto and the fake metadata."""

from __future__ import annotations

import json
import logging
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from control_plane.settings import read_settings
from control_plane.tokens import TokenSigner, load_public_key
from edge.session.keys import LocalKeyFile
from edge.settings import load_settings, node_secret
from edge.turn import read_turn_secret
from infra.cloud_init.document import (
    POLICY_OBJECT,
)
from inland.fleet.aws import Aws
from inland.fleet.errors import Unusable
from inland.fleet.prepare import read_document
from tests.fakes.scripted_edge import serve
from tests.fakes.stepping_clock import Enough
from tests.inland.fleet.documents import CONTROL_PLANE, EDGE, TURN, document
from tests.inland.fleet.rehearsal import NODE_SECRET, Rehearsal
from tests.inland.fleet.test_edge_files import POLICY_KEY

PASSWORD = 'pass "word" $1'


def said(caplog: pytest.LogCaptureFixture, name: str) -> list[object]:
    """A field of what our own loggers wrote, oldest first."""
    ours = [record for record in caplog.records if record.name.startswith("inland.")]
    return [vars(record)[name] for record in ours if name in vars(record)]


async def test_an_edge_s_settings_secrets_and_certificate_are_what_it_reads(
    rehearsal: Rehearsal,
) -> None:
    await rehearsal.prepare(rehearsal.edge())
    settings = load_settings(rehearsal.places.edge)
    assert node_secret(settings, {}) == NODE_SECRET
    LocalKeyFile.open(settings.key_path, "eu-central-1")
    assert settings.tls is not None
    assert b"ENCRYPTED" not in settings.tls.key.read_bytes()
    assert settings.tls.certificate.read_bytes().count(b"BEGIN CERTIFICATE") > 1


async def test_an_edge_signs_with_the_secret_that_the_relays_have(rehearsal: Rehearsal) -> None:
    secret = "turn-secret-turn-secret"
    rehearsal.operator.supply(TURN.turn_secret, secret)
    role = rehearsal.edge().model_copy(update={"turn_secret": TURN.turn_secret})
    await rehearsal.prepare(role)
    settings = load_settings(rehearsal.places.edge)
    assert settings.turn is not None
    assert read_turn_secret(settings.turn.secret_file) == secret
    assert stat.S_IMODE(settings.turn.secret_file.stat().st_mode) == 0o600


async def test_an_edge_does_not_start_with_a_secret_that_no_relay_takes(
    rehearsal: Rehearsal,
) -> None:
    rehearsal.operator.supply(TURN.turn_secret, "hunter2 hunter2 hunter2")
    role = rehearsal.edge().model_copy(update={"turn_secret": TURN.turn_secret})
    with pytest.raises(Unusable, match="16 to 256") as refused:
        await rehearsal.prepare(role)
    assert "hunter2" not in str(refused.value)


async def test_nothing_that_is_written_can_be_read_by_others(rehearsal: Rehearsal) -> None:
    await rehearsal.prepare(rehearsal.edge())
    files = [path for path in rehearsal.places.run.rglob("*") if path.is_file()]
    assert len(files) >= 6
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(rehearsal.places.run.stat().st_mode) == 0o700
    assert not [path for path in files if path.name.startswith(".")], "no draft stays behind"


async def test_a_machine_being_warmed_fetches_nothing_until_it_is_wanted(
    rehearsal: Rehearsal, caplog: pytest.LogCaptureFixture
) -> None:
    role = rehearsal.edge()
    machine = rehearsal.imds.machine
    machine.target_lifecycle_state = "Warmed:Stopped"

    def wanted_later(slept: int) -> None:
        assert not rehearsal.places.run.exists()
        if slept == 100:
            machine.target_lifecycle_state = "InService"

    rehearsal.clock.on_sleep = wanted_later
    with caplog.at_level(logging.INFO):
        await rehearsal.prepare(role)
    assert rehearsal.places.edge.exists()
    waits = [record for record in caplog.records if "waiting until" in record.message]
    assert len(waits) == 4, "once at first, then once a minute of the 200 s"


async def test_a_machine_of_no_group_does_not_wait(rehearsal: Rehearsal) -> None:
    rehearsal.imds.machine.target_lifecycle_state = None
    await rehearsal.prepare(rehearsal.edge())
    assert rehearsal.clock.slept == []


async def test_metadata_that_are_away_for_a_while_are_waited_for(rehearsal: Rehearsal) -> None:
    role = rehearsal.edge()
    rehearsal.imds.failing = 503

    def back(slept: int) -> None:
        if slept == 3:
            rehearsal.imds.failing = None

    rehearsal.clock.on_sleep = back
    await rehearsal.prepare(role)
    assert rehearsal.places.edge.exists()


async def test_a_secret_without_a_value_is_waited_for_and_said_with_its_cure(
    rehearsal: Rehearsal, caplog: pytest.LogCaptureFixture
) -> None:
    rehearsal.operator.supply(TURN.turn_secret, None)

    def supplied_later(slept: int) -> None:
        assert not rehearsal.places.turnserver.exists()
        if slept == 3:
            rehearsal.operator.supply(TURN.turn_secret, "t0p-s3cret-t0p-s3cret")

    rehearsal.clock.on_sleep = supplied_later
    await rehearsal.prepare(TURN)
    assert "static-auth-secret=t0p-s3cret" in rehearsal.places.turnserver.read_text()
    assert "inland regions supply" in caplog.text
    assert said(caplog, "reason") == [TURN.turn_secret] * 4
    assert rehearsal.clock.slept == [1.0, 2.0, 4.0, 8.0]


async def test_a_throttled_api_is_asked_again_with_growing_pauses(
    rehearsal: Rehearsal, caplog: pytest.LogCaptureFixture
) -> None:
    rehearsal.operator.supply(TURN.turn_secret, "t0p-s3cret-t0p-s3cret")
    rehearsal.api.refusals["GetSecretValue"] = ["ThrottlingException"] * 2
    await rehearsal.prepare(TURN)
    assert rehearsal.clock.slept == [1.0, 2.0]
    assert said(caplog, "code") == ["ThrottlingException"] * 2


async def test_telephone_passwords_reach_the_service_by_its_environment_and_only_those_named(
    rehearsal: Rehearsal,
) -> None:
    role = rehearsal.edge(phone=True)
    rehearsal.operator.supply(
        "inland/eu-central-1/phone",
        json.dumps({"CARRIER_PASSWORD": PASSWORD, "LD_PRELOAD": "evil.so"}),
    )
    await rehearsal.prepare(role)
    lines = rehearsal.places.environment.read_text().splitlines()
    assert lines[0] == 'CARRIER_PASSWORD="pass \\"word\\" \\$1"'
    assert not any("LD_PRELOAD" in line for line in lines)
    assert load_settings(rehearsal.places.edge).sip is not None


async def test_a_missing_telephone_password_is_waited_for_by_name(
    rehearsal: Rehearsal, caplog: pytest.LogCaptureFixture
) -> None:
    role = rehearsal.edge(phone=True)
    rehearsal.operator.supply("inland/eu-central-1/phone", "{}")

    def supplied_later(slept: int) -> None:
        if slept == 1:
            rehearsal.operator.supply("inland/eu-central-1/phone", '{"CARRIER_PASSWORD": "x"}')

    rehearsal.clock.on_sleep = supplied_later
    await rehearsal.prepare(role)
    assert said(caplog, "reason") == ["CARRIER_PASSWORD"] * 2


async def test_no_secret_is_ever_logged_or_quoted(
    rehearsal: Rehearsal, caplog: pytest.LogCaptureFixture
) -> None:
    role = rehearsal.edge(phone=True)
    bad = {
        "inland/eu-central-1/phone": '{"CARRIER_PASSWORD": "hunter2"',
        EDGE.region_key: '{"version": 1, "key": "hunter2"}',
        EDGE.node_secret: "hunter2",
    }
    with caplog.at_level(logging.DEBUG, "inland"):
        for name, value in bad.items():
            rehearsal.operator.supply(name, value)
            with pytest.raises(Unusable) as refused:
                await rehearsal.prepare(role)
            assert "hunter2" not in str(refused.value)
            rehearsal.edge(phone=True)
    assert "hunter2" not in caplog.text
    assert NODE_SECRET not in caplog.text


async def test_a_certificate_that_is_not_there_yet_is_waited_for(rehearsal: Rehearsal) -> None:
    role = rehearsal.edge().model_copy(update={"certificate": EDGE.certificate})

    def enough(slept: int) -> None:
        if slept == 5:
            raise Enough

    rehearsal.clock.on_sleep = enough
    with pytest.raises(Enough):
        await rehearsal.prepare(role)
    assert not rehearsal.places.edge.exists()


async def test_a_key_of_another_certificate_is_refused(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = rehearsal.edge()
    other = rehearsal.operator.certificate("other.example.org")
    call = Aws.call

    async def swap(self: Aws, service: str, operation: str, **request: object) -> dict[str, Any]:
        answer = await call(self, service, operation, **request)
        if operation == "export_certificate":
            foreign = await call(self, service, operation, **request | {"CertificateArn": other})
            answer["PrivateKey"] = foreign["PrivateKey"]
        return answer

    monkeypatch.setattr(Aws, "call", swap)
    with pytest.raises(Unusable, match="not that of the certificate"):
        await rehearsal.prepare(role)
    assert not rehearsal.places.edge.exists()


async def test_a_rehearsal_sends_the_edge_s_own_client_to_its_endpoint(
    rehearsal: Rehearsal,
) -> None:
    await rehearsal.prepare(rehearsal.edge())
    text = rehearsal.places.environment.read_text()
    assert f'AWS_EC2_METADATA_SERVICE_ENDPOINT="{rehearsal.imds.url}"' in text


def _signing_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


async def test_a_control_plane_s_settings_are_what_it_reads(rehearsal: Rehearsal) -> None:
    rehearsal.operator.supply(CONTROL_PLANE.signing_key, _signing_key())
    rehearsal.operator.supply(CONTROL_PLANE.operator_key, "9" * 64)
    await rehearsal.prepare(CONTROL_PLANE)
    settings = read_settings(rehearsal.places.control_plane, {}, {})
    assert (settings.host, settings.port, settings.trusted_proxies) == ("0.0.0.0", 8080, 1)
    assert settings.node_secrets == CONTROL_PLANE.node_secrets
    assert settings.operator_key == "9" * 64
    assert settings.published_keys == ()
    assert settings.key_file == rehearsal.places.signing_key


async def test_a_control_plane_with_policy_keys_has_the_bundle_before_it_starts(
    rehearsal: Rehearsal,
) -> None:
    rehearsal.operator.supply(CONTROL_PLANE.signing_key, _signing_key())
    rehearsal.operator.supply(CONTROL_PLANE.operator_key, "9" * 64)
    s3 = rehearsal.operator.client("s3")
    bucket = document(CONTROL_PLANE).bundle.bucket
    place = {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    s3.put_object(Bucket=bucket, Key=POLICY_OBJECT, Body=b"signed")
    await rehearsal.prepare(CONTROL_PLANE.model_copy(update={"policy_keys": (POLICY_KEY,)}))
    policy = read_settings(rehearsal.places.control_plane, {}, {}).policy
    assert policy is not None
    assert policy.bundle.read_bytes() == b"signed"
    assert policy.keys == (POLICY_KEY,)
    assert policy.state.is_relative_to(rehearsal.places.state)


async def test_a_replica_publishes_the_key_that_each_other_one_signs_with_and_no_more(
    rehearsal: Rehearsal,
) -> None:
    from aiohttp import web

    current, former = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    signer = TokenSigner(current, [former.public_key()])
    app = web.Application()

    async def jwks(request: web.Request) -> web.Response:
        return web.json_response(signer.jwks())

    app.router.add_get("/.well-known/jwks.json", jwks)
    runner, url = await serve(app)
    rehearsal.operator.supply(CONTROL_PLANE.signing_key, _signing_key())
    rehearsal.operator.supply(CONTROL_PLANE.operator_key, "9" * 64)
    away = "http://127.0.0.1:9"
    try:
        await rehearsal.prepare(CONTROL_PLANE.model_copy(update={"replica_urls": (url, away, url)}))
    finally:
        await runner.cleanup()
    published = read_settings(rehearsal.places.control_plane, {}, {}).published_keys
    assert [load_public_key(path) for path in published] == [current.public_key()]


async def test_a_signing_key_that_is_none_is_refused_unquoted(rehearsal: Rehearsal) -> None:
    rehearsal.operator.supply(CONTROL_PLANE.signing_key, "hunter2")
    rehearsal.operator.supply(CONTROL_PLANE.operator_key, "9" * 64)
    with pytest.raises(Unusable, match="signing key") as refused:
        await rehearsal.prepare(CONTROL_PLANE)
    assert "hunter2" not in str(refused.value)


async def test_an_operator_s_key_in_place_of_its_digest_is_refused_unquoted(
    rehearsal: Rehearsal,
) -> None:
    rehearsal.operator.supply(CONTROL_PLANE.signing_key, _signing_key())
    rehearsal.operator.supply(CONTROL_PLANE.operator_key, "the-key-itself-hunter2")
    with pytest.raises(Unusable, match="SHA-256") as refused:
        await rehearsal.prepare(CONTROL_PLANE)
    assert "hunter2" not in str(refused.value)


def test_a_document_that_is_wrong_is_said_with_its_field(tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    with pytest.raises(Unusable, match="machines of a stack"):
        read_document(path)
    told = json.loads(document().model_dump_json())
    path.write_text(json.dumps(told))
    assert read_document(path) == document()
    told["role"]["calls"] = "many"
    path.write_text(json.dumps(told))
    with pytest.raises(Unusable, match=r"role\.edge\.calls"):
        read_document(path)


def test_a_file_that_cannot_be_written_leaves_the_former_one(tmp_path: Path) -> None:
    from inland.fleet.files import write_private

    path = tmp_path / "file"
    write_private(path, b"former")
    with pytest.raises(TypeError):
        write_private(path, "text")  # type: ignore[arg-type]
    assert path.read_bytes() == b"former"
    assert os.listdir(tmp_path) == ["file"]
