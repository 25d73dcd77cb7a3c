#!/bin/sh -e
ip link set eth0 up
ip addr add ((vlan20.13))/24 dev eth0
