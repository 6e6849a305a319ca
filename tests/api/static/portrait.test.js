import assert from "node:assert/strict";
import test from "node:test";

import { initials } from "../../../api/static/portrait.js";

for (const [name, letters] of [
  ["Ana Lim", "AL"],
  ["Zoë Anastasia Williams-Featherstonehaugh von und zu Hohenstein", "ZH"],
  ["Patrick O'Neill", "PO"],
  ["madonna", "M"],
  ["Élise Ångström (temp.)", "ÉT"],
  ["E\u0301lise", "E\u0301"],
  ["王小明", "王"],
  ["김 민수", "김"],
  ["شیرین احمدی", "ش\u200cا"],
  ["Fatima Zahra El Idrissi", "FI"],
  ["  r-17 ", "R"],
  ["42", ""],
  ["", ""],
]) {
  test(`${JSON.stringify(name)} is ${JSON.stringify(letters)}`, () => assert.equal(initials(name), letters));
}
