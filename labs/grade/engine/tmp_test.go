package engine_test

func (p *place) MAC(node, iface string) string { return "" }
