import assert from "node:assert/strict";
import test from "node:test";

import { apiAddress, metricsOf, readAddress, streamAddress, windowsOf } from "../../../api/static/address.js";

const USUAL = { usual: ["calls_made", "emails_sent"] };

test("the address of the page configures the screen", () => {
  const settings = readAddress({
    pathname: "/board/floor", search: "?teams=north,%20south,&metrics=deals_won,calls_made&metric=revenue_won&title=Us&window=month",
  }, USUAL);

  assert.deepEqual([settings.screen, settings.title, settings.teams], ["floor", "Us", ["north", "south"]]);
  assert.deepEqual(settings.scenes[0].tiles, [
    { kind: "leaderboard", metric: "revenue_won", window: "month" },
    { kind: "figures", metrics: ["deals_won", "calls_made"], window: "month" },
    { kind: "leads", window: "month" },
  ]);
  assert.deepEqual(metricsOf(settings), ["revenue_won", "deals_won", "calls_made"]);
});

test("without parameters it is today's usual metrics, the first of them with its people; of others six are shown", () => {
  const tiles = (search) => readAddress({ pathname: "/board/floor", search }, USUAL).scenes[0].tiles;

  assert.equal(tiles("")[0].metric, "calls_made");
  assert.deepEqual(tiles("")[1].metrics, USUAL.usual);
  assert.equal(tiles("?metrics=a,b,c,d,e,f,g")[1].metrics.length, 6);
});

test("the stream is asked for every window that is shown, once, and every request says for which screen it is", () => {
  const settings = readAddress({ pathname: "/board/floor", search: "?teams=north" }, USUAL);
  settings.scenes.push({ name: "Month", tiles: [{ kind: "leads", window: "month" }, { kind: "leads", window: "today" }] });

  assert.deepEqual(windowsOf(settings), ["today", "month"]);
  assert.equal(streamAddress(settings), "/v1/stream?windows=today%2Cmonth&teams=north&screen=floor");
  assert.equal(apiAddress(settings, "/v1/metrics", { team: undefined, limit: 3 }), "/v1/metrics?limit=3&screen=floor");
});

test("a screen that the server knows is given its numbers, and shows one scene or one tile where the address says so", () => {
  const served = {
    screen: "wall", title: "", teams: ["north"],
    scenes: [
      { name: "Today", when: null, tiles: [{ kind: "leads" }, { kind: "figures", metrics: ["a"], window: "today" }] },
      { name: "Month", when: { weekdays: [0], days: null, hours: null }, tiles: [{ kind: "race", metric: "b", window: "month" }] },
    ],
  };
  const read = (search) => readAddress({ pathname: "/board/wall", search }, served);

  assert.equal(streamAddress(read("")), "/v1/stream?screen=wall");
  assert.deepEqual(read("?scene=Month").scenes.map(({ name, when }) => [name, when]), [["Month", null]]);
  assert.deepEqual(read("?scene=Today&tile=2").scenes[0].tiles.map(({ kind }) => kind), ["figures"]);
  assert.deepEqual([read("?tile=1").isOnePart, read("?scene=Today").isOnePart], [true, false]);
});
