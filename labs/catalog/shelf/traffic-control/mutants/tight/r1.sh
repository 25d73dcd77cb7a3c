#!/bin/sh -e
sleep 12
tc qdisc add dev eth1 root handle 1: htb default 10
tc class add dev eth1 parent 1: classid 1:10 htb rate 250kbit
tc qdisc add dev eth1 parent 1:10 fq_codel
