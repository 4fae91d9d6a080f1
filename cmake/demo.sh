#!/bin/sh
# From a bare machine to a history that can be asked: installs what is missing, builds, runs a real batch program
# several times under kleptometricsd, and prints what its REST API says of it. See --help.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
. "$root/cmake/setup.sh"

demo=$root/build/release/demo

usage() {
  cat <<'TEXT'
sh cmake/demo.sh [--serve]

Installs missing packages (apt-get, with sudo where needed), builds kleptometricsd and the examples into build/release,
starts kleptometricsd on a free port, runs examples/index_tree several times (once failing, once slower, once killed),
reports one more job with curl alone, and prints the history with the curl lines that ask for it.

The history stays in build/release/demo and grows with every demonstration; remove that folder to begin anew.

  --serve  leave kleptometricsd running, and say where it is and how to stop it
  --help   this text
TEXT
}

serve=
for argument in "$@"; do
  case $argument in
    --serve) serve=yes ;;
    --help | -h) usage; exit 0 ;;
    *) complain "demo.sh: unknown argument '$argument'"; usage >&2; exit 2 ;;
  esac
done

daemon=
short=
cleanup() {
  status=$?
  trap - EXIT
  [ -z "$daemon" ] || stop "$daemon"
  [ -z "$short" ] || rm -rf "$short"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# stop PID: asks it to end and waits until it has. Ours or not, by looking rather than by `wait`.
stop() {
  kill "$1" 2>/dev/null || return 0
  tries=0
  while kill -0 "$1" 2>/dev/null && [ $tries -lt 100 ]; do
    # A child of ours that has ended is there until it is waited for.
    case $(cat "/proc/$1/stat" 2>/dev/null) in *') Z '*) break ;; esac
    sleep 0.1
    tries=$((tries + 1))
  done
}

# An aggregator that an earlier --serve left behind holds the store and the socket.
stop_served() {
  [ -f "$demo/pid" ] || return 0
  served=$(cat "$demo/pid")
  case $(tr '\0' ' ' <"/proc/$served/cmdline" 2>/dev/null) in
    *"kleptometricsd "*"$demo/"*)
      say "Stopping the aggregator of an earlier --serve, process $served"
      stop "$served"
      ;;
  esac
  rm -f "$demo/pid"
}

# The path of a Unix socket has room for 107 bytes. Sets `socket`.
choose_socket() {
  socket=$demo/kleptometrics.sock
  if [ "$(printf '%s' "$socket" | wc -c)" -gt 107 ]; then
    short=$(mktemp -d)
    socket=$short/kleptometrics.sock
  fi
}

# Starts it and waits until it serves. Sets `daemon` and `address`.
start_aggregator() {
  rm -f "$demo/ready.json"
  # nohup: with --serve it outlives the terminal.
  nohup "$root/build/release/aggregator/kleptometricsd" --listen=127.0.0.1:0 "--socket=$socket" \
    "--store=sqlite:$demo/runs.db" "--spool_dir=$demo/spool" "--ready_file=$demo/ready.json" \
    >"$demo/kleptometricsd.log" 2>&1 </dev/null &
  daemon=$!
  tries=0
  until [ -s "$demo/ready.json" ]; do
    if ! kill -0 "$daemon" 2>/dev/null || [ $tries -ge 150 ]; then
      complain "kleptometricsd did not start:"
      cat "$demo/kleptometricsd.log" >&2
      exit 1
    fi
    sleep 0.1
    tries=$((tries + 1))
  done
  address=$(sed -n 's/.*"listen" *: *"\([^"]*\)".*/\1/p' "$demo/ready.json")
}

# index ARGUMENT...: one run of the batch program. That some of them fail is the point; that one dies is not.
index() {
  printf '$ index_tree %s\n' "$*"
  status=0
  "$root/build/release/examples/index_tree" "$@" 2>&1 || status=$?
  if [ "$status" -gt 1 ]; then
    complain "index_tree ended with exit code $status"
    exit 1
  fi
}

# A run that is killed half-way: nobody but the aggregator is left to tell.
index_and_kill() {
  printf '$ index_tree %s & sleep 1; kill -9 $!\n' "$*"
  "$root/build/release/examples/index_tree" "$@" &
  victim=$!
  sleep 1
  kill -9 "$victim"
  wait "$victim" 2>/dev/null || :
}

# ask METHOD PATH JSON: with curl, as a shell script would.
ask() {
  printf "\$ curl -s -X %s 'http://%s%s' -H 'Content-Type: application/json' -d '%s'\n" "$1" "$address" "$2" "$3"
  curl -sS --fail-with-body -o /dev/null -X "$1" "http://$address$2" -H 'Content-Type: application/json' -d "$3"
}

# Until no run is open any more: what a killed program left behind is picked up within a few seconds.
wait_for_verdicts() {
  tries=0
  until curl -s "http://$address/api/v1/runs?state=running" | grep -q '"runs": *\[\]'; do
    [ $tries -lt 100 ] || return 0
    sleep 0.1
    tries=$((tries + 1))
  done
}

run_programs() {
  KLEPTO_ENDPOINT=unix:$socket
  KLEPTO_SPOOL_DIR=$demo/spool
  export KLEPTO_ENDPOINT KLEPTO_SPOOL_DIR
  say "A batch program with the client library"
  for limit in 200 400 600 800; do index --job index-headers --limit "$limit"; done
  index --job index-headers --limit 400 --threads 2
  index --job index-headers --limit 400 --slow 2
  index --job index-headers --limit 200 --fail='index is older than its sources'
  index --job index-headers --limit 200 --throw
  index_and_kill --job index-headers --limit 200 --slow 60
}

run_shell_job() {
  say "A job of the shell, reported with curl alone"
  id=$(cat /proc/sys/kernel/random/uuid)
  ask POST /api/v1/jobs/nightly-backup/runs "{\"id\": \"$id\"}"
  sleep 0.3
  ask PATCH "/api/v1/runs/$id" '{"state": "succeeded", "counters": {"files": 1312}}'
}

# shellcheck disable=SC2086  # a list
install_packages $klepto_packages
configure release
build release kleptometricsd index_tree print_history

stop_served
mkdir -p "$demo/spool"
chmod 700 "$demo/spool"
choose_socket
start_aggregator
run_programs
run_shell_job
wait_for_verdicts
say "What the aggregator answers"
"$root/build/release/examples/print_history" --endpoint "http://$address"

if [ -n "$serve" ]; then
  echo "$daemon" >"$demo/pid"
  say "kleptometricsd serves http://$address and unix:$socket; its log is $demo/kleptometricsd.log"
  say "Stop it with: kill $daemon"
  daemon=
  short=
fi
