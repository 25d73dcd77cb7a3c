#!/bin/sh -e
ip link set eth0 up
ip addr add 10.0.2.10/24 dev eth0
ip route add default via 10.0.2.1
