#!/bin/sh -e
service frr start
systemctl enable frr
