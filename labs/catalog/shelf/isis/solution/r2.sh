#!/bin/sh -e
service frr start
vtysh -c "configure terminal" \
	-c "ip route 10.1.0.0/16 Null0" \
	-c "router isis LAB" \
	-c "net 49.0001.0000.0000.0002.00" \
	-c "is-type level-1-2" \
	-c "redistribute ipv4 static level-2" \
	-c "exit" \
	-c "interface eth0" \
	-c "ip router isis LAB" \
	-c "isis network point-to-point" \
	-c "exit" \
	-c "interface eth1" \
	-c "ip router isis LAB" \
	-c "isis network point-to-point" \
	-c end -c "write memory"
systemctl enable frr
