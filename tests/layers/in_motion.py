"""Layers around what leaves: clients, providers, the barrier, telephones, logs."""

from __future__ import annotations

from tests.layers.layer import Layer, Patch

_OUTBOUND = "tests/edge/test_outbound.py"
_LOGS = "tests/edge/test_logs.py"
_PHONE = "tests/edge/phone/test_placement.py"

OUTBOUND = (
    Layer(
        "outbound-region",
        "Data goes to endpoints whose region may process it",
        "the factory does not ask the region",
        (
            Patch(
                "edge/outbound.py",
                "        if region not in self._allowed.get(data_class, frozenset()):\n",
                "        if not self._allowed and not region:\n",
            ),
        ),
        (
            f"{_OUTBOUND}::test_data_is_refused_outside_its_regions_and_purposes",
            f"{_OUTBOUND}::test_a_class_of_data_without_a_rule_goes_nowhere",
        ),
    ),
    Layer(
        "outbound-class",
        "An endpoint is sent the classes that it is for",
        "the factory does not ask the class",
        (
            Patch(
                "edge/outbound.py",
                "        if data_class not in endpoint.data_classes:\n",
                "        if not data_class:\n",
            ),
        ),
        (f"{_OUTBOUND}::test_data_is_refused_outside_its_regions_and_purposes",),
    ),
    Layer(
        "outbound-catalogue",
        "Beyond this machine only listed services get a client",
        "an address that nobody listed is let through",
        (
            Patch(
                "regions/providers.py",
                "            if host is not None and is_loopback(host) and region == here:\n",
                "            if host is not None:\n",
            ),
        ),
        (
            f"{_OUTBOUND}::test_without_a_catalogue_only_this_machine_is_reached",
            "tests/regions/test_providers.py::"
            "test_a_tunnel_on_loopback_that_ends_elsewhere_needs_an_entry",
        ),
    ),
    Layer(
        "outbound-provider-place",
        "A service runs where its entry says, not where an agent claims",
        "the agent's word counts",
        (
            Patch(
                "regions/providers.py",
                "        if provider.region != region:\n",
                "        if not provider.region:\n",
            ),
        ),
        (
            "tests/regions/test_providers.py::"
            "test_a_service_that_runs_elsewhere_than_the_agent_says_is_refused",
        ),
    ),
    Layer(
        "outbound-redirects",
        "A client reaches its own endpoint: redirects are not followed",
        "redirects are followed",
        (
            Patch(
                "edge/outbound.py",
                "            allow_redirects=False,\n",
                "            allow_redirects=True,\n",
            ),
        ),
        (f"{_OUTBOUND}::test_a_redirect_is_not_followed_and_the_environments_proxy_is_ignored",),
    ),
    Layer(
        "outbound-cleartext",
        "Beyond this machine nothing goes out without TLS",
        "plain HTTP goes anywhere",
        (
            Patch(
                "regions/providers.py",
                '(url.scheme == "http" and is_loopback(host))',
                'url.scheme == "http"',
            ),
        ),
        ("tests/regions/test_providers.py::test_a_file_that_is_wrong_is_refused_with_its_line",),
    ),
    Layer(
        "outbound-one-factory",
        "No module of the edge makes a client of its own",
        "the dialog room opens a connection past the factory",
        (
            Patch(
                "edge/dialog/tool_http.py",
                "from __future__ import annotations\n",
                "from __future__ import annotations\n\nimport urllib.request\n",
            ),
        ),
        (
            "tests/architecture/test_outbound_only.py::"
            "test_no_module_of_the_edge_makes_a_client_but_the_factory_and_those_with_a_reason",
        ),
    ),
    Layer(
        "provider-check",
        "A node whose agents name unlisted services does not start",
        "the check at start finds nothing",
        (
            Patch(
                "edge/provider_check.py",
                "            wrong = _wrong(use, providers, here, environ)\n",
                "            wrong = ()\n",
            ),
        ),
        (
            "tests/edge/test_provider_check.py::"
            "test_a_tool_that_nobody_listed_is_named_with_its_agent_and_its_host",
            "tests/edge/test_provider_check.py::"
            "test_a_model_that_may_not_be_used_is_named_with_the_reason",
        ),
    ),
)

BARRIER = (
    Layer(
        "egress-default-refuse",
        "The barrier refuses what it does not list",
        "the rules have no policy and refuse nothing",
        (
            Patch("edge/egress/nft.py", "policy drop;", "policy accept;"),
            Patch(
                "edge/egress/nft.py",
                '        f"meta l4proto tcp counter name {REFUSED} reject with tcp reset",\n'
                '        f"counter name {REFUSED} reject with icmpx admin-prohibited",\n',
                "",
            ),
        ),
        (
            "tests/edge/egress/test_nft.py::"
            "test_what_nothing_allowed_is_counted_and_refused_at_the_end",
        ),
    ),
    Layer(
        "egress-listed-only",
        "The barrier lets out the addresses in use, by port",
        "a listed address is open on every port",
        (
            Patch(
                "edge/egress/nft.py",
                '                    key = f"{each.address} . {each.port}"\n',
                '                    key = f"{each.address} . 0-65535"\n',
            ),
        ),
        ("tests/edge/egress/test_nft.py::test_the_sets_hold_exactly_the_addresses_in_use",),
    ),
    Layer(
        "egress-probe",
        "A node that reaches a forbidden address does not start",
        "the probe says nothing",
        (Patch("edge/egress/probe.py", "    if reached:\n", "    if reached and not outcomes:\n"),),
        (
            "tests/edge/egress/test_probe.py::"
            "test_a_node_that_reaches_a_forbidden_address_is_told_which_and_what_to_do",
        ),
    ),
    Layer(
        "egress-probe-default",
        "In production the probe is on unless it is switched off",
        "it is off unless it is switched on",
        (
            Patch(
                "edge/egress/probe.py",
                "return FORBIDDEN if production else ()",
                "return ()",
            ),
        ),
        (
            "tests/edge/egress/test_probe.py::"
            "test_the_default_is_on_in_production_only_and_tries_both_families",
        ),
    ),
    Layer(
        "tripwire",
        "A connection that the settings do not explain is counted",
        "every connection is explained",
        (
            Patch(
                "edge/egress/tripwire.py",
                "        return (host, port) in self._known\n",
                "        return True\n",
            ),
        ),
        (
            "tests/edge/egress/test_tripwire.py::"
            "test_a_connection_that_nothing_explains_is_reported",
        ),
    ),
)

PHONE = (
    Layer(
        "phone-candidates",
        "A 302 leads to allowed regions only",
        "the answer's candidates are passed on as they are",
        (
            Patch(
                "edge/phone/placement.py",
                " for candidate in answer.candidates if candidate.region in allowed)",
                " for candidate in answer.candidates)",
            ),
            Patch(
                "edge/phone/placement.py",
                " or address == own or candidate.region not in ruling.allowed:",
                " or address == own:",
            ),
        ),
        (
            f"{_PHONE}::test_candidates_outside_the_token_or_the_law_are_forgotten",
            f"{_PHONE}::test_nothing_leads_out_of_the_allowed_set",
        ),
    ),
    Layer(
        "phone-no-ruling-603",
        "Without a ruling a phone call is declined with 603",
        "without an answer of the control plane the trunk hears 503, and tries elsewhere",
        (
            Patch(
                "edge/phone/placement.py",
                'if ruling.code == "no_region_available" and _inside(routes, ruling.allowed):',
                "if ruling.code:",
            ),
        ),
        (
            f"{_PHONE}::test_without_a_ruling_a_call_is_declined_and_never_tried_elsewhere",
            f"{_PHONE}::test_without_a_token_a_call_is_never_taken_and_never_sent_anywhere",
        ),
    ),
    Layer(
        "phone-503-inside",
        "A trunk hears 503 only when all of its routes are lawful",
        "a full node says 503 to every trunk",
        (
            Patch(
                "edge/phone/placement.py",
                "    return bool(routes) and set(routes) <= set(allowed)\n",
                "    return True\n",
            ),
        ),
        (
            f"{_PHONE}::test_another_trunk_is_sent_to_the_other_lawful_regions_and_never_hears_503",
            f"{_PHONE}::test_a_trunk_whose_routes_nobody_named_never_hears_503",
        ),
    ),
)

LOGS = (
    Layer(
        "logs-allow-list",
        "A log line carries fields of the allow-list",
        "every field of a record is written",
        (
            Patch(
                "edge/logs.py",
                "{name: vars(record)[name] for name in FIELDS if name in vars(record)}",
                "vars(record)",
            ),
        ),
        (f"{_LOGS}::test_fields_outside_the_allow_list_do_not_appear",),
    ),
    Layer(
        "logs-no-exception-text",
        "The text of an error, which may quote a caller, is not logged",
        "errors are logged with their text",
        (
            Patch(
                "edge/logs.py",
                "            line |= _told(kind, trace)\n",
                '            line |= {**_told(kind, trace), "text": str(error)}\n',
            ),
        ),
        (
            f"{_LOGS}::test_text_of_an_exception_stays_out_and_its_place_stays_in",
            f"{_LOGS}::test_error_that_nobody_caught_is_a_line_of_json_without_its_text",
        ),
    ),
    Layer(
        "logs-pseudonyms",
        "Numbers and addresses are keyed hashes whose key dies with the process",
        "the key is the same everywhere",
        (
            Patch(
                "edge/logs.py",
                "_PSEUDONYMS = secrets.token_bytes(32)\n",
                "_PSEUDONYMS = bytes(32)\n",
            ),
        ),
        (f"{_LOGS}::test_a_stranger_is_the_same_in_one_process_and_nobody_in_the_next",),
    ),
    Layer(
        "no-core-dumps",
        "A process of a node leaves no memory behind when it crashes",
        "processes may be dumped",
        (
            Patch(
                "edge/process.py",
                "    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0)\n",
                "",
            ),
        ),
        (
            "tests/edge/test_process.py::"
            "test_a_private_process_leaves_no_memory_behind_and_its_children_none_of_theirs",
        ),
    ),
)
