"""Layers around what is kept: seals, keys, the vault, retention, the store's own users."""

from __future__ import annotations

from tests.layers.layer import Layer, Patch

_SEAL = "tests/edge/session/test_seal.py"
_KEPT = "tests/edge/session/test_data_at_rest.py"
_KEYS = "tests/edge/session/test_keys.py"
_KMS = "tests/edge/session/test_kms.py"
_JOURNAL = "tests/edge/session/test_journal.py"
_BOUND = "each.tag.canonical() for name, each in keys.items()"


def _unbound(field: str, value: str) -> Patch:
    """Seals are no longer bound to one field of the residency tag."""
    update = f'model_copy(update={{"{field}": {value}}})'
    return Patch(
        "edge/session/seal.py",
        _BOUND,
        f"each.tag.{update}.canonical() for name, each in keys.items()",
    )


SEALS = (
    Layer(
        "seal-class",
        "An entry opens as its own class of data: a wrong class is refused",
        "the class is not in the associated data",
        (_unbound("data_class", "DataClass.AUDIO"),),
        (f"{_SEAL}::test_an_entry_does_not_open_in_another_place",),
    ),
    Layer(
        "seal-session",
        "An entry opens in its own session: another session's blob is refused",
        "the session is not in the associated data",
        (_unbound("session", '"x"'),),
        (f"{_SEAL}::test_an_entry_does_not_open_in_another_session_or_under_a_rewritten_tag",),
    ),
    Layer(
        "seal-regions",
        "An entry opens under the regions it was sealed for: a rewritten tag is refused",
        "the allowed regions are not in the associated data",
        (_unbound("allowed_regions", '("x",)'),),
        (f"{_SEAL}::test_an_entry_does_not_open_in_another_session_or_under_a_rewritten_tag",),
    ),
    Layer(
        "seal-policy",
        "An entry opens under the policy it was sealed by",
        "the policy is not in the associated data",
        (_unbound("policy", '"x#000000000000"'),),
        (f"{_SEAL}::test_an_entry_does_not_open_in_another_session_or_under_a_rewritten_tag",),
    ),
    Layer(
        "seal-turn",
        "An entry opens at its own place: a replayed turn is refused",
        "the number of the turn is not in the associated data",
        (
            Patch(
                "edge/session/seal.py",
                'f"\\0{self._agent}\\0{kind}\\0{place}".encode()',
                'f"\\0{self._agent}\\0{kind}".encode()',
            ),
        ),
        (
            f"{_SEAL}::test_an_entry_does_not_open_in_another_place",
            f"{_KEPT}::TestRefused::test_another_sessions_blob_a_replayed_turn_and_a_wrong_class",
        ),
    ),
)

KEYS = (
    Layer(
        "key-wrap-region",
        "A data key is wrapped for the own region, and one that the tag allows",
        "the key provider wraps for whatever is asked",
        (
            Patch(
                "edge/session/keys.py",
                "        if region != self.region or region not in tag.allowed_regions:\n",
                "        if not region:\n",
            ),
        ),
        (f"{_KEYS}::test_a_key_is_wrapped_only_for_its_own_region_and_an_allowed_one",),
    ),
    Layer(
        "key-binding",
        "A wrapped key opens under its own tag: region, session, law, expiry",
        "the tag is not bound to the wrapped key",
        (
            Patch(
                "edge/session/keys.py",
                'return b"wrap\\0" + region.encode() + b"\\0" + tag.canonical()',
                'return b"wrap\\0" + region.encode()',
            ),
        ),
        (f"{_KEYS}::test_a_key_unwraps_only_under_the_very_same_tag",),
    ),
    Layer(
        "key-foreign-region",
        "A foreign region's key opens nothing",
        "all regions wrap under one key",
        (
            Patch(
                "edge/session/keys.py",
                'self._wrapping = AESGCM(self.subkey("wrap"))',
                "self._wrapping = AESGCM(bytes(KEY_BYTES))",
            ),
            Patch(
                "edge/session/keys.py",
                "        if region != self.region or not wrapped.startswith(header):\n",
                "        if not wrapped:\n",
            ),
            Patch(
                "edge/session/keys.py",
                'return b"wrap\\0" + region.encode() + b"\\0" + tag.canonical()',
                'return b"wrap\\0" + tag.canonical()',
            ),
        ),
        (f"{_KEYS}::test_another_regions_key_does_not_unwrap",),
    ),
    Layer(
        "key-expiry",
        "A class's expiry is bound to its key: a retention cannot be put off",
        "keys are bound to the session's tag, whatever their class's expiry",
        (
            Patch(
                "edge/session/keyring.py",
                '"expires_at": until',
                '"expires_at": tag.expires_at',
            ),
        ),
        (f"{_KEPT}::TestRefused::test_a_retention_that_was_put_off",),
    ),
    Layer(
        "key-seal-of-ring",
        "A session's keys belong to the session's own tag",
        "the seal over the keys is not compared",
        (
            Patch(
                "edge/session/keyring.py",
                "        if not hmac.compare_digest(_seal(key, tag), _bytes(entry.seal)):\n",
                "        if not entry.seal:\n",
            ),
        ),
        (
            f"{_KEPT}::TestRefused::test_a_rewritten_tag",
            f"{_KEPT}::TestRefused::test_keys_that_are_moved",
        ),
    ),
    Layer(
        "journal-region",
        "A session is opened in a region of its tag",
        "the journal does not ask which region it is in",
        (
            Patch(
                "edge/session/journal.py",
                "        if region not in tag.allowed_regions or wrapped is None:\n",
                "        if wrapped is None:\n",
            ),
        ),
        (f"{_JOURNAL}::TestIntruder::test_keys_that_would_open_for_another_region_are_not_asked",),
    ),
    Layer(
        "kms-context",
        "AWS KMS holds a key to its encryption context",
        "the context says nothing of the session",
        (
            Patch(
                "edge/session/kms.py",
                '        "inland:tenant": tag.tenant,\n        "inland:session": tag.session,\n'
                '        "inland:class": tag.data_class.value,\n',
                "",
            ),
            Patch(
                "edge/session/kms.py",
                '        "inland:tag": hashlib.sha256(tag.canonical()).hexdigest(),\n',
                "",
            ),
        ),
        (
            f"{_KMS}::test_the_service_gives_no_key_out_under_another_tag",
            f"{_KMS}::test_the_context_names_tenant_session_class_region_and_the_tags_digest",
        ),
    ),
    Layer(
        "kms-own-region",
        "A key of AWS KMS is of this region and account",
        "any key's ARN will do",
        (
            Patch(
                "edge/session/kms.py",
                "        if problem is not None:\n",
                "        if problem is not None and not arn:\n",
            ),
        ),
        (f"{_KMS}::TestStart::test_an_alias_that_is_another_accounts_key_is_refused",),
    ),
)

DESTRUCTION = (
    Layer(
        "vault-destruction",
        "An erasure destroys the keys, so that no backup opens",
        "the vault keeps what it is told to destroy",
        (
            Patch(
                "edge/session/vault_sqlite.py",
                'f"DELETE FROM wrapped WHERE {where}", (value,)',
                'f"UPDATE wrapped SET class = class WHERE {where}", (value,)',
            ),
        ),
        (
            f"{_KEPT}::TestDestroyed::"
            "test_a_copy_made_before_opens_until_the_keys_are_destroyed_and_never_after",
            "tests/inland/data/test_erase.py::test_a_backup_made_before_is_unreadable_after",
        ),
    ),
    Layer(
        "vault-no-byte-left",
        "Nothing of a destroyed key stays in the vault's files",
        "the log of the database is not cleared after a destruction",
        (
            Patch(
                "edge/session/vault_sqlite.py",
                '        count = await self._delete("session = ?", _name(tenant, session_id))\n'
                "        await self._database.clear_log()\n",
                '        count = await self._delete("session = ?", _name(tenant, session_id))\n',
            ),
        ),
        (
            "tests/edge/session/test_vault.py::TestSqliteVault::"
            "test_no_byte_of_a_destroyed_key_is_left_in_the_folder",
        ),
    ),
    Layer(
        "retention-shortest",
        "The shortest of what node, tenant and agent say counts",
        "the longest counts",
        (
            Patch(
                "edge/retention.py",
                "int(now + min([longest, *told]))",
                "int(now + max([longest, *told]))",
            ),
        ),
        (
            "tests/edge/test_retention.py::test_nothing_that_anybody_says_keeps_data_longer",
            "tests/edge/test_retention.py::test_a_call_is_kept_as_its_tenant_and_its_agent_say",
        ),
    ),
    Layer(
        "retention-over",
        "A class whose time is over is not opened, swept or not",
        "expired classes are opened while their key is there",
        (
            Patch(
                "edge/session/keyring.py",
                "        if entry.until <= now:\n",
                "        if entry.until <= 0:\n",
            ),
        ),
        (
            f"{_KEPT}::TestDestroyed::"
            "test_a_class_whose_time_is_over_cannot_be_read_even_before_the_sweep",
        ),
    ),
    Layer(
        "retention-sweep",
        "The sweep destroys the keys of what has expired",
        "the sweep finds nothing to do",
        (
            Patch(
                "edge/session/vault_sqlite.py",
                '        count = await self._delete("expires_at <= ?", now)\n',
                "        count = 0\n",
            ),
        ),
        (
            f"{_KEPT}::TestDestroyed::test_a_sweep_destroys_the_key_of_that_class_alone",
            "tests/edge/session/test_vault.py::TestSqliteVault::"
            "test_a_sweep_destroys_expired_keys_and_no_others",
        ),
    ),
    Layer(
        "subject-keyed",
        "Whom a session is about is a keyed hash of this region, and no number",
        "the key is the same everywhere",
        (
            Patch(
                "edge/session/subjects.py",
                "        return hmac.digest(self._secret, message,",
                "        return hmac.digest(bytes(32), message,",
            ),
        ),
        (
            "tests/edge/session/test_subjects.py::"
            "test_a_name_is_the_same_for_one_person_tenant_kind_and_region_alone",
        ),
    ),
    Layer(
        "redis-user-per-tenant",
        "The server refuses a tenant's user every key of others, also from a script",
        "users are not held to their tenant's prefix",
        (
            Patch(
                "infra/documents/store.py",
                'f"on ~inland:{tenant}:* resetchannels',
                'f"on ~* resetchannels',
            ),
        ),
        (
            "tests/edge/session/test_redis_access.py::"
            "test_a_foreign_tenants_keys_are_refused_also_from_a_script",
            "tests/inland/commands/test_redis.py::"
            "test_a_server_with_these_rules_serves_its_tenants_and_nobody_else",
        ),
    ),
    Layer(
        "redis-no-keyless-commands",
        "A tenant's user has no command that a prefix does not hold back",
        "users may run any command",
        (
            Patch(
                "infra/documents/store.py",
                "resetchannels -@all {commands}",
                "resetchannels +@all",
            ),
        ),
        (
            "tests/edge/session/test_redis_access.py::"
            "test_a_foreign_tenants_keys_are_refused_also_from_a_script",
            "tests/inland/commands/test_redis.py::"
            "test_a_server_with_these_rules_serves_its_tenants_and_nobody_else",
        ),
    ),
)
