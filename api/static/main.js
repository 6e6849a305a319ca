// The page of a wallboard: one board, as the address of the page asks for it.

import { readAddress } from "./address.js";
import { Board } from "./board.js";

const root = document.getElementById("board");
if (root) {
  const platform = {
    open: (/** @type {string} */ url) => new EventSource(url),
    fetch: (/** @type {string} */ url, /** @type {RequestInit | undefined} */ init) => fetch(url, init),
    now: () => Date.now(),
    random: () => Math.random(),
  };
  const board = new Board(root, readAddress(window.location), platform, {
    language: document.documentElement.lang,
    locales: navigator.languages,
  });
  document.documentElement.lang = root.lang;
  document.documentElement.dir = root.dir;
  board.start();
}
