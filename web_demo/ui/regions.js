import { byId, el } from "./dom.js";

/**
 * @typedef {{id: string, name: string, country: string, jurisdiction: string}} Region
 * @typedef {{region: string, allowed: boolean, reason: string}} Verdict
 */

const BADGES = {
  serving: ["serving", "Serves you"],
  allowed: ["allowed", "Allowed"],
  refused: ["refused", "Refused"],
  open: ["open", "Not decided"],
};

/** The list of regions with what placement said of each, and the badge of the one that serves. */
export class Regions {
  #known;
  #countryNames;
  /** @type {Map<string, Verdict[]>} the last verdicts for each choice of agent and country */
  #verdicts = new Map();

  /**
   * @param {Region[]} known from the page's configuration
   * @param {Map<string, string>} countryNames
   */
  constructor(known, countryNames) {
    this.#known = known;
    this.#countryNames = countryNames;
  }

  /**
   * Keep what placement said for a choice; it is shown again when the choice comes back.
   *
   * @param {string} choice
   * @param {Verdict[]} verdicts
   */
  decided(choice, verdicts) {
    this.#verdicts.set(choice, verdicts);
  }

  /**
   * @param {string} choice
   * @param {string} callerFrom the country's name, for the words above the list
   * @param {string|null} [serving] the region that serves now
   */
  show(choice, callerFrom, serving = null) {
    const verdicts = this.#verdicts.get(choice) ?? [];
    const ids = [
      ...new Set([...verdicts.map(({ region }) => region), ...this.#known.map(({ id }) => id)]),
    ];
    const rows = ids.map((id) => {
      const verdict = verdicts.find(({ region }) => region === id) ?? null;
      return { id, verdict, badge: badgeOf(id, verdict, serving) };
    });
    const order = Object.values(BADGES);
    rows.sort((a, b) => order.indexOf(a.badge) - order.indexOf(b.badge));
    byId("regions").replaceChildren(...rows.map((row) => this.#row(row)));
    byId("territory-lead").textContent = lead(verdicts, callerFrom);
  }

  /** @param {string} id */
  #describe(id) {
    const region = this.#known.find((known) => known.id === id);
    if (!region) return { name: id, where: "" };
    const country = this.#countryNames.get(region.country) ?? region.country;
    const law = region.jurisdiction;
    // A country whose law is its own needs no second mention.
    return { name: region.name, where: law === country ? country : `${country} · ${law}` };
  }

  /** @param {string} id */
  nameOf(id) {
    return this.#describe(id).name;
  }

  /** @param {{id: string, verdict: Verdict|null, badge: string[]}} row */
  #row({ id, verdict, badge: [kind, label] }) {
    const { name, where } = this.#describe(id);
    return el("li", { class: "region", "data-verdict": kind, "data-region": id }, [
      el("div", { class: "region-head" }, [
        el("span", { class: "region-name", text: name }),
        el("span", { class: `badge ${kind}`, text: label }),
      ]),
      el("p", { class: "region-where" }, [name === id ? null : el("code", { text: id }), where]),
      verdict?.reason ? el("p", { class: "region-why", text: verdict.reason }) : null,
    ]);
  }

  /**
   * The badge above the conversation: who serves, under which law.
   *
   * @param {{region: string, node: string}|null} session
   */
  showServing(session) {
    const badge = byId("served");
    badge.hidden = session === null;
    if (session === null) return;
    const { name, where } = this.#describe(session.region);
    badge.title = `node ${session.node}`;
    badge.replaceChildren(el("strong", { text: name }), el("span", { text: where }));
  }
}

/**
 * @param {string} id
 * @param {Verdict|null} verdict
 * @param {string|null} serving
 */
function badgeOf(id, verdict, serving) {
  if (id === serving) return BADGES.serving;
  if (!verdict) return BADGES.open;
  return verdict.allowed ? BADGES.allowed : BADGES.refused;
}

/**
 * @param {Verdict[]} verdicts
 * @param {string} callerFrom
 */
function lead(verdicts, callerFrom) {
  if (verdicts.length === 0) {
    return `When you call from ${callerFrom}, each region is checked against the law there and the contract of who you call.`;
  }
  const allowed = verdicts.filter((verdict) => verdict.allowed).length;
  return `For a call from ${callerFrom}, ${allowed} of ${verdicts.length} regions may hold your voice.`;
}
