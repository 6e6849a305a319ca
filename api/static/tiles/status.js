// The time of day, and in one word whether the screen can be believed.

import { element, icon, setIcon, setText } from "../dom.js";
import { timeText } from "../format.js";
import { WORDS } from "../freshness.js";

export function create(root, board) {
  const clock = element("time", "clock");
  const sign = icon("delayed");
  const word = element("span", "word");
  const state = element("p", "state", sign, word);
  state.setAttribute("role", "status");
  root.append(clock, state);

  function render(store, now) {
    setText(clock, timeText(now, store.organisation.timezone, false));
    setIcon(sign, board.state);
    setText(word, store.hasSnapshot || board.state === "disconnected" ? WORDS[board.state] : "Connecting");
  }

  return { render, tick: render };
}
