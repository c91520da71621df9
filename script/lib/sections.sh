# shellcheck shell=bash
# The sections of script/test: what each runs, in the foreground or in a lane beside others, and the summary.
# Each leaves its output in target/log/test-NAME.log and `STATUS SECONDS` in $results/NAME.

results=$root/target/log/results

# --- What each does. Functions in a condition do not stop at an error: hence the `&&`. ---

section_format() { cargo fmt --all --check; }

section_shell() {
  find_shellcheck || { skipped shell 'shellcheck is not installed' && return; }
  # What says it is a shell script; -x follows it into the parts that it sources.
  grep -rlIE --exclude-dir={.git,target,node_modules} '^#!.*\b(ba)?sh$' . | xargs shellcheck -x
}

section_licences() {
  if ! command -v cargo-deny >/dev/null; then
    if [[ -z ${CI:-} ]]; then
      skipped licences 'cargo-deny is not installed (cargo install --locked cargo-deny)'
      return
    fi
    cargo install --locked --quiet --root "$root/target/tools" cargo-deny@0.20.2 || return
    PATH=$root/target/tools/bin:$PATH
  fi
  cargo deny --locked check licenses bans sources
}

section_lint() { cargo clippy --locked --workspace --all-targets -- -D warnings; }

section_docs() { RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --document-private-items; }

section_java() {
  # An engine of the family for the worker's contract; nothing changes it but its own folder.
  mvn --batch-mode --no-transfer-progress --file "$root/tests/operaton/pom.xml" package || return
  # And one that runs what models say: what the gate refuses is seen to run there.
  mvn --batch-mode --no-transfer-progress --file "$root/tests/open/pom.xml" package || return
  # Models that somebody else has made, for the checks to be tried on.
  mvn --batch-mode --no-transfer-progress --file "$root/tests/models/pom.xml" package || return
  if ! command -v pg_virtualenv >/dev/null; then
    skipped 'the engine on PostgreSQL' 'PostgreSQL is not installed'
    build_engine verify
    return
  fi
  export -f build_engine
  export engine engine_stamp
  # A server of its own for as long as the command runs.
  # shellcheck disable=SC2016
  pg_virtualenv bash -c 'export PROCOS_TEST_POSTGRES_URL="jdbc:postgresql://$PGHOST:$PGPORT/postgres?user=$PGUSER&password=$PGPASSWORD"
    build_engine verify'
}

section_image() {
  docker version >/dev/null 2>&1 || { skipped image 'no Docker daemon' && return; }
  find_debootstrap || { skipped image 'debootstrap is not installed' && return; }
  ((EUID == 0)) || { skipped image 'debootstrap needs root' && return; }
  engine_is_built || build_engine package -DskipTests || return
  script/engine-image && script/sandbox-images --docker --roots target/images/roots
}

section_modeler() {
  find_chromium || { skipped modeler 'no Chromium' && return; }
  find_npm || { skipped modeler 'no npm' && return; }
  provide_node || return
  (
    cd tests/modeler && npm ci --no-audit --no-fund && npm test &&
      find "$root/processes" "$root/docs" -name '*.bpmn' -print0 | sort -z | xargs -0 node check.mjs
  )
}

# The browser driver wants a newer Node than Debian 12 has; npm's registry has it.
provide_node() {
  local wanted='const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 12) ? 0 : 1)'
  PATH=$root/target/tools/node/node_modules/node/bin:$PATH
  node -e "$wanted" && return
  npm install --no-audit --no-fund --prefix "$root/target/tools/node" node@22 && node -e "$wanted"
}

build_rust_tests() {
  # The end-to-end tests run the binaries and the examples, which cargo does not build for another package's tests.
  cargo build --locked -p cli -p stock && cargo test --locked --workspace --no-run && cargo build --locked --workspace --examples
}

# The vendors' own clients, which say whether the tests' stand-ins for their services speak as these do.
provide_sdks() {
  local folder=target/tools/sdks wanted=tests/sdks/requirements.txt
  cmp -s "$wanted" "$folder/requirements.txt" && return
  rm -rf "$folder" && python3 -m venv "$folder" &&
    "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted" &&
    cp "$wanted" "$folder/requirements.txt"
}

section_rust() {
  ((EUID != 0)) || ordinary_user || return
  provide_sdks || return
  build_rust_tests 2>&1 | tail -n 60 || return
  engine_is_built || build_engine package -DskipTests || return
  cargo test --locked --workspace --no-fail-fast
}

# Somebody without rights, as whom the sandbox is tried once more.
ordinary_user() {
  id procos-test >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin procos-test
}

# --- Running them. ---

# skipped NAME WHY: a part that this machine cannot do.
skipped() { echo "SKIPPED $1: $2"; }

# run SECTION…: those of them that are wanted, one after the other, with their output.
run() {
  local name
  for name in "$@"; do
    is_wanted "$name" || continue
    say "== $name"
    measured "$name" 2>&1 | tee "$logs/test-$name.log"
  done
}

# lane LABEL SECTION…: the same in the background, until finish_jobs. The output is in the sections' logs.
lane() {
  local label=$1 name mine=()
  shift
  for name in "$@"; do
    ! is_wanted "$name" || mine+=("$name")
  done
  ((${#mine[@]} == 0)) || job "test-lane-${mine[0]}" "$label" in_turn "${mine[@]}"
}

in_turn() {
  local name code failed=0
  for name in "$@"; do
    measured "$name" >"$logs/test-$name.log" 2>&1
    read -r code _ <"$results/$name"
    ((code != 0)) || continue
    failed=1
    echo "-- $name, from target/log/test-$name.log"
    tail -n 150 "$logs/test-$name.log"
  done
  return "$failed"
}

measured() {
  local start=$SECONDS code=0
  "section_$1" || code=$?
  echo "$code $((SECONDS - start))" >"$results/$1"
}

# --- The summary. ---

# runner_lines LOG: the lines in which runners sum up, unless they passed nothing and failed nothing.
runner_lines() {
  grep -E '^test result: |Tests run: [0-9]+, .*Skipped: [0-9]+$|^[0-9]+ passed, [0-9]+ failed$' "$1" |
    grep -v ' 0 passed; 0 failed;' || true
}

# counts LOG: PASSED FAILED, from what the runners themselves say: cargo, Maven, the Modeler check.
counts() {
  runner_lines "$1" | awk '
    /^test result: / { passed += $4; failed += $6 }
    /Tests run: [0-9]+, .*Skipped: [0-9]+$/ {
      match($0, /Tests run: .*/)
      split(substr($0, RSTART), n, /[^0-9]+/)
      passed += n[2] - n[3] - n[4] - n[5]; failed += n[3] + n[4]
    }
    /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }
    END { print passed + 0, failed + 0 }'
}

# Says how each section went and ends the script: the last line is the sum of all runners.
summarise() {
  local name code took passed failed all_passed=0 all_failed=0 line log
  say "== summary"
  for name in "${all[@]}"; do
    is_wanted "$name" || continue
    log=$logs/test-$name.log
    read -r code took <"$results/$name" || code=1 took=0
    read -r passed failed < <(counts "$log")
    # A section that fails without a failed test (a lint, a compiler error) counts as one.
    ((code == 0 || failed > 0)) || failed=1
    all_passed=$((all_passed + passed)) all_failed=$((all_failed + failed))
    line=$(printf '%-10s %8s' "$name" "$(elapsed "$took")")
    ((passed + failed == 0)) || line+="   $passed passed, $failed failed"
    if ((failed > 0)); then bad "$line"; else good "$line"; fi
    runner_lines "$log" | sed 's/^/             /' >&2
  done
  while read -r line; do
    say "$line"
    [[ -z ${CI:-} ]] || all_failed=$((all_failed + 1))
  done < <(cat "$logs"/test-*.log | grep -o 'SKIPPED [^ ]*: .*' | sort -u)
  say "took $(elapsed $((SECONDS - started)))"
  echo "$all_passed passed, $all_failed failed"
  ((all_failed == 0))
}
