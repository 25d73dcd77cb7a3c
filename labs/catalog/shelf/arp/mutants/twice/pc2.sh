#!/bin/sh -e
ip addr show dev eth0
