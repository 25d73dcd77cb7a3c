#!/bin/sh -e
service frr start
vtysh -c "configure terminal" \
	-c "router isis LAB" \
	-c "net 49.0002.0000.0000.0003.00" \
	-c "is-type level-2-only" \
	-c "exit" \
	-c "interface eth0" \
	-c "ip router isis LAB" \
	-c "isis network point-to-point" \
	-c "exit" \
	-c "interface eth1" \
	-c "ip router isis LAB" \
	-c "isis passive" \
	-c end -c "write memory"
systemctl enable frr
