"""Layers around what changes while a call goes on: the law, the region, what is recorded."""

from __future__ import annotations

from tests.layers.layer import Layer, Patch

_REPLICA = "tests/edge/session/test_replica.py"
_PLACES = "tests/edge/session/test_replica_regions.py"
_CARRIED = "tests/edge/test_carried.py"
_LIVE = "tests/edge/test_policy_live.py"
_LEAVING = "tests/edge/test_leaving.py"
_RECORDED = "tests/edge/test_recorded.py"
_RECORDER = "tests/edge/recording/test_recorder.py"

REPLICAS = (
    Layer(
        "replica-regions",
        "A conversation is sealed for regions that its tag allows, and no others",
        "it is sealed for whatever region is asked",
        (
            Patch(
                "edge/session/replica.py",
                "            if region not in head.tag.allowed_regions or region == self.region:\n",
                "            if not region:\n",
            ),
        ),
        (f"{_REPLICA}::TestSealing::test_no_replica_is_sealed_for",),
    ),
    Layer(
        "replica-sender",
        "Only a region of the law can have sealed a replica, and nothing of it was changed",
        "the code by which the regions know one another is not compared",
        (
            Patch(
                "edge/session/replica.py",
                "        if not hmac.compare_digest(_mac(agreed, place, wrapped, body), mac):\n",
                "        if not _mac(agreed, place, wrapped, body):\n",
            ),
        ),
        (
            f"{_REPLICA}::TestRefusals::test_made_by_whoever_knows_the_public_keys",
            f"{_REPLICA}::TestRefusals::test_another_region_of_the_law_in_the_name_of_the_first",
        ),
    ),
    Layer(
        "replica-expiry",
        "A replica expires, and with the first of its classes",
        "its times are not looked at",
        (
            Patch(
                "edge/session/replica.py",
                "*head.ends.values()]) <= now:\n",
                "*head.ends.values()]) < 0:\n",
            ),
        ),
        (
            f"{_REPLICA}::TestRefusals::test_expired",
            f"{_REPLICA}::TestRefusals::test_of_what_is_not_kept_any_more",
        ),
    ),
    Layer(
        "replica-law",
        "A conversation is carried where law and contract of the day let it be kept",
        "the law is not asked, neither by who seals nor by who opens",
        (
            Patch(
                "edge/session/replica_regions.py",
                "            allowed &= {*decision.allowed}\n",
                "            allowed |= {*decision.allowed} & allowed\n",
            ),
        ),
        (
            f"{_PLACES}::test_by_the_shipped_law_europe_stays_in_europe_and_india_in_india",
            f"{_PLACES}::test_where_one_class_may_not_be_replicated_nothing_is",
            f"{_CARRIED}::TestOpening::test_a_law_that_was_tightened_meanwhile_counts",
        ),
    ),
    Layer(
        "replica-caller",
        "A replica is opened for its own tenant, agent and law",
        "the token's are not compared with it",
        (Patch("edge/carried.py", "        _require_same(verified.head, caller)\n", ""),),
        (f"{_CARRIED}::TestOpening::test_it_is_of_the_tokens_tenant_agent_and_law",),
    ),
    Layer(
        "replica-retention",
        "A carried conversation is kept no longer than where it came from",
        "the new region counts anew",
        (
            Patch(
                "edge/carried.py",
                "name: min(end, before.get(name, end)) for",
                "name: max(end, before.get(name, end)) for",
            ),
        ),
        (f"{_CARRIED}::TestGoingOn::test_nothing_is_kept_longer_than_where_it_came_from",),
    ),
)

LIVE = (
    Layer(
        "live-bundle",
        "A node takes the operator's newest bundle and no other, and goes on with what it has",
        "any bundle that verifies replaces the one in force",
        (
            Patch(
                "edge/policy_keeper.py",
                "                if newer(body, self._law.now):\n",
                "                if newer(body, self._law.now) if body.serial < 0 else True:\n",
            ),
        ),
        (
            "tests/edge/test_policy_keeper.py::"
            "test_what_is_not_the_operators_newest_word_is_refused_and_the_node_goes_on",
        ),
    ),
    Layer(
        "live-bundle-kept",
        "What a node keeps on its disk never goes back to an older bundle",
        "the last to write wins",
        (
            Patch(
                "edge/policy_kept.py",
                "            if kept is not None and kept.body.serial >= signed.body.serial:\n",
                "            if kept is not None and kept.body.serial < 0:\n",
            ),
        ),
        (
            "tests/edge/test_policy_kept.py::"
            "test_an_older_one_of_a_sibling_that_shares_the_folder_does_not_replace_it",
        ),
    ),
    Layer(
        "live-ruling",
        "A call that is under way is ruled again, and leaves a region that it may not be in",
        "a call that began may stay",
        (
            Patch(
                "edge/policy_live.py",
                " for data_class in NEEDS if region not in lawful[data_class]]",
                " for data_class in NEEDS if not region]",
            ),
        ),
        (
            f"{_LIVE}::test_a_call_whose_own_region_is_taken_away_leaves_for_the_others",
            f"{_LIVE}::test_a_rule_whose_last_day_is_over_ends_calls",
            f"{_LIVE}::test_no_call_keeps_what_the_law_in_force_excludes",
        ),
    ),
    Layer(
        "live-review",
        "Rules begin and end without a new law: calls are ruled again each minute, at midnight too",
        "they are ruled again when a bundle comes, and else once a day at some time",
        (
            Patch(
                "edge/policy_told.py",
                "return min(REVIEW_SECONDS, DAY_SECONDS - now % DAY_SECONDS)",
                "return DAY_SECONDS",
            ),
        ),
        (
            "tests/edge/test_policy_told.py::"
            "test_midnight_utc_is_never_slept_through_and_a_minute_neither",
        ),
    ),
    Layer(
        "live-bound",
        "What a call was once allowed bounds it: a wider law opens nothing for it",
        "a live call gets all that the law in force allows",
        (
            Patch(
                "edge/policy_live.py",
                "    held = {DataClass(name): regions for name, regions in caller.regions",
                "    known = tuple(place.id for place in law.catalogue.regions)\n"
                "    held = {DataClass(name): known for name, _ in caller.regions",
            ),
        ),
        (
            f"{_LIVE}::test_a_law_that_opens_more_opens_nothing_for_a_call_that_is_under_way",
            f"{_LIVE}::test_no_call_keeps_what_the_law_in_force_excludes",
        ),
    ),
    Layer(
        "live-leaving",
        "A call that has to leave sends nothing more to anybody",
        "until it has ended it uses what it still might",
        (
            Patch(
                "edge/terms.py",
                "self.outbound.narrow({} if nothing_out else allowed)",
                "self.outbound.narrow(allowed)",
            ),
        ),
        (
            "tests/edge/test_terms.py::"
            "test_a_call_that_has_to_leave_reaches_nothing_not_even_where_it_may_go",
        ),
    ),
    Layer(
        "live-keys",
        "What may not be kept where a call was goes with its keys",
        "the keys stay until their retention is over",
        (
            Patch(
                "edge/terms.py",
                "        if self.leaves is not None and not self.leaves.keeps:\n",
                "        if self.leaves is not None and not self.leaves:\n",
            ),
        ),
        (f"{_LEAVING}::test_what_is_said_is_cut_the_notice_heard_and_the_call_over",),
    ),
    Layer(
        "live-outbound",
        "A law that is tightened closes a live call's ways out, and none reopens",
        "what was allowed when the call began stays allowed",
        (
            Patch(
                "edge/outbound.py",
                "            data_class: regions & frozenset(allowed.get(data_class, ()))\n",
                "            data_class: regions\n",
            ),
        ),
        (
            "tests/edge/test_outbound.py::"
            "test_a_law_that_is_tightened_takes_regions_away_and_one_that_is_widened_gives_none",
        ),
    ),
)

RECORDING = (
    Layer(
        "recording-allowed",
        "A call is recorded where law and contract let the region have a recording",
        "who may have the call may record it",
        (
            Patch(
                "edge/recorded.py",
                "        if here not in ruling.caller.regions.get(",
                "        if not here and ruling.caller.regions.get(",
            ),
        ),
        (
            f"{_RECORDED}::test_a_caller_whose_law_lets_no_recording_be_here_is_not_recorded",
            f"{_RECORDED}::test_the_law_of_this_moment_counts_and_not_only_that_of_the_token",
        ),
    ),
    Layer(
        "recording-told",
        "A caller's voice is recorded once they were told",
        "it is recorded from the first frame",
        (
            Patch(
                "edge/recording/tap.py",
                "        if self.caller_may_be_heard and not self._closed:\n",
                "        if not self._closed:\n",
            ),
        ),
        (
            "tests/edge/recording/test_tap.py::test_the_caller_is_not_heard_before_they_were_told",
            f"{_RECORDED}::test_the_callers_voice_is_recorded_from_the_end_of_the_notice_on",
        ),
    ),
    Layer(
        "recording-law",
        "A recording stops when the law forbids it, and what was not kept by then never is",
        "the law is asked when a recording begins, and not again",
        (Patch("edge/recording/recorder.py", "self._parts.refusal()", "None"),),
        (f"{_RECORDER}::TestLaw::test_recording_stops_at_once_and_what_was_not_kept_never_is",),
    ),
    Layer(
        "recording-seal",
        "A segment of a recording opens in its own leg, at its own place",
        "leg and number are not bound to it",
        (
            Patch(
                "edge/recording/segment.py",
                '        return f"{self._leg}/{number}"\n',
                '        return "segment"\n',
            ),
            Patch(
                "edge/recording/segment.py",
                "        if (header.name, header.number) != (self._leg, number) or",
                "        if",
            ),
        ),
        (
            "tests/edge/recording/test_segment.py::test_a_segment_does_not_open_as_another_number",
            "tests/edge/recording/test_segment.py::test_a_foreign_segment_does_not_open",
            f"{_RECORDER}::TestTampering::test_two_segments_that_changed_places_are_found",
        ),
    ),
    Layer(
        "recording-bucket",
        "Recordings go to a bucket of the node's own region",
        "the bucket's place is not asked",
        (
            Patch(
                "edge/recording/bucket.py",
                "        if places != {self._region}:\n",
                "        if not places:\n",
            ),
        ),
        (
            "tests/edge/recording/test_archive.py::TestBucket::"
            "test_a_bucket_of_another_region_is_refused",
        ),
    ),
)
