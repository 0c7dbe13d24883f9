#!/bin/bash
# enter.sh ROOT PROGRAM ...: run a program inside ROOT. For run.sh, which calls it in a mount namespace of its own.
set -euo pipefail
root=$1
shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
exec env -i HOME=/tmp LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONPATH=/site PYTHONDONTWRITEBYTECODE=1 \
    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 ROMA_STANDIN_DIR=/standin \
    chroot "$root" /usr/bin/env --chdir=/src "$@"
