#!/bin/sh -e
cd /root
echo $(expr 2500 \* ((delay))) > product.txt
iperf3 -c 10.0.1.80 -t 4 | tee narrow.txt
tcpdump -n -i eth1 -s 100 -w loss.pcap tcp port 5201 & dump=$!
sleep 1
iperf3 -c 10.0.2.80 -t 8 -C reno & send=$!
sleep 0.5
for i in $(seq 60); do ss -Htin dst 10.0.2.80 dport = :5201; sleep 0.1; done > saw.txt
wait $send
kill $dump
wait $dump || true
ip route replace 10.0.2.80 dev eth1 congctl bbr
