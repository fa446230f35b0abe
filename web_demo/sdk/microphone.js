import { InlandError } from "./errors.js";

/** What a telephone does by itself. A test that plays a recording turns these off. */
const PROCESSING = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/** @type {Record<string, [string, string]>} DOMException name to code and words */
const REFUSALS = {
  NotAllowedError: ["microphone_denied", "The browser was not allowed to use the microphone."],
  SecurityError: ["microphone_denied", "The browser was not allowed to use the microphone."],
  NotFoundError: ["microphone_missing", "No microphone was found on this device."],
  OverconstrainedError: ["microphone_missing", "No suitable microphone was found."],
  NotReadableError: ["microphone_busy", "The microphone is in use by another program."],
  AbortError: ["microphone_busy", "The microphone could not be started."],
};

/**
 * Ask for the microphone.
 *
 * @param {MediaTrackConstraints} [constraints] override echo cancellation, noise suppression,
 *   automatic gain (all on by default) or choose a device
 * @returns {Promise<MediaStream>} one audio track; {@link InlandCall} stops it when the call ends
 * @throws {InlandError} `microphone_denied`, `_missing`, `_busy`, or `_insecure` (not HTTPS)
 */
export async function microphone(constraints = {}) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new InlandError(
      "microphone_insecure",
      "Browsers give the microphone only to pages served over HTTPS or from this machine.",
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { ...PROCESSING, channelCount: 1, ...constraints },
      video: false,
    });
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : "";
    const [code, message] = REFUSALS[name] ?? REFUSALS.AbortError;
    throw new InlandError(code, message, { cause });
  }
}

/**
 * Tell when the microphone is unplugged or taken away during a call.
 *
 * @param {MediaStream|null} stream
 * @param {AbortSignal} signal ends the watch
 * @param {(error: InlandError) => void} tell
 */
export function whenLost(stream, signal, tell) {
  const words = "The microphone is gone. You can go on by typing.";
  for (const track of stream?.getAudioTracks() ?? []) {
    const lost = () => tell(new InlandError("microphone_lost", words));
    track.addEventListener("ended", lost, { signal });
  }
}

/** What the caller says; silence from whoever has no microphone. */
export class Line {
  #stream;
  /** @type {ReturnType<typeof silence>|null} */
  #silence = null;

  /** @param {MediaStream|null} stream */
  constructor(stream) {
    this.#stream = stream;
  }

  /** @returns {MediaStreamTrack} */
  get track() {
    const [voice] = this.#stream?.getAudioTracks() ?? [];
    if (voice) return voice;
    this.#silence ??= silence();
    return this.#silence.track;
  }

  /** @param {boolean} on */
  mute(on) {
    for (const track of this.#stream?.getAudioTracks() ?? []) track.enabled = !on;
  }

  close() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#silence?.close();
  }
}

/**
 * A voice for callers without a microphone: silence, so that the edge sees a live line.
 *
 * @returns {{track: MediaStreamTrack, close: () => void}}
 */
function silence() {
  const context = new AudioContext();
  // A destination that nothing feeds produces no frames at all, and so no packets.
  const nothing = new ConstantSourceNode(context, { offset: 0 });
  const line = context.createMediaStreamDestination();
  nothing.connect(line);
  nothing.start();
  const [track] = line.stream.getAudioTracks();
  return {
    track,
    close() {
      track.stop();
      // Closing a context that is closed already is refused; either way it is closed.
      context.close().catch(() => undefined);
    },
  };
}
