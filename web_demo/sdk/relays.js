/** How long an edge may take to name its relays. */
const TIMEOUT_MS = 2500;

/**
 * Ask an edge for the relays that callers behind networks without UDP go through (RFC 9725,
 * section 4.6). The token opens a call afterwards as before.
 *
 * @param {{url: string, bearer: string, signal: AbortSignal}} where `url` of the edge's calls
 * @returns {Promise<RTCIceServer[]>} none when the edge has none, or does not say
 */
export async function relaysOf({ url, bearer, signal }) {
  try {
    const response = await fetch(url, {
      method: "OPTIONS",
      headers: { Authorization: `Bearer ${bearer}` },
      credentials: "omit",
      cache: "no-store",
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    return response.ok ? iceServers(response.headers.get("Link")) : [];
  } catch {
    return []; // The offer that follows meets the same trouble, and tells it.
  }
}

/**
 * @param {string|null} link a `Link` header (RFC 8288), several joined by commas
 * @returns {RTCIceServer[]} its TURN servers
 */
export function iceServers(link) {
  return (link ?? "").split(/,\s*(?=<)/).flatMap((one) => {
    const [, urls] = /^\s*<(turns?:[^>]+)>/i.exec(one) ?? [];
    const said = Object.fromEntries(
      [...one.matchAll(/;\s*([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    );
    if (!urls || said.rel !== "ice-server" || !said.username || !said.credential) return [];
    return [{ urls, username: said.username, credential: said.credential }];
  });
}
