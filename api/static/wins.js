// What was won, in words: of lists and of celebrations. Pure.

/** @typedef {import("./store.js").Win} Win */

/**
 * @param {Win} win
 * @param {import("./tiles/index.js").Context} context
 * @returns {{ who: string, what: string, named: string, amount: string }} `named`: what is left to say of what it was
 *   below a heading that says the cause
 */
export function winWords(win, { catalogue, formats, store, texts }) {
  // Whose name the screen may not say comes without one.
  const whole = win.team ? store.teamName(win.team) : win.name || store.organisation.name || "";
  const who = win.rep ? win.name || "" : whole;
  const amount = win.amount ? formats.money(win.amount, win.currency || store.organisation.currency)[0] : "";
  if (win.cause === "deal_won") return { who, what: win.deal_name || texts.say("win.deal_won"), named: win.deal_name || "", amount };
  const goal = win.metric ? catalogue.label(win.metric) : win.goal || "";
  if (win.cause === "goal_reached") return { who, what: texts.say("win.goal_reached", { goal }), named: goal, amount };
  const what = texts.say("win.milestone", { goal, share: formats.share(win.milestone || 0) });
  return { who, what, named: what, amount };
}
