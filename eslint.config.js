// What the wallboard's modules keep to. Names that do not exist are found by tsc, which knows the browser.

import js from "@eslint/js";

export default [
  js.configs.recommended,
  {
    files: ["api/static/**/*.js", "tests/api/static/**/*.js", "*.js"],
    // A five-year-old Chromium reads it as it stands.
    languageOptions: { ecmaVersion: 2020, sourceType: "module" },
    rules: {
      "no-undef": "off",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_", caughtErrors: "none" }],
      "no-var": "error",
      "prefer-const": "error",
      eqeqeq: "error",
      "no-implicit-coercion": "error",
      "no-shadow": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "names come from CRMs: text goes in as text" },
        { property: "outerHTML", message: "names come from CRMs: text goes in as text" },
        { property: "insertAdjacentHTML", message: "names come from CRMs: text goes in as text" },
      ],
      "max-lines": ["error", { max: 400, skipBlankLines: true, skipComments: true }],
      "max-len": ["error", { code: 140, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true }],
    },
  },
  // The pages need no build step; their tests run where Node does, which may be newer.
  { files: ["tests/api/static/**/*.js", "*.js"], languageOptions: { ecmaVersion: 2022 } },
  { ignores: ["**/.venv/", "node_modules/", "build/"] },
];
