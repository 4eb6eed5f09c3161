#!/usr/bin/env bash
# What the scripts answer to a wrong command line, and what they show of a step that fails. Nothing is installed or built.
#
#   scripts_test.sh ROOT
set -euo pipefail
scripts=$1/scripts
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# expect NAME WANTED COMMAND…: the command fails, and WANTED is all that it says.
expect() {
  local name=$1 wanted=$2 got
  shift 2
  if got=$("$@" 2>&1); then
    printf '%s: succeeded\n' "$name"
  elif [ "$got" != "$wanted" ]; then
    printf '%s: got\n%s\ninstead of\n%s\n' "$name" "$got" "$wanted"
  else
    return 0
  fi
  failures=$((failures + 1))
}

expect "quickstart refuses a folder" "quickstart: $work is a folder; one sound file would be right" "$scripts/quickstart" "$work"
expect "quickstart refuses a file that is not there" "quickstart: cannot read $work/no.wav" "$scripts/quickstart" "$work/no.wav"
expect "test wants a preset's name" "test: --preset needs a name: dev, asan or tsan" "$scripts/test" --preset
expect "test knows its presets" "test: unknown preset x; it is dev, asan or tsan" "$scripts/test" --preset x
expect "test takes one regular expression" "test: it takes one regular expression, B is another; 'A|B' is both" "$scripts/test" A B
expect "arm64-test knows its options" "arm64-test: unknown option --x; scripts/arm64-test --help lists the options" "$scripts/arm64-test" --x
expect "fuzz wants a number of seconds" "fuzz: x is no number of seconds; scripts/fuzz --help tells what it does" "$scripts/fuzz" x
expect "fuzz knows its targets" "fuzz: no target is called x; they are audio_headers, decoders, checkpoints and requests" "$scripts/fuzz" 1 x
expect "soak wants a number of minutes" "soak: x is no number of minutes; scripts/soak --help tells what it does" "$scripts/soak" x
expect "gpu-kit knows its options" "gpu-kit: unknown option --x; scripts/gpu-kit --help lists the options" "$scripts/gpu-kit" --x
expect "gpu-kit writes one file" "gpu-kit: it writes one file, B is another" "$scripts/gpu-kit" A B
expect "gpu-kit wants an unpacked torch" "gpu-kit: $work has no lib/libtorch_cpu.so; an unpacked torch package has" \
  "$scripts/gpu-kit" --torch "$work"
expect "gpu-kit wants golden data" "gpu-kit: no golden data in $work: set HEARWIRE_SHARED to the folder of golden/" \
  env HEARWIRE_SHARED="$work" "$scripts/gpu-kit"
expect "image-test knows its option" "image-test: it takes --cuda or nothing, x is neither; scripts/image-test --help tells what it does" \
  "$scripts/image-test" x
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  expect "image-test wants root" "image-test: it mounts and makes namespaces, which needs root: sudo scripts/image-test" \
    setpriv --reuid=65534 --clear-groups "$scripts/image-test"
fi
expect "packages knows its options" "packages: unknown option --x; scripts/packages --help lists the options" "$scripts/packages" --x
expect "packages wants a build's name" "packages: --build needs a folder, such as build/dev" "$scripts/packages" --build
expect "packages wants a build" "packages: $work is no build with a server: it has no CPackConfig.cmake; cmake --preset cpu makes build/cpu" \
  "$scripts/packages" --build "$work"
expect "wheel knows its options" "wheel: unknown option --x; scripts/wheel --help lists the options" "$scripts/wheel" --x
expect "wheel wants programs" "wheel: $work has no bin/hearwire-server: cmake --build --preset cpu makes that of build/cpu" \
  "$scripts/wheel" --build "$work"
expect "clean-room knows its suites" "clean-room: --suite sid: bookworm (Debian 12) or trixie (Debian 13) would be right" \
  "$scripts/clean-room" --suite sid scripts/quickstart
expect "clean-room wants a suite's name" \
  "clean-room: --suite without a name: bookworm (Debian 12) or trixie (Debian 13) would be right" "$scripts/clean-room" --suite

# setup on other systems, on which every package is there already.
mkdir "$work/bin" "$work/bin-without-apt"
printf '#!/bin/sh\necho install ok installed\n' >"$work/bin/dpkg-query"
chmod +x "$work/bin/dpkg-query"
for program in bash awk basename cat dirname echo grep sed; do ln -s "$(command -v $program)" "$work/bin-without-apt"; done
on_system() {
  local release=$1
  shift
  printf '%s\n' "$release" >"$work/os-release"
  unshare --mount sh -c "mount --bind '$work/os-release' /etc/os-release && exec \"\$@\"" - "$@" 2>&1
}
ubuntu='ID=ubuntu
VERSION_ID="24.04"
PRETTY_NAME="Ubuntu 24.04.3 LTS"'
if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
  note=$(on_system "$ubuntu" env PATH="$work/bin:$PATH" "$scripts/setup" --no-torch --no-kernels)
  case $note in
    "note: this is Ubuntu 24.04.3 LTS; all of Hearwire is tried on Debian 12,"*) ;;
    *) printf 'setup on Ubuntu said: %s\n' "$note"; failures=$((failures + 1)) ;;
  esac
  note=$(on_system "ID=debian
VERSION_ID=12" env PATH="$work/bin:$PATH" "$scripts/setup" --no-torch --no-kernels)
  [ -z "$note" ] || { printf 'setup on Debian 12 said: %s\n' "$note"; failures=$((failures + 1)); }
  expect "setup without apt says what is needed" \
    "setup: this is Arch Linux; the package names are those of Debian 12 and 13. Install their equivalents by hand (listed in scripts/setup), then run scripts/setup --no-apt" \
    on_system 'ID=arch
PRETTY_NAME="Arch Linux"' env PATH="$work/bin-without-apt" "$scripts/setup"
fi

# The words of pip without a network.
cat >"$work/fetch" <<'EOF'
. "$1/steps.sh"
root=$2
fetch() {
  for left in 4 3 2 1 0; do echo "WARNING: Retrying (Retry(total=$left)) after connection broken by 'NewConnectionError'"; done
  echo "ERROR: No matching distribution found for torch"
  return 1
}
advice="Is the network there?"
step "fetch it" fetch
EOF
expect "a failed step shows what is wrong without retries" "==> fetch it … failed after 0 s
    ERROR: No matching distribution found for torch
fetch: fetch it failed (exit code 1; all of its output: .cache/logs/fetch-it.log). Is the network there?" \
  bash "$work/fetch" "$scripts" "$work"

# A build by Ninja and a download whose second folder is not there yet, each two seconds long, looked at every half
# second.
cat >"$work/long" <<'EOF'
set -euo pipefail
. "$1/steps.sh"
root=$2
progress_period=0.5
build() { echo "[7/662] Building CXX object a.o"; sleep 2; }
step "build" build
fetch() { head -c 3000000 /dev/urandom >"$root/downloads/wheel"; sleep 2; }
mkdir "$root/downloads"
growing="$root/downloads $root/not-yet"
step "fetch" fetch
EOF
without_seconds() { bash "$@" 2>&1 | sed 's/[0-9]* s$/… s/'; return 1; }
expect "a long step says how far it is, once for each change" "==> build … 7 of 662 … … s
==> fetch … 3 MB … … s" without_seconds "$work/long" "$scripts" "$work"

[ $failures = 0 ]
