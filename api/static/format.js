// How a value is written: counts, shares, durations, money, instants. Pure; `null` is "–", which is not 0.
// Numbers are only shown here, never computed with: money arrives and is compared as a decimal string.

export const NOTHING = "–";

const formatters = new Map();

function numberFormat(options) {
  const key = JSON.stringify(options);
  if (!formatters.has(key)) formatters.set(key, makeNumberFormat(options));
  return formatters.get(key);
}

function makeNumberFormat(options) {
  try {
    return new Intl.NumberFormat(undefined, options);
  } catch (error) {
    // Older browsers know no narrow symbols, and a CRM may name a currency that nobody knows.
    const { currencyDisplay, ...rest } = options;
    if (currencyDisplay) return makeNumberFormat(rest);
    const { style, currency, ...plain } = rest;
    return new Intl.NumberFormat(undefined, plain);
  }
}

/** Ways to write `value`, the most exact first; shorter ones follow for narrow places. */
export function valueTexts(value, unit, currency, bound) {
  if (value === null || value === undefined) {
    return bound === null || bound === undefined ? [NOTHING] : valueTexts(bound, unit, currency).map((text) => "> " + text);
  }
  if (unit === "ratio") return [shareText(Number(value))];
  if (unit === "seconds") return [durationText(Number(value))];
  if (unit === "days") return [numberFormat({ maximumFractionDigits: 1 }).format(Number(value)) + " d"];
  if (unit === "money") return moneyTexts(value, currency);
  return [
    numberFormat({ maximumFractionDigits: 1 }).format(Number(value)),
    numberFormat({ notation: "compact", maximumSignificantDigits: 3 }).format(Number(value)),
  ];
}

export function valueText(value, unit, currency, bound) {
  return valueTexts(value, unit, currency, bound)[0];
}

/** 99.96 % is not 100 %, and 0.04 % is not 0 %: the ends of the scale are kept for the exact values. */
function shareText(share) {
  const percent = share * 100;
  if (percent > 99 && percent < 100) return percentText(Math.min(99.9, Math.floor(percent * 10) / 10), 1);
  if (percent > 0 && percent < 0.1) return "< " + percentText(0.1, 1);
  return percentText(percent, percent > 0 && percent < 10 ? 1 : 0);
}

function percentText(percent, digits) {
  return numberFormat({ style: "percent", maximumFractionDigits: digits }).format(percent / 100);
}

function moneyTexts(amount, currency) {
  const money = currency ? { style: "currency", currency, currencyDisplay: "narrowSymbol" } : {};
  const value = Number(amount);
  const cents = Math.abs(value) < 100 && value % 1 !== 0;
  const exact = cents ? money : { ...money, minimumFractionDigits: 0, maximumFractionDigits: 0 };
  return [
    numberFormat(exact).format(value),
    numberFormat({ ...money, notation: "compact", minimumFractionDigits: 0, maximumSignificantDigits: 4 }).format(value),
    numberFormat({ ...money, notation: "compact", minimumFractionDigits: 0, maximumSignificantDigits: 2 }).format(value),
  ];
}

/** 42s, 3m 12s, 2h 05m, 3d 4h. */
export function durationText(seconds) {
  const whole = Math.round(seconds);
  if (Math.abs(whole) < 60) return whole + "s";
  if (whole < 3600) return Math.floor(whole / 60) + "m " + two(whole % 60) + "s";
  if (whole < 86400) return Math.floor(whole / 3600) + "h " + two(Math.floor((whole % 3600) / 60)) + "m";
  return Math.floor(whole / 86400) + "d " + Math.floor((whole % 86400) / 3600) + "h";
}

/** A running clock: [figures, unit]; mm:ss below an hour, then h:mm, then days. */
export function clockText(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 3600) return [two(Math.floor(seconds / 60)) + ":" + two(seconds % 60), ""];
  if (seconds < 86400) return [Math.floor(seconds / 3600) + ":" + two(Math.floor((seconds % 3600) / 60)), "h"];
  return [Math.floor(seconds / 86400) + "d " + Math.floor((seconds % 86400) / 3600), "h"];
}

/** The age of something, in one unit: 4 s, 12 min, 3 h, 2 d. */
export function ageText(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return seconds + " s";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min";
  if (seconds < 86400) return Math.floor(seconds / 3600) + " h";
  return Math.floor(seconds / 86400) + " d";
}

export function latencyText(seconds) {
  if (seconds < 10) return numberFormat({ minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(seconds) + " s";
  return seconds < 60 ? Math.round(seconds) + " s" : durationText(seconds);
}

export function countText(count) {
  return numberFormat({ maximumFractionDigits: 0 }).format(count);
}

/** hh:mm or hh:mm:ss in the organisation's time zone; in that of the screen if the zone is not known. */
export function timeText(milliseconds, timezone, withSeconds) {
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (withSeconds) options.second = "2-digit";
  return instantFormat(options, timezone).format(milliseconds);
}

export function dateText(milliseconds, timezone) {
  return instantFormat({ weekday: "long", day: "numeric", month: "long" }, timezone).format(milliseconds);
}

/** 18 Mar */
export function dayText(milliseconds, timezone) {
  return instantFormat({ day: "numeric", month: "short" }, timezone).format(milliseconds);
}

function instantFormat(options, timezone) {
  const key = JSON.stringify([options, timezone]);
  if (!formatters.has(key)) formatters.set(key, makeInstantFormat(options, timezone));
  return formatters.get(key);
}

function makeInstantFormat(options, timezone) {
  try {
    return new Intl.DateTimeFormat(undefined, { ...options, timeZone: timezone || undefined });
  } catch (error) {
    return new Intl.DateTimeFormat(undefined, options);
  }
}

function two(number) {
  return String(number).padStart(2, "0");
}

/** Order of two decimals (numbers or strings), exact however long they are: negative, 0 or positive. */
export function compareDecimals(left, right) {
  const a = decimalParts(left);
  const b = decimalParts(right);
  if (a.negative !== b.negative) return a.negative ? -1 : 1;
  const width = Math.max(a.whole.length, b.whole.length);
  const places = Math.max(a.fraction.length, b.fraction.length);
  const x = a.whole.padStart(width, "0") + a.fraction.padEnd(places, "0");
  const y = b.whole.padStart(width, "0") + b.fraction.padEnd(places, "0");
  const order = x < y ? -1 : x > y ? 1 : 0;
  return a.negative ? -order : order;
}

function decimalParts(decimal) {
  const text = String(decimal);
  // Very small and very large numbers are written with an exponent, which text cannot be compared by.
  const plain = /e/i.test(text) ? Number(text).toFixed(12) : text;
  const [whole, fraction] = plain.replace(/^[-+]/, "").split(".");
  const zero = /^[0.]*$/.test(plain.replace(/^[-+]/, ""));
  return { negative: plain.startsWith("-") && !zero, whole: whole || "0", fraction: fraction || "" };
}
