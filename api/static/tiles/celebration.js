// The celebration over the whole screen: who, and how much. Of many it says how many.

import { arrange, element, nameElement, setData, setText } from "../dom.js";
import { icon } from "../icons.js";
import { Portrait } from "../portrait.js";
import { winWords } from "../wins.js";

/** @typedef {import("../store.js").Win} Win */

const MOST_NAMED = 5;
/** @type {Record<string, import("../texts.js").TextKey>} */
const HEADINGS = { deal_won: "celebrate.deal_won", goal_reached: "celebrate.goal_reached", milestone: "celebrate.milestone" };

export class Celebration {
  constructor(/** @type {import("./index.js").Context} */ context) {
    this.context = context;
    this.heading = element("h2", "celebration-heading");
    this.list = element("ul", "celebration-list");
    this.sound = element("p", "celebration-sound");
    this.node = element("section", "celebration", icon("won"), this.heading, this.list, this.sound);
    this.node.setAttribute("role", "status");
    this.node.hidden = true;
  }

  /** Shows these wins; none: nothing is celebrated. */
  show(/** @type {Win[]} */ wins) {
    this.node.hidden = !wins.length;
    if (!wins.length) {
      this.caption("");
      return;
    }
    const { texts } = this.context;
    const heading = HEADINGS[wins[0].cause] || HEADINGS.milestone;
    setData(this.node, "many", String(wins.length > 1));
    setText(this.heading, wins.length === 1 ? texts.say(heading) : texts.say("celebrate.many", { count: wins.length }));
    arrange(this.list, wins.length > MOST_NAMED ? [] : wins.map((win) => this.line(win, wins.length === 1)));
  }

  /** Says what is heard, for who cannot hear it; empty: nothing is. */
  caption(/** @type {string} */ sound) {
    setText(this.sound, sound && this.context.texts.say("celebrate.sound", { sound }));
  }

  /**
   * @param {Win} win
   * @param {boolean} isAlone whether the heading says what has happened
   */
  line(win, isAlone) {
    const { who, what, named, amount } = winWords(win, this.context);
    const node = element("li", "celebration-line");
    const portrait = new Portrait();
    portrait.show(this.context.settings, win.rep ? who : "", win.photo);
    node.append(portrait.node);
    const name = nameElement("who-won");
    setText(name, who);
    node.append(name, element("span", "amount", amount), element("span", "what name-text", isAlone ? named : what));
    return node;
  }
}
