/** The demo page: the SDK's events on one side, the page's parts on the other. */

import { InlandCall, InlandError, microphone, place } from "./inland.js";
import { Conversation } from "./ui/conversation.js";
import { byId, el } from "./ui/dom.js";
import { listen } from "./ui/keys.js";
import { hideNotice, showNotice } from "./ui/notice.js";
import { isCalling, showActivity, showPhase, showStatus } from "./ui/phase.js";
import { ReceiptPanel } from "./ui/receipt.js";
import { Regions } from "./ui/regions.js";
import { Setup, loadConfig } from "./ui/setup.js";
import { Sound } from "./ui/sound.js";
import { cutOff, showSupport } from "./ui/support.js";
import { causeOf, connectedIn, ending, goesOnIn, recorded, remembered, wordsFor } from "./ui/words.js";

const TEXT = /** @type {HTMLInputElement} */ (byId("text"));

class Page {
  #config;
  #setup;
  #regions;
  #receipt = new ReceiptPanel((region) => this.#regions.nameOf(region));
  #conversation = new Conversation();
  /** @type {import("./ui/phase.js").Phase} */
  #phase = "idle";
  /** @type {InlandCall|null} */
  #call = null;
  #sound = new Sound();
  /** @type {AbortController|null} gives up a call that has not started */
  #placing = null;
  /** @type {ReturnType<Conversation["note"]>|null} tells of a reconnect that is under way */
  #tellReconnect = null;

  /** @param {import("./ui/setup.js").Config} config */
  constructor(config) {
    this.#config = config;
    const names = new Map(config.countries.map(({ code, name }) => [code, name]));
    this.#regions = new Regions(config.regions, names);
    this.#setup = new Setup(config, () => this.#showChoice());
    this.#showChoice();
    this.#wire();
    this.#enter("idle");
    showActivity("idle");
  }

  #wire() {
    byId("call").addEventListener("click", () => void this.#start(true));
    byId("call-typing").addEventListener("click", () => void this.#start(false));
    byId("hangup").addEventListener("click", () => this.#hangUp());
    byId("mute").addEventListener("click", () => this.#toggleMute());
    byId("cut").addEventListener("click", () => void this.#cut());
    byId("typing").addEventListener("submit", (event) => {
      event.preventDefault();
      const words = TEXT.value.trim();
      if (words && this.#say(words)) TEXT.value = "";
    });
    // A page that goes away says goodbye; an edge would otherwise wait for the caller to come back.
    addEventListener("pagehide", () => this.#hangUp());
    listen({
      KeyC: [() => !isCalling(this.#phase), () => void this.#start(true)],
      KeyH: [() => isCalling(this.#phase), () => this.#hangUp()],
      KeyM: [() => isCalling(this.#phase), () => this.#toggleMute()],
      KeyT: [() => this.#phase === "live", () => TEXT.focus()],
    });
  }

  /** @param {import("./ui/phase.js").Phase} phase */
  #enter(phase) {
    this.#phase = phase;
    showPhase(phase);
    this.#setup.lock(isCalling(phase));
    byId("drill").hidden = !(this.#config.drills && (phase === "live" || phase === "reconnecting"));
    byId("empty").hidden = isCalling(phase) || !this.#conversation.isEmpty;
  }

  #showChoice() {
    const { tenant, choice, countryName } = this.#setup;
    const hints = tenant.hint ?? [];
    this.#regions.show(choice, countryName);
    byId("empty-title").textContent = tenant.name;
    byId("empty-words").textContent = hints.length ? "Press Call. You could say:" : "Press Call.";
    byId("examples").replaceChildren(...hints.map((hint) => el("li", { text: `“${hint}”` })));
    byId("hints").replaceChildren(...hints.map((hint) => this.#hint(hint)));
  }

  /** @param {string} hint */
  #hint(hint) {
    const button = el("button", { type: "button", class: "hint", text: hint });
    button.addEventListener("click", () => this.#say(hint));
    return button;
  }

  /** @param {boolean} withVoice */
  async #start(withVoice) {
    if (isCalling(this.#phase)) return;
    hideNotice();
    this.#conversation.clear();
    showSupport("");
    this.#regions.showServing(null);
    this.#enter("placing");
    byId("mute").hidden = !withVoice;
    showActivity("placing");
    showStatus("Finding a region that may serve you…");
    const giveUp = (this.#placing = new AbortController());
    /** @type {MediaStream|null} */
    let stream = null;
    const call = new InlandCall(this.#config);
    try {
      if (withVoice) stream = await microphone();
      const placement = await this.#place(giveUp.signal);
      giveUp.signal.throwIfAborted();
      this.#enter("connecting");
      this.#follow(call);
      this.#receipt.follow(call);
      this.#call = call;
      if (stream) this.#sound.caller(stream);
      showStatus(`Connecting to ${this.#regions.nameOf(placement.candidates[0].region)}…`);
      await call.start({ placement, stream });
    } catch (error) {
      for (const track of stream?.getTracks() ?? []) track.stop();
      if (!giveUp.signal.aborted && call.phase !== "live") this.#refused(error);
    }
  }

  /** @param {AbortSignal} signal */
  async #place(signal) {
    const { tenant, choice, country, countryName } = this.#setup;
    const { controlPlane } = this.#config;
    const { key, agent } = tenant;
    try {
      const placement = await place({ controlPlane, key, agent, country, signal });
      this.#regions.decided(choice, placement.regions);
      this.#regions.show(choice, countryName);
      showSupport(placement.sessionId);
      return placement;
    } catch (error) {
      if (error instanceof InlandError && error.regions.length) {
        this.#regions.decided(choice, error.regions);
        this.#regions.show(choice, countryName);
      }
      throw error;
    }
  }

  /** @param {unknown} error */
  #refused(error) {
    const { code, message, retryAfter } =
      error instanceof InlandError ? error : new InlandError("fault", String(error));
    this.#finish("");
    const type = { label: "Go on by typing", act: () => void this.#start(false) };
    const again = { label: "Try again", act: () => void this.#start(true) };
    if (code.startsWith("microphone")) showNotice(wordsFor({ code, message }), [type, again]);
    else if (code === "no_region_allowed") showNotice(wordsFor({ code, message }));
    else showNotice(wordsFor({ code, message, retryAfter }), [again]);
  }

  /** @param {InlandCall} call */
  #follow(call) {
    const page = this.#conversation;
    /** @type {Record<string, (detail: any) => void>} */
    const told = {
      state: ({ state }) => showActivity(state),
      session: () => this.#connected(call),
      audio: ({ stream }) => void this.#sound.agent(stream),
      partial: (partial) => page.partial(partial),
      transcript: (transcript) => page.transcript(transcript),
      agentbegan: () => page.agentBegan(),
      agentwords: (words) => page.agentWords(words),
      bargein: (cut) => page.bargeIn(cut),
      agentdone: (done) => page.agentDone(done),
      tool: (tool) => page.tool(tool),
      timings: (timings) => page.timings(timings),
      recording: ({ on }) => page.note(recorded(on)),
      handover: () => page.note("A person takes over."),
      reconnecting: (attempt) => this.#reconnecting(attempt),
      reconnected: (how) => this.#reconnected(how),
      error: ({ error }) => showNotice(wordsFor(error)),
      ended: ({ reason, error }) => this.#ended(call, reason, error),
    };
    for (const [type, act] of Object.entries(told)) {
      call.addEventListener(type, (event) => act(/** @type {CustomEvent} */ (event).detail));
    }
  }

  /** @param {InlandCall} call */
  #connected(call) {
    const { session } = call;
    if (!session) return;
    this.#enter("live");
    showActivity("listening");
    this.#regions.showServing(session, call.relayed);
    this.#regions.show(this.#setup.choice, this.#setup.countryName, session.region);
    showSupport(session.id);
    if (this.#conversation.isEmpty) this.#conversation.history(session.turns);
    showStatus(connectedIn(this.#regions.nameOf(session.region), call.relayed));
  }

  /** @param {{cause: string, attempt: number, region: string}} attempt */
  #reconnecting({ cause, attempt, region }) {
    const words = `${causeOf(cause)} Reconnecting, trying ${this.#regions.nameOf(region)}…`;
    if (attempt === 1) {
      this.#enter("reconnecting");
      this.#regions.showServing(null);
      this.#regions.show(this.#setup.choice, this.#setup.countryName);
      showStatus(`${causeOf(cause)} Reconnecting.`);
    }
    this.#tellReconnect ??= this.#conversation.note(words, "busy");
    this.#tellReconnect(words, "busy");
  }

  /** @param {{cause: string, ms: number, carriedFrom: string|null,
   *   session: {region: string, turns: unknown[]}}} how */
  #reconnected({ cause, ms, carriedFrom, session }) {
    const from = carriedFrom === null ? null : this.#regions.nameOf(carriedFrom);
    const where = goesOnIn(this.#regions.nameOf(session.region), from);
    const words = `Back after ${(ms / 1000).toFixed(1)} s, ${where}.`;
    this.#tellReconnect?.(`${causeOf(cause)} ${words} ${remembered(session.turns.length)}`, "good");
    this.#tellReconnect = null;
    showStatus(words);
  }

  /**
   * @param {InlandCall} call
   * @param {string} reason
   * @param {unknown} error
   */
  #ended(call, reason, error) {
    if (this.#call !== call) return;
    // A call that never began is told by whoever started it.
    if (call.session === null) return;
    if (error instanceof InlandError) showNotice(wordsFor(error));
    this.#tellReconnect ??= this.#conversation.note("");
    this.#tellReconnect(ending(reason), reason === "lost" || reason === "error" ? "bad" : "plain");
    this.#tellReconnect = null;
    this.#finish(ending(reason));
  }

  /** @param {string} status */
  #finish(status) {
    this.#sound.stop();
    this.#call = null;
    this.#showMuted(false);
    this.#regions.showServing(null);
    this.#regions.show(this.#setup.choice, this.#setup.countryName);
    showActivity(status ? "ended" : "idle");
    showStatus(status);
    this.#enter(status ? "ended" : "idle");
  }

  #hangUp() {
    this.#placing?.abort();
    const begun = this.#call?.session;
    this.#call?.hangUp();
    // A call that had begun tells its own end.
    if (isCalling(this.#phase) && !begun) this.#finish("You hung up.");
  }

  #toggleMute() {
    if (!this.#call) return;
    this.#call.mute(!this.#call.muted);
    this.#showMuted(this.#call.muted);
  }

  /** @param {boolean} muted */
  #showMuted(muted) {
    byId("mute").setAttribute("aria-pressed", String(muted));
    byId("mic-name").textContent = muted ? "You, muted" : "You";
  }

  /** @param {string} words */
  #say(words) {
    try {
      this.#call?.sendText(words);
    } catch (error) {
      if (error instanceof InlandError) showNotice(wordsFor(error));
      return false;
    }
    this.#conversation.typed(words);
    return true;
  }

  /** Kill the worker that serves this call: a drill, where the demo allows it. */
  async #cut() {
    const { session, candidate, resumeToken } = this.#call ?? {};
    if (!session || !candidate) return;
    byId("cut").setAttribute("disabled", "");
    const done = await cutOff(candidate.url, session.callId, resumeToken ?? "");
    const name = this.#regions.nameOf(session.region);
    const words = done ? `The edge in ${name} was cut off.` : `The edge in ${name} allows no drill.`;
    this.#conversation.note(words, done ? "bad" : "plain");
    if (!done) byId("cut").removeAttribute("disabled");
  }
}

try {
  new Page(await loadConfig());
} catch (error) {
  showNotice({ title: "The page could not be set up", body: String(error) });
  throw error;
}
