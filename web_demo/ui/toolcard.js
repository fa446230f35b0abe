import { el, humanised } from "./dom.js";

const MOST_ROWS = 8;
const LONGEST_VALUE = 120;

/**
 * A card for one tool call.
 *
 * @param {{name: string, arguments: unknown}} call
 * @returns {{card: HTMLElement, done: (result: {ok: boolean, output: unknown}) => void}}
 */
export function toolCard({ name, arguments: given }) {
  const badge = el("span", { class: "badge open", text: "Working" });
  const results = el("div", { class: "tool-result" });
  const card = el("li", { class: "tool" }, [
    el("div", { class: "tool-head" }, [
      el("span", { class: "tool-name", text: humanised(name) }),
      badge,
    ]),
    rows(given),
    results,
  ]);
  return {
    card,
    done({ ok, output }) {
      badge.textContent = ok ? "Done" : "Failed";
      badge.className = `badge ${ok ? "allowed" : "refused"}`;
      results.replaceChildren(...[rows(news(output, given))].filter((node) => node !== null));
    },
  };
}

/**
 * What a result tells that the call did not say already.
 *
 * @param {unknown} output
 * @param {unknown} given
 * @returns {unknown}
 */
function news(output, given) {
  if (!isRecord(output) || !isRecord(given)) return output;
  return Object.fromEntries(Object.entries(output).filter(([key, value]) => given[key] !== value));
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * @param {unknown} value
 * @returns {HTMLElement|null}
 */
function rows(value) {
  if (value === null || value === undefined || value === "") return null;
  if (typeof value !== "object") return el("p", { class: "tool-text", text: brief(value) });
  const entries = Object.entries(value).slice(0, MOST_ROWS);
  if (entries.length === 0) return null;
  return el(
    "dl",
    { class: "tool-rows" },
    entries.map(([key, entry]) =>
      el("div", {}, [
        el("dt", { text: humanised(key) }),
        el("dd", { text: brief(entry) }),
      ]),
    ),
  );
}

/** @param {unknown} value */
function brief(value) {
  const words = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return words.length > LONGEST_VALUE ? `${words.slice(0, LONGEST_VALUE)}…` : words;
}
