ip neigh replace ((lan.80)) lladdr ((mac-srv)) dev eth0 nud reachable
