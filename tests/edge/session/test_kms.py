"""AWS KMS (moto's double of it) wraps for one region and account, under one tag; what it refuses
is refused, and what passes may be tried again."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws
from pydantic import ValidationError

from edge.session import kms, kms_client
from edge.session.errors import KeyRefused, RegionRefused, SealError, StoreBroken, StoreBusy
from edge.session.kms import KmsKeys
from edge.session.kms_client import AwsKms
from edge.session.kms_settings import KmsSettings
from edge.session.seal import new_data_key
from regions.models import DataClass
from tests.edge.session import kms_cloud
from tests.edge.session.kms_cloud import ACCOUNT, admin, new_key
from tests.edge.session.parts import EU, IN, OTHER, SESSION, tag_for

BOTH = tag_for(regions=(EU, IN))


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        yield


class Settling:
    """Opens providers and closes them."""

    def __init__(self) -> None:
        self.opened: list[KmsKeys] = []

    def __call__(self, key: str | None = None, region: str = EU, **more: Any) -> KmsKeys:
        settings = KmsSettings(account=ACCOUNT, key=key, **more)
        self.opened.append(KmsKeys(region, settings, kms_cloud.service(region)))
        return self.opened[-1]


@pytest.fixture
async def provider() -> AsyncIterator[Settling]:
    settling = Settling()
    yield settling
    for keys in settling.opened:
        await keys.close()


async def test_a_wrapped_key_unwraps_again_on_another_node(provider: Settling) -> None:
    arn, data_key = new_key(EU), new_data_key()
    wrapped = await provider(arn).wrap(data_key, region=EU, tag=BOTH)
    assert data_key not in wrapped
    assert await provider(arn).unwrap(wrapped, region=EU, tag=BOTH) == data_key


async def test_each_tenant_has_its_own_key_and_others_the_common_one(provider: Settling) -> None:
    common, own = new_key(EU), new_key(EU)
    admin(EU).create_alias(AliasName="alias/inland/eu-central-1/clinic", TargetKeyId=own)
    keys = provider(common, tenants={"clinic": "alias/inland/eu-central-1/clinic"})
    for tenant, arn in (("clinic", own), ("bank", common)):
        tag = BOTH.model_copy(update={"tenant": tenant})
        wrapped = await keys.wrap(new_data_key(), region=EU, tag=tag)
        assert arn.encode() in wrapped
        await keys.unwrap(wrapped, region=EU, tag=tag)
    with pytest.raises(KeyRefused, match="no key for this tenant"):
        await provider(None, tenants={"bank": common}).wrap(new_data_key(), region=EU, tag=BOTH)


async def test_a_key_unwraps_only_under_the_very_same_tag(provider: Settling) -> None:
    keys = provider(new_key(EU))
    wrapped = await keys.wrap(new_data_key(), region=EU, tag=BOTH)
    for other in (
        tag_for(regions=(EU,)),
        tag_for(regions=(IN, EU)),
        tag_for(OTHER, (EU, IN)),
        BOTH.for_class(DataClass.METRICS),
        BOTH.model_copy(update={"tenant": "bakery"}),
        BOTH.model_copy(update={"expires_at": BOTH.expires_at + 1}),
    ):
        with pytest.raises(SealError):
            await keys.unwrap(wrapped, region=EU, tag=other)


async def test_the_key_service_itself_holds_a_key_to_its_context(provider: Settling) -> None:
    """Whoever may use the key but tells another session gets nothing from the service."""
    service = kms_cloud.service(EU)
    arn, blob = await service.encrypt(new_key(EU), b"k" * 32, {"inland:session": SESSION})
    assert await service.decrypt(arn, blob, {"inland:session": SESSION}) == b"k" * 32
    for context in ({"inland:session": OTHER}, {}):
        with pytest.raises(SealError):
            await service.decrypt(arn, blob, context)
    await service.close()


async def test_the_service_gives_no_key_out_under_another_tag(provider: Settling) -> None:
    """Before anything of ours looks at the tag: whoever holds the node's role is held to it too."""
    keys = provider(new_key(EU))
    wrapped = await keys.wrap(new_data_key(), region=EU, tag=BOTH)
    arn, blob, _ = kms._split(wrapped)
    service = kms_cloud.service(EU)
    assert len(await service.decrypt(arn, blob, kms._context(EU, BOTH))) == 32
    for other in (
        BOTH.model_copy(update={"session": OTHER}),
        BOTH.model_copy(update={"tenant": "bakery"}),
        BOTH.for_class(DataClass.METRICS),
        BOTH.model_copy(update={"allowed_regions": (EU,)}),
    ):
        with pytest.raises(SealError):
            await service.decrypt(arn, blob, kms._context(EU, other))
    await service.close()


async def test_the_tag_in_full_is_bound_where_the_service_was_told_little(
    provider: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kms, "_context", lambda region, tag: {})
    keys = provider(new_key(EU))
    wrapped = await keys.wrap(new_data_key(), region=EU, tag=BOTH)
    with pytest.raises(SealError):
        await keys.unwrap(wrapped, region=EU, tag=BOTH.for_class(DataClass.METRICS))


async def test_the_context_names_tenant_session_class_region_and_the_tags_digest(
    provider: Settling,
) -> None:
    keys = provider(new_key(EU))
    told: list[dict[str, str]] = []
    service = keys._service
    encrypt = service.encrypt

    async def spy(key: str, plain: bytes, context: Any) -> tuple[str, bytes]:
        told.append(dict(context))
        return await encrypt(key, plain, context)

    service.encrypt = spy  # type: ignore[method-assign]
    await keys.wrap(new_data_key(), region=EU, tag=BOTH)
    (context,) = told
    assert context.pop("inland:tag", "") == hashlib.sha256(BOTH.canonical()).hexdigest()
    assert context == {
        "inland:tenant": "clinic",
        "inland:session": SESSION,
        "inland:class": "transcript",
        "inland:region": EU,
    }


async def test_a_key_is_wrapped_only_for_its_own_region_and_an_allowed_one(
    provider: Settling,
) -> None:
    keys = provider(new_key(EU))
    with pytest.raises(RegionRefused):
        await keys.wrap(new_data_key(), region=IN, tag=BOTH)
    with pytest.raises(RegionRefused):
        await keys.wrap(new_data_key(), region=EU, tag=tag_for(regions=(IN,)))


async def test_a_foreign_regions_key_does_not_unwrap_here(provider: Settling) -> None:
    abroad = provider(new_key(IN), region=IN)
    wrapped = await abroad.wrap(new_data_key(), region=IN, tag=BOTH)
    with pytest.raises(RegionRefused, match=f"is a key of region {IN}, and this is {EU}"):
        await provider(new_key(EU)).unwrap(wrapped, region=EU, tag=BOTH)
    with pytest.raises(SealError):
        await provider(new_key(EU)).unwrap(wrapped, region=IN, tag=BOTH)


async def test_a_wrapped_key_cut_short_or_changed_does_not_unwrap(provider: Settling) -> None:
    keys = provider(new_key(EU))
    wrapped = await keys.wrap(new_data_key(), region=EU, tag=BOTH)
    for length in range(len(wrapped)):
        with pytest.raises(SealError):
            await keys.unwrap(wrapped[:length], region=EU, tag=BOTH)
    for position in range(len(wrapped)):
        changed = bytearray(wrapped)
        changed[position] ^= 1
        with pytest.raises(SealError):
            await keys.unwrap(bytes(changed), region=EU, tag=BOTH)


def settings_problems(key: str, region: str = EU, account: str = ACCOUNT) -> list[str]:
    return list(KmsSettings(account=account, key=key).problems(region))


def test_a_key_of_another_region_or_account_or_with_copies_is_refused_by_its_name() -> None:
    key = f"arn:aws:kms:{EU}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    assert settings_problems(key) == []
    assert settings_problems("alias/inland/x") == []
    assert "is a key of region" in settings_problems(key, IN)[0]
    assert "is a key of account" in settings_problems(key, account="111122223333")[0]
    copied = f"arn:aws:kms:{EU}:{ACCOUNT}:key/mrk-1234abcd12ab34cd56ef1234567890ab"
    assert "multi-Region" in settings_problems(copied)[0]
    alias = f"arn:aws:kms:{IN}:{ACCOUNT}:alias/inland/x"
    assert "is a key of region" in settings_problems(alias)[0]


@pytest.mark.parametrize(
    "key", ["1234abcd", "alias/aws/ssm", "arn:aws:s3:::bucket", f"arn:aws:kms:{EU}:12:key/x", ""]
)
def test_what_names_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValidationError):
        KmsSettings(account=ACCOUNT, key=key)


def test_settings_without_any_key_are_refused() -> None:
    with pytest.raises(ValidationError, match="names no key"):
        KmsSettings(account=ACCOUNT)


class TestStart:
    async def test_sound_keys_pass(self, provider: Settling) -> None:
        await provider(new_key(EU), tenants={"clinic": new_key(EU)}).check()

    async def test_an_alias_that_is_another_accounts_key_is_refused(
        self, provider: Settling
    ) -> None:
        admin(EU).create_alias(AliasName="alias/x", TargetKeyId=new_key(EU))
        keys = KmsKeys(
            EU, KmsSettings(account="111122223333", key="alias/x"), provider("alias/x")._service
        )
        with pytest.raises(RegionRefused, match=r"keys\.kms\.key: is a key of account"):
            await keys.check()

    async def test_a_multi_region_key_is_refused(self, provider: Settling) -> None:
        admin(EU).create_alias(AliasName="alias/x", TargetKeyId=new_key(EU, MultiRegion=True))
        with pytest.raises(RegionRefused, match="multi-Region"):
            await provider("alias/x").check()

    async def test_a_missing_disabled_or_dying_key_is_refused(self, provider: Settling) -> None:
        with pytest.raises(KeyRefused, match=r"keys\.kms\.key: there is no such key"):
            await provider("alias/nowhere").check()
        disabled, dying = new_key(EU), new_key(EU)
        admin(EU).disable_key(KeyId=disabled.rpartition("/")[2])
        with pytest.raises(KeyRefused, match="is Disabled"):
            await provider(disabled).check()
        admin(EU).schedule_key_deletion(KeyId=dying.rpartition("/")[2])
        with pytest.raises(KeyRefused, match=r"keys\.kms\.tenants\.clinic: is PendingDeletion"):
            await provider(new_key(EU), tenants={"clinic": dying}).check()

    async def test_a_key_for_signatures_is_refused(self, provider: Settling) -> None:
        signing = new_key(EU, KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")
        with pytest.raises(KeyRefused, match="not a symmetric key"):
            await provider(signing).check()


def failing(code: str) -> Callable[..., Any]:
    def answer(**request: object) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "quotes the request"}}, "Decrypt")

    return answer


class TestErrors:
    """What the service itself says, as "Common Errors" and "Decrypt" of the AWS KMS API Reference
    list it (read 2026-11-21); moto does not enforce a key's state."""

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            ("ThrottlingException", StoreBusy),
            ("DependencyTimeoutException", StoreBusy),
            ("KMSInternalException", StoreBusy),
            ("KeyUnavailableException", StoreBusy),
            ("KMSInvalidStateException", KeyRefused),
            ("DisabledException", KeyRefused),
            ("NotFoundException", KeyRefused),
            ("AccessDeniedException", KeyRefused),
            ("InvalidCiphertextException", SealError),
            ("IncorrectKeyException", SealError),
            ("SomethingElse", StoreBroken),
        ],
    )
    async def test_each_becomes_ours_and_quotes_nothing(
        self,
        provider: Settling,
        monkeypatch: pytest.MonkeyPatch,
        code: str,
        error: type[Exception],
    ) -> None:
        keys = provider(new_key(EU))
        wrapped = await keys.wrap(new_data_key(), region=EU, tag=BOTH)
        monkeypatch.setattr(kms_cloud.service(EU)._client, "decrypt", failing(code))
        with pytest.raises(error) as caught:
            await keys.unwrap(wrapped, region=EU, tag=BOTH)
        assert type(caught.value) is error
        assert "quotes" not in str(caught.value)
        assert caught.value.__cause__ is None

    async def test_a_service_that_is_not_reached_is_busy(
        self, provider: Settling, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = provider(new_key(EU))

        def away(**request: object) -> Any:
            raise EndpointConnectionError(endpoint_url="https://kms.example.org")

        monkeypatch.setattr(kms_cloud.service(EU)._client, "encrypt", away)
        with pytest.raises(StoreBusy):
            await keys.wrap(new_data_key(), region=EU, tag=BOTH)

    async def test_a_service_that_does_not_answer_is_busy_by_a_deadline(
        self, provider: Settling, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = provider(new_key(EU))
        release = threading.Event()
        client = kms_cloud.service(EU)._client
        monkeypatch.setattr(client, "encrypt", lambda **request: release.wait())
        monkeypatch.setattr(kms_client, "ANSWER_SECONDS", 0.05)
        try:
            with pytest.raises(StoreBusy, match="in time"):
                await keys.wrap(new_data_key(), region=EU, tag=BOTH)
        finally:
            release.set()

    async def test_too_many_questions_are_refused_at_once(
        self, provider: Settling, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kms_client, "MAX_WAITING", 0)
        with pytest.raises(StoreBusy, match="too many"):
            await provider(new_key(EU)).wrap(new_data_key(), region=EU, tag=BOTH)


def test_the_endpoint_is_the_regions_whatever_the_machine_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://elsewhere.example.org")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "https://elsewhere.example.org")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    meta = AwsKms.open(EU)._client.meta
    assert meta.endpoint_url == f"https://kms.{EU}.amazonaws.com"
    assert meta.region_name == EU
