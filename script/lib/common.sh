# shellcheck shell=bash
# What script/up and script/test share: talking to the person, and running long commands with progress.
# Sourced, never run. Everything is said on standard error, so that `script/up --json` leaves standard
# output to procos.

logs=$root/target/log
mkdir -p "$logs"

interactive=
[[ -t 2 && ${TERM:-dumb} != dumb && -z ${CI:-} ]] && interactive=1

green='' red='' plain=''
if [[ $interactive && -z ${NO_COLOR:-} ]]; then
  green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
fi

say() { printf '%s\n' "$*" >&2; }
good() { say "$green✓$plain $*"; }
bad() { say "$red✗$plain $*"; }
die() {
  bad "$@"
  exit 1
}

# Seconds as a person reads them: 58s, 2m 41s.
elapsed() {
  if (($1 < 60)); then printf '%ds' "$1"; else printf '%dm %02ds' $(($1 / 60)) $(($1 % 60)); fi
}

cores() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1; }

# --- Jobs: long commands in the background, each with a log and one line of progress. ---

job_names=() job_labels=() job_pids=() job_starts=() job_ends=() job_codes=()

# job NAME LABEL COMMAND… starts COMMAND with its output in target/log/NAME.log.
job() {
  local name=$1 label=$2
  shift 2
  # An own process group, so that Ctrl-C can end the whole tree under it.
  set -m
  "$@" >"$logs/$name.log" 2>&1 </dev/null &
  set +m
  job_names+=("$name") job_labels+=("$label") job_pids+=("$!")
  job_starts+=("$SECONDS") job_ends+=('') job_codes+=('')
  [[ $interactive ]] || say "… $label (log: target/log/$name.log)"
}

# Waits for all jobs; says of each how long it took, or the end of its log. 1 where one has failed.
finish_jobs() {
  local tick=0 drawn=0 failed=0 i
  while jobs_running; do
    if [[ $interactive ]]; then
      draw_jobs "$tick" "$drawn"
      drawn=${#job_pids[@]}
    fi
    tick=$((tick + 1))
    sleep 0.1
  done
  ((drawn == 0)) || printf '\e[%dA\e[J' "$drawn" >&2
  for i in "${!job_pids[@]}"; do
    report_job "$i" || failed=1
  done
  job_names=() job_labels=() job_pids=() job_starts=() job_ends=() job_codes=()
  return "$failed"
}

# Ends what still runs; for the traps.
stop_jobs() {
  local i
  for i in "${!job_pids[@]}"; do
    [[ ${job_codes[i]} ]] || kill -- "-${job_pids[i]}" 2>/dev/null || true
  done
}

jobs_running() {
  local i running=1
  for i in "${!job_pids[@]}"; do
    [[ ${job_codes[i]} ]] && continue
    if kill -0 "${job_pids[i]}" 2>/dev/null; then
      running=0
    else
      job_codes[i]=0
      wait "${job_pids[i]}" || job_codes[i]=$?
      job_ends[i]=$SECONDS
    fi
  done
  return "$running"
}

draw_jobs() {
  local frames=(⠋ ⠙ ⠹ ⠸ ⠼ ⠴ ⠦ ⠧ ⠇ ⠏) i mark
  (($2 == 0)) || printf '\e[%dA' "$2" >&2
  for i in "${!job_pids[@]}"; do
    mark=${frames[$1 % 10]}
    [[ ${job_codes[i]} ]] && mark=' '
    printf '\e[2K%s %-48s %8s\n' "$mark" "${job_labels[i]}" \
      "$(elapsed $((${job_ends[i]:-$SECONDS} - job_starts[i])))" >&2
  done
}

report_job() {
  local name=${job_names[$1]} label=${job_labels[$1]} took=$((job_ends[$1] - job_starts[$1]))
  if ((job_codes[$1] == 0)); then
    # What had nothing to do is not worth a line.
    ((took < 2)) || good "$(printf '%-48s %8s' "$label" "$(elapsed "$took")")"
    return 0
  fi
  bad "$label failed after $(elapsed "$took"); the end of target/log/$name.log:"
  tail -n "${tail_lines:-25}" "$logs/$name.log" | sed 's/^/    /' >&2
  return 1
}
