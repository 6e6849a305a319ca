import assert from "node:assert/strict";
import test from "node:test";

import { Stream } from "../../../api/static/stream.js";

/** A platform whose clock stands still until it is moved, with the event sources that were opened on it. */
function makePlatform(answer = async () => new Response(null, { status: 200 })) {
  const platform = { at: 1_000_000, sources: [], asked: 0, now: () => platform.at, random: () => 1 };
  platform.open = (url) => {
    const source = { url, readyState: 0, listeners: {}, isClosed: false };
    source.addEventListener = (kind, listener) => (source.listeners[kind] = listener);
    source.close = () => (source.isClosed = true);
    source.send = (kind, id, data) => source.listeners[kind]({ data: JSON.stringify(data), lastEventId: id });
    platform.sources.push(source);
    return source;
  };
  platform.fetch = (...asked) => {
    platform.asked += 1;
    return answer(...asked);
  };
  return platform;
}

function opened(platform) {
  const taken = [];
  const stream = new Stream("/v1/stream", platform, (kind, data) => taken.push([kind, data.n]), () => {});
  stream.open();
  const source = platform.sources[0];
  source.onopen();
  source.send("snapshot", "i1:5", { n: 0 });
  return { stream, source, taken };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

test("older events are left out, equal ones taken, freshness always", () => {
  const { source, taken } = opened(makePlatform());

  source.send("metrics", "i1:6", { n: 1 });
  source.send("metrics", "i1:5", { n: 2 });
  source.send("lead", "i1:6", { n: 3 });
  source.send("freshness", "i1:4", { n: 4 });

  assert.deepEqual(taken, [["snapshot", 0], ["metrics", 1], ["lead", 3], ["freshness", 4]]);
});

test("an event of another instance, or one that cannot be read, asks for a new picture", () => {
  for (const spoil of [(source) => source.send("metrics", "i2:7", { n: 1 }), (source) => source.listeners.metrics({ data: "{no", lastEventId: "i1:6" })]) {
    const platform = makePlatform();
    const { stream, source, taken } = opened(platform);

    spoil(source);
    platform.at += 1_000;
    stream.watch();

    assert.equal(source.isClosed, true);
    assert.equal(platform.sources.length, 2);
    assert.deepEqual(taken, [["snapshot", 0]]);
  }
});

/** How long a stream waits before it asks again, time after time. */
function pausesOf(random) {
  const platform = makePlatform();
  platform.random = () => random;
  const { stream } = opened(platform);
  const pauses = [];
  for (let attempt = 0; attempt < 7; attempt += 1) {
    platform.at += 9_000;
    stream.watch();
    const from = platform.at;
    while (platform.sources.length === attempt + 1) {
      platform.at += 100;
      stream.watch();
    }
    pauses.push(platform.at - from);
  }
  assert.ok(stream.link().silence > 30_000);
  return pauses;
}

test("silence is broken by a new connection, and pauses grow to ten seconds", () => {
  assert.deepEqual(pausesOf(1), [1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
});

test("of two screens that were cut off together one comes back sooner", () => {
  assert.deepEqual(pausesOf(0), [500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
});

test("what the server refuses it for is asked, and forgotten once it opens", async () => {
  const problem = { status: 401, field: "authorization", detail: "the API key is not valid" };
  const platform = makePlatform(async () => new Response(JSON.stringify(problem), { status: 401 }));
  const stream = new Stream("/v1/stream", platform, () => {}, () => {});
  stream.open();
  platform.sources[0].readyState = 2;
  platform.sources[0].onerror();
  await settled();
  assert.deepEqual([stream.isAnswered, stream.refusal], [true, problem]);

  platform.at += 1_000;
  stream.watch();
  platform.sources[1].onopen();

  assert.deepEqual([stream.refusal, stream.link().isOpen, stream.link().lostFor], [null, true, 0]);
});

test("a network that is away is no refusal, and a broken connection is left to the browser", async () => {
  const platform = makePlatform(async () => {
    throw new TypeError("network");
  });
  const { stream, source } = opened(platform);
  source.readyState = 0;
  source.onerror();
  platform.at += 3_000;
  assert.deepEqual([stream.link().lostFor, platform.asked, platform.sources.length], [3_000, 0, 1]);

  source.readyState = 2;
  source.onerror();
  await settled();

  assert.deepEqual([stream.isAnswered, stream.refusal, platform.asked], [false, null, 1]);
});

test("a page that is no problem document is a refusal all the same", async () => {
  const platform = makePlatform(async () => new Response("<html>Bad gateway</html>", { status: 502 }));
  const { stream, source } = opened(platform);
  source.readyState = 2;
  source.onerror();
  await settled();

  assert.deepEqual(stream.refusal, { status: 502, field: "", detail: "" });
});
