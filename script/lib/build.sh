# shellcheck shell=bash
# Builds the two halves. Sourced after common.sh.

engine=$root/engine/engine-server
engine_stamp=$engine/target/.built

# True when the jar has been built, to the end, from the sources as they are. Maven itself takes seconds to
# find that out.
engine_is_built() {
  [[ -f $engine_stamp && -f $engine/target/procos-engine.jar ]] &&
    [[ -z $(find "$engine/pom.xml" "$engine/src" -newer "$engine_stamp" -print -quit) ]]
}

# build_engine GOAL…: the stamp carries the time of the start, so that what is edited meanwhile counts as newer,
# and is set at the end, so that a jar half-written is not taken for one.
build_engine() {
  mkdir -p "$engine/target" &&
    rm -f "$engine_stamp" &&
    touch "$engine_stamp.new" &&
    mvn --batch-mode --no-transfer-progress --file "$engine/pom.xml" "$@" &&
    mv "$engine_stamp.new" "$engine_stamp"
}

build_procos() {
  (cd "$root" && cargo build --locked --release -p cli --target-dir "$root/target")
}
