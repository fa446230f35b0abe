/** The page's words for what happened. A code without words falls back to the error's own. */

/** @type {Record<string, {title: string, body?: string}>} */
const ERRORS = {
  no_region_allowed: {
    title: "No region may take this call",
    body:
      "The rules for where you call from, together with this service's own, leave no place " +
      "that may hold your voice. The call was not made, and no sound left your browser. " +
      "The list of regions says why, one by one.",
  },
  no_region_available: {
    title: "The regions that may serve you are not available",
    body:
      "We do not send your call anywhere else instead. Please try again in a little while.",
  },
  location_unknown: { title: "We need to know where you call from" },
  rate_limited: { title: "Too many calls in a short time" },
  origin_not_allowed: { title: "This site may not make calls for this service" },
  control_plane_unreachable: { title: "The service cannot be reached" },
  edge_unreachable: { title: "The region that should serve you did not answer" },
  connect_timeout: {
    title: "The sound could not get through",
    body:
      "The edge answered, but no media came. A firewall that blocks UDP is the usual cause. " +
      "Try another network.",
  },
  edge_lost: { title: "The connection was lost" },
  full: { title: "All lines are busy", body: "Please try again in a moment." },
  draining: { title: "The service is restarting", body: "Please try again in a moment." },
  microphone_denied: {
    title: "The microphone is not allowed",
    body:
      "Your browser blocked it for this page. You can allow it in the address bar and call " +
      "again, or go on by typing: you will still hear the agent.",
  },
  microphone_missing: {
    title: "No microphone was found",
    body: "Connect one and call again, or go on by typing: you will still hear the agent.",
  },
  microphone_busy: {
    title: "The microphone is in use",
    body:
      "Another program holds it. Close that program and call again, or go on by typing: you " +
      "will still hear the agent.",
  },
  microphone_insecure: { title: "The microphone needs a secure page" },
  microphone_lost: { title: "The microphone is gone" },
};

/** @type {Record<string, string>} */
const ENDINGS = {
  completed: "The agent finished the call.",
  handover: "A person takes over from here.",
  hangup: "You hung up.",
  idle: "The call ended because nobody spoke.",
  draining: "The edge restarted and the call could not be moved.",
  lost: "The connection was lost.",
  error: "The call ended because of a fault.",
  taken_over: "This conversation goes on in another window.",
  policy: "The rules on where this call may be handled have changed.",
};

/** @type {Record<string, string>} */
const CAUSES = {
  silent: "The edge went silent.",
  failed: "The connection failed.",
  closed: "The edge closed the connection.",
  draining: "The edge is restarting.",
  lost: "The edge lost you.",
  asked: "Changing the connection.",
  moved: "The rules changed: your call may not stay in its region.",
};

/** @type {Record<string, string>} what the agent is doing, for eyes */
export const ACTIVITY = {
  idle: "Not in a call",
  placing: "Finding a region",
  connecting: "Connecting",
  listening: "Listening",
  hearing: "Hearing you",
  thinking: "Thinking",
  speaking: "Speaking",
  reconnecting: "Reconnecting",
  ended: "Call ended",
};

/**
 * @param {{code: string, message: string, retryAfter?: number|null}} error
 * @returns {{title: string, body: string}}
 */
export function wordsFor({ code, message, retryAfter }) {
  const known = ERRORS[code] ?? { title: "The call could not be made" };
  const wait = retryAfter ? ` Please wait ${Math.ceil(retryAfter)} seconds.` : "";
  return { title: known.title, body: (known.body ?? message) + wait };
}

/**
 * @param {string} name of the region
 * @param {boolean} relayed
 */
export function connectedIn(name, relayed) {
  const detour = " Your network lets no sound through directly: it goes through a relay there.";
  return `Connected in ${name}.${relayed ? detour : ""}`;
}

/**
 * @param {string} name of the region that serves now
 * @param {string|null} from of the region that the call was carried from, if it was
 */
export function goesOnIn(name, from) {
  return from === null ? `served by ${name}` : `moved from ${from} to ${name}`;
}

/** @param {string} reason */
export function ending(reason) {
  return ENDINGS[reason] ?? "The call ended.";
}

/** @param {string} cause */
export function causeOf(cause) {
  return CAUSES[cause] ?? "The connection broke.";
}

/** @param {number} turns that the edge brought along */
export function remembered(turns) {
  return `Remembered: ${turns === 1 ? "1 turn" : `${turns} turns`}.`;
}

/** @param {boolean} on whether the caller's voice is kept from here on */
export function recorded(on) {
  return on ? "From here on you are recorded." : "You are not recorded any more.";
}
