echo "((word))" > /root/loot
