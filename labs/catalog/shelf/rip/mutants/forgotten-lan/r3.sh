#!/bin/sh -e
service frr start
vtysh -c "configure terminal" \
	-c "router rip" \
	-c "network eth0" \
	-c "timers basic 5 30 20" \
	-c end -c "write memory"
systemctl enable frr
