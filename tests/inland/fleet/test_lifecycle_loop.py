"""The lifecycle against fakes of metadata and Auto Scaling, and moto's Route 53."""

from __future__ import annotations

import logging

import pytest

from inland.fleet.lifecycle import BEAT_SECONDS, LAUNCH_SECONDS, Unit
from inland.fleet.lifecycle_loop import LAUNCH_TRIES
from tests.fakes.autoscaling import COMPLETE
from tests.inland.fleet.documents import INSTANCE
from tests.inland.fleet.stage import DRAIN, LAUNCH, NAME, Stage, serving, terminate

ROUTE_53 = "/2013-04-01/hostedzone/{}/rrset/"


async def test_a_ready_node_has_its_address_and_is_in_service(stage: Stage) -> None:
    await stage.look()
    assert stage.addresses == {} and stage.api.results == []
    await serving(stage)
    assert stage.addresses == {NAME: ["203.0.113.10"]}
    assert stage.api.results == [(LAUNCH, "CONTINUE")]
    assert stage.api.instances == {INSTANCE}


async def test_a_node_without_an_address_is_not_put_into_service(stage: Stage) -> None:
    stage.api.refusals[ROUTE_53.format(stage.zone)] = ["Throttling"] * 2
    stage.node.is_ready = True
    await stage.look(2)
    assert stage.api.results == []
    await stage.look(4)
    assert stage.api.results == [(LAUNCH, "CONTINUE")]


async def test_a_node_that_is_never_ready_is_given_up(stage: Stage) -> None:
    await stage.look(int(LAUNCH_SECONDS / 5) + 2)
    assert stage.api.results == [(LAUNCH, "ABANDON")]
    assert stage.api.beats[LAUNCH] == LAUNCH_SECONDS / BEAT_SECONDS
    assert stage.addresses == {}


async def test_a_warm_machine_is_installed_and_has_no_address(stage: Stage) -> None:
    stage.imds.machine.target_lifecycle_state = "Warmed:Stopped"
    await stage.look(3)
    assert stage.api.results == [(LAUNCH, "CONTINUE")]
    assert stage.addresses == {}


async def test_a_throttled_completion_is_tried_again_less_and_less_often(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.api.refusals[COMPLETE] = ["Throttling"] * 5
    stage.node.is_ready = True
    await stage.look(2)
    assert len(stage.api.refusals[COMPLETE]) == 4
    await stage.look(6)
    assert stage.api.results == [], "every five seconds it would be through by now"
    await stage.look(6)
    assert stage.api.results == [(LAUNCH, "CONTINUE")]
    codes = [vars(record).get("code") for record in caplog.records if "not take" in record.message]
    assert codes == ["Throttling"] * 5


async def test_an_agent_restarted_in_service_finds_nothing_to_complete_and_goes_on(
    stage: Stage,
) -> None:
    await serving(stage)
    stage.restart()
    await stage.look(20)
    assert stage.lifecycle.serving
    assert stage.api.results == [(LAUNCH, "CONTINUE")]
    assert LAUNCH_TRIES > 1
    assert stage.addresses == {NAME: ["203.0.113.10"]}


async def test_a_terminated_node_waits_for_its_calls_then_lets_the_group_go_on(
    stage: Stage,
) -> None:
    await serving(stage)
    stage.node.live = 2
    terminate(stage)
    await stage.look()
    assert stage.addresses == {}
    assert stage.asked_to_drain
    stage.node.unit = Unit.STOPPING
    await stage.look(36)
    assert stage.api.beats[DRAIN] == 4, "at once, and after each minute"
    assert stage.api.results == [(LAUNCH, "CONTINUE")]
    stage.node.unit, stage.node.live = Unit.STOPPED, None
    await stage.look()
    assert stage.api.results[1:] == [(DRAIN, "CONTINUE")]


async def test_an_agent_restarted_in_mid_drain_goes_on_draining(stage: Stage) -> None:
    await serving(stage)
    terminate(stage)
    stage.node.live = 1
    await stage.look()
    stage.around.places.drain.unlink()
    stage.node.unit = Unit.STOPPING
    stage.restart()
    await stage.look(3)
    assert not stage.asked_to_drain, "the service is draining already"
    assert stage.api.beats[DRAIN] >= 2
    assert stage.api.results[1:] == []
    stage.node.unit = Unit.STOPPED
    await stage.look()
    assert stage.api.results[1:] == [(DRAIN, "CONTINUE")]


async def test_a_hook_that_does_not_wait_yet_is_told_again(stage: Stage) -> None:
    await serving(stage)
    stage.imds.machine.target_lifecycle_state = "Terminated"
    stage.node.unit = Unit.STOPPED
    await stage.look(LAUNCH_TRIES * 12)
    assert stage.api.results[1:] == []
    stage.api.waiting.add(DRAIN)
    await stage.look(13)
    assert stage.api.results[1:] == [(DRAIN, "CONTINUE")]


async def test_an_address_that_is_gone_already_does_not_hold_the_drain_up(stage: Stage) -> None:
    stage.imds.machine.target_lifecycle_state = "Terminated"
    stage.api.waiting.add(DRAIN)
    stage.node.unit = Unit.STOPPED
    await stage.look(3)
    assert stage.api.results == [(DRAIN, "CONTINUE")]


async def test_only_the_node_s_own_address_is_touched(stage: Stage) -> None:
    other = "eu-central-1-i-0000000000000000f.eu.voice.example.org"
    stage.operator.client("route53").change_resource_record_sets(
        HostedZoneId=stage.zone,
        ChangeBatch={
            "Changes": [
                {
                    "Action": "CREATE",
                    "ResourceRecordSet": {
                        "Name": other,
                        "Type": "A",
                        "TTL": 60,
                        "ResourceRecords": [{"Value": "203.0.113.99"}],
                    },
                }
            ]
        },
    )
    await serving(stage)
    terminate(stage)
    await stage.look(2)
    assert stage.addresses == {other: ["203.0.113.99"]}


async def test_standby_drains_without_a_word_to_the_group(stage: Stage) -> None:
    await serving(stage)
    stage.imds.machine.target_lifecycle_state = "Standby"
    await stage.look(30)
    assert stage.asked_to_drain and stage.addresses == {}
    assert stage.api.results == [(LAUNCH, "CONTINUE")] and stage.api.beats[DRAIN] == 0


async def test_a_spot_notice_drains_and_a_rebalance_notice_is_only_told(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    await serving(stage)
    stage.imds.machine.rebalance_notice = "2026-11-21T08:22:00Z"
    await stage.look(3)
    assert not stage.asked_to_drain
    assert caplog.text.count("may be taken away soon") == 1
    stage.imds.machine.spot_action = {"action": "terminate", "time": "2026-11-21T08:24:00Z"}
    await stage.look()
    assert stage.asked_to_drain


async def test_metadata_that_are_away_end_nothing_and_are_told_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    await serving(stage)
    stage.imds.failing = 500
    await stage.look(10)
    assert caplog.text.count("do not answer") == 1
    assert stage.lifecycle.serving and not stage.asked_to_drain
    stage.imds.failing = None
    terminate(stage)
    await stage.look()
    assert stage.asked_to_drain


async def test_what_is_logged_names_acts_and_codes_only(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await serving(stage)
        terminate(stage)
        await stage.look(2)
    ours = [record for record in caplog.records if record.name.startswith("inland.")]
    assert ours and all(not record.args for record in ours)
    assert "203.0.113.10" not in caplog.text
