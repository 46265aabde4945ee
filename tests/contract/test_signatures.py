# SPDX-License-Identifier: GPL-2.0-or-later
"""What images and kernels are made of is signed by its distribution, or it is refused: also on a host whose apt would take it. Nothing is fetched from
afar: the host's only source of packages is a folder of the test's own."""

import hashlib
import subprocess

import pytest

from harness import namespaces

PACKAGE = "linux-image-cloud-amd64"
FIELDS = f"Package: {PACKAGE}\nVersion: 9:9\nArchitecture: amd64\nMaintainer: nobody <nobody@localhost>\nDescription: none\n"


def suite_of_host():
    with open("/etc/os-release") as file:
        release = dict(line.strip().replace('"', "").split("=", 1) for line in file if "=" in line)
    suite = release.get("VERSION_CODENAME")
    if release.get("ID") != "debian" or suite not in ("bookworm", "trixie"):
        pytest.skip("only a Debian that banger knows has its packages from where the host has them")
    return suite


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def careless(home):
    """A host whose packages are unsigned, from sources that it trusts, and whose apt.conf lets that pass."""
    root, suite = home.root / "host", suite_of_host()
    write(root / "package" / "DEBIAN" / "control", FIELDS)
    package = write(root / "repository" / "pool" / "kernel.deb", "")
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", root / "package", package], check=True, capture_output=True)
    data = package.read_bytes()
    release = root / "repository" / "dists" / suite
    text = f"{FIELDS}Filename: pool/kernel.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"
    write(release / "main" / "binary-amd64" / "Packages", text)
    write(release / "Release", f"Origin: Debian\nCodename: {suite}\nArchitectures: amd64\nComponents: main\nDate: Wed, 01 Jan 2020 00:00:00 UTC\nSHA256:\n "
                               f"{hashlib.sha256(text.encode()).hexdigest()} {len(text)} main/binary-amd64/Packages\n")
    write(root / "sources.list", f"deb [trusted=yes] file:{root}/repository {suite} main\n")
    for folder in ("lists/partial", "cache/archives/partial", "taken"):
        (root / folder).mkdir(parents=True)
    settings = {"Dir::Etc::sourcelist": root / "sources.list", "Dir::Etc::sourceparts": "/dev/null", "Dir::State::lists": root / "lists",
                "Dir::Cache": root / "cache", "APT::Sandbox::User": "", "APT::Get::AllowUnauthenticated": "true",
                "Acquire::AllowInsecureRepositories": "true", "Acquire::Languages": "none"}
    home.env["APT_CONFIG"] = str(write(root / "apt.conf", "".join(f'{name} "{value}";\n' for name, value in settings.items())))
    for words in (("update",), ("download", PACKAGE)):
        subprocess.run(["apt-get", "-q", *words], env=home.env, cwd=root / "taken", check=True, capture_output=True, timeout=60)
    assert list((root / "taken").glob("*.deb")), "such a host takes what is unsigned"
    yield home
    home.banger("daemon", "stop")


def test_a_kernel_that_nobody_signed_is_refused(careless):
    done = careless.banger("kernel", "pull")
    assert done.returncode == 1 and "is not signed" in done.stderr, done.stderr
    assert careless.json("kernel", "list", "--json") == []
    assert not list((careless.cache / "banger" / "kernels").glob(".new-*"))


def test_packages_that_nobody_signed_become_no_image(careless):
    done = careless.banger("image", "build", "--name", "mine")
    assert done.returncode == 1, done.stderr
    assert "is not signed" in (careless.state / "banger" / "image-build" / "mine.log").read_text()
    assert careless.json("image", "list", "--json") == []


@pytest.mark.parametrize("words, package", [
    (("image", "build", "--name", "mine", "--suite", "noble"), "ubuntu-keyring"), (("kernel", "pull", "--suite", "noble"), "ubuntu-keyring"),
    (("image", "build", "--name", "mine", "--suite", "bookworm"), "debian-archive-keyring"),
], ids=["ubuntu image", "ubuntu kernel", "debian image"])
def test_keys_that_are_not_installed_are_named_with_their_package(home, words, package):
    script = 'banger=$1; shift; "$banger" "$@"; code=$?; "$banger" daemon stop; exit $code'
    command = namespaces.with_small_folder("/usr/share/keyrings", "64k", ["sh", "-c", script, "sh", *home.command(*words)])
    done = subprocess.run(command, env=home.env, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, cwd=home.root)
    assert done.returncode == 4 and f"apt install {package}" in done.stderr, done.stderr
