import { el } from "./dom.js";

/** @type {[string, string, string][]} stage, label, what it is */
const STAGES = [
  ["endpoint", "End of turn", "deciding that you had finished"],
  ["recognise", "Recognise", "making your words final"],
  ["think", "Think", "until the first words of the answer"],
  ["voice", "Voice", "until those words were sound"],
  ["playout", "Playout", "until the sound was on its way"],
];
/** A bar this long fills the width, until a slower turn comes. */
const LEAST_SCALE_MS = 400;

/** Bars for the time of each answer, all on one scale. */
export class TurnBars {
  #scale = LEAST_SCALE_MS;
  /** @type {{bar: HTMLElement, total: number}[]} */
  #bars = [];

  /**
   * @param {Record<string, number>} timings milliseconds, as `inland.turn.timings` gives them
   * @returns {HTMLElement}
   */
  make(timings) {
    const total = timings.total || STAGES.reduce((sum, [stage]) => sum + timings[stage], 0);
    const bar = el("div", { class: "bar", "aria-hidden": "true" });
    const legend = el("dl", { class: "legend" });
    for (const [stage, label, meaning] of STAGES) {
      const piece = el("span", { class: `piece ${stage}` });
      piece.style.flexGrow = String(timings[stage]);
      bar.append(piece);
      legend.append(
        el("div", { title: meaning }, [
          el("dt", {}, [el("i", { class: `dot ${stage}`, "aria-hidden": "true" }), label]),
          el("dd", { text: `${Math.round(timings[stage])} ms` }),
        ]),
      );
    }
    this.#bars.push({ bar, total });
    this.#scale = Math.max(this.#scale, total);
    for (const known of this.#bars) known.bar.style.width = `${(100 * known.total) / this.#scale}%`;
    return el("div", { class: "timings" }, [
      el("p", { class: "total" }, [
        el("span", { text: "Answered in " }),
        el("strong", { text: `${Math.round(total)} ms` }),
      ]),
      bar,
      legend,
    ]);
  }
}
