// What the served files must not use: what a five-year-old browser of a television does not know, and left and right.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

const STATIC = new URL("../../../api/static/", import.meta.url);
const files = readdirSync(STATIC, { recursive: true }).map(String);

// The syntax is kept by eslint, the names of the language by tsc; these belong to the page.
const NEWER = {
  ".js": /\.replaceChildren\(|structuredClone|\.toSorted\(|#\w+\(|\.at\(|Object\.hasOwn/,
  ".css": /\binset(?:-\w+)*:|(?<![\w-])aspect-ratio:|:is\(|:where\(|:has\(|color-mix|@container|@layer|\d[dsl]v[hw]\b|(?<![\w-])gap:|margin-inline:|padding-inline:|margin-block:|padding-block:/,
};
const PHYSICAL = /(?<![\w-])(?:left|right)\s*:|(?:margin|padding|border)-(?:left|right)|text-align:\s*(?:left|right)|float:|transform-origin:\s*(?:left|right)/;
const INLINE = /\sstyle=|<style|<script(?![^>]*src=)|\son\w+=/;

for (const file of files.filter((name) => name.endsWith(".js") || name.endsWith(".css"))) {
  test(`${file} keeps to what older televisions run`, () => {
    const text = readFileSync(new URL(file, STATIC), "utf8");
    assert.doesNotMatch(text, NEWER[file.slice(file.lastIndexOf("."))]);
    if (file.endsWith(".css")) assert.doesNotMatch(text, PHYSICAL);
  });
}

for (const file of files.filter((name) => name.endsWith(".html"))) {
  test(`${file} has nothing inline, which the content security policy would refuse`, () => {
    assert.doesNotMatch(readFileSync(new URL(file, STATIC), "utf8"), INLINE);
  });
}

test("what is looked for is found", () => {
  assert.match(".a { margin-left: 1rem }", PHYSICAL);
  assert.match(".a { left: 0 }", PHYSICAL);
  assert.doesNotMatch(".a { margin-inline-start: 1rem; align-self: flex-start }", PHYSICAL);
  assert.match(".a { height: 100dvh }", NEWER[".css"]);
  assert.match(".a { gap: 1rem }", NEWER[".css"]);
  assert.doesNotMatch(".a { grid-gap: 1rem; width: 100vw }", NEWER[".css"]);
});
