#!/bin/sh
# Installs what is missing, builds everything and runs every test. See --help.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
. "$root/cmake/setup.sh"

usage() {
  cat <<'TEXT'
sh cmake/test.sh [--sanitize]

Installs missing packages (apt-get, with sudo where needed), builds the preset `release` into build/release and runs
every test with ctest. Safe to run again, and quick the second time.

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

# ThreadSanitizer of older compilers cannot live with much randomisation of addresses: there its tests run without.
run_tests() {
  set -- ctest --test-dir "$root/build/$1" --output-on-failure -j "$(processors)"
  case $3 in
    */tsan) if setarch "$(uname -m)" -R true 2>/dev/null; then set -- setarch "$(uname -m)" -R "$@"; fi ;;
  esac
  "$@"
}

try() { configure "$1" && build "$1" && run_tests "$1"; }

# shellcheck disable=SC2086  # lists
{
  install_packages $klepto_packages
  case $presets in *clang*) install_packages clang ;; esac
}
failed=
for preset in $presets; do
  try "$preset" || failed="$failed $preset"
done
if [ -n "$failed" ]; then
  [ "$presets" = release ] || complain "Failed:$failed"
  exit 1
fi
