import { InlandError, problemOf, text, verdicts } from "./errors.js";

/**
 * @typedef {{controlPlane: string, key: string, agent: string, country?: string|null}} Request
 * @typedef {{region: string, node: string, url: string, reason: string}} Candidate
 * @typedef {{sessionId: string, token: string, expiresAt: number, policy: string,
 *            jurisdictions: string[], candidates: Candidate[],
 *            regions: import("./errors.js").RegionVerdict[], request: Request}} Placement
 */

/** How long the control plane may take; it decides in milliseconds. */
const PLACE_TIMEOUT_MS = 5000;

/**
 * Ask the control plane where this call may be served.
 *
 * @param {Request & {signal?: AbortSignal}} request `country` is ISO 3166-1 alpha-2; without it the
 *   control plane decides from what it knows
 * @returns {Promise<Placement>} with at least one candidate, best first
 * @throws {InlandError} `no_region_allowed` and `no_region_available` carry `regions`
 */
export async function place({ controlPlane, key, agent, country = null, signal }) {
  const deadline = AbortSignal.timeout(PLACE_TIMEOUT_MS);
  let response;
  try {
    response = await fetch(new URL("/v1/route", controlPlane), {
      method: "POST",
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
      body: JSON.stringify(country ? { agent, country } : { agent }),
      credentials: "omit",
      cache: "no-store",
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    });
  } catch (cause) {
    if (signal?.aborted) throw new InlandError("aborted", "The call was given up.", { cause });
    throw new InlandError(
      "control_plane_unreachable",
      "The service that finds a region for you did not answer.",
      { cause },
    );
  }
  if (!response.ok) throw await problemOf(response, "The control plane");
  const body = await response.json().catch(() => null);
  const candidates = candidatesOf(body?.candidates);
  if (!text(body?.token) || candidates.length === 0) {
    throw new InlandError("bad_answer", "The control plane's answer names no edge.");
  }
  return Object.freeze({
    sessionId: text(body.session_id),
    token: body.token,
    expiresAt: Number(body.expires_at) || 0,
    policy: text(body.policy),
    jurisdictions: Array.isArray(body.jurisdictions) ? body.jurisdictions.filter(text) : [],
    candidates,
    regions: verdicts(body.regions),
    request: { controlPlane, key, agent, country },
  });
}

/**
 * @param {unknown} value
 * @returns {Candidate[]}
 */
function candidatesOf(value) {
  if (!Array.isArray(value)) return [];
  return value
    .filter((entry) => /^https?:\/\//.test(text(entry?.url)))
    .map((entry) => ({
      region: text(entry.region),
      node: text(entry.node),
      url: entry.url,
      reason: text(entry.reason),
    }));
}
