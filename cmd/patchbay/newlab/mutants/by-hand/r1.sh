# Tells the kernel alone, which forgets it.
sysctl -w net.ipv4.ip_forward=1
