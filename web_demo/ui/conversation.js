import { byId, el } from "./dom.js";
import { toolCard } from "./toolcard.js";
import { TurnBars } from "./turnbar.js";

const NEAR_END_PX = 80;

/** What was said, as it is said. Screen readers are told final words only. */
export class Conversation {
  #list = byId("turns");
  #scroll = byId("scroll");
  #bars = new TurnBars();
  /** @type {Map<string, HTMLElement>} the caller's utterances under way, by item */
  #callers = new Map();
  /** @type {Map<string, {item: HTMLElement, words: HTMLElement}>} by response */
  #answers = new Map();
  /** @type {Map<string, ReturnType<typeof toolCard>>} by tool call */
  #tools = new Map();
  /** @type {{item: HTMLElement, text: string}[]} typed, and not yet confirmed by the edge */
  #typed = [];
  #atEnd = true;
  /** @type {HTMLElement|null} where timings go */
  #lastAnswer = null;
  /** @type {HTMLElement|null} timings that came before the first word of their answer */
  #early = null;

  constructor() {
    const box = this.#scroll;
    box.addEventListener("scroll", () => {
      this.#atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX;
    });
    // A telephone that is turned, or shows its keyboard: the last words stay in sight.
    new ResizeObserver(() => {
      if (this.#atEnd) box.scrollTop = box.scrollHeight;
    }).observe(box);
  }

  clear() {
    this.#list.replaceChildren();
    this.#bars = new TurnBars();
    this.#callers.clear();
    this.#answers.clear();
    this.#tools.clear();
    this.#typed = [];
    this.agentBegan();
    byId("announce").replaceChildren();
  }

  /**
   * The caller's words so far; later ones replace them.
   * @param {{itemId: string, text: string}} partial
   */
  partial({ itemId, text }) {
    const item = this.#caller(itemId);
    item.classList.add("partial");
    this.#write(item, text);
  }

  /**
   * The caller's words for good.
   * @param {{itemId: string, text: string, understood: boolean}} transcript
   */
  transcript({ itemId, text, understood }) {
    const typed = this.#typed.findIndex((known) => sameWords(known.text, text));
    if (typed >= 0 && !this.#callers.has(itemId)) {
      this.#callers.set(itemId, this.#typed.splice(typed, 1)[0].item);
    }
    const item = this.#caller(itemId);
    this.#callers.delete(itemId);
    item.classList.remove("partial");
    this.#write(item, text || "…");
    if (!understood) item.append(el("p", { class: "aside-note", text: "not understood" }));
    if (text) this.#announce(`You: ${text}`);
  }

  /**
   * Words were typed. An edge may confirm them as a transcript, which then takes their place.
   * @param {string} text
   */
  typed(text) {
    const item = this.#add(message("caller", "You, typing"));
    this.#write(item, text);
    this.#typed.push({ item, text });
  }

  /** An answer begins; its words and its timings are still to come. */
  agentBegan() {
    this.#lastAnswer = null;
    this.#early = null;
  }

  /**
   * The agent's words as far as they have been played.
   * @param {{responseId: string, text: string}} words
   */
  agentWords({ responseId, text }) {
    let answer = this.#answers.get(responseId);
    if (!answer) {
      const item = this.#add(message("agent", "Agent"));
      answer = { item, words: /** @type {HTMLElement} */ (item.querySelector(".words")) };
      this.#answers.set(responseId, answer);
      this.#lastAnswer = item;
      if (this.#early) item.append(this.#early);
      this.#early = null;
    }
    answer.item.classList.add("partial");
    this.#write(answer.item, text);
  }

  /** The caller spoke over the agent. @param {{responseId: string}} cut */
  bargeIn({ responseId }) {
    this.#answers.get(responseId)?.item.classList.add("cut");
  }

  /**
   * The answer is over: what was heard stays, what was cut off is struck.
   *
   * @param {{responseId: string, status: string, played: string, transcript: string}} done
   */
  agentDone({ responseId, status, played, transcript }) {
    if (!this.#answers.has(responseId) && transcript) {
      this.agentWords({ responseId, text: transcript });
    }
    const answer = this.#answers.get(responseId);
    if (!answer) return;
    this.#answers.delete(responseId);
    answer.item.classList.remove("partial");
    const unheard = played.startsWith(transcript) ? played.slice(transcript.length) : "";
    answer.words.replaceChildren(transcript);
    if (unheard.trim()) {
      const note = el("span", { class: "hidden", text: "(not heard:" });
      const close = el("span", { class: "hidden", text: ")" });
      answer.words.append(" ", note, el("s", { text: unheard.trim() }), close);
    }
    if (status !== "completed") {
      const why = status === "lost" ? "the line was cut here" : "you spoke over this";
      answer.item.classList.add("cut");
      answer.item.append(el("p", { class: "aside-note", text: why }));
    }
    if (transcript) this.#announce(`Agent: ${transcript}`);
    this.#follow();
  }

  /** @param {Record<string, any>} tool */
  tool(tool) {
    if (tool.phase === "called") {
      const card = toolCard({ name: tool.name, arguments: tool.arguments });
      this.#tools.set(tool.callId, card);
      this.#add(card.card);
    } else {
      if (!this.#tools.has(tool.callId)) this.tool({ ...tool, phase: "called", arguments: null });
      this.#tools.get(tool.callId)?.done({ ok: tool.ok, output: tool.output });
      this.#follow();
    }
  }

  /** @param {Record<string, any>} timings */
  timings(timings) {
    const bars = this.#bars.make(timings);
    if (this.#lastAnswer) this.#lastAnswer.append(bars);
    else this.#early = bars;
    this.#follow();
  }

  /**
   * Something happened between the words.
   *
   * @param {string} text
   * @param {"plain"|"good"|"bad"|"busy"} [kind]
   * @returns {(text: string, kind: "plain"|"good"|"bad"|"busy") => void} says how it went on
   */
  note(text, kind = "plain") {
    const item = el("li");
    const write = (/** @type {string} */ words, /** @type {string} */ how) => {
      item.className = `event ${how}`;
      item.textContent = words;
      this.#follow();
    };
    this.#add(item);
    write(text, kind);
    return write;
  }

  /** @param {{number: number, caller: string, agent: string}[]} turns of before */
  history(turns) {
    for (const { caller, agent } of turns) {
      if (caller) this.#write(this.#add(message("caller", "You")), caller);
      if (agent) this.#write(this.#add(message("agent", "Agent")), agent);
    }
  }

  get isEmpty() {
    return this.#list.childElementCount === 0;
  }

  /** @param {string} itemId */
  #caller(itemId) {
    const item = this.#callers.get(itemId) ?? this.#add(message("caller", "You"));
    this.#callers.set(itemId, item);
    return item;
  }

  /** @param {HTMLElement} item @param {string} text */
  #write(item, text) {
    const words = item.querySelector(".words");
    if (words && words.textContent !== text) words.textContent = text;
    this.#follow();
  }

  /** @param {HTMLElement} item */
  #add(item) {
    this.#list.append(item);
    this.#follow();
    return item;
  }

  /** Stay at the end, unless the reader has scrolled back. */
  #follow() {
    const box = this.#scroll;
    const last = this.#list.lastElementChild;
    const height = last instanceof HTMLElement ? last.offsetHeight : 0;
    const below = box.scrollHeight - box.scrollTop - box.clientHeight;
    if (below < NEAR_END_PX + height) box.scrollTop = box.scrollHeight;
  }

  /** @param {string} words */
  #announce(words) {
    const region = byId("announce");
    region.append(el("p", { text: words }));
    while (region.childElementCount > 4) region.firstElementChild?.remove();
  }
}

/**
 * @param {string} one
 * @param {string} other
 */
function sameWords(one, other) {
  const words = (/** @type {string} */ text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return words(one).join(" ") === words(other).join(" ");
}

/** @param {"caller"|"agent"} side @param {string} who */
function message(side, who) {
  return el("li", { class: `message ${side}` }, [
    el("p", { class: "who", text: who }),
    el("p", { class: "words" }),
  ]);
}
