#!/bin/sh -e
iperf3 -c 10.0.2.80 -t 9 >/dev/null &
sleep 5
ping -c 10 -i 0.3 10.0.2.80 > /root/bloat.txt
wait
