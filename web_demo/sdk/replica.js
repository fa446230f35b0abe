import { InlandError, text } from "./errors.js";

/**
 * The conversation as its caller carries it: sealed for other regions, in memory and nowhere else.
 *
 * @typedef {{number: number, turn: number, regions: string[], text: string}} Held
 * @typedef {import("./placement.js").Candidate} Candidate
 */

/** The version that this client carries; it never looks inside. */
const FORMAT = 1;
/** Longest replica that is kept, in characters. */
export const MAX_REPLICA = 256 * 1024;
/** Answers after which a replica is of no more use. */
const SPENT = new Set(["bad_replica", "replica_expired", "replica_mismatch", "replica_used"]);

/** Keeps the newest whole replica of one call, over all its connections. */
export class ReplicaKeeper {
  /** @type {Held|null} */
  held = null;
  #number = 0;
  /** @type {string[]} */
  #parts = [];

  /**
   * Take an event of the edge, if it is of replicas.
   *
   * @param {Record<string, any>} event
   * @param {(answer: Record<string, unknown>) => void} answer to the edge
   * @returns {boolean} whether the edge sends the call to another region, and there is what to
   *   take along
   */
  received(event, answer) {
    switch (event.type) {
      case "session.created":
        // Another edge counts anew. What is whole stays, unless nothing may be carried any more.
        this.#forgetParts();
        if (event.inland?.carry === FORMAT) answer({ type: "inland.carry" });
        else this.drop();
        return false;
      case "inland.replica":
        this.#feed(event);
        return false;
      case "inland.call.move":
        if (!this.held || this.held.number !== event.number) return false;
        answer({ type: "inland.call.moving", number: event.number });
        return true;
      default:
        return false;
    }
  }

  /** @param {Record<string, any>} event */
  #feed({ number, turn, part, parts, regions, data }) {
    if (parts === 0) return this.drop();
    if (part === 1) {
      this.#forgetParts();
      this.#number = number;
    }
    const fits = number === this.#number && part === this.#parts.length + 1;
    this.#parts.push(text(data));
    const whole = this.#parts.join("");
    if (!fits || whole.length > MAX_REPLICA) return this.#forgetParts();
    if (part !== parts) return;
    const names = Array.isArray(regions) ? regions.filter(text) : [];
    this.held = { number, turn: Number(turn) || 0, regions: names, text: whole };
  }

  #forgetParts() {
    this.#number = -1;
    this.#parts = [];
  }

  /** Keep nothing: the edge said so, or another refused it for good. */
  drop() {
    this.held = null;
    this.#forgetParts();
  }

  /**
   * How the conversation can go on at a candidate. Its own region reads its resume token, and no
   * other does; a replica goes only where it is sealed for, with a route token that is fresh.
   *
   * @param {Candidate} candidate
   * @param {{home: string, moved: boolean, fresh: boolean}} how `home`: the region it was in;
   *   `moved`: which may not have it any more
   * @returns {"resume"|"carry"|null} null: not at all
   */
  way({ region }, { home, moved, fresh }) {
    if (!this.held) return moved ? null : "resume";
    if (region === home) return moved ? null : "resume";
    return fresh && this.held.regions.includes(region) ? "carry" : null;
  }

  /**
   * What to show an edge.
   *
   * @param {string} way as {@link way} said
   * @param {string} routeToken fresh
   * @param {string} resumeToken
   * @returns {{bearer: string, replica?: string}}
   */
  shown(way, routeToken, resumeToken) {
    if (way === "resume" || !this.held) return { bearer: resumeToken };
    return { bearer: routeToken, replica: this.held.text };
  }

  /** An edge refused the replica. @param {unknown} error */
  refused(error) {
    if (error instanceof InlandError && SPENT.has(error.code)) this.drop();
  }
}
