#!/bin/sh -e
cd /root
iperf3 -c 10.0.0.2 -t 8 | tee clean.txt
iperf3 -c 10.0.0.2 -t 8 | tee lossy.txt
iperf3 -c 10.0.0.2 -t 6 -C bbr | tee bbr.txt
echo "net.ipv4.tcp_congestion_control = bbr" > /etc/sysctl.d/bbr.conf
sysctl -p /etc/sysctl.d/bbr.conf
systemctl enable procps
