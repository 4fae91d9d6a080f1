#!/bin/sh
# Installs what is missing, builds everything and runs every test. See --help.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
. "$root/cmake/setup.sh"

usage() {
  cat <<'TEXT'
sh cmake/test.sh [--sanitize]

Installs missing packages (apt-get, with sudo where needed), builds the preset `release` into build/release and runs
every test with ctest; then, where clang is there, fuzzes for some seconds what reads bytes of strangers (preset `fuzz`),
and where npx is there, lints the OpenAPI document.
Safe to run again, and quick the second time.

  --sanitize  then build and test the presets asan (with UBSan), tsan and clang (warnings are errors) too
  --help      this text

Environment: KLEPTO_TEST_DATA, folder of the real logs that some tests read; they are skipped without it.
Exit code: 0 all tests passed, 2 the arguments are wrong, anything else: something failed.
TEXT
}

presets=release
for argument in "$@"; do
  case $argument in
    --sanitize) presets='release asan tsan clang' ;;
    --help | -h) usage; exit 0 ;;
    *) complain "test.sh: unknown argument '$argument'"; usage >&2; exit 2 ;;
  esac
done

# Tests run in folders of their own.
if [ -d "${KLEPTO_TEST_DATA:-}" ]; then
  KLEPTO_TEST_DATA=$(cd "$KLEPTO_TEST_DATA" && pwd)
  export KLEPTO_TEST_DATA
fi

# run_tests PRESET [ARGUMENT of ctest...]
# ThreadSanitizer of older compilers cannot live with much randomisation of addresses: there its tests run without.
run_tests() {
  tested=$1
  shift
  set -- ctest --test-dir "$root/build/$tested" --output-on-failure -j "$(processors)" "$@"
  case $tested in
    tsan) if setarch "$(uname -m)" -R true 2>/dev/null; then set -- setarch "$(uname -m)" -R "$@"; fi ;;
  esac
  "$@"
}

try() { configure "$1" && build "$1" && run_tests "$1"; }

# Only the fuzz targets are built, and only they are run.
try_fuzz() {
  if ! command -v clang++ >/dev/null 2>&1; then
    say "No clang here: nothing is fuzzed but by the few mutations that every build tries."
    return 0
  fi
  configure fuzz && build fuzz fuzz && run_tests fuzz --label-regex '^fuzz$'
}

# The API's document against the rules that a public linter recommends.
linter=@redocly/cli@1.25.11
lint_api() {
  if ! command -v npx >/dev/null 2>&1; then
    say "No npx here: the OpenAPI document is held to what is answered, and not to a linter's rules."
    return 0
  fi
  if ! timeout 120 npx --yes "$linter" --version >/dev/null 2>&1; then
    say "The linter $linter cannot be had here: the OpenAPI document is not held to its rules."
    return 0
  fi
  REDOCLY_TELEMETRY=off timeout 120 npx --yes "$linter" lint "$root/proto/kleptometrics/v1/openapi.json"
}

# shellcheck disable=SC2086  # lists
{
  install_packages $klepto_packages
  install_packages $klepto_test_packages
}
failed=
for preset in $presets; do
  try "$preset" || failed="$failed $preset"
done
try_fuzz || failed="$failed fuzz"
lint_api || failed="$failed openapi"
if [ -n "$failed" ]; then
  complain "Failed:$failed"
  exit 1
fi
