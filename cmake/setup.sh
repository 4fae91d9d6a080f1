# Shell functions that demo.sh and test.sh share: installing what is missing, configuring, building. Sourced by them, with
# `root` set to the project's folder. POSIX sh alone, since a fresh machine has nothing else.
# shellcheck shell=sh

# Debian's names, also those of its relatives.
klepto_packages='g++ cmake ninja-build ccache pkg-config protobuf-compiler libprotobuf-dev libabsl-dev libcpp-httplib-dev
  nlohmann-json3-dev libsqlite3-dev libhiredis-dev libpq-dev libssl-dev libjemalloc-dev catch2 curl tzdata'

# For tests and benchmarks that are left out where these are missing. The second of clang's is its sanitizers and libFuzzer.
klepto_test_packages='clang libclang-rt-dev libbenchmark-dev prometheus prometheus-cpp-dev postgresql python3-croniter redis-server strace'

say() { printf '%s\n' "-- $*"; }
complain() { printf '%s\n' "$*" >&2; }

# missing_packages PACKAGE... prints those that dpkg does not have.
missing_packages() {
  for package in "$@"; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
      *' installed') ;;
      *) printf '%s ' "$package" ;;
    esac
  done
}

# known_packages PACKAGE... prints those that apt has heard of: the relatives of Debian do not have them all.
known_packages() {
  for package in "$@"; do
    ! apt-cache show "$package" >/dev/null 2>&1 || printf '%s ' "$package"
  done
}

# run_apt ARGUMENT... : apt-get as root, quiet unless it fails; waits for another apt-get to end.
run_apt() {
  as_root=
  [ "$(id -u)" -eq 0 ] || as_root=sudo
  apt_log=$(mktemp)
  # shellcheck disable=SC2086  # empty where we are root
  if $as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" \
      >"$apt_log" 2>&1 </dev/null; then
    rm -f "$apt_log"
    return 0
  fi
  complain "apt-get $* failed; its last words:"
  tail -n 20 "$apt_log" >&2
  rm -f "$apt_log"
  return 1
}

# install_packages PACKAGE... installs what is missing of them. Never ends the script: where that cannot be done it says which
# packages are wanted, and the configuration that follows shows whether the tools are there all the same.
install_packages() {
  if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
    say "No apt-get here. Wanted, by their Debian names: $*"
    say "Going on with what is installed."
    return 0
  fi
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
    complain "Neither root nor sudo. Missing packages; as root: apt-get install $missing"
    say "Going on with what is installed."
    return 0
  fi
  say "Installing $missing"
  run_apt -q update || say "Going on with the lists of packages that are here."
  # shellcheck disable=SC2086  # a list
  known=$(known_packages $missing)
  [ "$known" = "$missing" ] || complain "Not all of these packages are known here: $missing"
  # shellcheck disable=SC2086  # a list
  if [ -n "$known" ] && run_apt -q --no-install-recommends install $known; then return 0; fi
  complain "These packages could not all be installed: $missing"
  say "Going on with what is installed."
}

# configure PRESET into build/PRESET. Quiet, unless it fails. A build folder that was made for another place of the
# checkout is made anew.
configure() {
  build=$root/build/$1
  if ! command -v cmake >/dev/null 2>&1; then
    complain "cmake is missing. Wanted, by their Debian names:" $klepto_packages
    return 1
  fi
  fresh=
  if [ -f "$build/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$build/CMakeCache.txt"; then
    fresh=--fresh
  fi
  say "Configuring build/$1"
  mkdir -p "$build"
  # shellcheck disable=SC2086  # empty as a rule
  if ! (cd "$root" && cmake --preset "$1" $fresh) >"$build/configure.log" 2>&1; then
    cat "$build/configure.log" >&2
    complain "The configuration failed. Wanted, by their Debian names:" $klepto_packages
    return 1
  fi
}

processors() { nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }

# build PRESET [TARGET...]: what is out of date of them, else of everything.
build() {
  preset=$1
  shift
  say "Building build/$preset"
  if [ $# -gt 0 ]; then
    cmake --build "$root/build/$preset" --parallel "$(processors)" --target "$@"
  else
    cmake --build "$root/build/$preset" --parallel "$(processors)"
  fi
}
