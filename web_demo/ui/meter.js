/** How fast a needle falls back, per frame. */
const FALL = 0.86;
/** Speech at a usual distance is near -25 dBFS; the scale runs from -60 to 0 dBFS. */
const FLOOR_DB = -60;
/** Between two readings where motion is unwelcome. */
const CALM_MS = 250;

/**
 * @param {Float32Array} samples
 * @returns {number} level from 0 (-60 dBFS or less) to 1 (0 dBFS)
 */
export function levelOf(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const db = 10 * Math.log10(sum / samples.length + 1e-12);
  return Math.min(1, Math.max(0, 1 - db / FLOOR_DB));
}

/** Moves `<meter>` elements with the sound of media streams, until it is closed. */
export class Meters {
  #context = new AudioContext();
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  /** @type {Map<HTMLMeterElement, {analyser: AnalyserNode, source: AudioNode}>} */
  #watched = new Map();
  #frame = 0;
  #lastDraw = 0;

  constructor() {
    this.#draw(0);
  }

  /**
   * @param {HTMLMeterElement} meter
   * @param {MediaStream} stream replaces the one watched before
   */
  watch(meter, stream) {
    this.#watched.get(meter)?.source.disconnect();
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 1024;
    const source = this.#context.createMediaStreamSource(stream);
    source.connect(analyser);
    this.#watched.set(meter, { analyser, source });
  }

  /** @param {number} now */
  #draw(now) {
    this.#frame = requestAnimationFrame((next) => this.#draw(next));
    if (this.#calm.matches && now - this.#lastDraw < CALM_MS) return;
    this.#lastDraw = now;
    for (const [meter, { analyser }] of this.#watched) {
      const samples = new Float32Array(analyser.fftSize);
      analyser.getFloatTimeDomainData(samples);
      meter.value = Math.max(levelOf(samples), meter.value * FALL);
    }
  }

  /** Stop drawing and let go of the streams. */
  close() {
    cancelAnimationFrame(this.#frame);
    for (const [meter, { source }] of this.#watched) {
      source.disconnect();
      meter.value = 0;
    }
    this.#watched.clear();
    // A context that is closed already refuses; either way it is closed.
    this.#context.close().catch(() => undefined);
  }
}
