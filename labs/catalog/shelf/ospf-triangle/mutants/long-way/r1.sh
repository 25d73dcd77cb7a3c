#!/bin/sh -e
service frr start
vtysh -c 'configure terminal' \
	-c 'router ospf' \
	-c 'ospf router-id 10.255.0.1' \
	-c 'network 10.0.0.0/8 area 0' \
	-c 'interface eth1' -c 'ip ospf cost 100' \
	-c 'end' -c 'write memory'
systemctl enable frr
