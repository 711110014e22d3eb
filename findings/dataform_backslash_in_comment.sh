#!/usr/bin/env bash
# Dataform 3.0.62 takes a backslash in an SQL comment of a .sqlx file for an escape of JavaScript.
#
# Expected: the compiled query is the query of the file. In text literals it is: there each backslash is kept.
# Seen: in a comment `\t` becomes a tab, and other backslashes are lost. A comment that ends in a backslash loses its line
# break as well: the next line of the query becomes part of the comment, without an error. And `\x` or `\u` in a comment
# stops the compilation.
# In rfm: sql/models/dataform.py doubles the backslashes of comments.
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

console.log("in a literal:", JSON.stringify(compiled("SELECT r'\\d' AS digit")));
assert.strictEqual(compiled("SELECT r'\\d' AS digit"), "SELECT r'\\d' AS digit", "the behaviour has changed");

const query = "SELECT customer_id\n-- without those of C:\\tests\\\nFROM orders WHERE NOT is_test";
console.log("the file:", JSON.stringify(query));
console.log("compiled:", JSON.stringify(compiled(query)));
assert.strictEqual(
  compiled(query),
  "SELECT customer_id\n-- without those of C:\tests" + "FROM orders WHERE NOT is_test",
  "the behaviour has changed",
);

try {
  compiled("-- C:\\users\\x\nSELECT 1 AS one");
  assert.fail("the behaviour has changed");
} catch (error) {
  console.log("with \\u and \\x:", error.message);
  assert.match(error.message, /Invalid (Unicode|hexadecimal) escape sequence/);
}
JAVASCRIPT
node check.js
