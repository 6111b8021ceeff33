#!/usr/bin/env bash
# The main job on real data: start a server, load 30,000 bank customers with six months of
# statements, ask what an analyst would ask. Needs `make build`; leaves nothing behind.
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

bold "Starting a server on a temporary directory"
mkfifo "$scratch/stdout"
"$bin/tessera-server" --data-dir "$scratch/data" --listen 127.0.0.1:0 \
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

bold "Loading 30,000 customers and their six monthly statements"
tessera import "$data/customers.csv.gz" --mapping "$data/customers.toml" --rejects "$scratch/r1.csv"
tessera import "$data/profile.csv.gz" --mapping "$data/profile.toml" --rejects "$scratch/r2.csv"

ask "How many customers do we have?" \
    "COUNT ALL"
ask "Who are they?" \
    "DIMENSION education"
ask "Women with a university degree between 25 and 34: is that a campaign's size?" \
    "COUNT gender:female AND education:university AND age:25..34"
ask "How old are the ones who are single?" \
    "DIMENSION age[25,30,35,40,45,50,55,60] WHERE marital_status:single"
ask "Where is the credit: limits by gender and marital status" \
    "DIMENSION gender, marital_status MEASURE count, sum(credit_limit), avg(credit_limit), p50(credit_limit)"
ask "Silent early warning: they paid in spring and have not since" \
    "COUNT tag:silent"
ask "Which of the silent ones are worth a call?" \
    "SEGMENT tag:silent AND credit_limit >= 300000 RETURN gender, age, credit_limit, paid_total ORDER BY credit_limit DESC LIMIT 10"
ask "Does silence come with default? Compare the tags of the silent" \
    "DIMENSION tag WHERE tag:silent"
ask "... with those of the active" \
    "DIMENSION tag WHERE tag:active"
ask "Recall of the lost: at least two of three warning signs" \
    "COUNT AT LEAST 2 OF (tag:silent, tag:default_next_month, repayment_status_2005_09 >= 2)"
ask "Save the best customers as a segment" \
    "SAVE SEGMENT best DESCRIPTION \"active, high limit, never defaulted\" AS tag:active AND credit_limit >= 500000 AND NOT tag:default_next_month"
ask "What did the best pay in September?" \
    "DIMENSION gender MEASURE count, sum(paid_2005_09), max(paid_2005_09) WHERE segment:best"
ask "The ten customers who paid most" \
    "SEGMENT ALL RETURN paid_total ORDER BY paid_total DESC LIMIT 10"
ask "Know one of them at a glance" \
    "PORTRAIT \"28717\""
ask "How was the count answered?" \
    "EXPLAIN ANALYZE COUNT gender:female AND education:university AND age:25..34"

bold "Your turn"
cat <<'EOF'
  make run                                       a server to keep, on ./data
  target/release/tessera                         the REPL; \help tells more
  target/release/tessera import FILE --infer     a mapping for your own file
EOF
