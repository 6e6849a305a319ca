import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { setIcon } from "../../../api/static/icons.js";

const NAMES = Array.from(readFileSync(new URL("../../../api/static/icons.js", import.meta.url), "utf8").matchAll(/^ {2}(\w+): \{ (?:filled|lines)/gm), (found) => found[1]);

/** What is drawn for a sign. */
function drawn(name) {
  const paths = [];
  globalThis.document = { createElementNS: () => ({ said: {}, setAttribute(key, value) { this.said[key] = value; } }) };
  setIcon({ dataset: {}, append: (path) => paths.push(path.said.d) }, name);
  return paths.join(" ");
}

test("every sign has an outline of its own, so that colour is never the only one", () => {
  const states = ["new", "live", "closed", "delayed", "stale", "disconnected", "refused", "waiting", "warned", "breached", "ahead", "behind"];

  assert.deepEqual(states.filter((name) => !NAMES.includes(name)), []);
  assert.equal(new Set(NAMES.map(drawn)).size, NAMES.length);
  assert.ok(NAMES.every((name) => drawn(name)));
});
