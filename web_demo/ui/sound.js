import { byId } from "./dom.js";
import { Meters } from "./meter.js";
import { showNotice } from "./notice.js";

/** The agent's voice in the loudspeaker, and both voices on the meters. */
export class Sound {
  #speaker = /** @type {HTMLAudioElement} */ (byId("agent-audio"));
  /** @type {Meters|null} */
  #meters = null;

  /** @param {MediaStream} stream from the microphone */
  caller(stream) {
    this.#watch("mic-meter", stream);
  }

  /** @param {MediaStream} stream from the edge; after a reconnect, from the next one */
  async agent(stream) {
    this.#speaker.srcObject = stream;
    this.#watch("agent-meter", stream);
    try {
      await this.#speaker.play();
    } catch (error) {
      // Anything else means that a newer stream or the end of the call came first.
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      showNotice(
        { title: "The browser holds back the sound", body: "Allow it, to hear the agent." },
        [{ label: "Play the sound", act: () => void this.#speaker.play() }],
      );
    }
  }

  /** Silence, and meters at rest. */
  stop() {
    this.#meters?.close();
    this.#meters = null;
    this.#speaker.srcObject = null;
  }

  /**
   * @param {string} id
   * @param {MediaStream} stream
   */
  #watch(id, stream) {
    this.#meters ??= new Meters();
    this.#meters.watch(/** @type {HTMLMeterElement} */ (byId(id)), stream);
  }
}
