#!/bin/bash
# build.sh FOLDER: an arm64 Debian with systemd, the kernel's virtual cameras and the app, as FOLDER/{kernel,initrd,root.img}.
#
# Everything is unpacked only (no package script runs, so no emulation is needed) and takes about a minute. Needs
# Debian or Ubuntu, root, a network, and the wheel's dependencies from PyPI. `make vm-test` calls it.
set -euo pipefail

REPO=$(realpath "$(dirname "$0")/../..")
PYTHON=${PYTHON:-$REPO/.venv/bin/python}
SUITE=bookworm
out=$(realpath -m "$1")
root=$out/root

# Essential packages are not implied when nothing is configured.
PACKAGES=base-files,base-passwd,bash,bsdutils,coreutils,dash,debianutils,diffutils,findutils,grep,gzip,hostname
PACKAGES+=,init-system-helpers,libc-bin,login,mount,ncurses-base,passwd,sed,sysvinit-utils,tar,util-linux
PACKAGES+=,systemd,systemd-sysv,dbus,udev,kmod,procps,mawk,python3,libstdc++6,busybox-static,linux-image-arm64

# What the virtual machine needs of some 4,000 modules; modprobe finds what each of them depends on.
INITRD_MODULES="virtio_pci virtio_blk virtio_mmio ext4"
ROOT_MODULES="vivid 9p 9pnet_virtio virtio_rng loop cuse"

die() { echo "vm-test: $1" >&2; exit "${2:-1}"; }
say() { printf '%4d s  %s\n' $SECONDS "$1"; }

unpack_debian() {
    say "unpacking an arm64 Debian"
    mmdebstrap --quiet --arch=arm64 --variant=extract --include=$PACKAGES \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        $SUITE "$root" >"$out/mmdebstrap.log" 2>&1 || die "cannot unpack Debian: $(tail -1 "$out/mmdebstrap.log")" 69
    release=$(ls "$root/lib/modules") && version=$(readlink "$root/usr/bin/python3") && version=${version#python}
}

# What the packages' own scripts would have done, as far as it matters here.
configure_debian() {
    say "configuring it"
    cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
    cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
    ln -sf mawk "$root/usr/bin/awk"
    systemd-sysusers --root="$root" 2>/dev/null || true
    systemctl --root="$root" preset-all >/dev/null 2>&1 || true
    systemctl --root="$root" mask proc-sys-fs-binfmt_misc.automount systemd-binfmt.service \
        systemd-timesyncd.service systemd-networkd.service systemd-networkd-wait-online.service \
        e2scrub_reap.service apt-daily.timer apt-daily-upgrade.timer serial-getty@ttyAMA0.service >/dev/null 2>&1
    echo board >"$root/etc/hostname"
    echo 127.0.0.1 localhost >"$root/etc/hosts"
    printf '%s\n' '/dev/vda / ext4 rw 0 1' >"$root/etc/fstab"
    : >"$root/etc/machine-id"
}

# Paths of the modules in $@ and of all that they need, each before those that need it.
module_files() {
    local name
    for name in "$@"; do
        modprobe -d "$root" -S "$release" --show-depends "$name" 2>/dev/null | awk '$1 == "insmod" { print $2 }'
    done | awk '!seen[$0]++'
}

prune_modules() {
    say "keeping few kernel modules"
    local keep=$out/modules
    depmod -b "$root" "$release"
    # shellcheck disable=SC2086
    module_files $INITRD_MODULES $ROOT_MODULES >"$keep"
    # shellcheck disable=SC2086
    module_files $INITRD_MODULES >"$out/initrd.modules"
    find "$root/lib/modules/$release/" -name '*.ko' | grep -vxFf <(sed "s|^$root/*|$root/|" "$keep") | xargs -r rm
    depmod -b "$root" "$release"
}

make_initrd() {
    say "making an initrd"
    local tree=$out/initrd.tree
    mkdir -p "$tree"/{bin,dev,proc,sys,mnt,modules}
    cp "$root/bin/busybox" "$tree/bin/busybox"
    local order=0 file
    while read -r file; do
        order=$((order + 1))
        cp "$file" "$tree/modules/$(printf %02d $order)-$(basename "$file")"
    done <"$out/initrd.modules"
    cat >"$tree/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
for module in /modules/*; do /bin/busybox insmod "$module"; done
while [ ! -b /dev/vda ]; do /bin/busybox sleep 0.1; done
/bin/busybox mount -t ext4 /dev/vda /mnt
/bin/busybox mount --move /dev /mnt/dev
/bin/busybox umount /proc
exec /bin/busybox switch_root /mnt /sbin/init
INIT
    chmod +x "$tree/init"
    (cd "$tree" && find . | cpio --quiet -o -H newc | gzip -1) >"$out/initrd"
    cp "$root/boot/vmlinuz-$release" "$out/kernel"
    rm -rf "$root/boot"/*
}

# The folder of a virtual environment, made by hand: pip fills it with arm64 wheels from this side.
install_app() {
    say "installing the wheel and its dependencies for Python $version"
    local home=$root/opt/roma-device site=$root/opt/roma-device/lib/python$version/site-packages
    mkdir -p "$home/bin" "$site" "$out/wheel"
    ln -s /usr/bin/python3 "$home/bin/python"
    printf 'home = /usr/bin\ninclude-system-site-packages = false\n' >"$home/pyvenv.cfg"
    # A stale build/lib would put deleted modules into the wheel: build from the sources alone.
    (cd "$REPO" && tar -c --exclude=__pycache__ --exclude='*.egg-info' api app runtime calibration configs \
        setup.cfg pyproject.toml README.md LICENSE) | (mkdir -p "$out/source" && tar -x -C "$out/source")
    "$PYTHON" -m pip wheel -qq --no-deps -w "$out/wheel" "$out/source"
    "$PYTHON" -m pip install -qq --no-compile --target "$site" --only-binary=:all: --implementation cp \
        --python-version "$version" --platform manylinux_2_28_aarch64 --platform manylinux2014_aarch64 \
        "$out"/wheel/*.whl || die "pip could not fetch the arm64 wheels" 69
    rm -rf "$site/bin"
    printf '#!/opt/roma-device/bin/python\nfrom roma_device.app.cli import main\nmain()\n' >"$home/bin/roma-device"
    chmod +x "$home/bin/roma-device"
    # Compiling under emulation would take longer than all else: the same Python version here does it too.
    if command -v "python$version" >/dev/null; then
        "python$version" -m compileall -q -s "$root" "$site" "$root/usr/lib/python$version" \
            -x 'lib2to3|idlelib|/test/' >/dev/null 2>&1 || true
    fi
}

# What the scenarios need: themselves, and a board without an NPU that believes in one.
install_scenarios() {
    local place=$root/opt/vm
    mkdir -p "$place/tests"
    cp "$REPO"/tests/vm/guest/*.py "$REPO"/tests/vm/guest/*.sh "$place/"
    cp -r "$REPO/tests/standin" "$place/tests/"
    (cd "$REPO" && CC=aarch64-linux-gnu-gcc "$PYTHON" -m tests.standin.build "$place/standin")
    (cd "$REPO" && "$PYTHON" -c '
import sys
from pathlib import Path
from roma_device.app.model_store import find_model
from tests.standin.network import standin_bundle
standin_bundle(find_model("stereo"), (64, 64), Path(sys.argv[1]))' "$place/bundle")
}

make_image() {
    say "making the disk image"
    cp "$REPO/tests/vm/guest/vm-test.service" "$root/etc/systemd/system/vm-test.service"
    ln -sf /etc/systemd/system/vm-test.service "$root/etc/systemd/system/multi-user.target.wants/vm-test.service"
    mkdir -p "$root/share"
    mke2fs -q -t ext4 -d "$root" -L root "$out/root.img" "${IMAGE_SIZE:-1500M}"
}

[ "$(id -u)" = 0 ] || die "must run as root: files of the image belong to root and to services" 77
mkdir -p "$out"
rm -rf --one-file-system "$root" "$out/source" "$out/wheel" "$out/initrd.tree" "$out/root.img"
unpack_debian
configure_debian
prune_modules
make_initrd
install_app
install_scenarios
make_image
rm -rf --one-file-system "$root"
say "done: $out/root.img, $(du -h "$out/root.img" | cut -f1)"
