// Who waits for an answer: those whose time has run out first, then the longest, each with a clock that runs here,
// corrected by the server's clock. The first one's clock is the largest thing of the tile; who answers is named.

import { sourceText } from "../alerts.js";
import { windowOf } from "../address.js";
import { arrange, element, fillBar, fitNames, fitText, nameElement, rowCapacity, setData, setText } from "../dom.js";
import { icon, setIcon } from "../icons.js";
import { isOfTile, scopeOf, teamsOf } from "../scope.js";

/** @typedef {import("../store.js").Lead} Lead */
/** @typedef {"breached" | "warned" | "waiting"} LeadState */
/** @typedef {ReturnType<typeof makeRow>} LeadRow */

const ROW_REM = 3.4;
const GAP_REM = 0.4;
// What the first row has more than the others.
const HERO_REM = 4;
const NEWS_SHOWN = 8000;
// A page that scrolls may be long, but ends.
const MOST_ROWS = 20;
/** @type {LeadState[]} */
const URGENCY = ["breached", "warned", "waiting"];

export class Leads {
  /**
   * @param {import("./index.js").TileSettings} settings
   * @param {import("./index.js").Context} context
   */
  constructor(settings, context) {
    this.settings = settings;
    this.context = context;
    this.heading = element("h2", "heading");
    this.badges = URGENCY.map(makeBadge);
    this.counts = element("p", "counts", ...this.badges.map((badge) => badge.node));
    this.share = element("strong", "share");
    this.words = element("span", "words");
    this.answered = element("p", "answered", this.share, " ", this.words);
    this.list = element("ol", "rows");
    this.more = element("p", "more");
    this.calm = element("p", "empty");
    this.newsWords = element("span", "words");
    this.news = element("p", "answered-news", icon("done"), this.newsWords);
    this.news.hidden = true;
    this.newsUntil = 0;
    /** @type {Map<string, LeadRow>} */
    this.rows = new Map();
  }

  mount(/** @type {HTMLElement} */ root) {
    this.root = root;
    root.append(element("div", "tile-head", this.heading, this.counts, this.answered), this.news, this.list, this.more, this.calm);
  }

  update(/** @type {import("../differences.js").Differences} */ changed) {
    const { now, store, texts } = this.context;
    const leads = mostUrgentFirst(store.waitingLeads().filter((lead) => isOfTile(this.settings, lead.team)), now);
    this.tellAnswers(changed);
    const shown = leads.slice(0, this.roomFor(leads.length));
    setText(this.heading, texts.say("leads.heading"));
    this.place(shown);
    shown.forEach((lead, index) => this.fill(this.row(lead.lead), lead, index === 0));
    fitNames(shown.map((lead, index) => {
      const { clock, owner } = this.row(lead.lead);
      const key = [this.list.clientWidth, index === 0, (clock.textContent || "").length, owner.textContent].join(" ");
      return { name: owner, key };
    }));
    this.count(leads, shown.length);
    this.showAnswered();
    this.showEmpty(store.hasSnapshot && !leads.length);
  }

  destroy() {
    for (const node of [this.heading.parentElement, this.news, this.list, this.more, this.calm]) if (node) node.remove();
  }

  /** The last one who has answered, for a moment: the floor sees who has taken it. */
  tellAnswers(/** @type {import("../differences.js").Differences} */ changed) {
    const { clock, formats, texts } = this.context;
    for (const { before, after, said } of changed.isFirst ? [] : changed.leads) {
      if (after !== null || before === null || !said || !said.answered_by || !isOfTile(this.settings, before.team)) continue;
      const duration = formats.duration(Math.max(0, Date.parse(said.answered_at || "") - Date.parse(before.started_at)) / 1000);
      setText(this.newsWords, texts.say("leads.answered_by", { name: said.answered_by, duration }));
      this.newsUntil = clock + NEWS_SHOWN;
    }
    this.news.hidden = clock >= this.newsUntil;
  }

  /** The line that says how many more there are takes its room from the list. */
  roomFor(/** @type {number} */ total) {
    if (!this.root) return 0;
    setData(this.root, "more", "0");
    const fitting = Math.min(MOST_ROWS, rowCapacity(this.list, ROW_REM, GAP_REM, HERO_REM));
    if (total <= fitting) return fitting;
    setData(this.root, "more", "1");
    return Math.min(MOST_ROWS, rowCapacity(this.list, ROW_REM, GAP_REM, HERO_REM));
  }

  place(/** @type {Lead[]} */ shown) {
    arrange(this.list, shown.map((lead) => this.row(lead.lead).node));
    const kept = new Set(shown.map((lead) => lead.lead));
    for (const id of Array.from(this.rows.keys())) if (!kept.has(id)) this.rows.delete(id);
  }

  row(/** @type {string} */ id) {
    const row = this.rows.get(id) || makeRow(id);
    this.rows.set(id, row);
    return row;
  }

  /**
   * @param {LeadRow} row
   * @param {Lead} lead
   * @param {boolean} isFirst
   */
  fill(row, lead, isFirst) {
    const { formats, now, store, texts } = this.context;
    const state = stateAt(lead, now);
    const started = Date.parse(lead.started_at);
    setData(row.node, "state", state);
    setIcon(row.sign, state);
    setText(row.word, texts.say(LEAD_WORDS[state]));
    const isNobodys = !lead.rep && !lead.team;
    setText(row.owner, isNobodys ? texts.say("leads.nobody") : store.holderName(lead));
    row.owner.classList.toggle("nobody", isNobodys);
    const source = sourceText(lead.source);
    setText(row.lead, [lead.lead_name, isFirst ? source : ""].filter(Boolean).join(" · "));
    // Beside a name there is no room for both.
    setText(row.source, lead.lead_name ? "" : source);
    fitText(row.clock, [formats.duration(Math.floor(Math.max(0, now - started) / 1000))]);
    const allowed = Date.parse(lead.due_at) - started;
    fillBar(row.bar, state === "breached" ? 1 : allowed > 0 ? Math.max(0, Math.min(1, (now - started) / allowed)) : 0);
  }

  /**
   * @param {Lead[]} leads the most urgent first
   * @param {number} shown how many of them have a row
   */
  count(leads, shown) {
    const { formats, now, texts } = this.context;
    const states = leads.map((lead) => stateAt(lead, now));
    for (const badge of this.badges) {
      const count = states.filter((state) => state === badge.state).length;
      badge.node.hidden = count === 0;
      setText(badge.count, formats.count(count));
      setText(badge.word, texts.say(BADGE_WORDS[badge.state], { count }));
    }
    const hidden = states.slice(shown);
    const values = { count: hidden.length, breached: hidden.filter((state) => state === "breached").length };
    setText(this.more, hidden.length ? texts.say(values.breached ? "leads.more_breached" : "leads.more", values) : "");
  }

  showAnswered() {
    const { catalogue, formats, settings, store, texts } = this.context;
    const scope = scopeOf(store, teamsOf(settings, this.settings), windowOf(this.settings), (metric) => catalogue.isAdditive(metric));
    setText(this.share, formats.value(scope.value("lead_response_within_sla"), "ratio"));
    setText(this.words, texts.say("leads.in_time"));
  }

  showEmpty(/** @type {boolean} */ isEmpty) {
    if (!isEmpty) this.calm.textContent = "";
    else if (!this.calm.firstChild) this.calm.append(icon("done"), element("span", "", this.context.texts.say("leads.none")));
  }
}

/** @type {Record<LeadState, import("../texts.js").TextKey>} */
const LEAD_WORDS = { breached: "leads.breached", warned: "leads.warned", waiting: "leads.waiting" };
/** @type {Record<LeadState, import("../texts.js").TextKey>} */
const BADGE_WORDS = { breached: "leads.count.breached", warned: "leads.count.warned", waiting: "leads.count.waiting" };

/**
 * A lead of five minutes that is overdue must not hide below leads of an hour that only wait. Within a state: as they
 * come.
 * @param {Lead[]} leads
 * @param {number} now
 */
function mostUrgentFirst(leads, now) {
  return leads.slice().sort((one, other) => URGENCY.indexOf(stateAt(one, now)) - URGENCY.indexOf(stateAt(other, now)));
}

/**
 * A lead is breached on the screen in the second its clock runs out, whether the server has said so yet or not.
 * @param {Lead} lead
 * @param {number} now
 * @returns {LeadState}
 */
export function stateAt(lead, now) {
  if (lead.state === "breached" || now >= Date.parse(lead.due_at)) return "breached";
  if (lead.state === "warned" || now >= Date.parse(lead.warn_at || "")) return "warned";
  return "waiting";
}

function makeBadge(/** @type {LeadState} */ state) {
  const count = element("span", "count");
  const word = element("span", "word");
  const node = element("span", "badge", icon(state), count, word);
  setData(node, "state", state);
  return { state, node, count, word };
}

function makeRow(/** @type {string} */ id) {
  const bar = element("span", "bar");
  const sign = icon("waiting");
  const word = element("span", "word");
  const lead = nameElement("lead");
  const owner = nameElement("owner");
  const source = nameElement("source");
  const clock = element("time", "running");
  const node = element("li", "row", element("span", "sign", sign, word), element("span", "who", owner, element("span", "about", lead)), source, clock, bar);
  setData(node, "lead", id);
  return { node, bar, sign, word, owner, lead, source, clock };
}
