#!/usr/bin/env bash
# dbt-core 1.11.16 puts the values of the test accepted_values between quotes without escaping them.
#
# Expected: a value such as "Can't Lose Them", a usual name of an RFM segment, is compared as it is.
# Seen: the compiled test has 'Can't Lose Them', which no warehouse parses; a backslash becomes an escape in BigQuery. The
# project parses and compiles without a warning, and the test fails when it runs.
# In rfm: sql/models/dbt.py writes such values escaped for BigQuery, as Can\'t Lose Them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dbt-core==1.11.16 dbt-bigquery==1.11.3
mkdir "$folder/models"
cat > "$folder/dbt_project.yml" <<'YAML'
name: shop
version: "1.0"
profile: shop
flags: {send_anonymous_usage_stats: false}
YAML
cat > "$folder/profiles.yml" <<'YAML'
shop:
  target: test
  outputs:
    test: {type: bigquery, method: oauth-secrets, token: unused, project: shop, dataset: crm, threads: 1}
YAML
echo "SELECT \"Can't Lose Them\" AS segment" > "$folder/models/customers.sql"
cat > "$folder/models/customers.yml" <<'YAML'
version: 2
models:
  - name: customers
    columns:
      - name: segment
        data_tests:
          - accepted_values:
              arguments:
                values: ["Can't Lose Them"]
YAML
cd "$folder"
"$folder/venv/bin/dbt" --no-version-check --warn-error compile --no-introspect --no-populate-cache > log.txt
test=$(cat target/compiled/shop/models/customers.yml/accepted_values*.sql)
echo "$test"
grep -qF "'Can't Lose Them'" <<< "$test" || { echo "the behaviour has changed"; exit 1; }
