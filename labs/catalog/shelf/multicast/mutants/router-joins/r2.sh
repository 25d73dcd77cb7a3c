#!/bin/sh -e
service frr start
vtysh -c "configure terminal" \
	-c "ip pim rp 10.255.0.1 224.0.0.0/4" \
	-c "interface eth0" \
	-c "ip pim" \
	-c "exit" \
	-c "interface eth1" \
	-c "ip pim" \
	-c "ip igmp" \
	-c "exit" \
	-c "interface eth2" \
	-c "ip pim" \
	-c "ip igmp" \
	-c "ip igmp join 239.10.((h)).((g))" \
	-c end -c "write memory"
systemctl enable frr
