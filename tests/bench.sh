#!/usr/bin/env bash
# The figures of docs/performance.md. Builds what they are about in one profile, then measures: `tests/bench.sh` for all
# of them (ten minutes), `tests/bench.sh latency start` for some. PROFILE=dist measures what the packages ship.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

profile=${PROFILE:-release}
packaging/need-packages.sh gcc libc6-dev strace
cargo build --workspace --profile "$profile"

target=${CARGO_TARGET_DIR:-target}
cores=$(nproc)
processor=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
files=$(findmnt --noheadings --output FSTYPE --target "${TMPDIR:-/tmp}")
echo "profile $profile; $cores × ${processor:-$(uname -m)}; Linux $(uname -r); databases on $files"
exec "$target/$profile/motey-bench" "$@"
