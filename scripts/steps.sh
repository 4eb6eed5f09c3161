# Sourced by the scripts: one look for what they print. Everything goes to standard error, results to standard output.

# fail MESSAGE: one clear line that says what to do, and the end.
fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# step NAME COMMAND…: says what is being done, runs it with its output in .cache/logs/NAME.log, and says how long it took.
# On failure the end of the log is shown, and `$advice` if it is set.
step() {
  local name=$1 log start
  shift
  [ -w "$root" ] || fail "$root cannot be written by this user; take a checkout of your own"
  log=$root/.cache/logs/${name//[^a-zA-Z0-9]/-}.log
  mkdir -p "$root/.cache/logs"
  printf '==> %s … ' "$name" >&2
  start=$SECONDS
  if "$@" >"$log" 2>&1; then
    printf '%d s\n' $((SECONDS - start)) >&2
  else
    local code=$?
    printf 'failed after %d s\n' $((SECONDS - start)) >&2
    # pip's retries say the same thing many times, before the line that says what is wrong.
    grep -v '^WARNING: Retrying ' "$log" | tail -n 25 | sed 's/^/    /' >&2
    fail "$name failed (exit code $code; all of its output: ${log#"$root"/})${advice:+. $advice}"
  fi
}
