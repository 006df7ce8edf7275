#!/usr/bin/env bash
# Builds Motey, starts a node of your own on loopback, deploys an example and shows it running.
# Safe to run again: the node is restarted with what was built, its services and its configuration stay.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'TEXT'
usage: packaging/quickstart.sh [--dir DIR] [--port PORT]
       packaging/quickstart.sh --stop [--dir DIR]

  --dir DIR    where the node keeps everything (default: ~/.local/state/motey)
  --port PORT  the REST port on 127.0.0.1 (default: what DIR/motey.toml says, 5023 when it is written)
  --stop       removes the example's service and stops the node, whoever started it; other services go on
TEXT
}

dir=${XDG_STATE_HOME:-$HOME/.local/state}/motey
port=
stop=no
while (($#)); do
    case $1 in
        --dir | --port)
            (($# > 1)) || { usage >&2; exit 2; }
            if [[ $1 == --dir ]]; then dir=$2; else port=$2; fi
            shift 2
            ;;
        --stop) stop=yes; shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done
dir=$(realpath -m -- "$dir")

readonly PLUGINS=(process host-facts)
readonly EXAMPLE=examples/blueprints/hello.yaml
readonly PATIENCE=60
readonly motey=$dir/bin/motey config=$dir/motey.toml log=$dir/motey.log
export MOTEY_CONFIG=$config
started=
target=$(realpath -m -- "${CARGO_TARGET_DIR:-target}")

say() { printf '\n== %s\n' "$*"; }

fail() {
    printf '\nFAILED: %s\n' "$*" >&2
    exit 1
}

# where the node keeps its state: what the configuration says, for it may have been changed
state_dir() {
    local state
    state=$(sed -nE 's/^[[:space:]]*state_dir[[:space:]]*=[[:space:]]*"([^"]*)".*/\1/p' "$config" 2>/dev/null | head -n 1)
    realpath -m -- "${state:-$dir/state}"
}

# the process that has claimed the state directory, however it was started; its lock names it and is open in it
running() {
    local lock pid
    lock=$(state_dir)/lock
    pid=$(cat "$lock" 2>/dev/null) || return 1
    [[ $pid ]] && readlink "/proc/$pid/fd/"* 2>/dev/null | grep -qxF -- "$lock" && echo "$pid"
}

# within PATIENCE seconds COMMAND...
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

gone() { ! running >/dev/null; }

stop_node() {
    local pid
    pid=$(running) || return 0
    kill -TERM "$pid"
    within "$PATIENCE" gone || fail "the node (process $pid) does not end; its log is $log"
}

build() {
    command -v cargo >/dev/null || fail "cargo is not there: install a Rust toolchain first (the README says which)"
    cargo build --release -p motey "${PLUGINS[@]/#/-pmotey-plugin-}"
}

# by rename: a file that a running node has mapped must not change under it
put() {
    local mode=$1 from=$2 to=$3
    install -m "$mode" -- "$from" "$to.new"
    mv -f -- "$to.new" "$to"
}

# a copy of everything, so that the node runs on while this folder is built again
install_files() {
    mkdir -p -m 0700 -- "$dir"
    mkdir -p -- "$dir/bin" "$dir/plugins"
    put 0755 "$target/release/motey" "$motey"
    local plugin file
    for plugin in "${PLUGINS[@]}"; do
        file=libmotey_plugin_${plugin//-/_}.so
        put 0755 "$target/release/$file" "$dir/plugins/$file"
    done
}

# what somebody has written into it stays
write_config() {
    if [[ -e $config ]]; then
        echo "keeping $config"
        return
    fi
    cat >"$config" <<TEXT
# Written by packaging/quickstart.sh, once: change what you like. All keys: docs/configuration.md.
[general]
state_dir = "$dir/state"
run_dir = "$dir/run"

[webserver]
port = ${port:-5023}

[plugins]
directories = ["$dir/plugins"]
# the files belong to whoever built them; nobody else can write to this place
trust = "any"
TEXT
}

answers() {
    kill -0 "$started" 2>/dev/null || fail "the node ended at once; the end of $log:"$'\n'"$(tail -n 20 "$log")"$'\n'"(is the port taken? --port takes another one)"
    "$motey" status >/dev/null 2>&1
}

start_node() {
    setsid "$motey" run --config "$config" ${port:+--port "$port"} </dev/null >>"$log" 2>&1 &
    started=$!
    disown
    within "$PATIENCE" answers || fail "the node does not answer; its log is $log"
}

# as the node has it
setting() { "$motey" config show | awk -v key="$1" '$1 == key { print $2 }'; }

if [[ $stop == yes ]]; then
    running >/dev/null || { echo "no node runs in $dir"; exit 0; }
    if "$motey" service list -o name | grep -qxF hello; then
        "$motey" service rm hello || echo "the example's service was not removed" >&2
    fi
    left=$("$motey" ps -o name || true)
    stop_node
    [[ -z $left ]] || printf 'these go on without the node:\n%s\n' "$left"
    echo "stopped; packaging/quickstart.sh starts it again, rm -r '$dir' forgets it"
    exit 0
fi

say "what the build needs"
packaging/need-packages.sh gcc libc6-dev curl
say "building (a few minutes the first time)"
build
say "starting a node in $dir"
stop_node
install_files
write_config
start_node
say "deploying $EXAMPLE"
"$motey" apply -f "$EXAMPLE"
say "what runs"
"$motey" ps

cat <<TEXT

The node runs in the background (process $(running)). To go on:

  export MOTEY_CONFIG='$config' PATH='$dir/bin':"\$PATH"
  motey service logs hello
  motey service scale hello greeter=3
  motey ps
  motey plugin list
  curl -H "Authorization: Bearer \$(cat '$(state_dir)/token')" http://127.0.0.1:${port:-$(setting webserver.port)}/v1/service

Its log is $log. To stop it:

  packaging/quickstart.sh --stop$([[ $dir == "${XDG_STATE_HOME:-$HOME/.local/state}/motey" ]] || printf " --dir '%s'" "$dir")
TEXT
