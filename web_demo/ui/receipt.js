import { receiptsOf } from "../inland.js";
import { byId, el, humanised } from "./dom.js";

/** @typedef {import("../sdk/receipt.js").Account} Account */
/** @typedef {import("../sdk/receipt.js").Receipts} Receipts */
/** @typedef {import("../inland.js").InlandCall} InlandCall */

const LIVE_MS = 4000;
/** The edge signs a moment after it said goodbye; how long each look waits for that. */
const WAITS_MS = [300, 700, 1500, 3000];

/** @type {Record<string, string>} */
const KINDS = {
  caller: "Your own line",
  carrier: "Telephone network",
  host: "The node that served you",
  store: "Session store",
  bucket: "Recordings",
  model: "Model",
  webhook: "Webhook",
  stt: "Speech recognition",
  tts: "Voice",
  replica: "What you carry, sealed for another region",
};

/** Where lines end that nobody chose a region for. @type {Record<string, string>} */
const OWN = { caller: "your network", carrier: "your carrier" };

/** Where a session's data was, as its edge tells: so far during a call, signed after it. */
export class ReceiptPanel {
  #nameOf;
  /** @type {InlandCall|null} */
  #call = null;
  #timer = 0;
  #saved = "";

  /** @param {(region: string) => string} nameOf a region's name for people */
  constructor(nameOf) {
    this.#nameOf = nameOf;
    byId("receipt-save").addEventListener("click", () => this.#save());
  }

  /** Show this call from now on, and nothing of the one before. @param {InlandCall} call */
  follow(call) {
    this.#call = call;
    clearTimeout(this.#timer);
    byId("receipt").hidden = true;
    call.addEventListener("session", () => void this.#look(call));
    call.addEventListener("ended", () => void this.#finish(call));
  }

  /** Show what was signed. @param {InlandCall} call */
  async #finish(call) {
    clearTimeout(this.#timer);
    for (const wait of WAITS_MS) {
      await new Promise((done) => setTimeout(done, wait));
      if (this.#call !== call) return;
      const found = await receiptsOf(call).catch(() => null);
      if (this.#call !== call) return;
      if (found?.receipts.some((receipt) => receipt.call_id === call.session?.callId)) {
        this.#show(found);
        return;
      }
    }
    byId("receipt-lead").textContent = "The edge has not given a receipt of this call.";
  }

  /** Show what is known so far, and again after a while. @param {InlandCall} call */
  async #look(call) {
    clearTimeout(this.#timer);
    const visible = document.visibilityState === "visible" && call.phase === "live";
    const found = visible ? await receiptsOf(call).catch(() => null) : null;
    if (this.#call !== call || call.phase === "ended") return;
    if (found?.live) this.#show(found);
    this.#timer = setTimeout(() => void this.#look(call), LIVE_MS);
  }

  /** @param {Receipts} found */
  #show({ receipts, live, text }) {
    this.#saved = text;
    const accounts = live ? [...receipts, live] : receipts;
    byId("receipt").hidden = false;
    byId("receipt-save").hidden = Boolean(live);
    byId("receipt-lead").textContent = live
      ? "So far. The region signs this account when the call ends."
      : `Signed by the region. Policy ${receipts.at(-1)?.policy}.`;
    byId("receipt-places").replaceChildren(
      ...placesOf(accounts).map((place) => this.#place(place)),
      ...refusalsOf(accounts).map((refused) => this.#refusal(refused)),
      ...notesOn(receipts, accounts).map((words) => el("li", { class: "place" }, [
        el("p", { class: "region-why", text: words }),
      ])),
    );
  }

  /** @param {ReturnType<typeof placesOf>[number]} place */
  #place({ kind, name, region, endpoint, outside, sizes }) {
    const where = region ? this.#nameOf(region) : OWN[kind];
    const badge = outside ? "refused" : region ? "allowed" : "open";
    return el("li", { class: "place" }, [
      el("div", { class: "region-head" }, [
        el("span", { class: "region-name", text: titleOf(kind, name) }),
        el("span", {
          class: `badge ${badge}`,
          text: outside ? `${where ?? "nowhere"}: not allowed` : where,
        }),
      ]),
      el("p", { class: "region-where", text: endpoint || (region ? name : "") }),
      el("p", {
        class: "region-why",
        text: [...sizes].map(([data, bytes]) => `${data} ${sizeOf(bytes)}`).join(", "),
      }),
    ]);
  }

  /** @param {import("../sdk/receipt.js").Refused} refused */
  #refusal({ kind, name, region, reason, count }) {
    return el("li", { class: "place" }, [
      el("div", { class: "region-head" }, [
        el("span", { class: "region-name", text: titleOf(kind, name) }),
        el("span", { class: "badge refused", text: `${this.#nameOf(region)}: refused` }),
      ]),
      el("p", { class: "region-why", text: `${reason} (${count === 1 ? "once" : `${count} times`})` }),
    ]);
  }

  #save() {
    const url = URL.createObjectURL(new Blob([this.#saved], { type: "application/json" }));
    const name = `receipt-${this.#call?.session?.id ?? "call"}.json`;
    el("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
}

/**
 * Each place once, with the bytes that went there or came from there by class of data.
 * @param {Account[]} accounts
 */
function placesOf(accounts) {
  /** @type {Map<string, {kind: string, name: string, region: string, endpoint: string,
   *   outside: boolean, sizes: Map<string, number>}>} */
  const places = new Map();
  for (const { lines, allowed } of accounts) {
    for (const { kind, name, region, endpoint, data_class, sent, received } of lines) {
      const key = JSON.stringify([kind, name, region, endpoint]);
      const place =
        places.get(key) ?? { kind, name, region, endpoint, outside: false, sizes: new Map() };
      place.outside ||= !(kind in OWN) && !allowed[data_class]?.includes(region);
      place.sizes.set(data_class, (place.sizes.get(data_class) ?? 0) + sent + received);
      places.set(key, place);
    }
  }
  return [...places.values()];
}

/**
 * Each refusal once, with how often it happened.
 * @param {Account[]} accounts
 */
function refusalsOf(accounts) {
  /** @type {Map<string, import("../sdk/receipt.js").Refused>} */
  const found = new Map();
  for (const one of accounts.flatMap(({ refused }) => refused)) {
    const key = JSON.stringify([one.kind, one.name, one.region, one.reason]);
    found.set(key, { ...one, count: one.count + (found.get(key)?.count ?? 0) });
  }
  return [...found.values()];
}

/**
 * What makes the account less than whole.
 *
 * @param {Account[]} receipts
 * @param {Account[]} accounts
 */
function notesOn(receipts, accounts) {
  const legs = new Set(receipts.map(({ leg = 0 }) => leg));
  const missing = Array.from({ length: Math.max(0, ...legs) }, (_, index) => index + 1)
    .filter((leg) => !legs.has(leg))
    .map((leg) => `Connection ${leg} left no receipt: its node died, or it was never begun.`);
  const leftOut = accounts.reduce((sum, { left_out }) => sum + left_out, 0);
  return leftOut ? [...missing, `${leftOut} entries were left out.`] : missing;
}

/** @param {string} kind @param {string} name */
function titleOf(kind, name) {
  return kind === "tool" ? humanised(name) : (KINDS[kind] ?? humanised(kind));
}

/** @param {number} bytes */
function sizeOf(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
