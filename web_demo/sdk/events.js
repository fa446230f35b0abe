import { InlandError, text } from "./errors.js";

/**
 * @typedef {{type: string, detail: Record<string, any>}} Told what an {@link InlandCall} tells
 */

/** Reasons after which the conversation can go on elsewhere, with the resume token. */
const RESUMABLE = new Set(["draining", "lost"]);

/** An edge that fails again so soon, in milliseconds, has met something a resume does not cure. */
const ERROR_APART_MS = 30_000;

/** Decides whether an ended leg is worth a resume. One per call. */
export class Patience {
  #failedAt = -Infinity;

  /**
   * @param {string} reason of `inland.call.ended`
   * @param {number} now milliseconds, monotonic
   * @returns {boolean} whether to resume
   */
  resumable(reason, now) {
    if (reason !== "error") return RESUMABLE.has(reason);
    const apart = now - this.#failedAt;
    this.#failedAt = now;
    return apart > ERROR_APART_MS;
  }
}

const STAGES = ["endpoint", "recognise", "think", "voice", "playout", "total"];

/** Turns the edge's events into the few that a page needs. Pure, one per call. */
export class Translator {
  /** @type {Map<string, {played: string, heard: string|null}>} answers under way, by response */
  #answers = new Map();

  /**
   * @param {Record<string, any>} event as received; unknown types are nobody's business here
   * @returns {Told[]}
   */
  translate(event) {
    if (!Object.hasOwn(TABLE, event.type)) return this.#answer(event);
    const told = TABLE[event.type](event);
    return told === null ? [] : [told];
  }

  /**
   * The line was cut: answers under way end as far as they were heard.
   * @returns {Told[]}
   */
  cut() {
    return [...this.#answers.keys()].flatMap((id) => this.#finish(id, "lost"));
  }

  /**
   * @param {Record<string, any>} event
   * @returns {Told[]}
   */
  #answer(event) {
    const id = text(event.response_id) || text(event.response?.id);
    switch (event.type) {
      case "response.created":
        this.#answers.set(id, { played: "", heard: null });
        return [told("agentbegan", { responseId: id })];
      case "response.output_audio_transcript.delta": {
        const answer = this.#of(id);
        answer.played += text(event.delta);
        const words = { responseId: id, delta: text(event.delta), text: answer.played };
        return [told("agentwords", words)];
      }
      case "response.output_audio_transcript.done":
        this.#of(id).heard = text(event.transcript);
        return [];
      case "response.done":
        return this.#finish(id, text(event.response?.status) || "completed");
      default:
        return [];
    }
  }

  /** @param {string} id */
  #of(id) {
    const answer = this.#answers.get(id) ?? { played: "", heard: null };
    this.#answers.set(id, answer);
    return answer;
  }

  /**
   * @param {string} id
   * @param {string} status `completed`, `cancelled`, or `lost`
   * @returns {Told[]}
   */
  #finish(id, status) {
    const { played, heard } = this.#of(id);
    this.#answers.delete(id);
    return [told("agentdone", { responseId: id, status, played, transcript: heard ?? played })];
  }
}

/** @type {Record<string, (event: Record<string, any>) => Told|null>} */
const TABLE = {
  "inland.state": ({ state, step, expects }) =>
    // The end is told once, by `ended`.
    state === "ended" ? null : told("state", { state: text(state), step, expects }),
  "input_audio_buffer.speech_started": ({ item_id }) => told("hearing", { itemId: text(item_id) }),
  "inland.transcript.partial": ({ item_id, text: words }) =>
    told("partial", { itemId: text(item_id), text: text(words) }),
  "conversation.item.input_audio_transcription.completed": (event) =>
    told("transcript", {
      itemId: text(event.item_id),
      text: text(event.transcript),
      understood: event.understood !== false,
    }),
  "output_audio_buffer.cleared": ({ response_id }) =>
    told("bargein", { responseId: text(response_id) }),
  "response.function_call_arguments.done": (event) =>
    told("tool", {
      phase: "called",
      callId: text(event.call_id),
      name: text(event.name),
      arguments: parsed(event.arguments),
    }),
  "inland.tool.result": (event) =>
    told("tool", {
      phase: "returned",
      callId: text(event.call_id),
      name: text(event.name),
      ok: event.ok === true,
      output: event.output,
    }),
  "inland.turn.timings": (event) =>
    told("timings", {
      turn: Number(event.turn) || 0,
      ...Object.fromEntries(STAGES.map((stage) => [stage, Math.max(0, Number(event[stage]) || 0)])),
    }),
  "inland.recording": ({ state }) => told("recording", { on: state === "on" }),
  "inland.handover": ({ reason }) => told("handover", { reason: text(reason) }),
  error: ({ error }) =>
    told("error", {
      error: new InlandError(text(error?.code) || "refused", text(error?.message) || "Refused."),
    }),
};

/**
 * What the edge says of itself when the channel opens.
 *
 * @param {Record<string, any>} event `session.created`
 */
export function sessionOf({ session = {}, inland = {} }) {
  return Object.freeze({
    id: text(session.id),
    agent: text(session.agent),
    language: text(session.language),
    callId: text(inland.call_id),
    region: text(inland.region),
    node: text(inland.node),
    policy: text(inland.policy),
    jurisdictions: Array.isArray(inland.jurisdictions) ? inland.jurisdictions.filter(text) : [],
    resumed: inland.resumed === true,
    /** @type {{number: number, caller: string, agent: string}[]} */
    turns: Array.isArray(inland.turns) ? inland.turns : [],
  });
}

/** The longest text a caller may type at once, in characters. */
const MAX_TEXT = 500;

/**
 * @param {string} words
 * @returns {Record<string, unknown>} the event that says them
 * @throws {InlandError} `text_too_long`
 */
export function typed(words) {
  if (words.length > MAX_TEXT) {
    throw new InlandError("text_too_long", `At most ${MAX_TEXT} characters at a time.`);
  }
  const content = [{ type: "input_text", text: words }];
  return { type: "conversation.item.create", item: { type: "message", role: "user", content } };
}

/**
 * @param {unknown} value a JSON string
 * @returns {unknown} what it says, or the string itself
 */
function parsed(value) {
  try {
    return JSON.parse(text(value));
  } catch {
    return text(value);
  }
}

/**
 * @param {string} type
 * @param {Record<string, any>} detail
 * @returns {Told}
 */
function told(type, detail) {
  return { type, detail };
}
