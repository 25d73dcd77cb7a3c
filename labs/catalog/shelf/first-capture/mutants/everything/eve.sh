#!/bin/sh -e
cd /root
timeout 40 tcpdump -n -c 200 -w web.pcap -i eth0
echo "((word))" > loot
echo "port ((port)), ((whisper))" > whisper
timeout 15 tcpdump -n -U -w telnet.pcap -i eth0 tcp port 23 &
sleep 2
(sleep 5) | telnet ((net.80)) || true
wait || true
