// The page of a wallboard: one board, as the server or the address of the page says what it shows.

import { readAddress } from "./address.js";
import { Board } from "./board.js";

const root = document.getElementById("board");
const served = document.getElementById("settings");
if (root) {
  const platform = {
    open: (/** @type {string} */ url) => new EventSource(url),
    fetch: (/** @type {string} */ url, /** @type {RequestInit | undefined} */ init) => fetch(url, init),
    now: () => Date.now(),
    random: () => Math.random(),
  };
  const settings = JSON.parse((served && served.textContent) || '{"usual": []}');
  const board = new Board(root, readAddress(window.location, settings), platform, {
    language: document.documentElement.lang,
    locales: navigator.languages,
  });
  document.documentElement.lang = root.lang;
  document.documentElement.dir = root.dir;
  board.start();
}
