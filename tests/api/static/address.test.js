import assert from "node:assert/strict";
import test from "node:test";

import { catalogueAddress, metricsOf, readAddress, streamAddress, windowsOf } from "../../../api/static/address.js";

test("the address of the page configures the screen", () => {
  const settings = readAddress({
    pathname: "/board/floor", search: "?teams=north,%20south,&metrics=deals_won,calls_made&metric=revenue_won&title=Us&window=month",
  });

  assert.deepEqual([settings.screen, settings.title, settings.teams], ["floor", "Us", ["north", "south"]]);
  assert.deepEqual(settings.scenes[0].tiles, [
    { kind: "leaderboard", metric: "revenue_won", window: "month" },
    { kind: "figures", metrics: ["deals_won", "calls_made"], window: "month" },
    { kind: "leads", window: "month" },
  ]);
  assert.deepEqual(metricsOf(settings), ["revenue_won", "deals_won", "calls_made"]);
});

test("without parameters it is today's calls, with six figures; more than six are left out", () => {
  const tiles = (search) => readAddress({ pathname: "/board/floor", search }).scenes[0].tiles;

  assert.equal(tiles("")[0].metric, "calls_made");
  assert.equal(tiles("")[1].metrics.length, 6);
  assert.equal(tiles("?metrics=a,b,c,d,e,f,g")[1].metrics.length, 6);
});

test("the stream is asked for every window that is shown, once, and every request says for which screen it is", () => {
  const settings = readAddress({ pathname: "/board/floor", search: "?teams=north" });
  settings.scenes.push({ name: "Month", tiles: [{ kind: "leads", window: "month" }, { kind: "leads", window: "today" }] });

  assert.deepEqual(windowsOf(settings), ["today", "month"]);
  assert.equal(streamAddress(settings), "/v1/stream?windows=today%2Cmonth&teams=north&screen=floor");
  assert.equal(catalogueAddress(settings), "/v1/metrics?screen=floor");
});
