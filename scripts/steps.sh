# Sourced by the scripts: one look for what they print. Everything goes to standard error, results to standard output.

# fail MESSAGE: one clear line that says what to do, and the end.
fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# How far the command of a step is, from its log: Ninja's n of m; or how large what `$growing` names has become. On a
# terminal one line that changes, in a log a word now and then.
progress_period=60
watch_progress() {
  local name=$1 log=$2 said='' now period=$progress_period
  set +e  # Of this subshell: what is not there yet says nothing, and ends nothing.
  [ ! -t 2 ] || period=1
  # The sleep outlives this by a moment and must not keep a pipe open. An interrupted script leaves this running: it looks.
  while sleep "$period" >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
    now=$(tail -c 20000 "$log" | sed -n 's/^\[\([0-9]*\)\/\([0-9]*\)\].*/\1 of \2/p' | tail -n 1)
    # shellcheck disable=SC2086 # Several folders.
    [ -z "${growing:-}" ] || now="$(du -cms $growing 2>/dev/null | tail -n 1 | cut -f 1) MB"
    [ -n "$now" ] && [ "$now" != "$said" ] || continue
    said=$now
    if [ -t 2 ]; then printf '\r==> %s … %s ' "$name" "$now" >&2; else printf '%s … ' "$now" >&2; fi
  done
}

# step NAME COMMAND…: says what is being done, runs it with its output in .cache/logs/NAME.log, and says how long it took.
# Meanwhile it says how far it is: see above. On failure the end of the log is shown, and `$advice` if it is set.
step() {
  local name=$1 log start watcher code=0
  shift
  [ -w "$root" ] || fail "$root cannot be written by this user; take a checkout of your own"
  log=$root/.cache/logs/${name//[^a-zA-Z0-9]/-}.log
  mkdir -p "$root/.cache/logs"
  printf '==> %s … ' "$name" >&2
  start=$SECONDS
  watch_progress "$name" "$log" &
  watcher=$!
  "$@" >"$log" 2>&1 || code=$?
  kill "$watcher"
  wait "$watcher" 2>/dev/null || true
  [ ! -t 2 ] || printf '\r\033[K==> %s … ' "$name" >&2
  if [ $code = 0 ]; then
    printf '%d s\n' $((SECONDS - start)) >&2
  else
    printf 'failed after %d s\n' $((SECONDS - start)) >&2
    # pip's retries say the same thing many times, before the line that says what is wrong.
    grep -v '^WARNING: Retrying ' "$log" | tail -n 25 | sed 's/^/    /' >&2
    fail "$name failed (exit code $code; all of its output: ${log#"$root"/})${advice:+. $advice}"
  fi
}
