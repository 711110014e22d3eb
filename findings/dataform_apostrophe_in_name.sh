#!/usr/bin/env bash
# Dataform 3.0.62 takes an apostrophe in a quoted name of a .sqlx file for the beginning of a text.
#
# Expected: the compiled query is the query of the file. BigQuery allows apostrophes in column names (Google, "Specify a
# schema", flexible column names), and reads `customer's id` as a name.
# Seen: from the name on, Dataform takes texts for SQL. Two hyphens in a text then begin a comment, in which backslashes are
# lost: the regular expression r'^(--|\d+)$' behind such a name becomes r'^(--|d+)$', without an error.
# In rfm: sql/models/dataform.py writes such names as texts of JavaScript.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --ignore-scripts @dataform/core@3.0.62 >/dev/null
cat > check.js <<'JAVASCRIPT'
const assert = require("assert");
const path = require("path");
const vm = require("vm");
const { compiler, session, version } = require("@dataform/core");

assert.strictEqual(version, "3.0.62");

function compiled(sql) {
  session.init(__dirname, { warehouse: "bigquery", defaultDatabase: "shop", defaultSchema: "crm" });
  global.dataform = session;
  const file = path.join(__dirname, "definitions", "customers.sqlx");
  vm.runInThisContext(compiler(`config { type: "table" }\n${sql}`, file), { filename: file });
  return session.compile().tables[0].query.trim();
}

const plain = "SELECT `customer id` FROM t WHERE REGEXP_CONTAINS(`id`, r'^(--|\\d+)$')";
assert.strictEqual(compiled(plain), plain, "the behaviour has changed");

const query = "SELECT `customer's id` FROM t WHERE REGEXP_CONTAINS(`id`, r'^(--|\\d+)$')";
console.log("the file:", query);
console.log("compiled:", compiled(query));
assert.strictEqual(compiled(query), query.replace("\\d", "d"), "the behaviour has changed");
JAVASCRIPT
node check.js
