import assert from "node:assert/strict";
import test from "node:test";

/** A page with nothing on it but when its numbers are of. */
function makePage() {
  const nodes = {
    main: { dataset: { every: "0" } },
    "as-of": { dataset: { lost: "Disconnected" }, textContent: "As of 15:40", classList: { add() {}, remove() {} } },
  };
  return {
    hidden: false,
    documentElement: { dataset: {} },
    getElementById: (id) => nodes[id],
    querySelector: () => null,
    querySelectorAll: () => [],
  };
}

globalThis.window = globalThis;
globalThis.location = { href: "http://127.0.0.1/me" };
globalThis.document = makePage();
const { LivePage } = await import("../../../api/static/people/live.js");

/** The page asks, and each question is answered when the test says so. */
function opened() {
  const asked = [];
  const told = [];
  const platform = {
    fetch: () =>
      new Promise((resolve) => {
        asked.push(() => resolve(new Response(null, { status: 503 })));
        told.splice(0).forEach((tell) => tell());
      }),
  };
  const page = makePage();
  const next = () => new Promise((resolve) => told.push(resolve));
  return { live: new LivePage(page, platform), page, asked, next };
}

test("what changes while the page is asked for is asked for afterwards", async () => {
  const { live, asked, next } = opened();
  const first = next();
  live.noteNews();
  await first;
  await live.ask();

  assert.equal(asked.length, 1);
  const second = next();
  asked[0]();
  await second;
  assert.equal(asked.length, 2);
});

test("once the server is back the page says again of when its numbers are", () => {
  const { live, page } = opened();
  const asOf = page.getElementById("as-of");

  live.say();
  assert.equal(asOf.textContent, "Disconnected");
  live.found();
  assert.equal(asOf.textContent, "As of 15:40");
  assert.equal(page.documentElement.dataset.lostNow, "false");
  window.clearTimeout(live.timer);
});
