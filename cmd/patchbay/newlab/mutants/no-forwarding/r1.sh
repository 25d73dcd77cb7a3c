# Only looks at it.
sysctl net.ipv4.ip_forward
