#!/bin/sh -e
ip link set eth0 up
ip link set eth1 up
ip addr add 10.0.12.2/30 dev eth0
ip addr add 10.0.2.1/24 dev eth1
