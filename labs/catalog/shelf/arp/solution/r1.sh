#!/bin/sh -e
echo "net.ipv4.conf.eth0.proxy_arp = 1" > /etc/sysctl.d/proxy.conf
sysctl -q -p /etc/sysctl.d/proxy.conf
systemctl enable procps
