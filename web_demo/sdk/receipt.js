import { InlandError } from "./errors.js";

const TIMEOUT_MS = 5000;

/**
 * What one place had of one class of the call's data. Times are Unix seconds, sizes bytes.
 *
 * @typedef {{kind: string, name: string, region: string, endpoint: string, data_class: string,
 *   operation: string, first: number, last: number, sent: number, received: number}} Line
 */
/**
 * What was kept from a place, and by which rule.
 *
 * @typedef {{kind: string, name: string, region: string, data_class: string, reason: string,
 *   count: number}} Refused
 */
/**
 * Where the data of one call was; `allowed` has the regions for each class. A signed one has the
 * number of its leg.
 *
 * @typedef {{call_id: string, region: string, node: string, policy: string,
 *   allowed: Record<string, string[]>, lines: Line[], refused: Refused[], left_out: number,
 *   leg?: number}} Account
 */
/**
 * A session's receipts, oldest first, and its live call. `text` is the edge's answer as it came,
 * which `inland receipt verify` reads: nothing of it is verified here.
 *
 * @typedef {{receipts: Account[], live: Account|null, text: string}} Receipts
 */

/**
 * Where a call's data was, as the edge that served it last tells; also after its end, which the edge
 * signs a moment later.
 *
 * @param {import("../inland.js").InlandCall} call
 * @returns {Promise<Receipts>}
 * @throws {InlandError} `not_connected` before the first edge answered; `no_receipt`: the edge knows
 *   of none, or did not answer
 */
export async function receiptsOf({ session, candidate, resumeToken }) {
  if (!session || !candidate) throw new InlandError("not_connected", "No edge has answered yet.");
  const url = new URL(`/v1/sessions/${encodeURIComponent(session.id)}/receipt`, candidate.url);
  try {
    const response = await fetch(url, {
      headers: { Authorization: `Bearer ${resumeToken}` },
      credentials: "omit",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const text = await response.text();
    const { receipts, live = null } = JSON.parse(text);
    return { receipts: receipts.map(payloadOf), live, text };
  } catch (cause) {
    throw new InlandError("no_receipt", "The edge has no receipt of this session.", { cause });
  }
}

/**
 * What a JWS says (RFC 7515, section 3.1), without a look at its signature.
 *
 * @param {string} signed
 * @returns {Account}
 */
function payloadOf(signed) {
  const body = signed.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}
