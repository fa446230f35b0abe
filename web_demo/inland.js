/**
 * Inland in a browser: ask where, talk, survive. No dependencies, no build step. How to use it and
 * the events it tells are in web_demo/README.md; the protocol is docs/protocol.md.
 */

import { InlandError } from "./sdk/errors.js";
import { Patience, Translator, sessionOf, typed } from "./sdk/events.js";
import { CALLS, Leg, hangUp } from "./sdk/leg.js";
import { Line, whenLost } from "./sdk/microphone.js";
import { place } from "./sdk/placement.js";
import { relaysOf } from "./sdk/relays.js";
import { ReplicaKeeper } from "./sdk/replica.js";
import { firstToTake, pause, resume } from "./sdk/resume.js";

export { InlandError } from "./sdk/errors.js";
export { microphone } from "./sdk/microphone.js";
export { place } from "./sdk/placement.js";
export { receiptsOf } from "./sdk/receipt.js";

/** @typedef {import("./sdk/placement.js").Placement} Placement */
/** @typedef {import("./sdk/placement.js").Candidate} Candidate `{region, node, url, reason}` */

/** One conversation, over as many connections as it takes. Used once. */
export class InlandCall extends EventTarget {
  #bounds;
  /** @type {"new"|"connecting"|"live"|"reconnecting"|"ended"} */
  #phase = "new";
  #abort = new AbortController();
  #translator = new Translator();
  #line = new Line(null);
  /** @type {Leg|null} */
  #leg = null;
  /** @type {Placement|null} */
  #placement = null;
  /** @type {Candidate|null} */
  #candidate = null;
  /** @type {ReturnType<typeof sessionOf>|null} */
  #session = null;
  #resumeToken = "";
  #muted = false;
  #patience = new Patience();
  #replicas = new ReplicaKeeper();
  /** Whether the next connection goes through a relay. */
  #relay;

  /**
   * @param {{silenceMs?: number, giveUpMs?: number, iceTransportPolicy?: RTCIceTransportPolicy}}
   *   [how] `silenceMs`: an edge without a sign of life is dead; `giveUpMs`: no new round of
   *   reconnecting; `iceTransportPolicy`: `relay` for relays from the start
   */
  constructor({ silenceMs = 3000, giveUpMs = 30_000, iceTransportPolicy = "all" } = {}) {
    super();
    this.#bounds = { silenceMs, giveUpMs };
    this.#relay = iceTransportPolicy === "relay";
  }

  get phase() {
    return this.#phase;
  }

  get muted() {
    return this.#muted;
  }

  /** Who serves now, or null at first. */
  get session() {
    return this.#session;
  }

  /** The node that serves now. */
  get candidate() {
    return this.#candidate;
  }

  /** Whether media goes through a relay, as where a network lets no UDP through. */
  get relayed() {
    return this.#leg?.relayed ?? false;
  }

  /** What proves to an edge that this is the same caller. Empty before the first edge answered. */
  get resumeToken() {
    return this.#resumeToken;
  }

  /**
   * Call the first candidate that takes the call.
   * @param {{placement: Placement, stream?: MediaStream|null}} what `stream` carries the caller's
   *   voice and is stopped when the call ends; null for a call by typing
   * @throws {InlandError} the last candidate's reason; the call has then ended
   */
  async start({ placement, stream = null }) {
    if (this.#phase !== "new") {
      throw new InlandError("already_used", "A call is started once; make a new one.");
    }
    this.#phase = "connecting";
    this.#placement = placement;
    this.#line = new Line(stream);
    whenLost(stream, this.#abort.signal, (error) => this.#tell("error", { error }));
    this.#tell("state", { state: "connecting" });
    const call = (/** @type {Placement} */ { candidates, token }) =>
      firstToTake(candidates, (candidate) => this.#connect(candidate, { bearer: token }, true));
    try {
      const { leg, candidate } = await call(placement).catch(async (error) => {
        if (error?.code !== "media_blocked") throw error;
        // The token is used up, by a call that no media reached.
        this.#placement = await place({ ...placement.request, signal: this.#abort.signal });
        return call(this.#placement);
      });
      this.#adopt(leg, candidate);
    } catch (failure) {
      this.#end("error", failure);
      throw failure;
    }
  }

  /**
   * Stop or resume sending the caller's voice. The line stays open.
   * @param {boolean} on
   */
  mute(on) {
    this.#muted = on;
    this.#line.mute(on);
  }

  /**
   * Say something by typing it.
   *
   * @param {string} words at most 500 characters
   * @throws {InlandError} `not_connected`, `text_too_long`
   */
  sendText(words) {
    this.#send(typed(words));
  }

  /**
   * Make the agent stop speaking.
   * @throws {InlandError} `not_connected`
   */
  interrupt() {
    this.#send({ type: "response.cancel" });
  }

  /** End the call, whatever its phase. Idempotent; never throws. */
  hangUp() {
    if (this.#phase === "ended") return;
    this.#releaseResource();
    this.#end("hangup");
  }

  /**
   * Leave this connection and resume the session on the best node; when its region is lost, carry
   * it to another. The call does so itself when the edge goes silent.
   *
   * @param {string} [cause] told with the `reconnecting` event
   * @param {{leaving?: boolean, silentMs?: number, moved?: boolean}} [how] `leaving`: the node that
   *   served comes last; `silentMs`: how long the line is dead; `moved`: its region is out of bounds
   */
  async reconnect(cause = "asked", { leaving = false, silentMs = 0, moved = false } = {}) {
    const [placement, current] = [this.#placement, this.#candidate];
    if (this.#phase !== "live" || !placement || !current) return;
    this.#phase = "reconnecting";
    this.#letGo(moved);
    for (const told of this.#translator.cut()) this.#tell(told.type, told.detail);
    const home = this.#session?.region ?? "";
    const began = performance.now();
    this.#tell("state", { state: "reconnecting" });
    try {
      const done = await resume({
        placement,
        current,
        leaving,
        wayTo: (candidate, fresh) => this.#replicas.way(candidate, { home, moved, fresh }),
        attempt: (candidate, attempt, way, { token }) => {
          this.#tell("reconnecting", { cause, attempt, ...candidate });
          return this.#connect(candidate, this.#replicas.shown(way, token, this.#resumeToken));
        },
        replace: () => place({ ...placement.request, signal: this.#abort.signal }),
        pause: (ms) => pause(ms, this.#abort.signal),
        timeIsUp: () => performance.now() - began > this.#bounds.giveUpMs,
      });
      this.#placement = done.placement;
      this.#adopt(done.leg, done.candidate);
      const ms = Math.round(silentMs + performance.now() - began);
      const how = { cause, ms, attempts: done.attempts, session: this.#session };
      this.#tell("reconnected", { ...how, carriedFrom: done.way === "carry" ? home : null });
    } catch (cause) {
      const words = "The connection was lost and could not be resumed. Please call again.";
      const error = moved ? null : new InlandError("edge_lost", words, { cause });
      this.#end(moved ? "policy" : "lost", error);
    }
  }

  /**
   * @param {Candidate} candidate
   * @param {{bearer: string, replica?: string}} what the resume token, or a route token alone or
   *   with a conversation from another region
   * @param {boolean} [fresh] a leg that fails half-way is then told to the edge. Not on a resume: a
   *   DELETE would hang up the very session that is to go on
   * @returns {Promise<Leg>}
   */
  async #connect(candidate, what, fresh = false) {
    const where = { url: new URL(CALLS, candidate.url).href, ...what, signal: this.#abort.signal };
    const leg = new Leg(this.#line.track, this.#relay ? await relaysOf(where) : null, {
      onEvent: (event) => this.#received(event, leg),
      onStream: (stream) => this.#tell("audio", { stream }),
      onGone: (why) => void this.reconnect(why),
    });
    try {
      await leg.open(where);
    } catch (error) {
      this.#relay ||= error instanceof InlandError && error.code === "media_blocked";
      if (what.replica) this.#replicas.refused(error);
      if (fresh && leg.resource) void hangUp(leg.resource, what.bearer);
      throw error;
    }
    return leg;
  }

  /**
   * @param {Leg} leg open
   * @param {Candidate} candidate
   */
  #adopt(leg, candidate) {
    if (this.#phase === "ended") {
      leg.close();
      return;
    }
    this.#phase = "live";
    this.#leg = leg;
    this.#candidate = candidate;
    leg.watch(this.#bounds, (silentMs) => void this.reconnect("silent", { silentMs }));
    this.#tell("session", { session: this.#session, candidate, relayed: leg.relayed });
  }

  /** @param {Record<string, any>} event @param {Leg} leg */
  #received(event, leg) {
    if (this.#replicas.received(event, (answer) => void leg.send(answer))) {
      void this.reconnect("moved", { moved: true });
    }
    if (event.type === "session.created") {
      this.#session = sessionOf(event);
      if (typeof event.inland?.resume_token === "string") {
        this.#resumeToken = event.inland.resume_token;
      }
      return;
    }
    if (event.type === "inland.call.ended") {
      const reason = String(event.reason ?? "completed");
      if (this.#phase === "live" && this.#patience.resumable(reason, performance.now())) {
        void this.reconnect(reason, { leaving: reason === "draining" });
      } else {
        this.#end(reason);
      }
      return;
    }
    for (const told of this.#translator.translate(event)) this.#tell(told.type, told.detail);
  }

  /** @param {Record<string, unknown>} event */
  #send(event) {
    if (!this.#leg?.send(event)) {
      throw new InlandError("not_connected", "There is no connection right now.");
    }
  }

  #releaseResource() {
    if (!this.#leg || !this.#candidate) return;
    const known = new URL(`${CALLS}/${this.#session?.callId}`, this.#candidate.url).href;
    void hangUp(this.#leg.resource ?? known, this.#resumeToken || this.#placement?.token || "");
  }

  #letGo(linger = false) {
    this.#leg?.close(linger);
    this.#leg = null;
  }

  /**
   * @param {string} reason
   * @param {unknown} [error]
   */
  #end(reason, error = null) {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    for (const told of this.#translator.cut()) this.#tell(told.type, told.detail);
    this.#abort.abort();
    this.#letGo();
    this.#line.close();
    this.#tell("state", { state: "ended" });
    this.#tell("ended", { reason, error });
  }

  /**
   * @param {string} type
   * @param {Record<string, any>} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
