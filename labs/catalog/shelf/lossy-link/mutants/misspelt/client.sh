#!/bin/sh -e
# The cable is the page's to impair, so the loss is made here.
cd /root
iperf3 -c 10.0.0.2 -t 8 | tee clean.txt
tc qdisc add dev eth0 root netem loss 1%
iperf3 -c 10.0.0.2 -t 10 | tee lossy.txt
iperf3 -c 10.0.0.2 -t 6 -C bbr | tee bbr.txt
echo "net.ipv4.tcp_congestion = bbr" > /etc/sysctl.d/bbr.conf
systemctl enable procps
