package uplink_test

import "github.com/patchbay/patchbay/vnet"

// addSegment adds a learning switch.
func addSegment(sw *vnet.Switch, name string) error {
	return sw.AddSegment(vnet.SegmentConfig{Name: name, Kind: vnet.SwitchKind})
}
