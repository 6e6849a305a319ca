// The wallboard: reads its configuration from the address, connects the stream to the store and the store to the tiles.
// What is shown is decided in tiles/, how it is written in format.js, when it is old in freshness.js.

import { setData } from "./dom.js";
import { boardState } from "./freshness.js";
import { Catalogue } from "./metrics.js";
import { Store } from "./store.js";
import { Stream } from "./stream.js";
import { TILES } from "./tiles/index.js";

const RENDER_PAUSE = 150;
const CATALOGUE_PAUSE = 30000;
const RELOAD_PAUSE = 60000;
const SHIFT_PAUSE = 180000;
// Few pixels, in a round that comes back: nothing burns in, nothing is seen to move.
const SHIFTS = [[0, 0], [2, 1], [4, 2], [3, 4], [1, 3], [-1, 4], [-3, 2], [-4, 0], [-2, -2], [0, -4], [2, -3], [4, -1]];

const address = new URLSearchParams(window.location.search);
// Every request says which screen asks: of the cookies that this browser holds, only that screen's counts.
const screen = decodeURIComponent(window.location.pathname.split("/").pop());

const board = {
  teams: listParameter("teams"),
  metrics: listParameter("metrics"),
  metric: address.get("metric") || "calls_made",
  window: address.get("window") || "today",
  title: address.get("title") || "",
  catalogue: new Catalogue(),
  state: "delayed",
  asOf: Date.now(),
  isCalm: () => window.matchMedia("(prefers-reduced-motion: reduce)").matches,
};

const store = new Store(board.window);
const stream = new Stream(streamAddress(), receive, scheduleRender);
const tiles = Array.from(document.querySelectorAll("[data-tile]")).map((root) => TILES[root.dataset.tile].create(root, board));

let skew = 0;
let firstBuild = null;
let renderTimer = null;
let renderedAt = 0;
let catalogueAskedAt = 0;

function listParameter(name) {
  return (address.get(name) || "").split(",").map((part) => part.trim()).filter((part) => part);
}

function streamAddress() {
  const query = new URLSearchParams({ windows: board.window, screen });
  if (board.teams.length) query.set("teams", board.teams.join(","));
  return "/v1/stream?" + query;
}

/** The server's clock: television clocks are often minutes off. */
function serverNow() {
  return Date.now() + skew;
}

function receive(kind, data, receivedAt) {
  const served = Date.parse(data.server_time);
  if ((kind === "snapshot" || kind === "freshness") && !Number.isNaN(served)) skew = served - receivedAt;
  board.asOf = receivedAt + skew;
  store.apply(kind, data);
  if (kind === "snapshot") {
    askCatalogue();
    reloadIfRebuilt(data.build);
  }
  scheduleRender();
}

/** A new build is served: take it. At most once a minute, in case two servers of different builds answer in turn. */
function reloadIfRebuilt(build) {
  if (!build) return;
  if (firstBuild === null) firstBuild = build;
  if (build === firstBuild) return;
  // The window's name outlives a reload, also on televisions that allow no storage.
  if (Math.abs(Date.now() - Number(window.name)) < RELOAD_PAUSE) return;
  window.name = String(Date.now());
  window.location.reload();
}

function askCatalogue() {
  if (board.catalogue.isLoaded || Date.now() - catalogueAskedAt < CATALOGUE_PAUSE) return;
  catalogueAskedAt = Date.now();
  fetch("/v1/metrics?" + new URLSearchParams({ screen }), { credentials: "same-origin" })
    .then((answer) => (answer.ok ? answer.json() : null))
    .then((answer) => {
      if (!answer) return;
      board.catalogue.load(answer);
      scheduleRender();
    })
    .catch(() => {}); // the shipped names and units do until the next try
}

/** Values may change a thousand times a second; the screen a few times. */
function scheduleRender() {
  if (renderTimer !== null) return;
  renderTimer = setTimeout(render, Math.max(0, RENDER_PAUSE - (Date.now() - renderedAt)));
}

function render() {
  renderTimer = null;
  renderedAt = Date.now();
  updateState();
  each("render");
}

/** A tile that fails must not take the others with it: the screen hangs there for weeks. */
function each(action) {
  for (const tile of tiles) {
    try {
      if (tile[action]) tile[action](store, serverNow());
    } catch (error) {
      console.error(error);
    }
  }
}

function updateState() {
  board.state = boardState(stream.isOpen, stream.silence(Date.now()), store.freshness, serverNow());
  setData(document.body, "state", store.hasSnapshot || board.state === "disconnected" ? board.state : "connecting");
}

/** Once in every second of the server's clock, shortly after it began. */
function tick() {
  setTimeout(tick, 1010 - (((serverNow() % 1000) + 1000) % 1000));
  stream.watch(Date.now());
  const before = board.state;
  updateState();
  if (board.state !== before) scheduleRender();
  each("tick");
  if (store.hasSnapshot) askCatalogue();
  shift();
}

function shift() {
  const [x, y] = SHIFTS[Math.floor(Date.now() / SHIFT_PAUSE) % SHIFTS.length];
  document.getElementById("board").style.transform = "translate(" + x + "px, " + y + "px)";
}

window.addEventListener("resize", scheduleRender);
stream.open(Date.now());
render();
tick();
