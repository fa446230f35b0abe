import { byId } from "./dom.js";
import { ACTIVITY } from "./words.js";

/** @typedef {"idle"|"placing"|"connecting"|"live"|"reconnecting"|"ended"} Phase */

const CALLING = new Set(["placing", "connecting", "live", "reconnecting"]);

/** @param {Phase} phase */
export function isCalling(phase) {
  return CALLING.has(phase);
}

/**
 * Show what can be done in this phase, and keep the keyboard's place: a control that goes away
 * hands the focus to the conversation.
 *
 * @param {Phase} phase
 */
export function showPhase(phase) {
  const calling = isCalling(phase);
  const held = document.activeElement;
  const pageHadFocus = held === null || held === document.body;
  document.body.dataset.phase = phase;
  for (const id of ["call", "call-typing"]) {
    byId(id).hidden = calling;
    byId(id).removeAttribute("disabled");
  }
  byId("call-label").textContent = phase === "ended" ? "Call again" : "Call";
  byId("incall").hidden = !calling;
  for (const id of ["text", "send", "cut"]) byId(id).toggleAttribute("disabled", phase !== "live");
  for (const button of byId("hints").querySelectorAll("button")) {
    button.disabled = phase !== "live";
  }
  const gone = held instanceof HTMLElement && !held.checkVisibility();
  if (phase !== "idle" && (pageHadFocus || gone)) {
    // Not to a button: a key that is still held down would press it.
    byId("conversation").focus({ preventScroll: true });
  }
}

/**
 * What the agent is doing, for eyes; it changes too often to be read out.
 * @param {string} state
 */
export function showActivity(state) {
  const pill = byId("activity");
  pill.dataset.state = state;
  pill.replaceChildren(
    Object.assign(document.createElement("span"), { textContent: ACTIVITY[state] ?? state }),
  );
}

/**
 * The course of the call, read out.
 * @param {string} words
 */
export function showStatus(words) {
  byId("status").textContent = words;
}
