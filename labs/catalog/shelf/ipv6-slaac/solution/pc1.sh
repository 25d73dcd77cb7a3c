#!/bin/sh -e
ip link set eth0 up
