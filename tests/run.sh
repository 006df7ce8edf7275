#!/usr/bin/env bash
# The test command: installs what is missing, then checks everything this repository claims.
# Safe to run again; stops at the first step that fails. Extra arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly PACKAGES=(gcc libc6-dev curl strace)
readonly CARGO_DENY=0.20.2
readonly CARGO_HOME_DIR=${CARGO_HOME:-$HOME/.cargo}
export PATH="$CARGO_HOME_DIR/bin:$PATH"
# a test that needs an engine fails without it, instead of passing unseen
export MOTEY_REQUIRE_ENGINES=1
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}

say() { printf '\n[%(%H:%M:%S)T] %s\n' -1 "$*"; }

step=start
told() {
    local status=$?
    ((status == 0)) || printf '\nFAILED: %s (exit %d), nothing after it was run\n' "$step" "$status" >&2
}
trap told EXIT

# step NAME COMMAND...: announces and times it; a failing command ends the run here
step() {
    step=$1
    local began=$SECONDS
    say "$step"
    "${@:2}"
    printf '%s: ok, %d s\n' "$step" $((SECONDS - began))
}

need_toolchain() {
    command -v cargo >/dev/null || {
        echo "cargo is not there: install a Rust toolchain first (the README says which)"
        return 1
    }
    local component
    for component in fmt clippy; do
        cargo "$component" --version >/dev/null 2>&1 || rustup component add "${component/fmt/rustfmt}"
    done
    rustc --version
}

need_cargo_deny() {
    cargo deny --version 2>/dev/null || cargo install --locked "cargo-deny@$CARGO_DENY"
}

dependency_policy() {
    cargo deny --config .cargo/deny.toml check --hide-inclusion-graph bans licenses sources
}

# the database lives outside the package registries: many build machines cannot reach it
advisories() {
    if compgen -G "$CARGO_HOME_DIR/advisory-dbs/*/.git" >/dev/null; then
        cargo deny --config .cargo/deny.toml --offline check --hide-inclusion-graph advisories
    else
        echo "SKIPPED: no advisory database here; fetch it with: cargo deny fetch db"
    fi
}

# what the README promises of its first command, in a place of its own
quickstart() {
    local place status=0
    place=$(mktemp -d)
    packaging/quickstart.sh --dir "$place/node" --port $((20000 + RANDOM % 10000)) || status=$?
    packaging/quickstart.sh --stop --dir "$place/node" || status=$?
    rm -r -- "$place"
    return "$status"
}

step "system packages" packaging/need-packages.sh "${PACKAGES[@]}"
step "toolchain" need_toolchain
step "cargo-deny" need_cargo_deny
step "format" cargo fmt --all --check
step "dependency policy" dependency_policy
step "advisories" advisories
# whole-node tests load the plugins' .so files, and `cargo test` does not bring those up to date
step "build" cargo build --workspace
# a vendor builds it without the workspace's features
step "the plugin API alone" cargo check -p motey-plugin-api
step "lints" cargo clippy --workspace --all-targets -- -D warnings
step "quickstart" quickstart
# apart, for the broken rules must be in nothing else that is built
step "mutants" cargo test -p motey-sim --features mutants --test mutants -- --nocapture
# every failure in one run, not the first alone
step "tests" cargo test --no-fail-fast "${@:---workspace}"
say "everything passed in $((SECONDS / 60)) min $((SECONDS % 60)) s"
