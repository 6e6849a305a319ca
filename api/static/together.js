// What several teams have together, of answers that the api gives for each of them. Pure.

/** @typedef {import("./store.js").Value} Value */

/**
 * @typedef {object} Step
 * @property {string} step
 * @property {string} label
 * @property {number | null} entered null where not all of the window is kept
 * @property {number} advanced
 * @property {number} lost
 * @property {number} open
 * @property {number | null} conversion
 */

/** @typedef {{ steps: Step[], worst: string | null }} FunnelAnswer */
/** @typedef {{ from: string, value: Value }} Point */

// Of fewer nobody can say where most are lost; as the api has it.
const ENOUGH = 20;

/**
 * The steps of several teams' funnels, which are the same; null: one of them has no answer.
 * @param {(FunnelAnswer | null)[]} answers
 * @returns {FunnelAnswer | null}
 */
export function stepsTogether(answers) {
  const found = answers.filter((answer) => answer !== null);
  if (found.length < answers.length || !found.length) return null;
  const [first, ...others] = /** @type {FunnelAnswer[]} */ (found);
  if (!others.length) return first;
  const steps = first.steps.map((step, place) => others.reduce((sum, { steps: more }) => added(sum, more[place]), step));
  /** @type {string | null} */
  let worst = null;
  let most = -1;
  for (const { step, entered, lost } of steps) {
    if (entered === null || entered < ENOUGH || lost / entered <= most) continue;
    most = lost / entered;
    worst = step;
  }
  return { steps, worst };
}

/**
 * @param {Step} one
 * @param {Step | undefined} other
 * @returns {Step}
 */
function added(one, other) {
  if (!other || one.entered === null || other.entered === null) return { ...one, entered: null };
  const sum = {
    ...one, entered: one.entered + other.entered, advanced: one.advanced + other.advanced, lost: one.lost + other.lost,
    open: one.open + other.open,
  };
  // The last step leads nowhere: it has none in any of them.
  const isLast = one.conversion === null && other.conversion === null;
  return { ...sum, conversion: isLast || !sum.entered ? null : sum.advanced / sum.entered };
}

/**
 * The days of several teams' series, which are the same, added up; null: one of them has no answer. What cannot be added
 * up is not known.
 * @param {({ points: Point[] } | null)[]} answers
 * @param {boolean} isAdditive
 * @returns {Point[] | null}
 */
export function pointsTogether(answers, isAdditive) {
  const found = answers.filter((answer) => answer !== null);
  if (found.length < answers.length || !found.length) return null;
  const [first, ...others] = /** @type {{ points: Point[] }[]} */ (found);
  if (!others.length) return first.points || [];
  return first.points.map((point, place) => {
    const values = [point.value, ...others.map(({ points }) => (points[place] ? points[place].value : null))];
    const isKnown = isAdditive && values.every((value) => value !== null);
    return { ...point, value: isKnown ? values.reduce((/** @type {number} */ sum, value) => sum + Number(value), 0) : null };
  });
}
