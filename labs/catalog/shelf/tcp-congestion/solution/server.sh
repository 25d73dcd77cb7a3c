#!/bin/sh -e
echo "net.ipv4.tcp_rmem = 4096 131072 1048576" > /etc/sysctl.d/window.conf
sysctl -p /etc/sysctl.d/window.conf
systemctl enable procps
