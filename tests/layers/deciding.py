"""Layers that decide where a call may be: the law, the control plane, the edge's own word."""

from __future__ import annotations

from tests.layers.layer import Layer, Patch

_POLICY = "tests/regions/test_policy.py"
_RULING = "tests/control_plane/test_ruling.py"
_PLACEMENT = "tests/control_plane/test_placement.py"
_ADMISSION = "tests/edge/test_admission.py"
_API = "tests/edge/test_api.py"

LAW = (
    Layer(
        "law-intersection",
        "Several laws allow what all of them allow",
        "one law that lets a region in is enough",
        (
            Patch(
                "regions/policy.py",
                "        refusal = _law(asked, jurisdiction, region, reasons)\n",
                "        refusal = _law(asked, jurisdiction, region, reasons)\n"
                "        refusal = None if reasons else refusal\n",
            ),
        ),
        (f"{_POLICY}::test_two_laws_allow_what_both_allow",),
    ),
    Layer(
        "law-deny-by-default",
        "What no rule speaks of is refused",
        "a law without a rule for the data keeps nobody out",
        (
            Patch(
                "regions/policy.py",
                '        return f"{jurisdiction} has no rule that lets anyone {what}"',
                "        return None",
            ),
        ),
        (
            f"{_POLICY}::test_no_rule_denies",
            f"{_POLICY}::test_a_rule_for_another_class_or_operation_allows_nothing",
        ),
    ),
    Layer(
        "law-unknown-caller",
        "A caller whom no law is known to bind is refused",
        "without a jurisdiction every region is let in",
        (
            Patch(
                "regions/policy.py",
                'return Verdict(region.id, False, "no jurisdiction',
                'return Verdict(region.id, True, "no jurisdiction',
            ),
        ),
        (
            f"{_POLICY}::test_no_jurisdiction_denies_everything",
            f"{_RULING}::test_no_jurisdiction_allows_nothing",
        ),
    ),
    Layer(
        "law-contract",
        "A tenant's contract takes regions away",
        "the contract is not asked",
        (
            Patch(
                "regions/policy.py",
                "for narrowing in (tenant, tenant.classes.get(asked.data_class)):",
                "for narrowing in ():",
            ),
        ),
        (f"{_POLICY}::test_the_tenant_keeps_regions_out_and_says_how",),
    ),
    Layer(
        "law-contract-narrows",
        "A contract cannot open what the law closes",
        "a region that the contract lists is let in before the law is asked",
        (
            Patch(
                "regions/policy.py",
                "    reasons: list[str] = []\n",
                "    reasons: list[str] = []\n"
                "    if region.id in (asked.tenant.regions or ()):\n"
                '        return Verdict(region.id, True, "listed")\n',
            ),
        ),
        (f"{_POLICY}::test_a_tenant_cannot_list_its_way_past_the_law",),
    ),
    Layer(
        "law-sector",
        "A sector's rule binds its tenants besides the law",
        "sectors are not asked",
        (
            Patch(
                "regions/policy.py",
                "    for rule in asked.catalogue.sector_rules:\n",
                "    for rule in asked.catalogue.sector_rules[:0]:\n",
            ),
        ),
        (
            f"{_POLICY}::test_a_sector_s_rule_binds_on_after_its_last_day",
            f"{_RULING}::test_a_sector_of_the_tenant_binds_its_calls",
        ),
    ),
    Layer(
        "law-adequacy",
        "Adequacy is for tenants who ask for it, and never for storing",
        "every tenant has it",
        (
            Patch(
                "regions/policy.py",
                "    if not asked.tenant.adequacy:\n        return None\n",
                "",
            ),
        ),
        (f"{_POLICY}::test_adequacy_is_for_who_asks_for_it_and_for_processing",),
    ),
    Layer(
        "law-validity",
        "A permission ends with its last day",
        "last days are not looked at",
        (
            Patch(
                "regions/models.py",
                "        return self.valid_until is not None and self.valid_until < on\n",
                "        return False\n",
            ),
        ),
        (
            f"{_POLICY}::test_a_permission_ends_with_its_last_day",
            f"{_POLICY}::test_what_a_lapsed_rule_kept_out_stays_out",
        ),
    ),
)

BUNDLE = (
    Layer(
        "bundle-signature",
        "Only the operator's key makes a policy bundle",
        "the signature is not checked",
        (
            Patch(
                "regions/bundle.py",
                "        key.verify(signature, CONTEXT + raw)\n",
                "        pass\n",
            ),
        ),
        ("tests/regions/test_bundle.py::test_every_changed_bit_of_the_signed_bytes_is_refused",),
    ),
    Layer(
        "bundle-serial",
        "An older bundle does not come back",
        "any serial replaces the one in force",
        (
            Patch(
                "regions/bundle.py",
                "    if body.serial < current.serial:\n",
                "    if body.serial < 0:\n",
            ),
        ),
        ("tests/regions/test_bundle.py::test_a_bundle_replaces_only_what_is_older",),
    ),
)

CONTROL_PLANE = (
    Layer(
        "bundle-memory",
        "A control plane remembers the last bundle over restarts, and takes none before it",
        "what it remembers is not compared",
        (
            Patch(
                "control_plane/policy_state.py",
                "    if found.law.serial < last.serial:\n",
                "    if found.law.serial < 0:\n",
            ),
            Patch(
                "control_plane/policy_state.py",
                "    if found.etag != last.sha256:\n",
                "    if not found.etag:\n",
            ),
        ),
        (
            "tests/control_plane/test_policy_file.py::"
            "test_only_a_later_serial_replaces_and_a_serial_names_one_bundle",
        ),
    ),
    Layer(
        "ruling-every-class",
        "A region takes a call only if it may have every class of its data",
        "audio alone decides",
        (
            Patch(
                "control_plane/ruling.py",
                "CALL = (DataClass.AUDIO, DataClass.TRANSCRIPT, DataClass.VARIABLES)",
                "CALL = (DataClass.AUDIO,)",
            ),
        ),
        (
            f"{_RULING}::test_a_region_that_may_not_have_the_transcript_may_not_take_the_call",
            f"{_RULING}::test_adequacy_moves_no_call_since_its_words_are_stored",
        ),
    ),
    Layer(
        "placement-residency-first",
        "Placement and failover look at allowed regions only",
        "any region with a free node may be a candidate",
        (
            Patch(
                "control_plane/placement.py",
                "        for region in ruling.allowed\n",
                "        for region in (each.id for each in catalogue.regions)\n",
            ),
        ),
        (
            f"{_PLACEMENT}::test_no_load_fault_or_setting_places_a_call_outside_its_allowed_set",
            f"{_PLACEMENT}::test_every_allowed_region_either_offers_its_nodes_or_says_why_not",
        ),
    ),
    Layer(
        "placement-own-region",
        "A node speaks for its own region only",
        "a node is believed wherever it is listed",
        (
            Patch(
                "control_plane/placement.py",
                "        if node.region != region:\n            continue\n",
                "",
            ),
        ),
        (f"{_PLACEMENT}::test_a_node_listed_under_another_region_is_not_believed",),
    ),
    Layer(
        "placement-dedicated",
        "A tenant with nodes of its own is served by them alone",
        "its callers may go to shared nodes",
        (
            Patch(
                "control_plane/placement.py",
                'return "shared by tenants" if tenant.isolation == "dedicated" else None',
                "return None",
            ),
        ),
        (f"{_PLACEMENT}::test_a_dedicated_tenant_waits_rather_than_being_served_by_a_shared_node",),
    ),
)

EDGE = (
    Layer(
        "token-signature",
        "A route token counts when the control plane signed it",
        "the edge does not check signatures",
        (
            Patch(
                "edge/admission.py",
                '            options={"verify_exp": False,',
                '            options={"verify_signature": False, "verify_exp": False,',
            ),
        ),
        (
            f"{_ADMISSION}::test_token_of_an_unknown_key_is_refused",
            f"{_ADMISSION}::test_unsigned_and_symmetric_tokens_are_refused",
        ),
    ),
    Layer(
        "token-policy",
        "A token counts under the law that it was made by, now or a moment ago",
        "tokens of any policy are read",
        (
            Patch(
                "edge/admission.py",
                "    if not law.knows(",
                "    if not (lambda *_: True)(",
            ),
        ),
        (f"{_ADMISSION}::test_token_of_another_policy_is_refused",),
    ),
    Layer(
        "edge-own-law",
        "The edge intersects a signed list with its own law",
        "the edge believes the list",
        (
            Patch(
                "edge/admission.py",
                "            allowed &= set(decision.allowed)\n",
                "            allowed |= set(decision.allowed)\n",
            ),
        ),
        (
            f"{_ADMISSION}::test_signed_list_cannot_widen_the_law",
            f"{_ADMISSION}::test_what_is_listed_beyond_the_law_is_forgotten",
            f"{_API}::test_resume_after_a_tightened_law_keeps_only_lawful_regions",
        ),
    ),
    Layer(
        "edge-own-contract",
        "The edge holds a tenant to the contract that the bundle brought",
        "the edge asks the law alone",
        (
            Patch(
                "edge/admission.py",
                "    contract = law.contract(tenant)\n",
                '    contract = law.contract("")\n',
            ),
        ),
        (
            "tests/edge/test_law.py::"
            "test_a_tightened_contract_binds_whoever_comes_and_whoever_comes_back",
        ),
    ),
    Layer(
        "edge-wrong-region",
        "A region outside the list admits nobody",
        "the edge does not ask whether it is itself in the list",
        (
            Patch(
                "edge/admission.py",
                "        if region not in kept:\n",
                "        if not kept and not regions:\n",
            ),
        ),
        (
            f"{_ADMISSION}::test_token_of_another_region_is_refused",
            f"{_ADMISSION}::test_every_data_class_of_a_call_must_be_allowed_here",
            f"{_API}::test_resume_token_for_a_region_the_law_excludes_is_refused",
        ),
    ),
    Layer(
        "edge-tenancy",
        "A node that serves some tenants admits no others",
        "the edge does not ask whose caller it is",
        (
            Patch(
                "edge/admission.py",
                "    tenancy.admit(ruling.claims.ten, dedicated=bool(ruling.claims.ded))\n",
                "",
            ),
        ),
        (
            "tests/edge/test_tenancy.py::test_a_token_opens_a_call_only_at_a_node_that_serves_its_tenant",
        ),
    ),
    Layer(
        "resume-own-region",
        "A resume token is readable by the region that made it, alone",
        "every region seals resume tokens with one key",
        (
            Patch(
                "edge/session/keys.py",
                'return derive(self._secret, f"region {self.region} {purpose}")',
                'return derive(bytes(32), f"region {purpose}")',
            ),
        ),
        ("tests/edge/session/test_resume.py::test_another_region_cannot_read_it",),
    ),
    Layer(
        "resume-expiry",
        "A session is resumed until its data expires",
        "resume tokens are good for ever",
        (
            Patch(
                "edge/session/resume.py",
                "        if claims.expires_at <= self._clock.wall():\n",
                "        if claims.expires_at <= 0:\n",
            ),
        ),
        ("tests/edge/session/test_resume.py::test_it_counts_until_the_second_it_expires",),
    ),
)
