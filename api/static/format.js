// How a value is written: counts, shares, durations, money, instants; all by the locale (CLDR, through Intl).
// Pure; `null` is "–", which is not 0. Numbers are only shown here, never computed with: money arrives and is compared
// as a decimal string.

/** @typedef {number | string | null | undefined} Value */

export const NOTHING = "–";

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;
// Of a value that is written as it was set: beyond, a sum of such values is not exact itself.
const MOST_DIGITS = 6;

export class Formats {
  /**
   * @param {string} locale
   * @param {string} [timezone] the organisation's; that of the screen until it is known
   */
  constructor(locale, timezone) {
    this.locale = locale;
    this.timezone = timezone;
    /** @type {Map<string, Intl.NumberFormat>} */
    this.numbers = new Map();
    /** @type {Map<string, Intl.DateTimeFormat>} */
    this.instants = new Map();
    // The narrow units are Latin letters in Persian, and in German a letter beside a word.
    this.unitDisplay = /** @type {"narrow" | "short"} */ (/^(fa|de)/.test(locale) ? "short" : "narrow");
    this.list = new Intl.ListFormat(locale, { type: "unit", style: "narrow" });
  }

  /**
   * Ways to write `value`, the most exact first; shorter ones follow for narrow places.
   * @param {Value} value
   * @param {string} unit
   * @param {string} [currency]
   * @param {number | null} [bound] what a percentile is at least that has no value
   * @returns {string[]}
   */
  values(value, unit, currency, bound) {
    if (value === null || value === undefined) {
      return bound === null || bound === undefined ? [NOTHING] : this.values(bound, unit, currency).map((text) => "> " + text);
    }
    if (unit === "ratio") return [this.share(Number(value))];
    if (unit === "seconds") return [this.duration(Number(value))];
    if (unit === "days") return [this.inUnit(Number(value), "day", { maximumFractionDigits: 1 })];
    if (unit === "money") return this.money(value, currency);
    return [
      this.number({ maximumFractionDigits: 1 }).format(Number(value)),
      this.number({ notation: "compact", maximumSignificantDigits: 3 }).format(Number(value)),
    ];
  }

  /**
   * @param {Value} value
   * @param {string} unit
   * @param {string} [currency]
   * @param {number | null} [bound]
   */
  value(value, unit, currency, bound) {
    return this.values(value, unit, currency, bound)[0];
  }

  /**
   * Ways to write what somebody has set, such as a goal: each says that very value; the last is the shortest.
   * @param {Value} value
   * @param {string} unit
   * @param {string} [currency]
   * @returns {string[]}
   */
  exactly(value, unit, currency) {
    if (value === null || value === undefined) return [NOTHING];
    // A part of a goal of more people or days is a count that nobody has set.
    const isShared = !["ratio", "seconds", "days", "money"].includes(unit) && Math.abs(Number(value)) >= 1;
    const number = isShared ? Number(Number(value).toFixed(2)) : Number(value);
    const all = { maximumFractionDigits: MOST_DIGITS };
    if (unit === "ratio") return [this.percent(number * 100, MOST_DIGITS)];
    if (unit === "seconds") return [this.list.format(this.parts(number))];
    if (unit === "days") return [this.inUnit(number, "day", all)];
    const money = unit === "money" ? moneyOf(currency) : {};
    const cents = unit === "money" && number % 1 !== 0 ? {} : { minimumFractionDigits: 0 };
    const whole = this.number({ ...money, ...cents, ...all }).format(number);
    const few = Number(number.toPrecision(4)) === number;
    const short = few ? this.number({ ...money, notation: "compact", minimumFractionDigits: 0, maximumSignificantDigits: 4 }).format(number) : whole;
    return short.length < whole.length ? [whole, short] : [whole];
  }

  /** A duration in all its units, without those of which there is nothing. */
  parts(/** @type {number} */ seconds) {
    const [days, hours, minutes] = [seconds / DAY, (seconds % DAY) / HOUR, (seconds % HOUR) / MINUTE].map(Math.floor);
    const rest = Number((seconds % MINUTE).toFixed(MOST_DIGITS));
    const found = [
      ...(days ? [this.inUnit(days, "day")] : []),
      ...(hours ? [this.inUnit(hours, "hour")] : []),
      ...(minutes ? [this.inUnit(minutes, "minute")] : []),
    ];
    return rest || !found.length ? [...found, this.inUnit(rest, "second", { maximumFractionDigits: MOST_DIGITS })] : found;
  }

  /** 99.96 % is not 100 %, and 0.04 % is not 0 %: the ends of the scale are kept for the exact values. */
  share(/** @type {number} */ share) {
    const percent = share * 100;
    if (percent > 99 && percent < 100) return this.percent(Math.min(99.9, Math.floor(percent * 10) / 10), 1);
    if (percent > 0 && percent < 0.1) return "< " + this.percent(0.1, 1);
    return this.percent(percent, percent > 0 && percent < 10 ? 1 : 0);
  }

  /**
   * @param {number} percent
   * @param {number} digits
   */
  percent(percent, digits) {
    return this.number({ style: "percent", maximumFractionDigits: digits }).format(percent / 100);
  }

  /**
   * @param {number | string} amount
   * @param {string} [currency]
   */
  money(amount, currency) {
    const money = moneyOf(currency);
    const value = Number(amount);
    const cents = Math.abs(value) < 100 && value % 1 !== 0;
    const exact = cents ? money : { ...money, minimumFractionDigits: 0, maximumFractionDigits: 0 };
    /** @type {Intl.NumberFormatOptions} */
    const compact = { ...money, notation: "compact", minimumFractionDigits: 0 };
    return [
      this.number(exact).format(value),
      this.number({ ...compact, maximumSignificantDigits: 4 }).format(value),
      this.number({ ...compact, maximumSignificantDigits: 2 }).format(value),
    ];
  }

  /** Every duration, a running clock too: 42s, 3m 12s, 2h 05m, 3d 4h. */
  duration(/** @type {number} */ seconds) {
    const whole = Math.max(0, Math.round(seconds));
    if (whole < MINUTE) return this.inUnit(whole, "second");
    if (whole < HOUR) return this.pair(whole, MINUTE, "minute", 1, "second", 2);
    if (whole < DAY) return this.pair(whole, HOUR, "hour", MINUTE, "minute", 2);
    return this.pair(whole, DAY, "day", HOUR, "hour", 1);
  }

  /** How long something has been so, in its largest unit: 4s, 12m, 3h, 2d. */
  age(/** @type {number} */ milliseconds) {
    const seconds = Math.max(0, Math.floor(milliseconds / 1000));
    if (seconds < MINUTE) return this.inUnit(seconds, "second");
    if (seconds < HOUR) return this.inUnit(Math.floor(seconds / MINUTE), "minute");
    if (seconds < DAY) return this.inUnit(Math.floor(seconds / HOUR), "hour");
    return this.inUnit(Math.floor(seconds / DAY), "day");
  }

  /** A delay: hundredths of a second while it is short. */
  latency(/** @type {number} */ seconds) {
    if (seconds >= 10) return this.duration(seconds);
    return this.inUnit(seconds, "second", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  }

  count(/** @type {number} */ count) {
    return this.number({ maximumFractionDigits: 0 }).format(count);
  }

  /**
   * hh:mm or hh:mm:ss in the organisation's time zone.
   * @param {number} milliseconds
   * @param {boolean} [withSeconds]
   */
  time(milliseconds, withSeconds) {
    /** @type {Intl.DateTimeFormatOptions} */
    const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    if (withSeconds) options.second = "2-digit";
    return this.instant(options).format(milliseconds);
  }

  /** Wednesday, 18 March */
  date(/** @type {number} */ milliseconds) {
    return this.instant({ weekday: "long", day: "numeric", month: "long" }).format(milliseconds);
  }

  /** 18 Mar */
  day(/** @type {number} */ milliseconds) {
    return this.instant({ day: "numeric", month: "short" }).format(milliseconds);
  }

  /**
   * The order of two names, as the language sorts them.
   * @param {string} one
   * @param {string} other
   */
  compareNames(one, other) {
    return one.localeCompare(other, this.locale);
  }

  /**
   * @param {number} seconds
   * @param {number} large seconds in the large unit
   * @param {string} largeUnit
   * @param {number} small seconds in the small one
   * @param {string} smallUnit
   * @param {number} digits of the small one
   */
  pair(seconds, large, largeUnit, small, smallUnit, digits) {
    return this.list.format([
      this.inUnit(Math.floor(seconds / large), largeUnit),
      this.inUnit(Math.floor((seconds % large) / small), smallUnit, { minimumIntegerDigits: digits }),
    ]);
  }

  /**
   * @param {number} amount
   * @param {string} unit
   * @param {Intl.NumberFormatOptions} [options]
   */
  inUnit(amount, unit, options = {}) {
    return this.number({ style: "unit", unit, unitDisplay: this.unitDisplay, maximumFractionDigits: 0, ...options }).format(amount);
  }

  /** What those who run the floor have written, with the digits of the language. */
  ownDigits(/** @type {string} */ text) {
    return text.replace(/[0-9]/g, (digit) => this.count(Number(digit)));
  }

  number(/** @type {Intl.NumberFormatOptions} */ options) {
    return remembered(this.numbers, JSON.stringify(options), () => makeNumberFormat(this.locale, options));
  }

  instant(/** @type {Intl.DateTimeFormatOptions} */ options) {
    const key = JSON.stringify([options, this.timezone]);
    return remembered(this.instants, key, () => makeInstantFormat(this.locale, options, this.timezone));
  }
}

/**
 * @param {string} [currency]
 * @returns {Intl.NumberFormatOptions}
 */
function moneyOf(currency) {
  return currency ? { style: "currency", currency, currencyDisplay: "narrowSymbol" } : {};
}

/**
 * A time of day; of another day with its date, for 12:03 alone would be believed to be today's.
 * @param {Formats} formats
 * @param {number} at
 * @param {number} now
 */
export function dayAndTime(formats, at, now) {
  const day = formats.day(at);
  return (day === formats.day(now) ? "" : day + " ") + formats.time(at);
}

/**
 * @template T
 * @param {Map<string, T>} known
 * @param {string} key
 * @param {() => T} make
 * @returns {T}
 */
function remembered(known, key, make) {
  let found = known.get(key);
  if (found === undefined) {
    found = make();
    known.set(key, found);
  }
  return found;
}

/**
 * @param {string} locale
 * @param {Intl.NumberFormatOptions} options
 * @returns {Intl.NumberFormat}
 */
function makeNumberFormat(locale, options) {
  try {
    return new Intl.NumberFormat(locale, options);
  } catch (error) {
    // Older browsers know no narrow symbols, and a CRM may name a currency that nobody knows.
    const { currencyDisplay, ...rest } = options;
    if (currencyDisplay) return makeNumberFormat(locale, rest);
    return new Intl.NumberFormat(locale, { ...rest, style: undefined, currency: undefined });
  }
}

/**
 * @param {string} locale
 * @param {Intl.DateTimeFormatOptions} options
 * @param {string} [timezone]
 */
function makeInstantFormat(locale, options, timezone) {
  try {
    return new Intl.DateTimeFormat(locale, { ...options, timeZone: timezone || undefined });
  } catch (error) {
    return new Intl.DateTimeFormat(locale, options);
  }
}

/**
 * Order of two decimals (numbers or strings), exact however long they are: negative, 0 or positive.
 * @param {number | string} left
 * @param {number | string} right
 */
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

function decimalParts(/** @type {number | string} */ decimal) {
  const text = String(decimal);
  // Very small and very large numbers are written with an exponent, which text cannot be compared by.
  const plain = /e/i.test(text) ? Number(text).toFixed(12) : text;
  const [whole, fraction] = plain.replace(/^[-+]/, "").split(".");
  const zero = /^[0.]*$/.test(plain.replace(/^[-+]/, ""));
  return { negative: plain.startsWith("-") && !zero, whole: whole || "0", fraction: fraction || "" };
}
