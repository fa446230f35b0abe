import { byId, el } from "./dom.js";

/**
 * @typedef {{id: string, name: string, agent: string, key: string, hint?: string[]}} Tenant
 * @typedef {{controlPlane: string, drills?: boolean, silenceMs?: number,
 *            iceTransportPolicy?: RTCIceTransportPolicy, tenants: Tenant[],
 *            countries: {code: string, name: string}[], defaultCountry: string,
 *            regions: import("./regions.js").Region[]}} Config
 */

/**
 * @returns {Promise<Config>}
 * @throws {Error} when the page's server gives none
 */
export async function loadConfig() {
  const response = await fetch("./config.json", { cache: "no-store" });
  if (!response.ok) throw new Error(`config.json: ${response.status}`);
  return response.json();
}

/** Whom to call, and from where. */
export class Setup {
  #config;
  #onChange;

  /**
   * @param {Config} config
   * @param {() => void} onChange
   */
  constructor(config, onChange) {
    this.#config = config;
    this.#onChange = onChange;
    byId("tenants").replaceChildren(...config.tenants.map((tenant, at) => choice(tenant, at === 0)));
    const countries = [...config.countries].sort((a, b) => a.name.localeCompare(b.name));
    const select = /** @type {HTMLSelectElement} */ (byId("country"));
    select.replaceChildren(
      ...countries.map(({ code, name }) => el("option", { value: code, text: name })),
    );
    select.value = config.defaultCountry;
    byId("setup").addEventListener("change", () => this.#onChange());
  }

  /** @returns {Tenant} */
  get tenant() {
    const chosen = document.querySelector('input[name="tenant"]:checked');
    const id = chosen instanceof HTMLInputElement ? chosen.value : "";
    return this.#config.tenants.find((tenant) => tenant.id === id) ?? this.#config.tenants[0];
  }

  get country() {
    return /** @type {HTMLSelectElement} */ (byId("country")).value;
  }

  get countryName() {
    const { code, name } = this.#config.countries.find((known) => known.code === this.country) ?? {
      code: this.country,
      name: this.country,
    };
    return name || code;
  }

  /** What verdicts are kept for. */
  get choice() {
    return `${this.tenant.id}/${this.country}`;
  }

  /** @param {boolean} locked during a call */
  lock(locked) {
    /** @type {HTMLFieldSetElement} */ (byId("setup")).disabled = locked;
  }
}

/**
 * @param {Tenant} tenant
 * @param {boolean} first
 */
function choice(tenant, first) {
  const input = /** @type {HTMLInputElement} */ (
    el("input", { type: "radio", name: "tenant", value: tenant.id })
  );
  input.checked = first;
  return el("label", { class: "choice" }, [input, el("span", { text: tenant.name })]);
}
