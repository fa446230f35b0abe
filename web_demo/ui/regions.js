import { byId, el } from "./dom.js";

/**
 * `runs` says that there is an edge to see; `countryName` is for countries that nobody calls from.
 *
 * @typedef {{id: string, name: string, country: string, countryName?: string,
 *            jurisdiction: string, runs?: boolean}} Region
 * @typedef {{region: string, allowed: boolean, reason: string}} Verdict
 * @typedef {{id: string, verdict: Verdict|null, badge: string[]}} Row
 */

const BADGES = {
  serving: ["serving", "Serves you"],
  allowed: ["allowed", "Allowed"],
  refused: ["refused", "Refused"],
  open: ["open", "Not decided"],
};

/** Fewer rows than this are read sooner than unfolded. */
const FOLD_FROM = 4;

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
    const rank = (/** @type {Row} */ row) => 2 * order.indexOf(row.badge) - this.#runs(row.id);
    rows.sort((a, b) => rank(a) - rank(b));
    const near = rows.filter(({ id, badge }) => this.#runs(id) || isOpenTo(badge));
    const far = rows.filter((row) => !near.includes(row));
    const folded = far.length >= FOLD_FROM;
    byId("regions").replaceChildren(...this.#list(folded ? near : rows));
    byId("other-regions").replaceChildren(...this.#list(folded ? far : []));
    byId("others").hidden = !folded;
    byId("others-lead").textContent = othersLead(far, near.length > 0);
    byId("territory-lead").textContent = lead(verdicts, callerFrom);
  }

  /** @param {string} id */
  #runs(id) {
    return this.#known.some((known) => known.id === id && known.runs) ? 1 : 0;
  }

  /** @param {Row[]} rows what rows of one verdict have in common is said once */
  #list(rows) {
    return rows.map((row, at) => {
      const before = rows[at - 1];
      const same = before?.badge === row.badge && ruleOf(before.verdict) === ruleOf(row.verdict);
      return this.#row(row, same ? "" : ruleOf(row.verdict));
    });
  }

  /** @param {string} id */
  #describe(id) {
    const region = this.#known.find((known) => known.id === id);
    if (!region) return { name: id, where: "" };
    const country =
      this.#countryNames.get(region.country) ?? region.countryName ?? region.country;
    const law = region.jurisdiction;
    // A country whose law is its own needs no second mention.
    return { name: region.name, where: law === country ? country : `${country} · ${law}` };
  }

  /** @param {string} id */
  nameOf(id) {
    return this.#describe(id).name;
  }

  /**
   * @param {Row} row
   * @param {string} why
   */
  #row({ id, badge: [kind, label] }, why) {
    const { name, where } = this.#describe(id);
    return el("li", { class: "region", "data-verdict": kind, "data-region": id }, [
      el("div", { class: "region-head" }, [
        el("span", { class: "region-name", text: name }),
        el("span", { class: `badge ${kind}`, text: label }),
      ]),
      el("p", { class: "region-where" }, [name === id ? null : el("code", { text: id }), where]),
      why ? el("p", { class: "region-why", text: why }) : null,
    ]);
  }

  /**
   * The badge above the conversation: who serves, under which law.
   *
   * @param {{region: string, node: string}|null} session
   * @param {boolean} [relayed] whether the voice goes through a relay there
   */
  showServing(session, relayed = false) {
    const badge = byId("served");
    badge.hidden = session === null;
    if (session === null) return;
    const { name, where } = this.#describe(session.region);
    badge.title = `node ${session.node}`;
    const way = relayed ? el("span", { class: "relayed", text: "through a relay" }) : "";
    badge.replaceChildren(el("strong", { text: name }), el("span", { text: where }), way);
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
 * @param {string[]} badge
 * @returns {boolean} whether the caller may be there
 */
function isOpenTo(badge) {
  return badge === BADGES.serving || badge === BADGES.allowed;
}

/**
 * A verdict's reason without the place, which stands in the row.
 *
 * @param {Verdict|null|undefined} verdict
 */
function ruleOf(verdict) {
  return (verdict?.reason ?? "").replace(/^in [^:]+: /, "");
}

/**
 * @param {Row[]} rows
 * @param {boolean} after others
 */
function othersLead(rows, after) {
  const count = after ? `and ${rows.length} others` : `${rows.length} regions`;
  const labels = new Set(rows.map(({ badge: [, label] }) => label.toLowerCase()));
  return labels.size === 1 ? `${count}: ${[...labels][0]}` : count;
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
