import { InlandError, problemOf } from "./errors.js";
import { iceServers } from "./relays.js";
import { Watchdog } from "./watchdog.js";

/** How long the edge may take to answer an offer, and then to open the channel. */
const ANSWER_TIMEOUT_MS = 2500;
const OPEN_TIMEOUT_MS = 4000;
/** How long media may take to find a way, when there is a relay to go through instead. */
const DIRECT_TIMEOUT_MS = 3000;
/** How long a relay may take to take us. */
const RELAY_TIMEOUT_MS = 4000;
const WATCH_MS = 250;
/** How long the last words to an edge may take to leave. */
const LINGER_MS = 1000;
/** Where calls are opened on an edge. */
export const CALLS = "/v1/realtime/calls";

/** One media connection to one edge: a peer connection, its event channel, its resource. */
export class Leg {
  #peer;
  #channel;
  #handlers;
  #closed = false;
  /** Whether the edge has relays. */
  #relays = false;
  /** @type {Watchdog|null} */
  #watchdog = null;
  #timer = 0;
  /** @type {string|null} where DELETE goes */
  resource = null;

  /**
   * @param {MediaStreamTrack} track what the caller says
   * @param {RTCIceServer[]|null} relays go through one of these only; null for the direct way
   * @param {{onEvent: (event: Record<string, any>) => void,
   *          onStream: (stream: MediaStream) => void,
   *          onGone: (why: "failed"|"closed") => void}} handlers none is called after `close()`
   */
  constructor(track, relays, handlers) {
    this.#handlers = handlers;
    this.#peer = new RTCPeerConnection({
      // No STUN: an edge has a public address, and learns ours from the first check that arrives.
      iceServers: relays ?? [],
      iceTransportPolicy: relays ? "relay" : "all",
      bundlePolicy: "max-bundle",
    });
    this.#peer.addTransceiver(track, { direction: "sendrecv" });
    this.#peer.ontrack = ({ track: theirs, streams }) =>
      this.#handlers.onStream(streams[0] ?? new MediaStream([theirs]));
    this.#peer.onconnectionstatechange = () => {
      if (this.#peer.connectionState === "failed") this.#gone("failed");
    };
    this.#channel = this.#peer.createDataChannel("oai-events");
    this.#channel.onmessage = ({ data }) => this.#received(data);
    this.#channel.onclose = () => this.#gone("closed");
  }

  /** Whether media goes through a relay. */
  get relayed() {
    return this.#peer.getConfiguration().iceTransportPolicy === "relay";
  }

  /**
   * Offer, and wait for the edge's first event.
   *
   * @param {{url: string, bearer: string, signal: AbortSignal, replica?: string}} where `replica`:
   *   the conversation to go on with, from another region
   * @returns {Promise<void>} when `session.created` has been handed to `onEvent`
   * @throws {InlandError} after which the leg is closed; `media_blocked` when a relay may help
   */
  async open({ url, bearer, signal, replica }) {
    const { promise: created, resolve, reject } = Promise.withResolvers();
    // The promise may fail before anyone waits for it; that is not an unhandled error.
    created.catch(() => undefined);
    const { onEvent, onGone } = this.#handlers;
    this.#handlers = {
      ...this.#handlers,
      onEvent: (event) => {
        onEvent(event);
        if (event.type === "session.created") resolve(undefined);
      },
      onGone: () => reject(new InlandError("edge_unreachable", "The edge closed the connection.")),
    };
    const fail = (/** @type {string} */ code) =>
      reject(new InlandError(code, "The edge answered, but no media came."));
    const bound = ANSWER_TIMEOUT_MS + OPEN_TIMEOUT_MS + (this.relayed ? RELAY_TIMEOUT_MS : 0);
    const late = setTimeout(() => fail("connect_timeout"), bound);
    let blocked = 0;
    const stop = () => reject(new InlandError("aborted", "The call was given up."));
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    try {
      const taken = this.relayed ? this.#relayTakesUs() : null;
      await this.#peer.setLocalDescription(await this.#peer.createOffer());
      await Promise.race([taken, created]);
      const answer = await this.#post(url, bearer, signal, replica);
      if (this.#relays && !this.relayed) {
        blocked = setTimeout(() => this.#unreached && fail("media_blocked"), DIRECT_TIMEOUT_MS);
      }
      await this.#peer.setRemoteDescription({ type: "answer", sdp: answer }).catch((cause) => {
        throw new InlandError("bad_answer", "The edge's answer is not usable SDP.", { cause });
      });
      await created;
      this.#handlers = { ...this.#handlers, onEvent, onGone };
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clearTimeout(late);
      clearTimeout(blocked);
      signal.removeEventListener("abort", stop);
    }
  }

  /** Whether ICE has found no way to the edge so far. */
  get #unreached() {
    return ["new", "checking", "failed"].includes(this.#peer.iceConnectionState);
  }

  /**
   * An edge that reads in the offer that we come through a relay tells an address for relays.
   *
   * @returns {Promise<void>} when a relay has taken us, and the offer says so
   * @throws {InlandError} `connect_timeout`
   */
  #relayTakesUs() {
    return new Promise((resolve, reject) => {
      this.#peer.onicecandidate = ({ candidate }) => {
        if (candidate?.type === "relay") resolve();
        if (!candidate) reject(new InlandError("connect_timeout", "No relay took the call."));
      };
    });
  }

  /**
   * @param {string} url
   * @param {string} bearer
   * @param {AbortSignal} signal
   * @param {string} [replica]
   * @returns {Promise<string>} the SDP answer
   */
  async #post(url, bearer, signal, replica) {
    let response;
    const sdp = this.#peer.localDescription?.sdp ?? "";
    try {
      response = await fetch(url, {
        method: "POST",
        headers: {
          Authorization: `Bearer ${bearer}`,
          ...(replica ? {} : { "Content-Type": "application/sdp" }), // a form names its own
        },
        body: replica ? formOf({ sdp, replica }) : sdp,
        credentials: "omit",
        cache: "no-store",
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]),
      });
    } catch (cause) {
      if (signal.aborted) throw new InlandError("aborted", "The call was given up.", { cause });
      throw new InlandError("edge_unreachable", "The edge did not answer.", { cause });
    }
    if (response.status !== 201) throw await problemOf(response, "The edge");
    const location = response.headers.get("Location");
    if (location) this.resource = new URL(location, url).href;
    this.#relays = iceServers(response.headers.get("Link")).length > 0;
    return response.text();
  }

  /** @param {unknown} data */
  #received(data) {
    this.#watchdog?.heard(performance.now());
    let event;
    try {
      event = JSON.parse(String(data));
    } catch {
      return; // not an event of this protocol; the next one will be
    }
    if (!this.#closed && typeof event?.type === "string") this.#handlers.onEvent(event);
  }

  /** @param {"failed"|"closed"} why */
  #gone(why) {
    if (!this.#closed) this.#handlers.onGone(why);
  }

  /**
   * @param {Record<string, unknown>} event
   * @returns {boolean} whether the channel took it
   */
  send(event) {
    if (this.#channel.readyState !== "open") return false;
    this.#channel.send(JSON.stringify(event));
    return true;
  }

  /**
   * Watch for signs of life until the leg is closed.
   *
   * @param {{silenceMs: number}} bounds
   * @param {(silentMs: number) => void} onDead
   */
  watch(bounds, onDead) {
    const watchdog = new Watchdog(performance.now(), bounds);
    this.#watchdog = watchdog;
    this.#timer = setInterval(async () => {
      const packets = await this.#packetsReceived();
      const silent = this.#closed ? null : watchdog.deadFor(packets, performance.now());
      if (silent !== null) onDead(silent);
    }, WATCH_MS);
  }

  /** @returns {Promise<number>} RTP packets received so far */
  async #packetsReceived() {
    const [receiver] = this.#peer.getReceivers();
    let packets = 0;
    for (const report of (await receiver.getStats()).values()) {
      if (report.type === "inbound-rtp") packets += report.packetsReceived ?? 0;
    }
    return packets;
  }

  /**
   * Let go of the connection. The edge is not told: see {@link hangUp}. Idempotent.
   *
   * @param {boolean} [linger] let what was sent a moment ago leave first
   */
  close(linger = false) {
    this.#closed = true;
    clearInterval(this.#timer);
    if (linger) setTimeout(() => this.#peer.close(), LINGER_MS);
    else this.#peer.close();
  }
}

/** @param {Record<string, string>} fields */
function formOf(fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
}

/**
 * Tell an edge that the call is over (RFC 9725 section 4.2). Best effort: an edge that cannot be
 * reached finds out by silence.
 *
 * @param {string} resource
 * @param {string} bearer
 */
export async function hangUp(resource, bearer) {
  try {
    await fetch(resource, {
      method: "DELETE",
      headers: { Authorization: `Bearer ${bearer}` },
      credentials: "omit",
      // Goes out even while the page is being closed.
      keepalive: true,
    });
  } catch {
    // see above
  }
}
