#!/bin/sh -e
service frr start
vtysh -c 'configure terminal' \
	-c 'router ospf' \
	-c 'ospf router-id 10.255.0.3' \
	-c 'network 10.0.0.0/8 area 1' \
	-c 'end' -c 'write memory'
systemctl enable frr
