// Run by test_sdk.py: what the SDK decides without a browser.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { InlandError, problemOf, verdicts } from "../../web_demo/sdk/errors.js";
import { Patience, Translator, sessionOf, typed } from "../../web_demo/sdk/events.js";
import { iceServers } from "../../web_demo/sdk/relays.js";
import { MAX_REPLICA, ReplicaKeeper } from "../../web_demo/sdk/replica.js";
import { firstToTake, inOrder, pause, pauseBefore, resume } from "../../web_demo/sdk/resume.js";
import { Watchdog } from "../../web_demo/sdk/watchdog.js";

describe("watchdog", () => {
  const check = (dog, from, to, packets) => {
    let dead = null;
    for (let now = from; now <= to && dead === null; now += 250) dead = dog.deadFor(packets, now);
    return dead;
  };

  test("three silent seconds are death, and it says how long", () => {
    const dog = new Watchdog(0);
    assert.equal(check(dog, 250, 2750, 0), null);
    assert.equal(dog.deadFor(0, 3000), 3000);
  });

  test("a heartbeat each second keeps an edge alive without a packet", () => {
    const dog = new Watchdog(0);
    for (let now = 1000; now <= 20_000; now += 1000) {
      assert.equal(check(dog, now - 750, now, 0), null);
      dog.heard(now);
    }
  });

  test("packets keep an edge alive without an event", () => {
    const dog = new Watchdog(0);
    for (let now = 250; now <= 10_000; now += 250) assert.equal(dog.deadFor(now, now), null);
  });

  test("a machine that slept does not blame the edge", () => {
    const dog = new Watchdog(0);
    dog.deadFor(7, 250);
    assert.equal(dog.deadFor(7, 60_000), null);
    assert.equal(check(dog, 60_250, 63_000, 7), 3000);
  });
});

describe("resume", () => {
  const at = (name) => ({ region: name, node: name, url: `http://${name}`, reason: "" });
  const refusal = (code) => new InlandError(code, code);
  const way = (answers, more = {}) => {
    const tried = [];
    const pauses = [];
    return {
      tried,
      pauses,
      placement: { candidates: [at("a"), at("b")], request: {} },
      current: at("b"),
      attempt: async (candidate) => {
        tried.push(candidate.node);
        const answer = answers.shift() ?? "edge_unreachable";
        if (answer !== "leg") throw refusal(answer);
        return "leg";
      },
      replace: async () => ({ candidates: [at("a"), at("c")], request: {} }),
      pause: async (ms) => void pauses.push(ms),
      timeIsUp: () => false,
      ...more,
    };
  };

  test("order is the same node, the other candidates, a new placement", async () => {
    const search = way(["edge_unreachable", "full", "leg"]);
    const done = await resume(search);
    assert.deepEqual(search.tried, ["b", "a", "c"]);
    assert.equal(done.candidate.node, "c");
    assert.equal(done.attempts, 3);
    assert.deepEqual(done.placement.candidates.map(({ node }) => node), ["a", "c"]);
  });

  test("a node that drains is tried last", () => {
    const order = inOrder([at("a"), at("b")], at("a"), true);
    assert.deepEqual(order.map(({ node }) => node), ["b", "a"]);
  });

  test("pauses grow from nothing to four seconds", async () => {
    assert.deepEqual([0, 1, 2, 3, 4, 5, 9].map(pauseBefore), [0, 500, 1000, 2000, 4000, 4000, 4000]);
    const search = way([..."eeeeee"].map(() => "edge_unreachable").concat("leg"));
    await resume(search);
    assert.deepEqual(search.pauses, [0, 500, 1000]);
  });

  test("a session that nobody knows ends the search after one round", async () => {
    const search = way(Array(9).fill("unknown_session"));
    await assert.rejects(resume(search), { code: "unknown_session" });
    assert.deepEqual(search.tried, ["b", "a", "c"]);
  });

  test("the search ends when the time is up", async () => {
    await assert.rejects(resume(way([], { timeIsUp: () => true })), { code: "edge_unreachable" });
  });

  test("a control plane that is away does not end the search", async () => {
    const replace = async () => {
      throw refusal("control_plane_unreachable");
    };
    const search = way(["edge_unreachable", "edge_unreachable", "leg"], { replace });
    assert.equal((await resume(search)).candidate.node, "b");
  });

  test("giving up ends it at once", async () => {
    const search = way(["aborted"]);
    await assert.rejects(resume(search), { code: "aborted" });
    assert.deepEqual(search.tried, ["b"]);
  });

  test("a pause that is given up leaves no timer", async () => {
    const stop = new AbortController();
    const waiting = pause(3_600_000, stop.signal);
    stop.abort();
    await assert.rejects(waiting, { code: "aborted" });
    await assert.rejects(pause(3_600_000, stop.signal), { code: "aborted" });
  });
});

describe("the first candidate that takes a call", () => {
  const candidates = ["a", "b", "c"].map((node) => ({ region: node, node, url: node, reason: "" }));
  const found = (answers) => {
    const tried = [];
    const attempt = async ({ node }) => {
      tried.push(node);
      if (answers[node] !== "leg") throw new InlandError(answers[node], answers[node]);
      return "leg";
    };
    return { tried, done: firstToTake(candidates, attempt) };
  };

  test("is asked after those that cannot", async () => {
    const { tried, done } = found({ a: "full", b: "connect_timeout", c: "leg" });
    assert.equal((await done).candidate.node, "c");
    assert.deepEqual(tried, ["a", "b", "c"]);
  });

  test("is not looked for when no other would do better, or the token is used up", async () => {
    for (const code of ["bad_token", "media_blocked"]) {
      const { tried, done } = found({ a: code, b: "leg" });
      await assert.rejects(done, { code });
      assert.deepEqual(tried, ["a"]);
    }
  });

  test("does not exist in a placement without any", async () => {
    await assert.rejects(firstToTake([], async () => "leg"), { code: "edge_unreachable" });
  });
});

describe("relays", () => {
  const told = 'rel="ice-server"; username="17:a"; credential="b+/="; credential-type="password"';

  test("every relay of the header is taken, with its credentials", () => {
    const link = `<turn:t.example.org:3478>; ${told}, <turns:t.example.org?transport=tcp>; ${told}`;
    assert.deepEqual(iceServers(link), [
      { urls: "turn:t.example.org:3478", username: "17:a", credential: "b+/=" },
      { urls: "turns:t.example.org?transport=tcp", username: "17:a", credential: "b+/=" },
    ]);
  });

  test("other links, relays without credentials and no header are no relays", () => {
    const others = ['<https://example.org>; rel="help"', '<turn:a>; rel="ice-server"', `<stun:a>; ${told}`];
    for (const link of [null, "", "nonsense", ...others, others.join(", ")]) {
      assert.deepEqual(iceServers(link), [], String(link));
    }
  });
});

describe("events", () => {
  const names = (told) => told.map(({ type }) => type);

  test("an answer ends with what was heard of it", () => {
    const translator = new Translator();
    const say = (delta) =>
      translator.translate({
        type: "response.output_audio_transcript.delta",
        response_id: "r",
        delta,
      });
    say("one");
    assert.equal(say(" two")[0].detail.text, "one two");
    translator.translate({
      type: "response.output_audio_transcript.done",
      response_id: "r",
      transcript: "one",
    });
    const response = { id: "r", status: "cancelled" };
    const [done] = translator.translate({ type: "response.done", response });
    assert.deepEqual(done.detail, {
      responseId: "r",
      status: "cancelled",
      played: "one two",
      transcript: "one",
    });
    assert.deepEqual(translator.cut(), []);
  });

  test("a cut line ends the answers under way", () => {
    const translator = new Translator();
    translator.translate({ type: "response.created", response: { id: "r" } });
    assert.deepEqual(translator.cut().map(({ detail }) => detail.status), ["lost"]);
  });

  test("unknown and malformed events are nobody's trouble", () => {
    const translator = new Translator();
    assert.deepEqual(translator.translate({ type: "inland.alive" }), []);
    assert.deepEqual(translator.translate({ type: "toString" }), []);
    assert.deepEqual(translator.translate({ type: "__proto__" }), []);
    assert.deepEqual(names(translator.translate({ type: "error" })), ["error"]);
    const [timings] = translator.translate({ type: "inland.turn.timings", endpoint: "x", think: -4 });
    assert.deepEqual([timings.detail.endpoint, timings.detail.think], [0, 0]);
  });

  test("tool arguments are parsed, or left as they are", () => {
    const translate = (args) =>
      new Translator().translate({
        type: "response.function_call_arguments.done",
        arguments: args,
      })[0].detail.arguments;
    assert.deepEqual(translate('{"day": "Tuesday"}'), { day: "Tuesday" });
    assert.equal(translate("{broken"), "{broken");
  });

  test("a bare session is still a session", () => {
    const session = sessionOf({ type: "session.created" });
    assert.deepEqual([session.id, session.turns, session.resumed], ["", [], false]);
  });

  test("typed words are bounded", () => {
    assert.equal(typed("x".repeat(500)).type, "conversation.item.create");
    assert.throws(() => typed("x".repeat(501)), { code: "text_too_long" });
  });
});

describe("errors", () => {
  const answer = (body, status, headers = {}) => new Response(body, { status, headers });

  test("a problem document keeps its code, words and verdicts", async () => {
    const regions = [{ region: "ap-south-1", allowed: false, reason: "law" }];
    const body = JSON.stringify({ code: "no_region_allowed", detail: "Nowhere.", regions });
    const error = await problemOf(answer(body, 403), "X");
    assert.deepEqual(
      [error.code, error.message, error.status, error.regions],
      ["no_region_allowed", "Nowhere.", 403, regions],
    );
    assert.equal(error.later, false);
  });

  test("a proxy's page becomes a readable error", async () => {
    const error = await problemOf(answer("<html>", 502, { "Retry-After": "7" }), "The edge");
    assert.deepEqual(
      [error.code, error.message, error.retryAfter, error.later],
      ["http_502", "The edge answered 502.", 7, true],
    );
  });

  test("verdicts that are none are dropped, and only true allows", () => {
    const given = [null, 3, {}, { region: "a", allowed: "yes" }, { region: "b", allowed: true }];
    assert.deepEqual(
      verdicts(given).map(({ region, allowed }) => [region, allowed]),
      [["a", false], ["b", true]],
    );
  });
});

describe("after a leg has ended", () => {
  test("an edge that failed is outlived once, not when it fails again at once", () => {
    const patience = new Patience();
    assert.equal(patience.resumable("error", 1_000), true);
    assert.equal(patience.resumable("error", 2_000), false);
    assert.equal(patience.resumable("error", 40_000), true);
  });

  test("a draining or lost edge is always left, an ended conversation never", () => {
    const patience = new Patience();
    assert.equal(patience.resumable("draining", 0), true);
    assert.equal(patience.resumable("lost", 0), true);
    for (const over of ["completed", "hangup", "idle", "handover", "taken_over"]) {
      assert.equal(patience.resumable(over, 0), false);
    }
  });
});

describe("replicas", () => {
  const part = (number, at, of, data = "x") => ({
    type: "inland.replica", number, turn: number, part: at, parts: of,
    regions: ["eu-west-1"], data,
  });
  const kept = (...events) => {
    const keeper = new ReplicaKeeper();
    const answers = [];
    const moves = events.map((event) => keeper.received(event, (answer) => answers.push(answer)));
    return { keeper, answers, moved: moves.at(-1) };
  };
  const created = (inland) => ({ type: "session.created", inland });
  const at = (region) => ({ region, node: region, url: `http://${region}`, reason: "" });

  test("an edge that offers to be carried is asked, and no other", () => {
    assert.deepEqual(kept(created({ carry: 1 })).answers, [{ type: "inland.carry" }]);
    assert.deepEqual(kept(created({})).answers, []);
    assert.deepEqual(kept(created({ carry: 2 })).answers, []);
  });

  test("a replica counts once it is whole", () => {
    const half = [part(1, 1, 2, "a"), part(1, 2, 2, "b"), part(2, 1, 2, "c")];
    assert.equal(kept(...half).keeper.held.text, "ab");
    assert.equal(kept(...half, part(2, 2, 2, "d")).keeper.held.text, "cd");
  });

  test("parts that do not fit together are no replica", () => {
    const long = Array.from({ length: 17 }, (_, n) => part(1, n + 1, 17, "x".repeat(MAX_REPLICA / 16)));
    for (const parts of [
      [part(1, 2, 2)],
      [part(1, 1, 3), part(1, 3, 3)],
      [part(1, 1, 2), part(2, 2, 2)],
      long,
    ]) {
      assert.equal(kept(...parts).keeper.held, null);
    }
  });

  test("an edge takes a replica back, and one that offers none ends it", () => {
    assert.equal(kept(part(1, 1, 1), part(2, 0, 0)).keeper.held, null);
    assert.equal(kept(part(1, 1, 1), created({})).keeper.held, null);
    assert.equal(kept(part(7, 1, 1, "whole"), created({ carry: 1 })).keeper.held.text, "whole");
  });

  test("a region sends the call on with the replica that it names", () => {
    const move = (number) => ({ type: "inland.call.move", number, reason: "policy" });
    const told = kept(part(3, 1, 1), move(3));
    assert.equal(told.moved, true);
    assert.deepEqual(told.answers, [{ type: "inland.call.moving", number: 3 }]);
    assert.equal(kept(part(3, 1, 1), move(4)).moved, false);
    assert.equal(kept(move(3)).moved, false);
  });

  test("its own region reads the resume token, another a replica sealed for it", () => {
    const { keeper } = kept(part(1, 1, 1));
    const how = { home: "eu-central-1", moved: false, fresh: true };
    assert.equal(keeper.way(at("eu-central-1"), how), "resume");
    assert.equal(keeper.way(at("eu-west-1"), how), "carry");
    assert.equal(keeper.way(at("eu-west-1"), { ...how, fresh: false }), null);
    assert.equal(keeper.way(at("ap-south-1"), how), null);
    assert.equal(keeper.way(at("eu-central-1"), { ...how, moved: true }), null);
    assert.equal(new ReplicaKeeper().way(at("eu-west-1"), how), "resume");
    assert.equal(new ReplicaKeeper().way(at("eu-west-1"), { ...how, moved: true }), null);
  });

  test("what is shown is the replica with a fresh token, or the resume token alone", () => {
    const { keeper } = kept(part(1, 1, 1, "sealed"));
    assert.deepEqual(keeper.shown("carry", "route", "resume"), { bearer: "route", replica: "sealed" });
    assert.deepEqual(keeper.shown("resume", "route", "resume"), { bearer: "resume" });
  });

  test("a replica that was refused for good is not shown again", () => {
    for (const code of ["bad_replica", "replica_expired", "replica_mismatch", "replica_used"]) {
      const { keeper } = kept(part(1, 1, 1));
      keeper.refused(new InlandError("full", "full"));
      assert.notEqual(keeper.held, null);
      keeper.refused(new InlandError(code, code));
      assert.equal(keeper.held, null);
    }
  });

  test("the search goes home first, then with a fresh placement to another region", async () => {
    const { keeper } = kept(part(1, 1, 1));
    const tried = [];
    const done = await resume({
      placement: { candidates: [at("eu-central-1"), at("eu-west-1")], token: "old", request: {} },
      current: at("eu-central-1"),
      wayTo: (candidate, fresh) =>
        keeper.way(candidate, { home: "eu-central-1", moved: false, fresh }),
      attempt: async ({ node }, _, way, { token }) => {
        tried.push([node, way, token]);
        if (way === "resume") throw new InlandError("edge_unreachable", "gone");
        return "leg";
      },
      replace: async () => ({ candidates: [at("eu-west-1")], token: "new", request: {} }),
      pause: async () => undefined,
      timeIsUp: () => false,
    });
    assert.deepEqual(tried, [["eu-central-1", "resume", "old"], ["eu-west-1", "carry", "new"]]);
    assert.equal(done.way, "carry");
  });

  test("where there is no way at all the search ends at once", async () => {
    await assert.rejects(
      resume({
        placement: { candidates: [at("eu-central-1")], request: {} },
        current: at("eu-central-1"),
        wayTo: () => null,
        attempt: async () => assert.fail("nobody is asked"),
        replace: async () => ({ candidates: [at("eu-west-1")], request: {} }),
        pause: async () => undefined,
        timeIsUp: () => false,
      }),
      ({ code }) => code === "edge_lost",
    );
  });
});
