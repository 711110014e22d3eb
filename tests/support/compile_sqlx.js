// Compiles the .sqlx files of a project's folder `definitions` with Dataform's own compiler, and prints the
// compiled graph as JSON. Usage: node compile_sqlx.js CORE PROJECT, with CORE the package @dataform/core.
const fs = require("fs");
const path = require("path");
const vm = require("vm");

try {
  const [core, project] = process.argv.slice(2);
  const { compiler, session } = require(core);
  session.init(project, {
    warehouse: "bigquery",
    defaultDatabase: "shop",
    defaultSchema: "crm",
    defaultLocation: "EU",
  });
  global.dataform = session;
  for (const name of fs.readdirSync(path.join(project, "definitions")).sort()) {
    const file = path.join(project, "definitions", name);
    vm.runInThisContext(compiler(fs.readFileSync(file, "utf8"), file), { filename: file });
  }
  process.stdout.write(JSON.stringify(session.compile()));
} catch (error) {
  console.error(`${error.name}: ${error.message}`.slice(0, 2000));
  process.exit(1);
}
