#!/bin/bash
# Runs the engine tests and one frame of the app as arm64 programs: in an unpacked arm64 Debian, through qemu-user.
#
#   make test-arm64        or  tests/arm64/run.sh [PYTEST ARGUMENTS, instead of the default tests]
#
# Needs Debian or Ubuntu on another architecture, root, a network, and a kernel with binfmt_misc. It installs
# mmdebstrap, qemu-user-static and an arm64 cross compiler by apt-get where they are missing; all else lies in a
# temporary folder (about 0.6 GB) and goes away with it. Nothing here replaces a run on a board: qemu executes the
# instructions of the architecture, not its timing and none of its devices.
set -euo pipefail

REPO=$(realpath "$(dirname "$0")/../..")
PYTHON=${PYTHON:-$REPO/.venv/bin/python}
MISC=/proc/sys/fs/binfmt_misc
ENTRY=$MISC/qemu-aarch64
TESTS=("$@")
# All that touches the libraries; of the tests of the whole program, which emulation makes slow, the essential one.
[ $# -gt 0 ] || TESTS=(-m "not slow" tests/abi tests/runtime/engines
    -k "not test_npu_app and not test_image_inputs and not command or test_run_gives_the_same_files")

die() { echo "test-arm64: $1" >&2; exit "${2:-1}"; }
say() { printf '%4d s  %s\n' $SECONDS "$1"; }

install_tools() {
    local missing=()
    command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
    command -v qemu-aarch64-static >/dev/null || missing+=(qemu-user-static)
    command -v aarch64-linux-gnu-gcc >/dev/null || missing+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
    [ ${#missing[@]} -eq 0 ] && return
    say "installing ${missing[*]}"
    apt-get -qq update || die "apt-get update failed, and ${missing[*]} are missing" 69
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null ||
        die "apt-get could not install ${missing[*]}" 69
}

# The kernel must start arm64 programs through qemu; what was not registered before is taken back at the end.
register_qemu() {
    [ -e $ENTRY ] && return
    if [ ! -e $MISC/register ]; then
        mount -t binfmt_misc binfmt_misc $MISC 2>/dev/null ||
            die "cannot mount binfmt_misc, which the kernel needs to start arm64 programs" 77
        mounted=yes
    fi
    [ -e $ENTRY ] && return
    cat /usr/lib/binfmt.d/qemu-aarch64.conf >$MISC/register 2>/dev/null ||
        die "cannot register qemu with binfmt_misc: root on the machine itself is needed, not in a container" 77
    registered=yes
}

clean_up() {
    if [ -n "${work:-}" ]; then rm -rf --one-file-system "$work" || true; fi
    if [ -n "${registered:-}" ]; then echo -1 >$ENTRY || true; fi
    if [ -n "${mounted:-}" ]; then umount $MISC || true; fi
}

unpack_debian() {
    say "unpacking an arm64 Debian"
    mmdebstrap --quiet --arch=arm64 --variant=extract --include=base-files,coreutils,python3,libstdc++6 \
        "${SUITE:-bookworm}" "$root" >"$work/log" 2>&1 || die "cannot unpack Debian: $(tail -1 "$work/log")" 69
    version=$(readlink "$root/usr/bin/python3") && version=${version#python}
}

# arm64 wheels by pip's own cross mode, and the app as users get it: as a wheel made from the sources alone.
install_packages() {
    say "installing arm64 wheels for Python $version"
    "$PYTHON" -m pip install -qq --no-compile --target "$root/site" --only-binary=:all: --implementation cp \
        --python-version "$version" --platform manylinux_2_28_aarch64 --platform manylinux2014_aarch64 \
        numpy 'opencv-python-headless>=4.10,<6' pyyaml loguru click 'pydantic>=2.5,<3' pytest hypothesis ||
        die "pip could not fetch the arm64 wheels" 69
    mkdir "$root/src"
    (cd "$REPO" && tar -c --exclude=__pycache__ --exclude='*.egg-info' app runtime calibration configs tests bench \
        setup.cfg pyproject.toml README.md LICENSE) | tar -x -C "$root/src"
    cp -r "$root/src" "$work/wheel-source"
    "$PYTHON" -m pip install -qq --no-compile --no-deps --target "$root/site" "$work/wheel-source"
}

build_standins() {
    say "cross-compiling the stand-in libraries"
    (cd "$REPO" && CC=aarch64-linux-gnu-gcc "$PYTHON" -m tests.standin.build "$root/standin") ||
        die "cannot compile the stand-in libraries"
}

# Python of the arm64 Debian, in a mount namespace of its own: what it mounts goes away with it.
guest() {
    unshare --mount --fork "$REPO/tests/arm64/enter.sh" "$root" /usr/bin/python3 "$@"
}

[ "$(id -u)" = 0 ] || die "must run as root: it unpacks a Debian and starts programs in it by chroot" 77
command -v apt-get >/dev/null || die "needs Debian or Ubuntu: there is no apt-get here" 69
[ -x "$PYTHON" ] || die "$PYTHON is not there: make test creates it" 66

trap clean_up EXIT
trap 'exit 130' INT TERM
install_tools
register_qemu
work=$(mktemp -d) && root=$work/root
unpack_debian
install_packages
build_standins

say "$(guest -c 'import platform, sys; print("on", platform.machine(), "Python", sys.version.split()[0])')"
say "one frame of the app, OpenCV engine"
echo 'input_width: 160' >"$root/src/small.yaml"
guest -m roma_device.app.cli run --config small.yaml --camera 'simulated:room?frames=1&size=160x96' --engine opencv
say "tests: ${TESTS[*]}"
guest -m pytest -p no:cacheprovider --durations=5 "${TESTS[@]}"
say "done"
