"""Layers of proof, and of what is provisioned: receipts, the audit log, the gate over stacks."""

from __future__ import annotations

from tests.layers.layer import Layer, Patch

_RECEIPT = "tests/edge/session/test_receipt.py"
_AUDIT = "tests/edge/test_audit.py"
_GATE = "tests/infra/rules/test_every_rule.py::test_a_region_that_breaks_a_rule_is_refused_by_it"

RECEIPTS = (
    Layer(
        "receipt-signature",
        "A receipt is what the region's key signed",
        "the signature is not checked",
        (
            Patch(
                "edge/session/receipt.py",
                'payload = jwt.api_jws.decode(signed, key, algorithms=["EdDSA"])',
                'payload = jwt.api_jws.decode(signed, options={"verify_signature": False})',
            ),
        ),
        (f"{_RECEIPT}::test_one_changed_byte_is_refused",),
    ),
    Layer(
        "receipt-chain",
        "A receipt that is left out, changed or put in shows",
        "the digest of the one before is not compared",
        (
            Patch(
                "edge/session/receipt.py",
                "        if receipt.previous != before:\n",
                "        if number < 1:\n",
            ),
        ),
        (
            f"{_RECEIPT}::test_a_receipt_that_is_left_out_shows",
            f"{_RECEIPT}::test_receipts_in_another_order_show",
        ),
    ),
    Layer(
        "receipt-outside",
        "A place outside the allowed set is named",
        "no place counts as outside",
        (
            Patch(
                "edge/session/receipt.py",
                '            if line.kind not in ("caller", "carrier")\n',
                '            if line.kind not in ("caller", "carrier", line.kind)\n',
            ),
        ),
        (
            f"{_RECEIPT}::test_a_place_outside_the_allowed_set_is_shown_and_the_caller_s_line_is_not",
            "tests/inland/receipt/test_receipt_command.py::test_a_place_outside_is_1_and_named",
        ),
    ),
    Layer(
        "receipt-refusals",
        "What was kept from a place is in the receipt",
        "refused attempts are not written down",
        (
            Patch(
                "edge/outbound.py",
                "            self._ledger.refuse(place, data_class, verdict.reason)\n",
                "",
            ),
        ),
        (
            "tests/edge/test_outbound.py::"
            "test_an_endpoint_that_the_catalogue_does_not_have_there_is_refused_in_an_allowed_region",
            "tests/edge/test_outbound.py::test_a_refusal_is_in_the_account_by_its_origin_alone",
        ),
    ),
)

AUDIT = (
    Layer(
        "audit-chain",
        "An entry that is written anew does not fit its neighbours",
        "entries are not compared with the ones before",
        (
            Patch(
                "edge/audit_verify.py",
                "    findings += _links(chain)\n",
                "",
            ),
        ),
        (f"{_AUDIT}::test_an_entry_that_is_written_anew_with_its_digest_is_found",),
    ),
    Layer(
        "audit-digest",
        "An entry has the digest that it claims",
        "any digest will do",
        (
            Patch(
                "edge/audit.py",
                "    return entry if entry.line() == line else None\n",
                "    return entry\n",
            ),
        ),
        (f"{_AUDIT}::test_an_entry_has_one_spelling",),
    ),
    Layer(
        "audit-heads",
        "Signed heads show what was cut off or written anew",
        "heads are not compared with the log",
        (
            Patch(
                "edge/audit_verify.py",
                "        problem = _misfit(chain, last, head, good)\n",
                "        problem = None\n",
            ),
        ),
        (
            f"{_AUDIT}::test_a_log_that_is_cut_off_is_found_at_the_first_entry_that_lacks",
            f"{_AUDIT}::"
            "test_a_log_that_is_written_anew_from_some_entry_on_is_found_between_two_heads",
        ),
    ),
    Layer(
        "audit-head-signature",
        "A head counts when the region's key signed it",
        "anybody's head counts",
        (
            Patch(
                "edge/audit_heads.py",
                'jwt.api_jws.decode(signed, key, algorithms=["EdDSA"])',
                'jwt.api_jws.decode(signed, options={"verify_signature": False})',
            ),
        ),
        (f"{_AUDIT}::test_a_head_that_nobody_signed_vouches_for_nothing",),
    ),
)

GATE = (
    Layer(
        "gate-region-pin",
        "A stack's resources are made in its own region",
        "the gate does not look at a resource's region",
        (
            Patch(
                "infra/rules/place.py",
                "    region = inherited if own is None else own\n",
                "    region = next(iter(scope.regions))\n",
            ),
        ),
        (_GATE,),
    ),
    Layer(
        "gate-account-pin",
        "A stack is made in its own account",
        "the gate does not look at the provider's accounts",
        (
            Patch(
                "infra/rules/place.py",
                "    if accounts != [scope.account_id]:\n",
                "    if accounts is scope:\n",
            ),
        ),
        (_GATE,),
    ),
    Layer(
        "tenant-key-policy",
        "On AWS a tenant's key wraps the keys of that tenant's sessions, and of no other's",
        "the key's policy does not ask whose session it is",
        (
            Patch(
                "infra/documents/keys.py",
                "{SESSION_TENANT: tenant, SESSION_REGION:",
                "{SESSION_REGION:",
            ),
        ),
        (
            "tests/infra/documents/test_keys.py::"
            "test_a_session_of_another_tenant_or_of_nobody_is_not_wrapped",
        ),
    ),
    Layer(
        "gate-inference-profiles",
        "No model that may answer from another region is asked",
        "the gate does not know inference profiles",
        (
            Patch(
                "infra/rules/place.py",
                "        if any(_PROFILE.search(layer) for layer in opened(text)):\n",
                "        if path is text:\n",
            ),
        ),
        (_GATE,),
    ),
)
