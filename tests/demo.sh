#!/usr/bin/env bash
# The main job on real data: start a server, load 30,000 bank customers and their 180,000 monthly
# statements as events, say by rules what makes a customer active or silent, and ask what an
# analyst would ask. The clock stands at the end of the last month of the statements. Needs
# `make build`; leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${TESSERA_BIN:-target/release}
data=tests/data/credit-customers
scratch=$(mktemp -d)
server=

stop() {
    [ -z "$server" ] || { kill -TERM "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true
    rm -rf "$scratch"
}
trap stop EXIT

bold() { if [ -t 1 ]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi; }

bold "Starting a server on a temporary directory: for it, it is noon of 30 September 2005"
mkfifo "$scratch/stdout"
"$bin/tessera-server" --data-dir "$scratch/data" --listen 127.0.0.1:0 --clock 2005-09-30T12:00:00Z \
    >"$scratch/stdout" 2>"$scratch/server.log" &
server=$!
read -r line <"$scratch/stdout" || { cat "$scratch/server.log"; exit 1; }
echo "$line"
address=${line#listening on }

tessera() { "$bin/tessera" --connect "$address" "$@"; }
ask() { # what an analyst wonders, the statement
    bold "$1"
    printf 'tessera> %s\n' "$2"
    tessera exec "$2"
}

bold "Loading 30,000 customers, and what they did: six monthly statements each"
tessera import "$data/customers.csv.gz" --mapping "$data/customers.toml" --rejects "$scratch/r1.csv"
tessera import "$data/statements.csv.gz" --mapping "$data/statements.toml" --rejects "$scratch/r2.csv"

ask "Who are they?" \
    "DIMENSION education"
ask "Women with a university degree between 25 and 34: is that a campaign's size?" \
    "COUNT gender:female AND education:university AND age:25..34"
ask "Where is the credit: limits by gender and marital status" \
    "DIMENSION gender, marital_status MEASURE count, sum(credit_limit), avg(credit_limit), p50(credit_limit)"
ask "What was paid, month by month, and by how many?" \
    "DIMENSION statement[paid > 0] BY month MEASURE users, sum(statement.paid), avg(statement.paid)"

bold "Labels by rules: they hold at the moment of every question, and nothing computes them overnight"
ask "Who paid in each of the last three months is active, who stopped is silent, who never paid is lost" \
    "DEFINE GROUP activity AS active: count(statement[paid > 0], 3mo) >= 3, silent: did:statement[paid > 0, 6mo] AND NOT did:statement[paid > 0, 3mo], lost: NOT did:statement[paid > 0, 6mo], fading: OTHERWISE"
ask "By what they paid in half a year: the first tenth are big spenders, the lower half small ones" \
    "DEFINE GROUP spenders AS PERCENTILES OF sum(statement.paid, 6mo) (big: 90..100, mid: 50..90, small: OTHERWISE)"
ask "Two months behind or more in two of the last three: a warning sign" \
    "DEFINE TAG struggling DESCRIPTION \"often two months behind\" AS count(statement[months_behind >= 2], 3mo) >= 2"
ask "How many of each?" \
    "DIMENSION group:activity MEASURE count, avg(credit_limit), avg(statement.paid)"
ask "Does silence come with default? The tags of the silent" \
    "DIMENSION tag WHERE tag:silent"
ask "... and of the active" \
    "DIMENSION tag WHERE tag:active"
ask "Which of the silent ones are worth a call?" \
    "SEGMENT tag:silent AND credit_limit >= 300000 RETURN gender, age, credit_limit ORDER BY credit_limit DESC LIMIT 5"
ask "Recall of the lost: at least two of three warning signs" \
    "COUNT AT LEAST 2 OF (tag:lost, tag:struggling, tag:default_next_month)"
ask "Save the best customers as a segment" \
    "SAVE SEGMENT best DESCRIPTION \"active, pay much, never defaulted\" AS tag:active AND tag:big AND NOT tag:default_next_month"

bold "A customer pays, and the labels follow"
ask "Today customer 11508 is" \
    "SEGMENT user:\"11508\" RETURN credit_limit, TAGS"
ask "Why is she not active?" \
    "WHY \"11508\" IN tag:active"
ask "A payment comes in" \
    "TRACK \"11508\" statement AT 2005-09-29 ID \"late-1\" WITH bill = 0, paid = 20000, months_behind = -1"
ask "The same message once more changes nothing" \
    "TRACK \"11508\" statement AT 2005-09-29 ID \"late-1\" WITH bill = 0, paid = 20000, months_behind = -1"
ask "Know her at a glance" \
    "PORTRAIT \"11508\""

ask "A gift for a year, and who must be told before it ends" \
    "DEFINE TAG gold_card DYNAMIC FOR 1y; TAG WHERE segment:best AND credit_limit >= 700000 WITH gold_card FOR 5d; COUNT tag:gold_card[until <= now+7d]"
ask "Is the label system clean?" \
    "LINT TAGS LIMIT 10"
ask "How was a count answered?" \
    "EXPLAIN ANALYZE COUNT tag:silent AND gender:female"

bold "Your turn"
cat <<'EOF'
  make run                                       a server to keep, on ./data
  target/release/tessera                         the REPL; \help tells more
  target/release/tessera import FILE --infer     a mapping for your own file
EOF
