#!/bin/sh -e
ip link set eth0 up
ip addr add 10.0.0.3/24 dev eth0
echo "10.0.0.1 pc1" >> /etc/hosts
