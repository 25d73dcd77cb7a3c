#!/bin/sh -e
cat > /etc/network/interfaces.d/queues <<EOF
auto lo
iface lo inet loopback
    up tc qdisc replace dev eth1 root handle 1: htb default 10
    up tc class replace dev eth1 parent 1: classid 1:10 htb rate 10mbit
    up tc qdisc replace dev eth1 parent 1:10 fq_codel
EOF
systemctl enable networking
# client measures first.
(sleep 12; ifup --force lo) >/dev/null 2>&1
