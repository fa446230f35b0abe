import { InlandError } from "./errors.js";

/**
 * @typedef {import("./placement.js").Candidate} Candidate
 * @typedef {import("./placement.js").Placement} Placement
 */

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 4000;

/**
 * The pause before a round of attempts: none before the first, then doubling up to four seconds.
 *
 * @param {number} round counts from 0
 * @returns {number} milliseconds
 */
export function pauseBefore(round) {
  return round === 0 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (round - 1), LONGEST_PAUSE_MS);
}

/**
 * The candidates in the order to try: the node that served first, then the others as given.
 *
 * @param {Candidate[]} candidates
 * @param {Candidate} current
 * @param {boolean} leaving the node said itself that it goes away, so it comes last
 * @returns {Candidate[]}
 */
export function inOrder(candidates, current, leaving) {
  const others = candidates.filter((candidate) => candidate.url !== current.url);
  return leaving ? [...others, current] : [current, ...others];
}

/**
 * Call the first candidate that takes the call.
 *
 * @template Leg
 * @param {Candidate[]} candidates
 * @param {(candidate: Candidate) => Promise<Leg>} attempt
 * @returns {Promise<{leg: Leg, candidate: Candidate}>}
 * @throws {InlandError} the last candidate's reason
 */
export async function firstToTake(candidates, attempt) {
  /** @type {unknown} */
  let failure = new InlandError("edge_unreachable", "The placement names no edge.");
  for (const candidate of candidates) {
    try {
      return { leg: await attempt(candidate), candidate };
    } catch (error) {
      failure = error;
      if (!(error instanceof InlandError) || !error.elsewhere) break;
    }
  }
  throw failure;
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>} after `ms`
 * @throws {InlandError} `aborted`, as soon as the signal says so
 */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new InlandError("aborted", "The call was given up."));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

/**
 * Try to go on somewhere: the same node, the other candidates, then the nodes of a new placement;
 * again with growing pauses, until one answers, no retry can help, or the time is up. How to go on
 * at a node may differ once a placement is fresh; where there is no way the node is passed over.
 *
 * @template Leg
 * @param {object} way
 * @param {Placement} way.placement what is known now
 * @param {Candidate} way.current the node that served
 * @param {boolean} [way.leaving] see {@link inOrder}
 * @param {(candidate: Candidate, fresh: boolean) => string|null} [way.wayTo]
 * @param {(candidate: Candidate, attempt: number, way: string, placement: Placement) =>
 *   Promise<Leg>} way.attempt
 * @param {() => Promise<Placement>} way.replace ask the control plane again
 * @param {(ms: number) => Promise<void>} way.pause rejects when the call is given up
 * @param {() => boolean} way.timeIsUp
 * @returns {Promise<{leg: Leg, candidate: Candidate, placement: Placement, attempts: number,
 *   way: string}>}
 * @throws {InlandError} the last failure, or `aborted`
 */
export async function resume({
  placement,
  current,
  leaving = false,
  wayTo = () => "resume",
  attempt,
  replace,
  pause,
  timeIsUp,
}) {
  let known = placement;
  let attempts = 0;
  for (let round = 0; ; round += 1) {
    await pause(pauseBefore(round));
    const failures = /** @type {InlandError[]} */ ([]);
    const tried = new Set();
    const tryAll = async (/** @type {Candidate[]} */ candidates, /** @type {boolean} */ fresh) => {
      for (const candidate of candidates) {
        const way = wayTo(candidate, fresh);
        if (way === null || tried.has(`${way} ${candidate.url}`)) continue;
        tried.add(`${way} ${candidate.url}`);
        attempts += 1;
        try {
          const leg = await attempt(candidate, attempts, way, known);
          return { leg, candidate, placement: known, attempts, way };
        } catch (error) {
          failures.push(giveUpOnAbort(error));
        }
      }
      return null;
    };
    let done = await tryAll(inOrder(known.candidates, current, leaving), false);
    if (done) return done;
    try {
      known = await replace();
      done = await tryAll(known.candidates, true);
      if (done) return done;
    } catch (error) {
      failures.push(giveUpOnAbort(error));
    }
    if (timeIsUp() || !failures.some((failure) => failure.later)) {
      throw failures.at(-1) ?? new InlandError("edge_lost", "There is nowhere to go on.");
    }
  }
}

/**
 * @param {unknown} error
 * @returns {InlandError} never `aborted`, which ends the search at once
 */
function giveUpOnAbort(error) {
  if (!(error instanceof InlandError) || error.code === "aborted") throw error;
  return error;
}
