#!/bin/sh -e
sed -i '/ip route add/d' /etc/network/interfaces.d/router
ip route del ((lan1)) 2>/dev/null || true
echo 'net.ipv4.ip_forward = 1' > /etc/sysctl.d/router.conf
sysctl -p /etc/sysctl.d/router.conf
