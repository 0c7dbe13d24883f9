#!/bin/sh
# Started by the virtual board when it is up: what the host put into the shared folder says what to do.
mkdir -p /share
if ! mount -t 9p -o trans=virtio,version=9p2000.L share /share; then
    echo "VM-TEST no share"
    systemctl --no-block poweroff
    exit 1
fi
/opt/roma-device/bin/python "/opt/vm/$(cat /share/program)" >>/share/guest.log 2>&1
echo "VM-TEST ended with $?" | tee -a /share/guest.log
sync
systemctl --no-block poweroff
