import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

import ts from "typescript";

import { LANGUAGES, languageOf, localeOf, Texts } from "../../../api/static/texts.js";

const STATIC = new URL("../../../api/static/", import.meta.url);
const modules = readdirSync(STATIC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".js") && !(entry.parentPath || entry.path).endsWith("texts"))
  .map((entry) => `${entry.parentPath || entry.path}/${entry.name}`.replace(/\/+/g, "/"));

/** Every string that a module writes down, apart from what it imports and what it compares with. */
function* strings(path) {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.ES2020, true);
  const found = [];
  const visit = (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return;
    if (ts.isStringLiteralLike(node)) found.push(node);
    else if (ts.isTemplateHead(node) || ts.isTemplateMiddle(node) || ts.isTemplateTail(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(source);
  for (const node of found) yield { text: node.text, node };
}

/** Two words in a row, or a word that begins as a sentence does: something that people read. */
const LOOKS_LIKE_TEXT = /\p{L}{2,}[,.;:!?]?\s+\p{L}{2,}|^\p{Lu}\p{Ll}+/u;
// Class names, transforms, easing, media queries and paths of signs have blanks too; nobody reads them.
const IS_CODE = /^(?:Bearer $|\(|cubic-bezier|translate|M\d)|^[a-z-]+(?: [a-z-]+)*$/;

/** An element's class is the second argument of `element`, the first of `nameElement`. */
function isClassName(node) {
  const call = node.parent;
  return ts.isCallExpression(call) && ["element", "nameElement"].includes(call.expression.getText()) && call.arguments.indexOf(node) < 2;
}

test("the modules are found", () => assert.ok(modules.length > 20));

for (const path of modules) {
  test(`${path.slice(path.indexOf("static/") + 7)} says nothing that is not in the catalogue of texts`, () => {
    const found = Array.from(strings(path))
      .filter(({ text, node }) => LOOKS_LIKE_TEXT.test(text) && !IS_CODE.test(text) && !isClassName(node))
      .map(({ text }) => text);

    assert.deepEqual(found, []);
  });
}

test("the look for texts finds one: in a literal, in a template, with and without a blank", () => {
  for (const text of ["Connection lost", "Stale", " of them breached, ", "ready for the first event!", "Verbindung verloren"]) {
    assert.ok(LOOKS_LIKE_TEXT.test(text) && !IS_CODE.test(text), text);
  }
});

test("every text is said somewhere", () => {
  const code = modules.map((path) => readFileSync(path, "utf8")).join("\n");
  // Keys of these are put together from a name.
  const together = /^(?:state|step|window|trouble)\./;
  const unsaid = Object.keys(LANGUAGES.en.TEXTS).filter((key) => !together.test(key) && !code.includes(`"${key}"`));

  assert.deepEqual(unsaid, []);
});

for (const [name, language] of Object.entries(LANGUAGES)) {
  test(`${name} has every text, with the same places to fill in, and every plural of its language`, () => {
    const holes = (text) => [...new Set(JSON.stringify(text).match(/\{\w+\}/g) || [])].sort();
    assert.deepEqual(Object.keys(language.TEXTS).sort(), Object.keys(LANGUAGES.en.TEXTS).sort());
    for (const [key, text] of Object.entries(language.TEXTS)) {
      assert.deepEqual(holes(text), holes(LANGUAGES.en.TEXTS[key]), key);
      if (typeof text !== "string") {
        assert.deepEqual(Object.keys(text).sort(), new Intl.PluralRules(language.LANGUAGE).resolvedOptions().pluralCategories.sort(), key);
      }
    }
    assert.match(language.DIRECTION, /^(?:ltr|rtl)$/);
  });
}

test("one and many, numbers and names", () => {
  const texts = new Texts(LANGUAGES.en, "en-US");
  assert.equal(texts.say("freshness.verified", { time: "12:03", count: 1 }), "verified 12:03, 1 difference");
  assert.equal(texts.say("freshness.verified", { time: "12:03", count: 1234 }), "verified 12:03, 1,234 differences");
  assert.equal(texts.window("1h"), "Last hour");
  assert.equal(texts.window("constructor"), "constructor");
  assert.equal(texts.quoted(["a", "b"]), "“a”, “b”");
});

test("steps of a funnel that floorcast names are said in the language, others as somebody has called them", () => {
  const texts = new Texts(LANGUAGES.de);
  assert.equal(texts.step({ step: "received", label: "Received" }), "Eingegangen");
  assert.equal(texts.step({ step: "won", label: "Closed won" }), "Closed won");
  assert.equal(texts.step({ step: "offer", label: "Offer" }), "Offer");
});

test("a language nobody has written is English; the browser's region decides how it writes numbers", () => {
  assert.equal(languageOf("en-GB"), LANGUAGES.en);
  assert.equal(languageOf("xx"), LANGUAGES.en);
  assert.equal(localeOf("en", ["de-DE", "en-GB", "en"]), "en-GB");
  assert.equal(localeOf("en", ["de-DE"]), "en");
});
