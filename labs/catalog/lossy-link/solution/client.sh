#!/bin/sh -e
# The link as it is, then with a loss of 1 % of what is sent, by both opinions.
iperf3 -c 10.0.0.2 -t 5
tc qdisc add dev eth0 root netem loss 1%
iperf3 -c 10.0.0.2 -t 5
iperf3 -c 10.0.0.2 -t 5 -C bbr
tc qdisc del dev eth0 root
