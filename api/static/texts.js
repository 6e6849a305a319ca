// What the board says, in its language. Each language is one file in texts/, and one line here.

import * as de from "./texts/de.js";
import * as en from "./texts/en.js";
import * as fa from "./texts/fa.js";
import * as id from "./texts/id.js";
import * as ms from "./texts/ms.js";
import * as zhHans from "./texts/zh-Hans.js";
import * as zhHant from "./texts/zh-Hant.js";

/** @typedef {keyof typeof en.TEXTS} TextKey */
/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Text */
/** @typedef {{ LANGUAGE: string, DIRECTION: string, TEXTS: Record<TextKey, Text>, METRICS: Record<string, string> }} Language */

/** @type {Record<string, Language>} */
export const LANGUAGES = { de, en, fa, id, ms, "zh-Hans": zhHans, "zh-Hant": zhHant };

/** The language that is asked for, or the nearest there is: `de-AT` is `de`, one that nobody has written is English. */
export function languageOf(/** @type {string} */ wanted) {
  return LANGUAGES[wanted] || LANGUAGES[wanted.split("-")[0]] || en;
}

/**
 * What numbers and dates are written by. Words and numbers speak one language; where the browser names its region
 * (`en-GB`), that decides how the language writes them.
 * @param {string} language
 * @param {readonly string[]} preferred the browser's languages
 * @returns {string}
 */
export function localeOf(language, preferred) {
  return preferred.find((locale) => locale === language || locale.startsWith(language + "-")) || language;
}

export class Texts {
  /**
   * @param {Language} language
   * @param {string} [locale] how numbers in texts are written
   */
  constructor(language, locale = language.LANGUAGE) {
    this.language = language;
    this.plurals = new Intl.PluralRules(locale);
    this.numbers = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  }

  /** Whether there is a text of this name: names of windows and levels come from outside. */
  has(/** @type {string} */ key) {
    return Object.prototype.hasOwnProperty.call(this.language.TEXTS, key);
  }

  /**
   * The text `key`, said with `values`; `count` decides between one and many.
   * @param {TextKey} key
   * @param {Record<string, string | number>} [values]
   * @returns {string}
   */
  say(key, values = {}) {
    const text = this.language.TEXTS[key];
    const words = typeof text === "string" ? text : text[this.plurals.select(Number(values.count))] || text.other || "";
    return words.replace(/\{(\w+)\}/g, (_, name) => {
      const value = values[name];
      return typeof value === "number" ? this.numbers.format(value) : value || "";
    });
  }

  /** A window by its name, as a heading. */
  window(/** @type {string} */ name) {
    const key = "window." + name;
    return this.has(key) ? this.say(/** @type {TextKey} */ (key)) : name;
  }

  /**
   * A step of a funnel: one that is called by its name, as floorcast names those of leads, is said in this language; what
   * somebody has called otherwise is left as it is.
   * @param {{ step: string, label: string }} step
   */
  step({ step, label }) {
    const key = "step." + step;
    const isNamed = label === step.charAt(0).toUpperCase() + step.slice(1);
    return isNamed && this.has(key) ? this.say(/** @type {TextKey} */ (key)) : label;
  }

  /** What a shipped metric is called in this language; nothing: as the catalogue calls it. */
  metric(/** @type {string} */ name) {
    const { METRICS } = this.language;
    return Object.prototype.hasOwnProperty.call(METRICS, name) ? METRICS[name] : "";
  }

  /** Names in quotation marks, with commas. */
  quoted(/** @type {readonly string[]} */ names) {
    return names.map((name) => this.say("quoted", { name })).join(", ");
  }
}
