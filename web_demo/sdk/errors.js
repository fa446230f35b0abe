/**
 * What can go wrong, in one class with a stable `code`.
 *
 * From the control plane and the edge (docs/protocol.md): `bad_request`, `unknown_key`,
 * `origin_not_allowed`, `no_region_allowed`, `unknown_agent`, `location_unknown`, `rate_limited`,
 * `no_region_available`, `bad_sdp`, `bad_token`, `token_expired`, `token_used`, `wrong_region`,
 * `wrong_tenant`, `wrong_policy`, `unknown_session`, `no_common_codec`, `full`, `draining`, …
 *
 * From this side: `control_plane_unreachable`, `edge_unreachable` (nobody answered), `bad_answer`
 * (the answer is not what the protocol says), `connect_timeout` (no media in time), `media_blocked`
 * (the same, and the next attempt goes through a relay), `edge_lost` (a live call went silent and
 * could not be resumed), `microphone_denied`, `microphone_missing`, `microphone_busy`,
 * `microphone_insecure`, `microphone_lost`, `not_connected`, `text_too_long`, `already_used`,
 * `aborted`, `no_receipt`.
 *
 * @typedef {{region: string, allowed: boolean, reason: string}} RegionVerdict
 */

/** Codes after which another node may still take the call. */
const ELSEWHERE = new Set([
  "full",
  "draining",
  "edge_unreachable",
  "bad_answer",
  "connect_timeout",
  "wrong_policy",
  "wrong_region",
  "wrong_tenant",
  "unknown_session",
  "rate_limited",
]);

/** Codes after which the very same request may succeed a little later. */
const LATER = new Set([
  "full",
  "draining",
  "edge_unreachable",
  "control_plane_unreachable",
  "bad_answer",
  "connect_timeout",
  "media_blocked",
  "rate_limited",
  "no_region_available",
]);

/** An error a program can tell apart and a person can read. */
export class InlandError extends Error {
  /**
   * @param {string} code stable, see above
   * @param {string} message for people
   * @param {{status?: number, regions?: RegionVerdict[], retryAfter?: number|null,
   *          cause?: unknown}} [more] `retryAfter` in seconds
   */
  constructor(code, message, { status = 0, regions = [], retryAfter = null, cause } = {}) {
    super(message, { cause });
    this.name = "InlandError";
    this.code = code;
    this.status = status;
    /** Region by region, why: set when placement was refused. */
    this.regions = regions;
    this.retryAfter = retryAfter;
  }

  /** Whether another node may still take the call. */
  get elsewhere() {
    return ELSEWHERE.has(this.code) || this.status >= 500;
  }

  /** Whether the same request may succeed a little later. */
  get later() {
    return LATER.has(this.code) || this.status >= 500;
  }
}

/**
 * Turn an error answer into an {@link InlandError}; understands RFC 9457 problem documents and
 * survives anything else.
 *
 * @param {Response} response
 * @param {string} who the party that answered, for the message
 * @returns {Promise<InlandError>}
 */
export async function problemOf(response, who) {
  let problem = /** @type {Record<string, unknown>} */ ({});
  try {
    const body = await response.json();
    if (body !== null && typeof body === "object") problem = body;
  } catch {
    // Not JSON: a proxy's page, most likely. The status has to do.
  }
  const seconds = Number(response.headers.get("Retry-After"));
  return new InlandError(
    text(problem.code) || `http_${response.status}`,
    text(problem.detail) || text(problem.title) || `${who} answered ${response.status}.`,
    {
      status: response.status,
      regions: verdicts(problem.regions),
      retryAfter: seconds > 0 ? seconds : null,
    },
  );
}

/**
 * The verdicts in an answer, whatever it holds.
 *
 * @param {unknown} value
 * @returns {RegionVerdict[]}
 */
export function verdicts(value) {
  if (!Array.isArray(value)) return [];
  return value
    .filter((entry) => entry !== null && typeof entry === "object" && text(entry.region))
    .map((entry) => ({
      region: entry.region,
      allowed: entry.allowed === true,
      reason: text(entry.reason),
    }));
}

/**
 * @param {unknown} value
 * @returns {string} the value if it is a string, else ""
 */
export function text(value) {
  return typeof value === "string" ? value : "";
}
