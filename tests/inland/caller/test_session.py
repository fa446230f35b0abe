"""Whole calls in virtual time, against an edge that talks by a plan."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inland.caller.errors import RefusedError, ServiceError, UnreachableError
from inland.caller.options import CallOptions, Drill
from inland.caller.records import (
    AgentSaid,
    CallerHeard,
    Connected,
    Ended,
    Note,
    Placed,
    Record,
    Said,
    Tool,
    Wire,
)
from inland.caller.report import CallReport
from inland.caller.script import (
    BargeIn,
    HangUp,
    PlayFile,
    Press,
    Script,
    Speak,
    TypeIn,
    parse_plain,
)
from inland.caller.session import HeadlessCall, running
from inland.caller.utterances import Utterances
from tests.fakes.talking_edge import FRAME, Reply, ToneVoice, World

GREETING = Reply("hello, how can I help?")
TWO = ("eu-central-1-a", "eu-central-1-b")


def script(text: str) -> Script:
    return parse_plain(text, Path("test.txt"))


async def call(
    world: World,
    plan: Script,
    options: CallOptions | None = None,
    on_record: Callable[[Record], None] | None = None,
) -> CallReport:
    async with (
        running(world.ticker),
        HeadlessCall(
            options or CallOptions(country="DE"),
            Utterances(ToneVoice()),
            ticker=world.ticker,
            clock=world.clock,
            peers=world.peer,
            network=world,
            on_record=on_record,
        ) as caller,
    ):
        report = await caller.run(plan)
    assert all(peer.closed for peer in world.peers)
    assert not any(phase for phase in world.ticker._phases), "a tick outlived the call"
    return report


async def test_a_script_is_spoken_line_by_line_after_each_answer() -> None:
    world = World([GREETING, Reply("what day?", hears="book"), Reply("done", ends="completed")])
    report = await call(world, script("i want to book\nnext tuesday"))
    assert [type(turn).__name__ for turn in report.turns] == [
        "AgentSaid", "CallerHeard", "AgentSaid", "CallerHeard", "AgentSaid",
    ]  # fmt: skip
    assert (report.end_reason, report.exit_status) == ("completed", 0)
    assert report.script_finished
    assert world.hung_up == [], "the agent ended the call; there is nothing to hang up"


async def test_the_caller_waits_for_the_greeting_to_end() -> None:
    world = World([Reply("a long greeting", seconds=4.0), Reply("bye", ends="completed")])
    report = await call(world, script("hello"))
    said = next(record for record in report.records if isinstance(record, Said))
    assert said.t > 4.0


async def test_without_a_script_the_greeting_is_heard_and_the_call_hung_up() -> None:
    world = World([GREETING])
    report = await call(world, Script())
    assert (report.end_reason, report.exit_status) == ("hangup", 0)
    assert world.hung_up == ["http://eu-central-1-a/calls/1"]
    assert report.agent_text == GREETING.text


async def test_latency_is_from_the_last_audible_frame_out_to_the_first_in() -> None:
    world = World([GREETING, Reply("done", ends="completed")])
    report = await call(world, script("one two three"))
    # 15 frames until the end of the turn, 5 of thinking, and the frames' own ticks.
    (latency,) = report.wire_latencies_ms
    assert 380 <= latency <= 460


async def test_every_leg_is_reported_with_its_region_and_the_reasons() -> None:
    world = World([GREETING])
    report = await call(world, Script())
    placed = next(record for record in report.records if isinstance(record, Placed))
    assert {"region": "ap-south-1", "allowed": False, "reason": "outside the EEA"} in placed.regions
    assert (report.region, report.node) == ("eu-central-1", "eu-central-1-a")
    assert isinstance(report.records[-1], Ended)


async def test_a_rule_answers_a_question_before_the_next_line() -> None:
    world = World(
        [GREETING, Reply("what is your name?"), Reply("what day?"), Reply("ok", ends="completed")]
    )
    plan = script("i want to book\nmonday\nyour name => my name is kerr")
    report = await call(world, plan)
    said = [record.text for record in report.records if isinstance(record, Said)]
    assert said == ["i want to book", "my name is kerr", "monday"]


async def test_a_line_that_was_not_understood_is_said_again_as_often_as_allowed() -> None:
    deaf = Reply("sorry?", hears="", understood=False)
    world = World([GREETING, deaf, deaf, deaf, Reply("ok", ends="completed")])
    report = await call(world, script("!repeat 2\nmonday\ntuesday"))
    said = [record.text for record in report.records if isinstance(record, Said)]
    assert said == ["monday", "monday", "monday", "tuesday"]
    assert report.ended.repeats == 2


async def test_a_barge_in_speaks_into_the_answer_and_measures_the_silence() -> None:
    world = World([Reply("a very long greeting", seconds=5.0), Reply("ok", ends="completed")])
    report = await call(world, Script((BargeIn(0.4, "stop it please now"),)))
    (said,) = [record for record in report.records if isinstance(record, Said)]
    assert said.how == "barge"
    assert 0.4 <= said.t < 1.0
    first = next(turn for turn in report.turns if isinstance(turn, AgentSaid))
    assert first.interrupted
    (silence,) = report.barge_in_ms
    assert silence <= 60
    assert report.exit_status == 0


async def test_keys_go_over_the_data_channel_one_by_one() -> None:
    world = World([GREETING, Reply("ok", ends="completed")])
    report = await call(world, Script((Press("1#"), TypeIn("done"))))
    (peer,) = world.peers
    assert [event for event in peer.sent if event["type"] == "inland.dtmf"] == [
        {"type": "inland.dtmf", "digit": "1"},
        {"type": "inland.dtmf", "digit": "#"},
    ]
    said = [(record.text, record.how) for record in report.records if isinstance(record, Said)]
    assert said[0] == ("1#", "keyed")


async def test_typed_words_go_over_the_data_channel() -> None:
    world = World([GREETING, Reply("ok", ends="completed")])
    report = await call(world, Script((TypeIn("next tuesday"),)))
    heard = next(turn for turn in report.turns if isinstance(turn, CallerHeard))
    assert heard.text == "next tuesday"
    assert not any(isinstance(record, Wire) for record in report.records)


async def test_tool_calls_are_reported_with_arguments_and_result() -> None:
    booking = Reply("booked", tool=("book", {"day": "monday"}), ends="completed")
    world = World([GREETING, booking])
    report = await call(world, script("monday"))
    (tool,) = [record for record in report.records if isinstance(record, Tool)]
    assert (tool.name, tool.arguments, tool.ok, tool.output) == (
        "book", {"day": "monday"}, True, {"ok": 1},
    )  # fmt: skip


async def test_an_agent_that_leaves_early_is_a_script_not_finished() -> None:
    world = World([Reply("we are closed", ends="completed")])
    report = await call(world, script("hello\nmonday"))
    assert report.exit_status == 5
    assert "2 lines" in report.why


async def test_a_silent_agent_is_given_up_on_at_the_timeout() -> None:
    world = World([])
    report = await call(world, script("hello\nmonday\ntuesday"), CallOptions(timeout=16))
    assert (report.end_reason, report.exit_status) == ("timeout", 5)
    assert world.hung_up, "an edge is told that the caller leaves"


async def test_a_script_can_hang_up_in_mid_conversation() -> None:
    world = World([GREETING, Reply("what day?")])
    report = await call(world, Script((Speak("hello"), HangUp(), Speak("never said"))))
    assert (report.end_reason, report.exit_status) == ("hangup", 0)
    assert len([r for r in report.records if isinstance(r, Said)]) == 1


async def test_no_region_is_a_refusal_with_the_verdicts() -> None:
    world = World([GREETING])
    world.refusal = RefusedError("no_region_allowed", "no region may serve this caller")
    with pytest.raises(RefusedError, match="no_region_allowed") as caught:
        await call(world, Script())
    assert caught.value.exit_status == 3
    assert world.peers == []


async def test_a_full_edge_is_followed_by_the_next_candidate() -> None:
    world = World([GREETING], TWO)
    world.edge.refuses = ServiceError("the edge", 503, "full", "no room")
    report = await call(world, Script())
    assert report.node == "eu-central-1-b"
    assert any(isinstance(r, Note) and "full" in r.text for r in report.records)


async def test_a_wrong_token_is_not_tried_at_the_next_candidate() -> None:
    world = World([GREETING], TWO)
    world.edge.refuses = ServiceError("the edge", 403, "wrong_region", "not here")
    with pytest.raises(ServiceError, match="wrong_region"):
        await call(world, Script())
    assert len(world.offers) == 1


async def test_an_edge_without_media_is_unreachable_and_leaves_nothing() -> None:
    world = World([GREETING])
    world.edge.mute_media = True
    with pytest.raises(UnreachableError, match="no media"):
        await call(world, Script())
    assert all(peer.closed for peer in world.peers)


async def test_an_edge_and_a_token_skip_the_control_plane() -> None:
    world = World([GREETING])
    options = CallOptions(edge="http://eu-central-1-a", token="route-1")
    report = await call(world, Script(), options)
    assert world.routes == 0
    assert report.node == "eu-central-1-a"
    assert report.session_id.startswith("s_")


# --- reconnect -------------------------------------------------------------------------------


def die_when(world: World, kind: type, count: int = 1) -> Callable[[Record], None]:
    """The first edge dies at the n-th record of a kind."""
    seen = 0

    def watch(record: Record) -> None:
        nonlocal seen
        seen += isinstance(record, kind)
        if seen == count:
            world.edge.die()

    return watch


PLAN = [
    GREETING,
    Reply("what day?", hears="book", seconds=2.0),
    Reply("what time?", hears="monday", seconds=2.0),
    Reply("booked", hears="nine", ends="completed"),
]


async def test_a_dead_edge_is_noticed_and_the_call_goes_on_at_the_next_node() -> None:
    world = World(PLAN, TWO)
    report = await call(
        world, script("book\nmonday\nnine"), on_record=die_when(world, CallerHeard, 2)
    )
    (reconnect,) = report.reconnects
    assert (reconnect.from_node, reconnect.to_node) == TWO
    assert 3000 <= reconnect.silent_ms <= 3500
    assert (report.end_reason, report.exit_status) == ("completed", 0)
    assert world.offers == [
        ("http://eu-central-1-a", "route-1"),
        ("http://eu-central-1-a", "resume-1"),
        ("http://eu-central-1-b", "resume-1"),
    ]
    said = [record.text for record in report.records if isinstance(record, Said)]
    assert said == ["book", "monday", "nine"], "what the edge had kept is not said again"


async def test_words_that_the_dead_edge_never_kept_are_said_again() -> None:
    world = World(PLAN, TWO)
    report = await call(world, script("book\nmonday\nnine"), on_record=die_when(world, Said, 2))
    said = [record.text for record in report.records if isinstance(record, Said)]
    assert said == ["book", "monday", "monday", "nine"]
    assert report.exit_status == 0


async def test_a_killed_worker_is_noticed_and_its_own_node_tried_first() -> None:
    world = World(PLAN, TWO)

    def watch(record: Record) -> None:
        if isinstance(record, Note) and "drill" in record.text:
            assert world.edge.dead
            world.edge.call = None
            world.edge.dead = False  # the node has other workers

    options = CallOptions(drill=Drill("kill-worker", 2))
    report = await call(world, script("book\nmonday\nnine"), options, on_record=watch)
    (reconnect,) = report.reconnects
    assert (reconnect.to_node, reconnect.attempts) == ("eu-central-1-a", 1)
    assert reconnect.silent_ms >= 3000
    assert report.exit_status == 0


async def test_the_drill_cuts_an_answer_and_leaves_the_node_for_last() -> None:
    world = World(PLAN, TWO)
    report = await call(
        world, script("book\nmonday\nnine"), CallOptions(drill=Drill("cut-edge", 2))
    )
    (reconnect,) = report.reconnects
    assert "drill" in reconnect.why
    assert world.offers[1] == ("http://eu-central-1-b", "resume-1")
    assert report.exit_status == 0


async def test_a_new_route_is_asked_for_when_no_candidate_answers() -> None:
    world = World(PLAN, TWO)

    def watch(record: Record) -> None:
        if isinstance(record, CallerHeard):
            for edge in world.edges.values():
                edge.dead = True
        if isinstance(record, Placed) and len(world.offers) > 2:
            list(world.edges.values())[1].dead = False

    report = await call(world, script("book\nmonday"), on_record=watch)
    assert world.routes >= 2
    assert report.node == "eu-central-1-b"


async def test_a_session_nobody_knows_any_more_ends_as_lost() -> None:
    world = World(PLAN, TWO)

    def watch(record: Record) -> None:
        if isinstance(record, CallerHeard):
            world.edge.dead = True
            world.edge.call = None
            for edge in world.edges.values():
                edge.dead = edge is world.edge
                edge.refuses = ServiceError("the edge", 404, "unknown_session", "gone")
            world.edge.dead = False

    report = await call(world, script("book\nmonday"), on_record=watch)
    assert (report.end_reason, report.exit_status) == ("lost", 4)
    assert len(world.offers) <= 5, "a final answer is not asked for again and again"


async def test_without_reconnect_a_dead_edge_ends_the_call() -> None:
    world = World(PLAN, TWO)
    report = await call(
        world, script("book"), CallOptions(reconnect=False), on_record=die_when(world, CallerHeard)
    )
    assert (report.end_reason, report.exit_status) == ("lost", 4)
    assert len(world.offers) == 1


async def test_a_draining_edge_hands_the_call_to_its_sibling() -> None:
    world = World(PLAN, TWO)

    def watch(record: Record) -> None:
        if isinstance(record, CallerHeard) and len(world.peers) == 1:
            call_ = world.edge.call
            assert call_ is not None
            world.edge.refuses = ServiceError("the edge", 503, "draining", "leaving")
            call_.end("draining")

    report = await call(world, script("book\nmonday\nnine"), on_record=watch)
    assert report.node == "eu-central-1-b"
    assert report.exit_status == 0


# --- stopping, recording, sharing ------------------------------------------------------------


async def test_stop_hangs_up_and_still_reports() -> None:
    world = World([Reply("a long greeting", seconds=60.0)])
    async with (
        running(world.ticker),
        HeadlessCall(
            CallOptions(),
            Utterances(ToneVoice()),
            ticker=world.ticker,
            clock=world.clock,
            peers=world.peer,
            network=world,
            on_record=lambda record: caller.stop() if isinstance(record, Connected) else None,
        ) as caller,
    ):
        report = await caller.run(script("hello"))
    assert (report.end_reason, report.exit_status) == ("interrupted", 5)
    assert world.hung_up


async def test_the_recording_has_the_caller_left_and_the_agent_right(tmp_path: Path) -> None:
    world = World([GREETING, Reply("done", ends="completed")])
    path = tmp_path / "call.wav"
    await call(world, script("one two three"), CallOptions(record=path))
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 24_000, 2)
        stereo = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    loud = np.abs(stereo.astype(np.int32)) > 230
    greeting_end = np.flatnonzero(loud[:, 1])[0] + 24_000
    assert np.flatnonzero(loud[:, 0])[0] > greeting_end, "the caller waited for the greeting"
    assert abs(int(loud[:, 0].sum()) - 0.3 * 24_000 * 0.94) < 2 * FRAME


async def test_a_sound_file_is_played(tmp_path: Path) -> None:
    path = tmp_path / "hello.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((np.sin(np.arange(4000) / 3) * 9000).astype("<i2").tobytes())
    world = World([GREETING, Reply("done", ends="completed")])
    report = await call(world, Script((PlayFile(path),)))
    assert report.exit_status == 0
    (said,) = [record for record in report.records if isinstance(record, Said)]
    assert (said.how, said.text) == ("file", "hello.wav")
