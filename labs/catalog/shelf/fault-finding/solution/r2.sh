#!/bin/sh -e
grep -q 'ip route add' /etc/network/interfaces.d/router ||
  sed -i '/((wan.2))/a\    up ip route add ((lan1)) via ((wan.1))' /etc/network/interfaces.d/router
ip route replace ((lan1)) via ((wan.1))
echo 'net.ipv4.ip_forward = 1' > /etc/sysctl.d/router.conf
sysctl -p /etc/sysctl.d/router.conf
