#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# verify.sh           a smoke test of the whole workflow: makes a VM of its own, uses it as you would, and leaves nothing behind
# verify.sh --nat     with a TAP and NAT by banger-broker, too: what they change on this host comes and goes
#
# Runs as you, with the `banger` on your PATH (or $BANGER), and never asks for sudo. The first VM makes the default kernel and image, which takes
# minutes. Exit code 0: all went well; 1: a step failed, and its output was shown.
set -euo pipefail

banger=${BANGER:-banger}
nat=no
for word in "$@"; do
    case $word in
        --nat) nat=yes ;;
        -h | --help) sed -n '3,8s/^# \{0,1\}//p' "$0" && exit 0 ;;
        *) printf 'verify.sh: unknown argument "%s"; see verify.sh --help\n' "$word" >&2 && exit 2 ;;
    esac
done

work=$(mktemp -d)
vm=verify-$$
finish() {
    "$banger" vm delete -f "$vm" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT

# step WORDS COMMAND…: runs it, and shows what it printed when it fails.
step() {
    local what=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        printf 'ok      %s\n' "$what"
    else
        printf 'FAILED  %s (exit %d): %s\n' "$what" "$?" "$*"
        sed 's/^/        /' "$work/out"
        exit 1
    fi
}
in_vm() { "$banger" vm exec "$vm" -- "$@"; }
# says TEXT COMMAND…: its output has a line with TEXT.
says() {
    local text=$1
    shift
    # Not by a pipe, which a grep that has seen enough would break.
    "$@" >"$work/said" || return
    cat "$work/said"
    grep -qF -- "$text" "$work/said"
}

# What a VM adds to this host, as far as an ordinary user sees it: interfaces, routes, forwarding, disks of the broker's.
traces() {
    for link in /sys/class/net/*; do printf '%s\n' "${link##*/}"; done
    cat /proc/net/route
    grep -H . /proc/sys/net/ipv4/conf/*/forwarding
    ls /dev/mapper 2>/dev/null || true
}

command -v "$banger" >/dev/null || {
    printf 'verify.sh: there is no program "%s"; scripts/quickstart builds and installs it\n' "$banger" >&2
    exit 1
}
traces >"$work/before"

options=(--name "$vm" --memory 512 --disk-size 2G)
[[ $nat == no ]] || options+=(--nat)

step "banger answers" "$banger" version
step "the host is looked at" "$banger" doctor
step "the settings are in order" "$banger" config check
step "a VM is made and boots" "$banger" vm create "${options[@]}"
step "it is listed" says "$vm" "$banger" ps
step "it is shown" says running "$banger" vm show "$vm"
step "a command runs in it" says Linux in_vm uname -a
exit_code=0
in_vm sh -c 'exit 42' || exit_code=$?
step "its exit code comes back" test "$exit_code" -eq 42
head -c 1000000 /dev/urandom >"$work/sent"
step "a file is copied in" "$banger" vm cp "$work/sent" "$vm:/root/kept"
step "and out" "$banger" vm cp "$vm:/root/kept" "$work/back"
step "and is the same" cmp "$work/sent" "$work/back"
if command -v ssh >/dev/null; then
    step "ssh logs in" says root "$banger" vm ssh "$vm" -- id -un
fi
step "its statistics are told" says "$vm" "$banger" vm stats "$vm"
step "what listens in it is told" says sshd "$banger" vm ports "$vm"
step "a port of this host leads into it" "$banger" vm forward "$vm" 0:22
port=$(sed -n 's/.*:\([0-9]*\) leads to .*/\1/p' "$work/out")
step "and what is there answers" says SSH-2.0 timeout 60 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port && head -1 <&3"
step "it writes on its console" in_vm sh -c 'echo hello from the guest >/dev/console'
step "which is kept" says "hello from the guest" "$banger" vm logs "$vm"

if [[ $nat == yes ]]; then
    address=$("$banger" vm list "$vm" --format plain | cut -f7)
    step "it has an address of the broker's" test -n "$address"
    step "this host reaches it" ping -c 1 -W 10 "$address"
    traces >"$work/during"
    step "its TAP is there" grep -q '^bgr' <(diff "$work/before" "$work/during" | sed -n 's/^> //p')
    step "NAT is switched off" "$banger" vm set --no-nat "$vm"
    step "and on again" "$banger" vm set --nat "$vm"
fi

step "it stops" "$banger" vm stop "$vm"
step "it gets more memory and disk" "$banger" vm set --memory 640 --disk-size 3G "$vm"
step "it starts again" "$banger" vm start "$vm"
step "what was on its disk is there" says "$(sha256sum <"$work/sent" | cut -d' ' -f1)" in_vm sha256sum /root/kept
step "it restarts" "$banger" vm restart "$vm"
step "it is deleted" "$banger" vm delete -f "$vm"
listed() { "$banger" vm list -q | grep -qxF "$vm"; }
gone() { ! listed && traces | diff "$work/before" -; }
step "and nothing is left of it" gone
printf 'all well\n'
