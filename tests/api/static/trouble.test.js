import assert from "node:assert/strict";
import test from "node:test";

import { readAddress } from "../../../api/static/address.js";
import { Catalogue } from "../../../api/static/catalogue.js";
import { beginningMessage, troubleMessage } from "../../../api/static/notice.js";
import { languageOf, Texts } from "../../../api/static/texts.js";
import { isLasting, troubleOf, unknownMetrics } from "../../../api/static/trouble.js";

const settings = readAddress({ pathname: "/board/floor", search: "?teams=north,nroth&window=tody&metric=foo&metrics=calls_made,bar" }, { usual: [] });
const texts = new Texts(languageOf("en"));
const said = (refusal) => {
  const message = troubleMessage(troubleOf(refusal, settings), texts);
  return `${message.heading}. ${message.text}`;
};

for (const [refusal, kind, lasting, words] of [
  [{ status: 401, field: "authorization", detail: "the API key is not valid" }, "key", true, /key of this screen is not valid.*expired, was revoked/],
  [{ status: 403, field: "", detail: "this key is limited to the team 'south'" }, "forbidden", true, /not for “north”, “nroth”/],
  [{ status: 404, field: "team", detail: "there is no team 'nroth'" }, "team", true, /There is no team “nroth”\./],
  [{ status: 422, field: "windows", detail: "windows: there is no window 'tody'" }, "window", true, /no time span “tody”/],
  [{ status: 422, field: "metrics", detail: "metrics: there is no metric 'bar'" }, "metric", false, /There is no metric “bar”/],
  [{ status: 404, field: "", detail: "Not Found" }, "address", true, /The server says: Not Found/],
  [{ status: 503, field: "", detail: "the view is loading" }, "starting", false, /not ready yet/],
  [{ status: 500, field: "", detail: "" }, "away", false, /does not answer/],
  [null, "away", false, /does not answer/],
]) {
  test(`${refusal ? refusal.status : "no answer"} ${refusal ? refusal.field : ""} is told as ${kind}`, () => {
    const trouble = troubleOf(refusal, settings);
    assert.equal(trouble.kind, kind);
    assert.equal(isLasting(trouble), lasting);
    assert.match(said(refusal), words);
    assert.doesNotMatch(said(refusal), /[{}]/);
  });
}

test("metrics that the server does not know are named, once it has told which it knows", () => {
  const catalogue = new Catalogue();
  assert.equal(unknownMetrics(settings, catalogue), null);

  catalogue.load({ rows: [{ name: "calls_made", label: "Calls made", unit: "count", better: "higher" }] });

  assert.match(troubleMessage(unknownMetrics(settings, catalogue), texts).heading, /^There are no metrics “foo”, “bar”$/);
  assert.equal(unknownMetrics(readAddress({ pathname: "/board/floor", search: "?metrics=calls_made" }, { usual: ["calls_made"] }), catalogue), null);
});

test("a new installation is told where webhooks go", () => {
  const message = beginningMessage(["crm", "a b"], "http://floor:8080", texts);

  assert.deepEqual(message.lines, ["http://floor:8080/webhooks/crm", "http://floor:8080/webhooks/a%20b"]);
  assert.match(beginningMessage([], "http://floor:8080", texts).text, /No CRM is connected yet/);
});
