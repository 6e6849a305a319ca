// When something holds by the organisation's clock: scenes, quiet hours, dark hours. Pure.

/**
 * @typedef {object} Moment
 * @property {number} weekday from 0 for Monday
 * @property {number} day of the month
 * @property {number} lastDay of the month
 * @property {number} minute of the day
 */

/**
 * All that is said must hold. Days are first and last of the month, counted from its end if they are negative; hours are
 * minutes of the day, over midnight if the end comes first.
 * @typedef {{ weekdays: number[] | null, days: number[][] | null, hours: number[][] | null }} When
 */

/** Any of them may hold. @typedef {{ hours: number[][], weekdays: number[] }} Times */

/** @type {Map<string, Intl.DateTimeFormat>} */
const FORMATS = new Map();

/**
 * What clock and calendar of a time zone show; without one, those of the screen.
 * @param {number} milliseconds
 * @param {string} [timezone]
 * @returns {Moment}
 */
export function momentAt(milliseconds, timezone) {
  const parts = partsAt(milliseconds, timezone);
  const [year, month, day] = [Number(parts.year), Number(parts.month), Number(parts.day)];
  return {
    weekday: (new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 6) % 7,
    day,
    lastDay: new Date(Date.UTC(year, month, 0)).getUTCDate(),
    minute: (Number(parts.hour) % 24) * 60 + Number(parts.minute),
  };
}

/**
 * The date as it is written in addresses: 2026-03-18.
 * @param {number} milliseconds
 * @param {string} [timezone]
 */
export function dateAt(milliseconds, timezone) {
  const { year, month, day } = partsAt(milliseconds, timezone);
  return [year, month.padStart(2, "0"), day.padStart(2, "0")].join("-");
}

/**
 * @param {number} milliseconds
 * @param {string | undefined} timezone
 * @returns {Record<string, string>}
 */
function partsAt(milliseconds, timezone) {
  /** @type {Record<string, string>} */
  const parts = {};
  for (const { type, value } of formatOf(timezone || "").formatToParts(milliseconds)) parts[type] = value;
  return parts;
}

function formatOf(/** @type {string} */ timezone) {
  let format = FORMATS.get(timezone);
  if (!format) {
    format = makeFormat(timezone || undefined);
    FORMATS.set(timezone, format);
  }
  return format;
}

/** A zone that this browser does not know: that of the screen. @returns {Intl.DateTimeFormat} */
function makeFormat(/** @type {string | undefined} */ timeZone) {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone, calendar: "gregory", numberingSystem: "latn", hourCycle: "h23",
      year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric",
    });
  } catch (error) {
    return makeFormat(undefined);
  }
}

/**
 * @param {When | null} when null: always
 * @param {Moment} moment
 */
export function holds(when, moment) {
  if (when === null) return true;
  if (when.weekdays && !when.weekdays.includes(moment.weekday)) return false;
  if (when.days && !when.days.some((days) => isOnDay(days, moment))) return false;
  return !when.hours || when.hours.some((hours) => isWithin(hours, moment.minute));
}

/**
 * @param {Times} times
 * @param {Moment} moment
 */
export function isAmong(times, moment) {
  return times.weekdays.includes(moment.weekday) || times.hours.some((hours) => isWithin(hours, moment.minute));
}

/**
 * @param {number[]} days
 * @param {Moment} moment
 */
function isOnDay([first, last], moment) {
  const day = first < 0 ? moment.day - moment.lastDay - 1 : moment.day;
  return first <= day && day <= last;
}

/**
 * @param {number[]} hours
 * @param {number} minute
 */
function isWithin([start, end], minute) {
  return start < end ? start <= minute && minute < end : minute >= start || minute < end;
}
