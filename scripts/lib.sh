# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
# Shared by the scripts in this folder, which source it; not a program of its own.

set -euo pipefail
# Sorting and messages that scripts read must not depend on the caller's language. C.UTF-8 is part of libc-bin.
export LC_ALL=C.UTF-8
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
program=${0##*/}

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "$program" "$*" >&2; }

# die CODE SENTENCE…: exit codes are those of the CLI (2 usage, 4 the host lacks something, 1 anything else).
die() {
    local code=$1
    shift
    warn "$*"
    exit "$code"
}

# usage: prints the caller's leading comment, from its third line to the first line that is no comment.
usage() { sed -n '3,${/^#/!q;s/^# \{0,1\}//p}' "${BASH_SOURCE[-1]}"; }

# elapsed SECONDS: 75 -> 1 min 15 s
elapsed() {
    if (($1 >= 60)); then printf '%d min %d s' $(($1 / 60)) $(($1 % 60)); else printf '%d s' "$1"; fi
}

# step TITLE COMMAND…: runs it, says what it does and how long it took. With $step_log set, its output goes there and is shown
# only when it fails.
step() {
    local title=$1 begin=$SECONDS code=0
    shift
    if [[ -n ${step_log:-} ]]; then
        printf '== %s … ' "$title"
        printf '\n== %s\n' "$title" >>"$step_log"
        "$@" >>"$step_log" 2>&1 </dev/null || code=$?
    else
        printf '== %s\n' "$title"
        "$@" </dev/null || code=$?
    fi
    if ((code != 0)); then
        printf 'failed after %s\n' "$(elapsed $((SECONDS - begin)))"
        [[ -n ${step_log:-} ]] && tail -n 40 "$step_log" >&2 && warn "the whole output is in $step_log"
        return "$code"
    fi
    printf '%s\n' "$(elapsed $((SECONDS - begin)))"
}

# build_jobs: one a core, but no more than memory carries: a translation unit with the D-Bus glue under ASan takes about 1 GiB.
build_jobs() {
    local cores memory_kib
    cores=$(nproc)
    memory_kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
    local by_memory=$((memory_kib / 1024 / 1024))
    ((by_memory < 1)) && by_memory=1
    printf '%d\n' $((cores < by_memory ? cores : by_memory))
}
