/**
 * Tells a dead edge from a silent agent. Pure: the caller brings the time and the packet count.
 *
 * A live edge sends audio or, each second, `inland.alive`. `RTCPeerConnection.connectionState`
 * notices a vanished peer only after many seconds, so what counts here is the last sign of life.
 */
export class Watchdog {
  #silenceMs;
  #lateMs;
  #packets = 0;
  #lastSign;
  #lastCheck;

  /**
   * @param {number} now milliseconds, monotonic
   * @param {{silenceMs?: number, lateMs?: number}} [bounds] `silenceMs` without a sign of life
   *   means dead; a check that comes `lateMs` after the one before starts afresh, for then it was
   *   this machine that slept
   */
  constructor(now, { silenceMs = 3000, lateMs = 2000 } = {}) {
    this.#silenceMs = silenceMs;
    this.#lateMs = lateMs;
    this.#lastSign = now;
    this.#lastCheck = now;
  }

  /**
   * An event arrived.
   * @param {number} now
   */
  heard(now) {
    this.#lastSign = now;
  }

  /**
   * Look at the packet counter.
   *
   * @param {number} packets received since the leg began
   * @param {number} now
   * @returns {number|null} for how long the edge has been silent, in milliseconds, if it is dead
   */
  deadFor(packets, now) {
    const late = now - this.#lastCheck > this.#lateMs;
    if (packets !== this.#packets || late) this.#lastSign = now;
    this.#packets = packets;
    this.#lastCheck = now;
    const silent = now - this.#lastSign;
    return silent >= this.#silenceMs ? silent : null;
  }
}
