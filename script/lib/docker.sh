# shellcheck shell=bash
# A Docker daemon for the tests, where the machine has the program and none runs. Sourced after common.sh.

# Sets docker_pid where it has started one. Without root, or without the program, the tests that need one are
# left out by name.
start_docker() {
  local tick=0
  ! docker version >/dev/null 2>&1 || return 0
  ((EUID == 0)) && command -v dockerd >/dev/null || return 0
  set -m
  dockerd >"$logs/dockerd.log" 2>&1 </dev/null &
  docker_pid=$!
  set +m
  until docker version >/dev/null 2>&1; do
    if ! kill -0 "$docker_pid" 2>/dev/null || ((tick++ > 300)); then
      bad 'the Docker daemon does not start; the end of target/log/dockerd.log:'
      tail -n 15 "$logs/dockerd.log" | sed 's/^/    /' >&2
      return 0
    fi
    sleep 0.1
  done
  good 'started a Docker daemon for the tests'
}

# Stops the one that start_docker has started.
stop_docker() {
  [[ $docker_pid ]] || return 0
  kill "$docker_pid" 2>/dev/null || true
  wait "$docker_pid" || true
  docker_pid=
}
