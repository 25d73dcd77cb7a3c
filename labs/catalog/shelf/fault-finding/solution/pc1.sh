#!/bin/sh -e
cat > /etc/network/interfaces.d/lan <<EOF
auto eth0
iface eth0 inet static
    address ((lan1.10))/24
    gateway ((lan1.1))
EOF
ip link del eth0.7 2>/dev/null || true
ip addr flush dev eth0
ip link set eth0 down
rm -f /run/network/ifstate*
ifup eth0
cat > /root/report <<EOF
access: ((access))
transit: ((transit))
service: ((service))
EOF
