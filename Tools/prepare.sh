# Sourced by Tools/run and Tools/test: installs what is missing and knows how to build. Debian 12 or later with Swift.
# Nothing is printed but to stderr, so that the last line of stdout stays the caller's.

repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$repository"

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$(basename "$0"): $*"
    exit 1
}

# Installs Debian packages: directly as root, with sudo where that asks for no password, else says what to type.
install_packages() {
    say "Installing $* ..."
    local prefix=()
    if [ "$(id -u)" -ne 0 ]; then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            prefix=(sudo -n)
        else
            fail "missing packages; as root run:  apt-get install -y $*"
        fi
    fi
    command -v apt-get >/dev/null || fail "missing packages, and there is no apt-get here; install: $*"
    "${prefix[@]}" apt-get update -qq >&2 || say "apt-get update failed; trying with the lists that are there"
    DEBIAN_FRONTEND=noninteractive "${prefix[@]}" apt-get install -y -qq --no-install-recommends "$@" >&2 ||
        fail "apt-get could not install: $*"
}

require_build_tools() {
    command -v swift >/dev/null || fail "Swift 6.2 or later is needed (https://www.swift.org/install/linux)"
    command -v pkg-config >/dev/null && pkg-config --exists lmdb || install_packages liblmdb-dev pkg-config
}

# What the tests of the etcd witness start.
require_etcd() {
    command -v etcd >/dev/null && command -v openssl >/dev/null || install_packages etcd-server openssl
}

# The python3 that the schema tests call must have PyYAML and jsonschema: the one on the path, else one of our own.
require_python() {
    has_modules() { "$1" -c 'import yaml, jsonschema' >/dev/null 2>&1; }
    if ! command -v python3 >/dev/null; then
        install_packages python3 python3-yaml python3-jsonschema
    fi
    has_modules python3 && return
    local own="$repository/.build/python"
    if ! has_modules "$own/bin/python3"; then
        say "Making a Python environment with PyYAML and jsonschema in .build/python ..."
        mkdir -p "$repository/.build"
        if ! { python3 -m venv "$own" && "$own/bin/pip" install --quiet PyYAML jsonschema; } >&2; then
            rm -rf "$own"
            install_packages python3 python3-yaml python3-jsonschema
            has_modules /usr/bin/python3 || fail "python3 has no PyYAML and jsonschema, and they could not be installed"
            PATH="/usr/bin:$PATH"
            return
        fi
    fi
    PATH="$own/bin:$PATH"
}

build_program() {
    swift build -c release --product baton >&2 || fail "the build failed"
}
