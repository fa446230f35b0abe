import { byId } from "./dom.js";

/**
 * Show what a person can tell support: the session's id, which names nobody.
 * @param {string} sessionId
 */
export function showSupport(sessionId) {
  byId("support").hidden = !sessionId;
  byId("session-id").textContent = sessionId;
  byId("copy-session").onclick = async () => {
    try {
      await navigator.clipboard.writeText(sessionId);
      byId("copy-session").textContent = "Copied";
    } catch {
      // The clipboard was refused: select the id, so that a key copies it.
      getSelection()?.selectAllChildren(byId("session-id"));
    }
  };
  byId("copy-session").textContent = "Copy";
}

/**
 * Kill the worker that serves a call. Only a demo's edge agrees to that.
 *
 * @param {string} edge its URL
 * @param {string} callId
 * @param {string} resumeToken proof that the call is ours
 * @returns {Promise<boolean>} false when the edge refused
 */
export async function cutOff(edge, callId, resumeToken) {
  try {
    const response = await fetch(new URL(`/v1/realtime/calls/${encodeURIComponent(callId)}/drill`, edge), {
      method: "POST",
      headers: { Authorization: `Bearer ${resumeToken}` },
      credentials: "omit",
    });
    return response.ok;
  } catch {
    // The worker may die before it answers: that is what was asked for.
    return true;
  }
}
